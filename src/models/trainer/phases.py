"""The phases of a run: one from scratch, or the new head first and then the end of the base with it."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import keras

from contracts.console import log
from contracts.dataset import ShardIndex, Split
from contracts.errors import InputError
from models.trainer import input_pipeline
from models.trainer.architecture import Design
from models.trainer.augmentation import Augmentation
from models.trainer.config import ALL, HEAD_ONLY, TrainConfig
from models.trainer.feature_batches import FeatureBatches
from models.trainer.features import Features, FrozenBase, fit_into_memory, forget
from models.trainer.input_pipeline import Batches, Epoch, Pixels, SplitShards
from models.trainer.objective import Objective, balanced
from models.trainer.optimizers import scaled_rate
from models.trainer.precision import feature_precision, in_precision
from models.trainer.shards import digest_of


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
    splits: dict[Split, SplitShards]
    pixels: Pixels
    batches: Batches
    cache: Path
    """A folder for what is read more than once."""


@dataclass(frozen=True)
class Task:
    """A phase's network and batches: the whole network on images, or the head on the base's features."""

    network: keras.Model
    objective: Objective
    steps: int
    """Of an epoch."""
    training: Callable[[int, int], Any]
    """(the epoch's number, batches that are done) to the rest of its batches."""
    validation: Any
    validation_steps: int


class Phases:
    """The phases of one run."""

    def __init__(
        self, network: keras.Model, design: Design, config: TrainConfig, data: Data, strategy: Any
    ) -> None:
        self._network, self._design, self._config = network, design, config
        self._data, self._strategy = data, strategy

    def task(self, phase: Phase) -> Task:
        """Say what a phase trains and on what, and mark in the network what it may change."""
        if phase.name == "head":
            return self._head_task()
        fine_tuned = phase.name == "fine-tune"
        unfreeze(self._network, first_trained(self._config, self._design), keep_statistics=fine_tuned)
        data, own_files = self._data, self._config.host_input == "files"
        train = data.splits["train"]
        return Task(
            self._network,
            self._objective(),
            input_pipeline.training_steps(train, data.batches, own_files=own_files),
            lambda epoch, done: input_pipeline.training(
                train, data.pixels, data.batches, self._epoch(epoch, done)
            ),
            input_pipeline.evaluation(data.splits["val"], data.pixels, data.batches),
            data.batches.steps(data.index.examples("val")),
        )

    def forget(self) -> None:
        """Remove features that were kept in files, also by a process that was killed behind it."""
        forget(self._kept)

    @property
    def _kept(self) -> Path:
        """The folder for features of this configuration and these images; found again after a kill."""
        told = self._config.model_dump_json() + digest_of(self._data.index)
        return self._data.cache / "features" / hashlib.sha256(told.encode()).hexdigest()[:16]

    def _head_task(self) -> Task:
        """The base doesn't change, so what it makes of each view of an image is computed once."""
        base, head = self._halves()
        data, began = self._data, time.perf_counter()
        images = data.index.examples("train") * self._config.feature_views + data.index.examples("val")
        folder = None
        if not fit_into_memory(base.bytes(images)):
            folder = self._kept / base.digest()[:16]
        views = [self._features(base, "train", view, folder) for view in range(self._config.feature_views)]
        val, val_labels = self._features(base, "val", 0, folder)
        seconds = round(time.perf_counter() - began, 2)
        log("features computed", images=images, seconds=seconds, precision=base.precision)

        training = [FeatureBatches(values, labels, data.batches) for values, labels in views]
        return Task(
            head,
            self._objective(),
            data.batches.steps(data.index.examples("train")),
            lambda epoch, done: training[epoch % len(views)].shuffled(self._epoch(epoch, done)),
            FeatureBatches(val, val_labels, data.batches).in_order(),
            data.batches.steps(data.index.examples("val")),
        )

    def _halves(self) -> tuple[FrozenBase, keras.Model]:
        """The base, in the precision that computes features, and the head."""
        seam = self._network.get_layer(self._design.features).output
        head = keras.Model(seam, self._network.output)
        for layer in self._network.layers:
            layer.trainable = layer in head.layers
        base = keras.Model(self._network.input, seam)
        precision = feature_precision(self._config)
        if precision != self._config.precision:
            with self._strategy.scope():
                base = in_precision(base, precision)
        data = self._data
        batches = Batches(data.batches.images, data.batches.host_replicas)
        return FrozenBase(base, precision, self._strategy, data.pixels, batches), head

    def _features(
        self, base: FrozenBase, split: Split, view: int, folder: Path | None
    ) -> tuple[Features, Any]:
        seen = self._epoch(view, 0)
        # An image's features are its own: nothing is mixed into it.
        seen = replace(seen, augment=replace(seen.augment, mixup=0.0, cutmix=0.0))
        return base.features(self._data.splits[split], seen if view else None, folder)

    def _epoch(self, number: int, done: int) -> Epoch:
        config = self._config
        return Epoch(
            seed=config.seed,
            number=number,
            augment=Augmentation(**{name: getattr(config, name) for name in Augmentation.__annotations__}),
            shuffle_buffer=config.shuffle_buffer,
            done=done,
            own_files=config.host_input == "files",
        )

    def _objective(self) -> Objective:
        weights = None
        if self._config.class_weights == "balanced":
            histograms = [shard.class_histogram for shard in self._data.index.shards["train"]]
            weights = balanced([sum(counts) for counts in zip(*histograms, strict=True)])
        return Objective(self._config.label_smoothing, weights)


def plan(config: TrainConfig, design: Design) -> tuple[Phase, ...]:
    """The phases of a run, in order."""
    rate = scaled_rate(config, config.learning_rate or design.learning_rate)
    if config.from_scratch:
        return (Phase("scratch", config.epochs, rate),)
    phases = []
    if config.head_epochs:
        phases.append(Phase("head", config.head_epochs, scaled_rate(config, config.head_learning_rate)))
    if config.fine_tune_from != HEAD_ONLY:
        phases.append(Phase("fine-tune", config.epochs, rate * config.fine_tune_factor))
    return tuple(phases)


def first_trained(config: TrainConfig, design: Design) -> str:
    """What the name of the first layer begins with that is trained behind the head's phase; or `all`."""
    return ALL if config.from_scratch else config.fine_tune_from or design.fine_tune_from


def unfreeze(network: keras.Model, start: str, *, keep_statistics: bool = False) -> None:
    """Let a network change from the first layer on whose name begins with `start`; `all`: everywhere.

    Args:
        network: any.
        start: the name's beginning.
        keep_statistics: leave batch normalizations as they are: a few batches of other images would spoil
            what the base learnt of a million.

    Raises:
        InputError: there is no such layer.
    """
    names = [layer.name for layer in network.layers]
    first = 0 if start == ALL else next((i for i, name in enumerate(names) if name.startswith(start)), None)
    if first is None:
        weighted = [layer.name for layer in network.layers if layer.weights]
        raise InputError(
            f"--fine-tune-from {start}: {network.name} has no layer of that name, only {', '.join(weighted)}"
        )
    for number, layer in enumerate(network.layers):
        frozen = keep_statistics and isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = number >= first and not frozen
