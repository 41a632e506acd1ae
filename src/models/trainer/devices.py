"""`--gpu N` and the hosts to a tf.distribute strategy; the devices are looked at first.

MirroredStrategy over devices that aren't there says "2 replicas" and then hangs; without devices it silently
takes the CPU. Nothing else here asks TensorFlow which devices there are.
"""

import functools
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from contracts.errors import InputError
from models.trainer.cluster import Cluster
from models.trainer.config import ALL, Execution
from models.trainer.rendezvous import meet


def strategy_for(execution: Execution, cluster: Cluster, devices: Sequence[str] | None = None) -> Any:
    """Choose where to train.

    Args:
        execution: its `gpu`: 0 is the CPU, 1 a single GPU without a strategy, more is MirroredStrategy. On
            several hosts, MultiWorkerMirroredStrategy over as many of each.
        cluster: the hosts.
        devices: these very devices instead, whatever `gpu` says: how tests train on several logical CPUs.

    Returns:
        A `tf.distribute.Strategy`; the default one for a single device.

    Raises:
        InputError: there are fewer GPUs.
        StageError: another host doesn't come, or this one's port is taken.
    """
    if devices is None:
        devices = _gpus(execution.gpu)
    if cluster.hosts > 1:
        meet(cluster)
        return _multi_worker(execution.all_reduce, cluster)
    if len(devices) > 1:
        return _mirrored(tuple(devices), execution.all_reduce)
    return tf.distribute.get_strategy()


@functools.cache
def _mirrored(devices: tuple[str, ...], all_reduce: str) -> Any:
    """One a process: a second strategy's reductions bear the numbers of the first's, and mix with them."""
    ways = {
        "nccl": tf.distribute.NcclAllReduce,
        "hierarchical-copy": tf.distribute.HierarchicalCopyAllReduce,
    }
    return tf.distribute.MirroredStrategy(
        list(devices), cross_device_ops=ways[all_reduce]() if all_reduce in ways else None
    )


@functools.cache
def _multi_worker(all_reduce: str, cluster: Cluster) -> Any:
    # Said to it, as TensorFlow itself reads TF_CONFIG only, and takes an evaluator there for a host.
    hosts = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"chief": cluster.addresses[:1], "worker": cluster.addresses[1:]}),
        task_type="chief" if cluster.chief else "worker",
        task_id=max(cluster.host - 1, 0),
        rpc_layer="grpc",
    )
    kinds = tf.distribute.experimental.CommunicationImplementation
    kind = {"auto": kinds.AUTO, "nccl": kinds.NCCL, "hierarchical-copy": kinds.RING}[all_reduce]
    options = tf.distribute.experimental.CommunicationOptions(implementation=kind)
    with _keeping_sigterm():
        return tf.distribute.MultiWorkerMirroredStrategy(hosts, communication_options=options)


@contextmanager
def _keeping_sigterm() -> Iterator[None]:
    """Have SIGTERM mean what it meant: TensorFlow takes it for its own notice of preemptions."""
    kept = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, kept)


def count_gpus() -> int:
    """How many GPUs TensorFlow sees on this machine."""
    return len(tf.config.list_physical_devices("GPU"))


def has_gpu() -> bool:
    """Whether a GPU is in use."""
    return bool(tf.config.get_visible_devices("GPU"))


def _gpus(wanted: str) -> list[str]:
    found = tf.config.list_physical_devices("GPU")
    count = len(found) if wanted == ALL else int(wanted)
    if count > len(found) or (wanted == ALL and not found):
        kind = "GPU" if len(found) == 1 else "GPUs"
        raise InputError(
            f"--gpu {wanted} wants more than this machine has: TensorFlow sees {len(found)} {kind}; "
            f"use --gpu {len(found)}" + (" (the CPU)" if not found else "")
        )
    chosen = found[:count]
    try:
        tf.config.set_visible_devices(chosen, "GPU")
        for device in chosen:
            tf.config.experimental.set_memory_growth(device, True)
    except RuntimeError:
        # This process has used its devices before, so they can't be set up any more; as they are will do.
        pass
    return [f"GPU:{number}" for number in range(count)]
