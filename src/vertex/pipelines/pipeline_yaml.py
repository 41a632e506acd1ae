"""The pipeline as Kubeflow Pipelines and Vertex AI Pipelines read it: YAML, compiled by kfp.

Each step is a container of our images with the command and the arguments that `submit` sends. They meet in
the bucket and not in kfp's artifacts, so that a step waits for the one before.
"""

import inspect
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contracts.errors import InputError
from vertex.jobs.environment import refuse_secrets
from vertex.machines import Machine
from vertex.pipelines.pipeline_steps import GATE, Chain, Filled, Step, parameters, steps
from vertex.settings import Settings

NAME: Final = "chrysalis"
RETRIES: Final = 2
"""Of a step that failed: each carries on where it stood."""

CPU_SIZE: Final = ("8", "30G")
"""Cores and memory of process and records."""
MOST_CORES: Final = 96
MOST_MEMORY: Final = 624
"""GB: more, and more cores, no step on Vertex AI Pipelines may ask for."""

_SIZES: Final[Mapping[str, tuple[int, float]]] = {
    "n1-standard": (1, 3.75),
    "g2-standard": (1, 4),
    "a2-highgpu": (12, 85),
    "a2-ultragpu": (12, 170),
    "a3-highgpu": (26, 234),
}
"""Cores and GB of memory for each core (n1, g2) or GPU that a machine type ends with.

https://cloud.google.com/compute/docs/gpus and …/general-purpose-machines."""


@dataclass(frozen=True)
class Shape:
    """How the steps run."""

    machine: Machine
    """Of train."""
    environment: Mapping[str, str]
    """Of train: plain values, and where secrets are."""
    cache: bool = False


def compiled(chain: Chain, shape: Shape, settings: Settings) -> str:
    """Compile the pipeline; the same options give the same text.

    Raises:
        InputError: an option can't be used, or a secret stands in it.
    """
    import yaml
    from kfp import compiler, dsl

    planned = steps(chain)
    values = parameters(chain)

    def build(*given: Any) -> None:
        channels, before = dict(zip(values, given, strict=True)), None
        for step in planned:
            made = _component(step, settings)(**_inputs(step, channels))
            _shape(made, step, shape)
            before = made if before is None else made.after(before)

    build.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=value, annotation=str)
            for name, value in values.items()
        ]
    )
    pipeline = dsl.pipeline(name=NAME, description="download → process → records → train → gate")(build)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(file))
        text = file.read_text(encoding="utf-8")
    refuse_secrets(json.dumps(yaml.safe_load(text), ensure_ascii=False))  # YAML folds long texts
    return text


def _component(step: Step, settings: Settings) -> Any:
    from kfp.dsl import placeholders, structures
    from kfp.dsl.container_component_class import ContainerComponent

    arguments = [
        placeholders.InputValuePlaceholder(argument.input) if isinstance(argument, Filled) else argument
        for argument in step.arguments
    ]
    specification = structures.ComponentSpec(
        name=step.name,
        inputs={argument.input: structures.InputSpec(type="String") for argument in _filled(step)},
        implementation=structures.Implementation(
            container=structures.ContainerSpecImplementation(
                image=settings.image(step.task.image), command=list(step.task.command), args=arguments
            )
        ),
    )
    return ContainerComponent(specification, lambda: None)


def _inputs(step: Step, channels: Mapping[str, Any]) -> dict[str, str]:
    return {argument.input: argument.template.format_map(channels) for argument in _filled(step)}


def _filled(step: Step) -> list[Filled]:
    return [argument for argument in step.arguments if isinstance(argument, Filled)]


def _shape(made: Any, step: Step, shape: Shape) -> None:
    """Say how a step runs. The gate looks at the champion so far: it is never taken from the cache.

    Sizes are constants, as Vertex AI Pipelines takes no parameters in their place.
    """
    made.set_caching_options(shape.cache and step.name != GATE)
    if step.name != GATE:
        made.set_retry(RETRIES, backoff_duration="60s", backoff_factor=2)
    if step.name in ("process", "records"):
        _set_size(made, CPU_SIZE)
    if step.name == "train":
        _set_size(made, _size(shape.machine))
        if shape.machine.accelerator:
            made.set_accelerator_type(shape.machine.accelerator)
            made.set_accelerator_limit(shape.machine.accelerator_count)
        for name, value in shape.environment.items():
            made.set_env_variable(name, value)


def _set_size(made: Any, size: tuple[str, str]) -> None:
    cores, memory = size
    made.set_cpu_limit(cores).set_memory_limit(memory)


def _size(machine: Machine) -> tuple[str, str]:
    """Cores and memory of a machine type, as kfp wants them: 8 and 30G."""
    family, _, count = machine.type.rpartition("-")
    if family not in _SIZES or not count.removesuffix("g").isdecimal():
        raise InputError(
            f"expected a machine type of one of {', '.join(_SIZES)}, for its cores and memory; "
            f"got {machine.type!r}"
        )
    cores, memory = (each * int(count.removesuffix("g")) for each in _SIZES[family])
    if cores > MOST_CORES or memory > MOST_MEMORY:
        raise InputError(
            f"a pipeline's step has {MOST_CORES} cores and {MOST_MEMORY} GB at most, and {machine.type} "
            f"{cores} and {memory:g}: give a smaller --gpu, or train with `python -m vertex submit train`"
        )
    return str(cores), f"{memory:g}G"
