"""The phases of a run: one from scratch, or the new head first and then the end of the base with it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from contracts.console import log
from contracts.dataset import ShardIndex
from contracts.errors import InputError
from models.trainer import input_pipeline
from models.trainer.architecture import Architecture
from models.trainer.augmentation import Augmentation
from models.trainer.config import TrainConfig
from models.trainer.input_pipeline import BatchSize
from models.trainer.shards import Shards


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with an optimizer of its own."""

    name: Literal["scratch", "head", "fine-tune"]
    epochs: int
    learning_rate: float


@dataclass(frozen=True)
class Data:
    """What is trained on, and how it is cut into batches."""

    index: ShardIndex
    shards: Shards
    image_size: int
    batch: BatchSize


@dataclass(frozen=True)
class Task:
    """A phase's network and batches: the whole network on images, or the head on the base's features."""

    network: keras.Model
    training: Callable[[int], Any]
    """The epoch's number to its batches."""
    validation: Callable[[], Any]


def plan(config: TrainConfig) -> tuple[Phase, ...]:
    """The phases of a run, in order."""
    if config.from_scratch:
        return (Phase("scratch", config.epochs, config.learning_rate),)
    phases = []
    if config.head_epochs:
        phases.append(Phase("head", config.head_epochs, config.head_learning_rate))
    if config.fine_tune_from != "none":
        rate = config.learning_rate * config.fine_tune_factor
        phases.append(Phase("fine-tune", config.epochs, rate))
    return tuple(phases)


def make_task(
    phase: Phase, network: keras.Model, architecture: Architecture, config: TrainConfig, data: Data
) -> Task:
    """Say what a phase trains and on what, and mark in the network what it may change."""
    if phase.name == "head":
        return _head_task(network, architecture, config, data)
    start = "all" if phase.name == "scratch" else config.fine_tune_from or architecture.fine_tune_from
    unfreeze(network, start)
    augment = Augmentation(flip=config.flip, crop_scale=config.crop_scale)
    train, val = data.shards["train"], data.shards["val"]
    return Task(
        network,
        lambda epoch: input_pipeline.training(
            train, data.image_size, data.batch, augment, config.seed, epoch
        ),
        lambda: input_pipeline.evaluation(val, data.image_size, data.batch),
    )


def unfreeze(network: keras.Model, start: str) -> None:
    """Let a network change from the first layer on whose name begins with `start`; `all`: everywhere.

    Raises:
        InputError: there is no such layer.
    """
    names = [layer.name for layer in network.layers]
    first = 0 if start == "all" else next((i for i, name in enumerate(names) if name.startswith(start)), None)
    if first is None:
        weighted = [layer.name for layer in network.layers if layer.weights]
        raise InputError(
            f"--fine-tune-from {start}: {network.name} has no layer of that name, only {', '.join(weighted)}"
        )
    for number, layer in enumerate(network.layers):
        layer.trainable = number >= first


def _head_task(network: keras.Model, architecture: Architecture, config: TrainConfig, data: Data) -> Task:
    """The base doesn't change, so what it makes of each image is computed once and kept in memory."""
    seam = network.get_layer(architecture.features).output
    base, head = keras.Model(network.input, seam), keras.Model(seam, network.output)
    for layer in head.layers:
        layer.trainable = True
    log("computing the frozen base's features", images=sum(data.index.examples(s) for s in ("train", "val")))
    train, train_labels = _features(base, data, "train")
    val, val_labels = _features(base, data, "val")
    return Task(
        head,
        lambda epoch: input_pipeline.features(
            train, train_labels, data.batch, seed=config.seed * 1_000_003 + epoch
        ),
        lambda: input_pipeline.features(val, val_labels, data.batch),
    )


def _features(base: keras.Model, data: Data, split: Literal["train", "val"]) -> tuple[Any, Any]:
    """float32 [n, channels] and labels int64 [n] of a split, in the shards' order."""
    forward = tf.function(lambda images: tf.cast(base(images, training=False), tf.float32))
    values, labels = [], []
    for images, ids, shares in input_pipeline.evaluation(data.shards[split], data.image_size, data.batch):
        real = shares.numpy() > 0
        values.append(forward(images).numpy()[real])
        labels.append(ids.numpy()[real])
    return np.concatenate(values), np.concatenate(labels)
