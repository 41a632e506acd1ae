"""The trainer's one verb: a processed data set in, a run's folder with its bundle out."""

import shlex
import sys
from collections.abc import Sequence

from contracts import storage, vertex_environment
from contracts.bundle import ModelBundle
from contracts.class_info import read_class_info
from contracts.console import log
from contracts.dataset import ShardIndex
from contracts.errors import InputError
from contracts.lock import check_unlocked
from contracts.options import check_fillable
from contracts.run_name import run_name
from models.trainer.architecture import Architecture, ArchitectureOptions, Design
from models.trainer.cluster import Cluster, cluster_from_environment
from models.trainer.config import ALL, FROM_SCRATCH, IMAGENET, Execution, TrainConfig
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
    options: ArchitectureOptions | None = None,
    *,
    devices: Sequence[str] | None = None,
) -> ModelBundle | None:
    """Train, judge the best weights once on the test split, and write the bundle.

    The same call again goes on from the last state that was saved, or finds the bundle and returns it.

    Args:
        config: what decides the result.
        execution: how it is carried out.
        input_uri: a processed data set: a path or gs://bucket/prefix.
        output_uri: the run's own folder, which names it (`contracts.run_name`). Hosts that train together
            share it.
        architecture: what to build.
        options: its own; by default its defaults.
        devices: these very devices in place of `execution.gpu`; for tests.

    Returns:
        The bundle; None on a host that isn't the chief, and with `--no-export`.

    Raises:
        InputError: something that was given can't be used. Then nothing was written.
        StageError: another process works in the folder, or the work failed.
    """
    cluster = cluster_from_environment()
    if facts := vertex_environment.provenance():
        log("on Vertex AI", **facts)
    if not cluster.trains:
        log("nothing to do for an evaluator: the chief judges the network itself")
        return None
    index = ShardIndex.read(input_uri)
    options = options or architecture.options()
    design = architecture.design(options)
    image_size = choose_image_size(config, index, design)
    execution = execution.model_copy(update={"wandb": wandb_mode(execution.wandb)})
    if execution.class_info:
        read_class_info(execution.class_info, index.class_names)
    config = settled(config, execution, cluster, index, devices)
    settings = config.model_dump(mode="json") | options.model_dump(mode="json")
    run = find_run(output_uri, new_run(run_name(output_uri), architecture.name, digest_of(index), settings))
    if bundle := ModelBundle.read_if_there(output_uri):
        log("already trained", bundle=output_uri, test_accuracy=bundle.metrics.get("accuracy"))
        return bundle
    if cluster.chief:
        check_fillable(output_uri)
        check_unlocked(output_uri)
    if devices is None:
        check_driver(execution.gpu)
    _check_weights(config)
    # Only now, as it takes seconds: what can be refused without it has been.
    load_tensorflow()
    from models.trainer.agreement import together
    from models.trainer.session import Session

    with together(cluster):
        session = Session(
            config, execution, architecture, design, index, image_size, input_uri, run, cluster, devices
        )
        return session.run(output_uri, command=_command(architecture, input_uri, output_uri))


def choose_image_size(config: TrainConfig, index: ShardIndex, design: Design) -> int:
    """The side of the network's input in pixels.

    Raises:
        InputError: it is too small for the network.
    """
    size = config.image_size or max(min(index.image_size, LARGEST_DEFAULT_IMAGE), design.smallest_image)
    if size < design.smallest_image:
        raise InputError(
            f"--image-size {size} is too small for this network, which needs {design.smallest_image} pixels "
            "or more: leave it out"
        )
    if size > index.image_size:
        log("images are enlarged", records=index.image_size, network=size)
    return size


def settled(
    config: TrainConfig,
    execution: Execution,
    cluster: Cluster,
    index: ShardIndex,
    devices: Sequence[str] | None = None,
) -> TrainConfig:
    """Have `batch_size` follow from the devices where `--replica-batch-size` is given, and from the data.

    It is no larger than the training split: more would be padding.

    Raises:
        InputError: there are fewer GPUs, or the batch can't be dealt to the hosts or computed in its parts.
    """
    images = config.batch_size
    if execution.replica_batch_size:
        replicas = (len(devices) if devices else _gpus(execution.gpu)) * cluster.hosts
        images = execution.replica_batch_size * replicas
    config = config.model_copy(update={"batch_size": min(images, index.examples("train"))})
    if config.accumulate > config.batch_size:
        raise InputError(
            f"--accumulate {config.accumulate} is more than a batch has images, {config.batch_size}: lower it"
        )
    _check_host_input(config, cluster, index)
    return config


def _check_host_input(config: TrainConfig, cluster: Cluster, index: ShardIndex) -> None:
    """Refuse what can't be dealt to the hosts where each reads files of its own.

    Raises:
        InputError: batches, or shards.
    """
    if config.host_input != "files":
        return
    if config.batch_size % cluster.hosts:
        raise InputError(
            f"--host-input files deals a batch evenly to the hosts: --batch-size {config.batch_size} is no "
            f"multiple of {cluster.hosts}"
        )
    shards = len(index.shards["train"])
    if shards < cluster.hosts:
        raise InputError(
            f"--host-input files wants a training shard or more for each of {cluster.hosts} hosts, and there "
            f"are {shards}: build the records with more --shards, or take --host-input records"
        )


def _gpus(wanted: str) -> int:
    if wanted != ALL:
        return max(int(wanted), 1)
    check_driver(wanted)
    load_tensorflow()
    from models.trainer.devices import count_gpus

    return count_gpus()


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
            f"--weights {weights} is no file, nor a folder with a {ModelBundle.file_name}: expected "
            f"{FROM_SCRATCH}, {IMAGENET}, a file of weights, or an earlier run's folder"
        )


def _command(architecture: Architecture, input_uri: str, output_uri: str) -> str:
    """What to type to train it again: as it was typed, where it was."""
    module = f"models.{architecture.name}.train_multi_gpu"
    if module.replace(".", "/") in sys.argv[0]:
        arguments = sys.argv[1:]
    else:
        arguments = ["--input", input_uri, "--output", output_uri]
    return shlex.join(["python", "-m", module, *arguments])
