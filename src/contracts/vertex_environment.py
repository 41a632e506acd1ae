"""What Vertex AI tells a container of its job: the names of its variables stand here alone.

Every container gets CLOUD_ML_PROJECT_ID and CLOUD_ML_REGION, that of a custom job CLOUD_ML_JOB_ID, that of a
tuning job's trial CLOUD_ML_TRIAL_ID ("1", "2", …). Of a base output directory P follow AIP_MODEL_DIR
(P/model/), AIP_CHECKPOINT_DIR (P/checkpoints/) and AIP_TENSORBOARD_LOG_DIR (P/logs/); a trial has P/<trial>/
in place of P/. Nothing is read at import.
"""

import os
from typing import Final

MODEL_FOLDER: Final = "AIP_MODEL_DIR"
CHECKPOINT_FOLDER: Final = "AIP_CHECKPOINT_DIR"
LOG_FOLDER: Final = "AIP_TENSORBOARD_LOG_DIR"
CLUSTERS: Final = ("TF_CONFIG", "CLUSTER_SPEC")
"""The hosts of a job: TensorFlow's form, and that of any other framework, in which the pools have numbers."""

DATA_FORMAT: Final = "AIP_DATA_FORMAT"
DATA_URIS: Final = {
    "train": "AIP_TRAINING_DATA_URI",
    "val": "AIP_VALIDATION_DATA_URI",
    "test": "AIP_TEST_DATA_URI",
}

_JOB: Final = "CLOUD_ML_JOB_ID"
_PROJECT: Final = "CLOUD_ML_PROJECT_ID"
_TRIAL: Final = "CLOUD_ML_TRIAL_ID"


def on_vertex() -> bool:
    """Whether this is a container on Vertex AI."""
    return bool(os.environ.get(_JOB) or os.environ.get(_PROJECT))


def trial() -> str | None:
    """The number of the tuning job's trial that this process is; None: it is none."""
    return os.environ.get(_TRIAL) or None


def checkpoint_folder() -> str | None:
    """Where Vertex AI wants the checkpoints."""
    return os.environ.get(CHECKPOINT_FOLDER) or None


def log_folder() -> str | None:
    """Where Vertex AI wants TensorBoard's files."""
    return os.environ.get(LOG_FOLDER) or None


def provenance() -> dict[str, str]:
    """The job and the trial, as a log, a configuration or a bundle names them; empty elsewhere."""
    found = {"vertex_job": os.environ.get(_JOB), "vertex_trial": trial()}
    return {name: value for name, value in found.items() if value}


def data_format() -> str | None:
    """The format of the managed data set that a job is given: `jsonl`, `csv`, `bigquery`; None: none."""
    return os.environ.get(DATA_FORMAT) or None


def data_uri(split: str) -> str | None:
    """The pattern of the lists of a split's examples, as in `gs://bucket/folder/training-*`."""
    return os.environ.get(DATA_URIS[split]) or None
