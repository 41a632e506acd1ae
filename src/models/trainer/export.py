"""A trained network becomes a bundle: a folder of everything that serves, judges or explains it.

In: a Keras network (uint8 RGB [batch, size, size, 3] to logits float32 [batch, classes]), its answers for the
test split, and what is known of the run. Out: the files of `contracts.bundle.ModelBundle`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras

from contracts.bundle import ModelBundle
from contracts.dataset import Split
from models.trainer.evaluation import Metrics, Predictions
from models.trainer.run_facts import RunFacts


def export_bundle(
    network: keras.Model,
    folder: Path,
    run: RunFacts,
    *,
    test: Predictions,
    metrics: Metrics,
    shards: Mapping[Split, Sequence[str]],
) -> ModelBundle:
    """Write the bundle into a local folder, `bundle.json` last.

    Everything is made in `.export` inside the folder and moved into place at the end, so after a kill the same
    call starts afresh and nothing half-made ever had a final name. Other files of the folder (checkpoints,
    logs) stay, and aren't part of the bundle.

    Args:
        network: the best weights; any precision policy (it is exported in float32).
        folder: where to; made if need be.
        run: what was trained, on what, and how.
        test: the network's answers for the test split.
        metrics: what `evaluation.evaluate` said of them.
        shards: local paths of the TFRecords of `val` and `test`.

    Returns:
        The document that was written.
    """
    raise NotImplementedError


def publish_bundle(folder: Path, uri: str) -> None:
    """Copy a bundle from a local folder to where it belongs, `bundle.json` last; nothing, if it is there.

    Args:
        folder: what `export_bundle` filled.
        uri: the run's folder: a path or gs://bucket/prefix.
    """
    raise NotImplementedError
