"""`python -m models.trainer.gate`: may this bundle be deployed, and is it the best one so far?

In: a finished bundle and the records that it was trained on. Out: the verdict in its `bundle.json`, and,
where it is the best so far, `champion.json` in the folder above. `evaluation.ruling` says what the rules are.

`champion.json` is written first, and only in place of what was read: of two candidates that were compared
with the same champion, one succeeds it, and the other is judged anew. It holds the verdict too, so a run that
was killed between the two writes is mended by the next.
"""

from dataclasses import dataclass
from typing import Annotated

import typer

from contracts import storage
from contracts.bundle import ModelBundle
from contracts.champion import Champion
from contracts.console import log, run_app
from contracts.dataset import ShardIndex
from contracts.errors import InputError, StageError
from contracts.options import Input, check_fillable
from contracts.verdict import Floors, Verdict
from models.trainer.evaluation.comparison import compare
from models.trainer.evaluation.evidence import Evidence, gather
from models.trainer.evaluation.ruling import Rival, Ruling, rule
from models.trainer.evaluation.ruling_table import table
from models.trainer.tuning.record import Study

ATTEMPTS = 20
"""How often a candidate is judged: anew, whenever another one became champion in the meantime."""

EXAMPLES = """\b
Examples:
  python -m models.trainer.gate --model data/models/digits/vgg16 --input data/processed/digits
  python -m models.trainer.gate --model gs://bucket/models/dogs/vgg16 --input gs://bucket/processed/dogs \
--min-accuracy 0.9 --max-ece 0.05
"""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog=EXAMPLES)
def gate_cli(
    model: Annotated[str, typer.Option("--model", help="Bundle: a path or gs://bucket/prefix.")],
    data: Input,
    champion: Annotated[
        str | None,
        typer.Option(
            "--champion",
            help="Folder of champion.json; by default the one above the bundle's, or above its study's.",
        ),
    ] = None,
    min_accuracy: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Default: better than always naming the most frequent class."),
    ] = None,
    min_class_recall: Annotated[
        float | None, typer.Option(min=0, max=1, help="Of the class with the lowest; default: any.")
    ] = None,
    max_ece: Annotated[
        float | None, typer.Option(min=0, max=1, help="Calibration error, as served; default: any.")
    ] = None,
    max_litert_disagreement: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Share of validation images that LiteRT names otherwise; default: any."
        ),
    ] = None,
    confidence: Annotated[
        float,
        typer.Option(min=0.5, max=1, help="With which it must be worse than the champion to be refused."),
    ] = 0.95,
) -> None:
    """Bless or refuse a trained model, on the test split: its floors, and the champion so far.

    The verdict goes into its bundle.json. A blessed model that is at least as accurate as the champion
    becomes it. Exit code 0: blessed; 1: refused, which is told when everything is written.
    """
    floors = Floors(
        min_accuracy=min_accuracy,
        min_class_recall=min_class_recall,
        max_ece=max_ece,
        max_litert_disagreement=max_litert_disagreement,
    )
    ruling = gate(model, data, champion, floors=floors, confidence=confidence)
    reasons = " ".join(ruling.verdict.reasons)
    typer.echo(f"{table(ruling)}\n")
    if not ruling.verdict.blessed:
        typer.echo(f"refused: {reasons}", err=True)
        raise typer.Exit(1)
    typer.echo(f"blessed: {reasons}")


@dataclass(frozen=True)
class _Case:
    """What is judged, and how."""

    model: str
    data: str
    index: ShardIndex
    champions: str
    floors: Floors
    confidence: float

    @property
    def champion_uri(self) -> str:
        return storage.join(self.champions, Champion.file_name)


def gate(
    model: str,
    data: str,
    champions: str | None = None,
    *,
    floors: Floors | None = None,
    confidence: float = 0.95,
) -> Ruling:
    """Judge a bundle, and write down what came of it.

    Args:
        model: the bundle's URI.
        data: the records' URI.
        champions: the folder of `champion.json`; None: the one above the bundle's, or above its study's.
        floors: what is asked; None: more than naming the most frequent class.
        confidence: with which a worse candidate is refused.

    Raises:
        InputError: something is missing, broken or of other classes, or the champion isn't there any more.
        StageError: others became champion again and again.
    """
    index = ShardIndex.read(data)
    case = _Case(model, data, index, champions or _data_sets(model), floors or Floors(), confidence)
    for _ in range(ATTEMPTS):
        try:
            return _judge(case)
        except storage.ConflictError as conflict:
            log("judging again", why=str(conflict))
    raise StageError(f"{case.champion_uri} changed {ATTEMPTS} times in the meantime: run the gate again")


def _data_sets(model: str) -> str:
    """The folder of a data set's models, in which a bundle lies, or the study that it is a trial of."""
    above = storage.resolve("..", model)
    in_study = storage.exists(storage.join(above, Study.file_name))
    return storage.resolve("..", above) if in_study else above


def _judge(case: _Case) -> Ruling:
    seen_bundle = ModelBundle.read_text(case.model)
    bundle = ModelBundle.parse(seen_bundle, storage.join(case.model, ModelBundle.file_name))
    seen, champion = _present(case)
    evidence = gather(case.model, bundle, case.data, case.index)
    ruling = _rule(case, bundle, evidence, champion)
    verdict = ruling.verdict
    if verdict.champion and (champion is None or champion.verdict != verdict):
        Champion(
            dataset=case.index.dataset,
            bundle=storage.relative(case.model, case.champions),
            digest=bundle.digest,
            metrics=evidence.metrics.headline(),
            verdict=verdict,
        ).replace(case.champions, seen)
    if not _same(verdict, bundle.gate):
        bundle.model_copy(update={"gate": verdict}).replace(case.model, seen_bundle)
    return ruling


def _present(case: _Case) -> tuple[bytes | None, Champion | None]:
    try:
        seen = storage.read_bytes(case.champion_uri)
    except storage.NotFoundError:
        check_fillable(case.champions, "--champion")
        return None, None
    try:
        return seen, Champion.parse(seen, case.champion_uri)
    except InputError as error:
        raise InputError(f"{error}, once that file is removed") from None


def _rule(case: _Case, bundle: ModelBundle, evidence: Evidence, champion: Champion | None) -> Ruling:
    rival = None
    itself = champion is not None and champion.bundle == storage.relative(case.model, case.champions)
    if champion and itself:
        _check_digest(case, champion, bundle)
    elif champion:
        images = _champion_evidence(case, champion).images
        rival = Rival(champion.name, compare(evidence.images, images, case.confidence))
    ruling = rule(
        evidence.metrics,
        bundle.litert,
        case.floors,
        case.confidence,
        case.index.manifest_digest,
        rival=rival,
        reigning=itself,
    )
    if champion and itself and _asked(champion.verdict) == _asked(ruling.verdict):
        return Ruling(champion.verdict, ruling.checks, None)
    return ruling


def _champion_evidence(case: _Case, champion: Champion) -> Evidence:
    uri = champion.uri(case.champions)
    try:
        bundle = ModelBundle.read(uri)
    except InputError as error:
        raise InputError(
            f"the champion {champion.name} can't be compared with ({error}): put it back, or remove "
            f"{case.champion_uri} to begin anew"
        ) from None
    _check_digest(case, champion, bundle)
    if bundle.class_names != case.index.class_names:
        raise InputError(
            f"the champion {champion.name} knows other classes ({len(bundle.class_names)}) than {case.data} "
            f"({len(case.index.class_names)}): remove {case.champion_uri} to begin anew"
        )
    return gather(uri, bundle, case.data, case.index)


def _check_digest(case: _Case, champion: Champion, bundle: ModelBundle) -> None:
    if champion.digest != bundle.digest:
        raise InputError(
            f"{champion.uri(case.champions)} holds another bundle than the one that became the champion: put "
            f"that back, or remove {case.champion_uri} to begin anew"
        )


def _asked(verdict: Verdict) -> tuple[Floors, float, str]:
    return verdict.floors, verdict.confidence, verdict.dataset_digest


def _same(verdict: Verdict, other: Verdict | None) -> bool:
    """Whether they say the same, whenever they said it."""
    return other is not None and verdict == other.model_copy(update={"judged_at": verdict.judged_at})


if __name__ == "__main__":
    run_app(app, "python -m models.trainer.gate")
