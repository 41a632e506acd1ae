"""What a bundle is judged by: its answers for the test split of some records, and what they are worth.

In: a bundle and the records' index. They are read from the bundle's own report where it was trained on these
records, and else answered anew, which takes TensorFlow.
"""

from dataclasses import dataclass

from pydantic import ValidationError

from contracts.bundle import REPORT, SAVED_MODEL, ModelBundle, open_bundle
from contracts.console import log
from contracts.dataset import ShardIndex
from contracts.errors import InputError
from models.trainer.evaluation.metrics import Metrics
from models.trainer.evaluation.predictions import AnsweredImages, Predictions, read_predictions
from models.trainer.reporting.files import METRICS, PREDICTIONS
from models.trainer.shards import local_shards


@dataclass(frozen=True)
class Evidence:
    """A bundle's answers for the test split, with calibrated probabilities."""

    images: AnsweredImages
    metrics: Metrics


def gather(uri: str, bundle: ModelBundle, data: str, index: ShardIndex) -> Evidence:
    """Find how a bundle answers the test split.

    Args:
        uri: the bundle's folder.
        bundle: its document.
        data: the records' folder.
        index: the records' document.

    Raises:
        InputError: the bundle or the records are broken, or have other classes.
    """
    bundle.check_classes(uri, index.class_names, data)
    if bundle.dataset_digest == index.manifest_digest:
        return _from_report(uri, bundle)
    log("trained on other data: answering this test split anew", model=uri, data=data)
    return _anew(uri, bundle, data, index)


def _from_report(uri: str, bundle: ModelBundle) -> Evidence:
    with open_bundle(uri, [REPORT]) as (folder, _):
        images = read_predictions((folder / REPORT / PREDICTIONS).read_bytes(), bundle.class_names)
        try:
            metrics = Metrics.model_validate_json((folder / REPORT / METRICS).read_bytes())
        except ValidationError as error:
            raise InputError(
                f"{uri}/{REPORT}/{METRICS} is of another version ({error.error_count()} keys differ): "
                "train the bundle again"
            ) from None
    return Evidence(images, metrics)


def _anew(uri: str, bundle: ModelBundle, data: str, index: ShardIndex) -> Evidence:
    from models.trainer.runtime import load_tensorflow

    load_tensorflow()
    from models.trainer.evaluation.answering import judge_bundle

    shards = local_shards(data, index, ["test"])["test"]
    with open_bundle(uri, [SAVED_MODEL]) as (folder, _):
        judgement = judge_bundle(folder, bundle, "tensorflow", index, "test", shards)
    return Evidence(_table(judgement.predictions), judgement.metrics)


def _table(predictions: Predictions) -> AnsweredImages:
    rows = range(len(predictions.labels))
    return AnsweredImages(
        predictions.filenames,
        predictions.labels,
        predictions.predicted,
        predictions.probabilities[rows, predictions.labels],
        predictions.probabilities[rows, predictions.predicted],
    )
