"""A run from its devices to its bundle."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from contracts import storage
from contracts.bundle import ImageSpec, ModelBundle
from contracts.console import log
from contracts.dataset import ShardIndex
from contracts.errors import InputError, StageError
from models.trainer.architecture import Architecture
from models.trainer.checkpoints import Checkpoints, Progress, restore
from models.trainer.config import Execution, TrainConfig
from models.trainer.devices import has_gpu, strategy_for
from models.trainer.evaluation import Metrics, Predictions, evaluate
from models.trainer.examples import batches, read_examples
from models.trainer.export import export_bundle, publish_bundle
from models.trainer.fit import Fit
from models.trainer.input_pipeline import BatchSize
from models.trainer.phases import Data, plan, unfreeze
from models.trainer.run_facts import RunFacts
from models.trainer.run_folder import Run, RunFolder, claim, open_run_folder
from models.trainer.shards import damaged, local_shards
from models.trainer.tracking import TensorBoard, Tracker
from models.trainer.wandb_run import WandbRun
from models.trainer.wandb_run import start as start_wandb
from models.trainer.weights import load_weights

STEPS_PER_CALL_ON_GPU = 8


class Session:
    """A run in this process. Making it looks at everything that was given, and writes nothing."""

    def __init__(
        self,
        config: TrainConfig,
        execution: Execution,
        architecture: Architecture,
        index: ShardIndex,
        image_size: int,
        input_uri: str,
        run: Run,
        devices: Sequence[str] | None = None,
    ) -> None:
        self._config, self._execution, self._architecture, self._run = config, execution, architecture, run
        self._strategy = strategy_for(execution.gpu, devices)
        shards = local_shards(input_uri, index)
        batch = BatchSize(config.batch_size, self._strategy.num_replicas_in_sync)
        self._data = Data(index, shards, image_size, batch)
        keras.utils.set_random_seed(config.seed)
        with self._strategy.scope(), policy(config.precision):
            self._network = self._build()
            load_weights(self._network, config.weights, architecture)
        if not plan(config):
            raise InputError("--head-epochs 0 with --fine-tune-from none leaves nothing to train: change one")
        if not config.from_scratch:
            unfreeze_from = config.fine_tune_from or architecture.fine_tune_from
            unfreeze(self._network, "all" if unfreeze_from == "none" else unfreeze_from)

    def run(self, output_uri: str, command: str) -> ModelBundle:
        """Train to the end, judge, and write the bundle.

        Args:
            output_uri: the run's folder.
            command: what to type to train it again.
        """
        with open_run_folder(output_uri) as folder:
            claim(output_uri, self._run)
            return self._run_in(folder, output_uri, command)

    def _run_in(self, folder: RunFolder, output_uri: str, command: str) -> ModelBundle:
        name = storage.last_part(output_uri)
        with self._trackers(folder, name) as trackers:
            checkpoints = Checkpoints(folder.checkpoints)
            reached = self._fit(folder, checkpoints, trackers)
            network = self._best(checkpoints)
            test = self._predict(network)
            metrics = evaluate(test.probabilities, test.labels, self._data.index.class_names)
            log("judged on the test split", **_readable(metrics.headline()))
            for tracker in trackers:
                tracker.result(metrics.headline(), test.labels.tolist(), test.predicted.tolist())
            facts = self._facts(name, output_uri, command, reached, trackers)
            bundle = self._export(network, folder, facts, test, metrics)
            for tracker in trackers:
                tracker.bundle(output_uri)
            folder.publish(reached.history)
        return bundle

    def _build(self) -> keras.Model:
        classes = len(self._data.index.class_names)
        return self._architecture.build(classes, self._data.image_size, self._config.dropout)

    @contextmanager
    def _trackers(self, folder: RunFolder, name: str) -> Iterator[list[Tracker]]:
        trackers: list[Tracker] = [TensorBoard(folder.logs)]
        class_names = self._data.index.class_names
        if wandb_run := start_wandb(self._run, name, self._execution, folder.local, class_names):
            trackers.append(wandb_run)
            log("W&B", run=self._run.id, online=wandb_run.online, folder=wandb_run.folder)
        failed = True
        try:
            yield trackers
            failed = False
        finally:
            for tracker in trackers:
                tracker.close(failed=failed)

    def _fit(self, folder: RunFolder, checkpoints: Checkpoints, trackers: Sequence[Tracker]) -> Progress:
        def after_epoch(reached: Progress) -> None:
            row = reached.history[-1]
            for tracker in trackers:
                tracker.epoch(row)
            folder.publish(reached.history)
            log("epoch", **_readable(row))

        fit = Fit(
            self._strategy,
            self._network,
            self._architecture,
            self._config,
            self._data,
            checkpoints,
            steps_per_call=self._execution.steps_per_call or (STEPS_PER_CALL_ON_GPU if has_gpu() else 1),
            after_epoch=after_epoch,
        )
        try:
            return fit.run(self._run.id)
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            if found := damaged(self._data.shards, self._data.index):
                raise found from error
            raise
        except tf.errors.ResourceExhaustedError as error:
            raise StageError(
                f"a step of {self._config.batch_size} images of {self._data.image_size} pixels doesn't "
                "fit into memory: lower --batch-size, or take --precision bfloat16"
            ) from error

    def _best(self, checkpoints: Checkpoints) -> keras.Model:
        """The best weights in a network of their own, in float32 and on one device: what is exported."""
        best = checkpoints.load("best", self._run.id)
        if best is None:
            raise StageError("the checkpoint of the best epoch is gone: choose another --output")
        network = self._build()
        restore(network, best.network)
        return network

    def _predict(self, network: keras.Model) -> Predictions:
        """Answer the test split's images, prepared as the server does it."""
        index = self._data.index
        spec = ImageSpec(size=self._data.image_size, record_size=index.image_size, resize=index.resize)
        shape = [None, spec.size, spec.size, 3]
        forward = tf.function(
            lambda pixels: tf.nn.softmax(network(pixels, training=False)),
            input_signature=[tf.TensorSpec(shape, tf.uint8)],
        )
        filenames, labels, probabilities = [], [], []
        for examples, pixels in batches(
            read_examples(self._data.shards["test"]), spec, self._config.batch_size
        ):
            filenames += [example.filename for example in examples]
            labels += [example.label for example in examples]
            probabilities.append(forward(tf.constant(pixels)).numpy())
        return Predictions(filenames, np.array(labels), np.concatenate(probabilities))

    def _facts(
        self, name: str, output_uri: str, command: str, reached: Progress, trackers: Sequence[Any]
    ) -> RunFacts:
        return RunFacts(
            name=name,
            architecture=self._architecture.name,
            index=self._data.index,
            image_size=self._data.image_size,
            config=self._run.config | self._execution.model_dump(mode="json"),
            command=command,
            output=output_uri,
            history=reached.history,
            wandb_run=self._run.id if any(isinstance(tracker, WandbRun) for tracker in trackers) else None,
        )

    def _export(
        self, network: keras.Model, folder: RunFolder, facts: RunFacts, test: Predictions, metrics: Metrics
    ) -> ModelBundle:
        bundle = export_bundle(
            network, folder.local, facts, test=test, metrics=metrics, shards=self._data.shards
        )
        publish_bundle(folder.local, folder.uri)
        return bundle


@contextmanager
def policy(precision: str) -> Iterator[None]:
    """Have layers that are built in the block compute in `precision`, with weights in float32."""
    kept = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if precision == "float32" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(kept)


def _readable(figures: Mapping[str, float]) -> dict[str, float]:
    """Four digits of each, and no point behind a whole number."""
    rounded = {name: float(f"{value:.4g}") for name, value in figures.items()}
    return {name: int(value) if value.is_integer() else value for name, value in rounded.items()}
