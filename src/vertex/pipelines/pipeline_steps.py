"""The chain as the steps of a pipeline: what `submit` would run, with parameters where a run may differ.

A step's arguments are those of `vertex.stages`. Where one depends on a parameter it is a `Filled`, whose
template holds the parameters' names in braces, as in {root}/raw/{dataset}.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from keyword import iskeyword
from typing import Final, NamedTuple

from contracts.errors import InputError
from vertex.stages import DEFAULT_MODEL, Request, Stage, Task, task

GATE: Final = "gate"
NAMES: Final = ("download", "process", "records", "train", GATE)

_MARK: Final = "pipeline-parameter-"
"""Begins the stand-in for a parameter's value: one that a bucket, a data set and a run may be called."""


@dataclass(frozen=True)
class Chain:
    """What a pipeline does, with the values that its parameters have by default."""

    root: str
    dataset: str
    source: str | None = None
    model: str = DEFAULT_MODEL
    run_id: str | None = None
    gpu: int = 1
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Further options of a step, by its name. Those of train are parameters, too."""


class Filled(NamedTuple):
    """An argument that depends on parameters."""

    input: str
    """What the step calls it: the option that it is the value of."""
    template: str


@dataclass(frozen=True)
class Step:
    """One container of the pipeline."""

    name: str
    task: Task
    """With the default values."""
    arguments: tuple[str | Filled, ...]


def steps(chain: Chain) -> list[Step]:
    """Compose the steps, in the order in which they depend on each other.

    Raises:
        InputError: an option can't be used.
    """
    filled = replace(
        chain,
        root=f"gs://{_MARK}root",
        dataset=f"{_MARK}dataset",
        source=f"{_MARK}source",
        run_id=f"{_MARK}run_id",
        extra={**chain.extra, "train": tuple(_with_marks(chain))},
    )
    return [
        Step(name, real, _arguments(real, marked, list(parameters(chain))))
        for name, real, marked in zip(NAMES, _tasks(chain), _tasks(filled), strict=True)
    ]


def parameters(chain: Chain) -> dict[str, str]:
    """The pipeline's parameters and their default values.

    Raises:
        InputError: an option of train is called like a parameter of the pipeline's own.
    """
    own = {
        "root": chain.root,
        "dataset": chain.dataset,
        "source": chain.source or chain.dataset,
        "run_id": chain.run_id or chain.model,
    }
    given = {_parameter(flag): value for _, flag, value in _options(chain)}
    if twice := sorted(own.keys() & given.keys()):
        flag = "--" + twice[0].replace("_", "-")
        raise InputError(f"{flag} is a parameter of the pipeline itself: give it before the --")
    return own | given


def _tasks(chain: Chain) -> list[Task]:
    def of(stage: Stage) -> Request:
        return Request(stage, chain.root, chain.dataset, extra=chain.extra.get(stage, ()))

    download = task(replace(of(Stage.DOWNLOAD), source=chain.source))
    process, records = task(of(Stage.PROCESS)), task(of(Stage.RECORDS))
    train = task(replace(of(Stage.TRAIN), model=chain.model, run_id=chain.run_id, gpu=chain.gpu))
    gate = replace(
        train,
        image=chain.model,
        command=("python", "-m", "models.trainer.gate"),
        arguments=("--model", train.output, "--input", records.output, *chain.extra.get(GATE, ())),
        gpu=0,
    )
    return [download, process, records, train, gate]


def _arguments(real: Task, marked: Task, names: list[str]) -> tuple[str | Filled, ...]:
    found: list[str | Filled] = []
    for value, stand_in in zip(real.arguments, marked.arguments, strict=True):
        if _MARK not in stand_in:
            found.append(value)
            continue
        template = stand_in.replace(f"gs://{_MARK}root", "{root}")
        for name in sorted(names, key=len, reverse=True):  # no name in the place of a longer one
            template = template.replace(_MARK + name, f"{{{name}}}")
        found.append(Filled(_parameter(str(found[-1])), template))
    return tuple(found)


def _options(chain: Chain) -> Iterator[tuple[int, str, str]]:
    """Those of train's options that have a value and stand there once: the value's place, both texts."""
    extra = chain.extra.get("train", ())
    for place, (flag, value) in enumerate(pairwise(extra), 1):
        if (
            flag.startswith("--")
            and "=" not in flag
            and not value.startswith("--")
            and extra.count(flag) == 1
            and _parameter(flag).isidentifier()
            and not iskeyword(_parameter(flag))
        ):
            yield place, flag, value


def _with_marks(chain: Chain) -> list[str]:
    extra = list(chain.extra.get("train", ()))
    for place, flag, _ in _options(chain):
        extra[place] = _MARK + _parameter(flag)
    return extra


def _parameter(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")
