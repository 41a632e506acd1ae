"""The end of a run: the best network answers the test split, and becomes a bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from contracts import storage
from contracts.bundle import ImageSpec, ModelBundle
from models.trainer.checkpoints import Progress
from models.trainer.config import Execution
from models.trainer.evaluation.metrics import Metrics
from models.trainer.evaluation.predictions import Predictions
from models.trainer.examples import batches, read_examples
from models.trainer.export import export_bundle, publish_bundle
from models.trainer.phases import Data
from models.trainer.run_facts import RunFacts
from models.trainer.run_folder import Run, RunFolder
from models.trainer.tracking import Tracker
from models.trainer.wandb_run import WandbRun

_BATCH = 64


@dataclass(frozen=True)
class Outcome:
    """What is made of a run whose training is over."""

    data: Data
    architecture: str
    run: Run
    execution: Execution
    folder: RunFolder
    command: str
    """What to type to train it again."""

    def predict(self, network: keras.Model) -> Predictions:
        """Answer the test split's images, prepared as the server does it."""
        index, size = self.data.index, self.data.pixels.size
        spec = ImageSpec(size=size, record_size=index.image_size, resize=index.resize)
        forward = tf.function(
            lambda pixels: tf.nn.softmax(network(pixels, training=False)),
            input_signature=[tf.TensorSpec([None, size, size, 3], tf.uint8)],
            autograph=False,
        )
        filenames, labels, probabilities = [], [], []
        for examples, pixels in batches(read_examples(self.data.splits["test"].paths), spec, _BATCH):
            filenames += [example.filename for example in examples]
            labels += [example.label for example in examples]
            probabilities.append(forward(tf.constant(pixels)).numpy())
        return Predictions(filenames, np.array(labels), np.concatenate(probabilities))

    def export(
        self,
        network: keras.Model,
        reached: Progress,
        test: Predictions,
        metrics: Metrics,
        trackers: Sequence[Tracker],
    ) -> ModelBundle:
        """Write the bundle into the run's folder."""
        facts = RunFacts(
            name=storage.last_part(self.folder.uri),
            architecture=self.architecture,
            index=self.data.index,
            image_size=self.data.pixels.size,
            config=self.run.config | self.execution.model_dump(mode="json"),
            command=self.command,
            output=self.folder.uri,
            history=reached.history,
            wandb_run=self.run.id if any(isinstance(tracker, WandbRun) for tracker in trackers) else None,
        )
        shards = {split: found.paths for split, found in self.data.splits.items()}
        bundle = export_bundle(network, self.folder.local, facts, test=test, metrics=metrics, shards=shards)
        publish_bundle(self.folder.local, self.folder.uri)
        return bundle


def readable(figures: Mapping[str, Any]) -> dict[str, float]:
    """Four digits of each, and no point behind a whole number."""
    rounded = {name: float(f"{value:.4g}") for name, value in figures.items()}
    return {name: int(value) if value.is_integer() else value for name, value in rounded.items()}
