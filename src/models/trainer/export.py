"""A trained network becomes a bundle: a folder of everything that serves, judges or explains it.

In: a Keras network (uint8 RGB [batch, size, size, 3] to logits float32 [batch, classes]), its answers for the
test split, its temperature, and what is known of the run. Out: the files of `contracts.bundle.ModelBundle`.
"""

import csv
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from contracts import bundle as names
from contracts import storage
from contracts.bundle import BundleFile, Calibration, Golden, LiteRT, ModelBundle
from contracts.class_info import CLASS_INFO, read_class_info
from contracts.console import log
from contracts.dataset import Split
from models.trainer.evaluation.judgement import Judgement
from models.trainer.examples import batches, read_examples
from models.trainer.golden import TOLERANCE, write_golden
from models.trainer.litert import LiteRTModel, write_litert
from models.trainer.precision import in_precision
from models.trainer.provenance import git_commit, package_versions
from models.trainer.reporting.model_card import write_model_card
from models.trainer.reporting.report import write_report
from models.trainer.run_facts import RunFacts
from models.trainer.saved_model import write_saved_model

if TYPE_CHECKING:  # it brings cleanlab along
    from models.trainer.evaluation.label_errors import LabelErrors

AGREEMENT_EXAMPLES = 512
"""Validation images that the LiteRT file is compared on: enough to tell 0.98 from 0.96 in a minute."""

_BATCH = 32
_STAGING = ".export"


def export_bundle(
    network: keras.Model,
    folder: Path,
    run: RunFacts,
    *,
    judgement: Judgement,
    calibration: Calibration,
    shards: Mapping[Split, Sequence[str]],
    label_errors: "LabelErrors | None" = None,
) -> ModelBundle:
    """Write the bundle into a local folder, `bundle.json` last.

    Everything is made in `.export` inside the folder and moved into place at the end, so after a kill the
    same call starts afresh and nothing half-made ever had a final name. Other files of the folder
    (checkpoints, logs) stay, and aren't part of the bundle.

    Args:
        network: the best weights; any precision policy (it is exported in float32). `model.keras` is it, and
            gives logits; the other forms give calibrated probabilities, the golden images' among them.
        folder: where to; made if need be.
        run: what was trained, on what, and how.
        judgement: of the test split.
        calibration: the temperature.
        shards: local paths of each split's TFRecords.
        label_errors: labels that are likely wrong; None: they weren't looked for.

    Returns:
        The document that was written.
    """
    staging = folder / _STAGING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    exported = in_precision(network, "float32")
    litert, golden = _write_models(exported, staging, run, calibration.temperature, shards)
    log("writing the report and the model card")
    _write_labels(staging / names.LABELS, run.index.class_names)
    report = staging / names.REPORT
    write_report(report, run, judgement, shards, network=exported, label_errors=label_errors)
    card = staging / names.MODEL_CARD
    write_model_card(card, run, judgement, litert, calibration, label_errors=label_errors)
    bundle = ModelBundle(
        name=run.name,
        architecture=run.architecture,
        dataset=run.index.dataset,
        dataset_digest=run.index.manifest_digest,
        created_at=datetime.now(UTC),
        class_names=run.index.class_names,
        image=run.image,
        calibration=calibration,
        litert=litert,
        golden=tuple(golden),
        golden_tolerance=TOLERANCE,
        metrics=judgement.metrics.headline(),
        config=dict(run.config),
        git_commit=git_commit(),
        packages=package_versions(),
        wandb_run=run.wandb_run,
        files={file.name: BundleFile.of(staging / file.name) for file in storage.list_files(str(staging))},
    )
    _move_into_place(staging, folder, bundle)
    if run.class_info:  # not of the listed files: it may be changed whenever somebody finds a typo
        content = read_class_info(run.class_info, run.index.class_names)
        storage.write_bytes(str(folder / CLASS_INFO), content)
    bundle.write(str(folder))
    log("bundle written", bundle=run.output, files=len(bundle.files), litert=litert.quantization)
    return bundle


def publish_bundle(folder: Path, uri: str) -> None:
    """Copy a bundle from a local folder to where it belongs, `bundle.json` last; nothing, if it is there.

    Args:
        folder: what `export_bundle` filled.
        uri: the run's folder: a path or gs://bucket/prefix.
    """
    if not storage.is_remote(uri) and Path(uri).resolve() == folder.resolve():
        return
    bundle = ModelBundle.read(str(folder))
    further = [CLASS_INFO] if (folder / CLASS_INFO).exists() else []
    storage.upload_many(folder, [*bundle.names(), *further], uri)
    bundle.write(uri)


def _write_models(
    network: keras.Model,
    folder: Path,
    run: RunFacts,
    temperature: float,
    shards: Mapping[Split, Sequence[str]],
) -> tuple[LiteRT, list[Golden]]:
    log("exporting the network", formats=[names.KERAS_MODEL, names.SAVED_MODEL, names.LITERT_MODEL])
    network.save(folder / names.KERAS_MODEL)
    write_saved_model(network, folder / names.SAVED_MODEL, run.image, run.index.class_names, temperature)
    validation = islice(read_examples(shards["val"]), AGREEMENT_EXAMPLES)
    pixels = (pixels for _, pixels in batches(validation, run.image, _BATCH))
    litert = write_litert(network, folder / names.LITERT_MODEL, pixels, temperature)
    model = LiteRTModel(folder / names.LITERT_MODEL)
    return litert, write_golden(folder, read_examples(shards["test"]), run.image, model)


def _write_labels(path: Path, class_names: Iterable[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["index", "class_name"])
        rows.writerows(enumerate(class_names))


def _move_into_place(staging: Path, folder: Path, bundle: ModelBundle) -> None:
    (folder / ModelBundle.file_name).unlink(missing_ok=True)
    for name in (names.SAVED_MODEL, names.GOLDEN, names.REPORT):
        shutil.rmtree(
            folder / name, ignore_errors=True
        )  # of an export that was killed, or of another version
    for name in bundle.names():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (staging / name).replace(folder / name)
    shutil.rmtree(staging)
