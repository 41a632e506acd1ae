"""The trainer's one verb: a processed data set in, a run's folder with its bundle out."""

import shlex
import sys
from collections.abc import Sequence

from contracts import storage
from contracts.bundle import ModelBundle
from contracts.console import log
from contracts.dataset import ShardIndex
from contracts.errors import InputError
from contracts.lock import check_unlocked
from models.trainer.architecture import Architecture
from models.trainer.config import FROM_SCRATCH, IMAGENET, Execution, TrainConfig
from models.trainer.run_folder import find_run, new_run
from models.trainer.runtime import check_driver, load_tensorflow
from models.trainer.shards import digest_of
from models.trainer.wandb_run import wandb_mode

LARGEST_DEFAULT_IMAGE = 224


def train_and_evaluate(
    config: TrainConfig,
    execution: Execution,
    input_uri: str,
    output_uri: str,
    architecture: Architecture,
    *,
    devices: Sequence[str] | None = None,
) -> ModelBundle:
    """Train, judge the best weights once on the test split, and write the bundle.

    The same call again goes on after the last epoch that was finished, or finds the bundle and returns it.

    Args:
        config: what decides the result.
        execution: how it is carried out.
        input_uri: a processed data set: a path or gs://bucket/prefix.
        output_uri: the run's own folder; its last part is the run's name.
        architecture: what to build.
        devices: these very devices in place of `execution.gpu`; for tests.

    Raises:
        InputError: something that was given can't be used. Then nothing was written.
        StageError: another process works in the folder, or the work failed.
    """
    index = ShardIndex.read(input_uri)
    image_size = choose_image_size(config, index, architecture)
    wandb_mode(execution.wandb)
    name = storage.last_part(output_uri)
    wanted = new_run(name, architecture.name, digest_of(index), config.model_dump(mode="json"))
    run = find_run(output_uri, wanted)
    if bundle := ModelBundle.read_if_there(output_uri):
        log("already trained", bundle=output_uri, test_accuracy=bundle.metrics.get("accuracy"))
        return bundle
    check_unlocked(output_uri)
    _check_weights(config)
    if devices is None:
        check_driver(execution.gpu)
    # Only now, as it takes seconds: what can be refused without it has been.
    load_tensorflow()
    from models.trainer.session import Session

    session = Session(config, execution, architecture, index, image_size, input_uri, run, devices)
    return session.run(output_uri, command=_command(architecture, input_uri, output_uri))


def choose_image_size(config: TrainConfig, index: ShardIndex, architecture: Architecture) -> int:
    """The side of the network's input in pixels.

    Raises:
        InputError: the records or the architecture don't allow it.
    """
    size = config.image_size or min(index.image_size, LARGEST_DEFAULT_IMAGE)
    if size > index.image_size:
        raise InputError(
            f"--image-size {size} is more than the records hold, {index.image_size}: build them with "
            f"--image-size {size}, or leave it out"
        )
    if size < architecture.smallest_image:
        raise InputError(
            f"{architecture.name} needs images of {architecture.smallest_image} pixels or more, got "
            f"{size}: build the records with --image-size {architecture.smallest_image}"
        )
    return size


def _check_weights(config: TrainConfig) -> None:
    if config.from_scratch and config.fine_tune_from:
        raise InputError(
            f"--fine-tune-from {config.fine_tune_from} needs --weights: from scratch, all layers are trained"
        )
    weights = config.weights
    if weights not in (FROM_SCRATCH, IMAGENET) and not any(
        storage.exists(uri) for uri in (weights, storage.join(weights, ModelBundle.file_name))
    ):
        raise InputError(
            f"--weights {weights} doesn't exist: expected {FROM_SCRATCH}, {IMAGENET}, a file "
            "or a bundle's folder"
        )


def _command(architecture: Architecture, input_uri: str, output_uri: str) -> str:
    """What to type to train it again: as it was typed, where it was."""
    module = f"models.{architecture.name}.train_multi_gpu"
    if module.replace(".", "/") in sys.argv[0]:
        arguments = sys.argv[1:]
    else:
        arguments = ["--input", input_uri, "--output", output_uri]
    return shlex.join(["python", "-m", module, *arguments])
