"""The end of a run: the best network is calibrated and judged, and becomes a bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras

from contracts.bundle import Calibration, ModelBundle
from contracts.console import log
from contracts.dataset import Split
from models.trainer.evaluation.answering import answer_all, network_answer
from models.trainer.evaluation.calibration import fit_temperature, tempered
from models.trainer.evaluation.judgement import Judgement
from models.trainer.evaluation.label_errors import LabelErrors, find_label_errors
from models.trainer.evaluation.metrics import evaluate
from models.trainer.evaluation.predictions import Predictions
from models.trainer.export import export_bundle, publish_bundle
from models.trainer.run_facts import RunFacts
from models.trainer.run_folder import RunFolder


@dataclass(frozen=True)
class Answered:
    """What the network says of the images that it wasn't trained on."""

    calibration: Calibration
    predictions: Mapping[Split, Predictions]
    """Of `val` and `test`, calibrated."""


@dataclass(frozen=True)
class Outcome:
    """What is made of a run whose training is over."""

    run: RunFacts
    folder: RunFolder
    shards: Mapping[Split, Sequence[str]]
    """Local paths of each split's TFRecords."""
    features: str
    """The network's layer whose output the last one reads."""
    label_error_images: int
    """Training images, at most, that are looked through for label errors."""

    def answer(self, network: keras.Model) -> Answered:
        """Answer the validation split, which tells the temperature, and the test split."""
        answer = network_answer(network)
        splits: tuple[Split, ...] = ("val", "test")
        raw = {
            split: answer_all(answer, self.shards[split], self.run.image, self.run.index.examples(split))
            for split in splits
        }
        temperature = fit_temperature(raw["val"].probabilities, raw["val"].labels)
        log("calibrated on the validation split", temperature=round(temperature, 3))
        return Answered(
            Calibration(temperature=temperature, examples=len(raw["val"].labels)),
            {split: _at(temperature, predictions) for split, predictions in raw.items()},
        )

    def judge(self, answered: Answered) -> Judgement:
        """Measure the test split's answers."""
        test = answered.predictions["test"]
        metrics = evaluate(
            test.probabilities,
            test.labels,
            self.run.index.class_names,
            temperature=answered.calibration.temperature,
        )
        log("judged on the test split", **readable(metrics.headline()))
        return Judgement("test", test, metrics)

    def find_label_errors(self, network: keras.Model, answered: Answered) -> LabelErrors:
        """Look through all splits for labels that are likely wrong."""
        found = find_label_errors(
            network,
            self.features,
            self.shards,
            self.run.image,
            self.run.index.class_names,
            answered.predictions,
            most=min(self.label_error_images, self.run.index.examples("train")),
        )
        log("likely label errors", found=len(found.errors), of=sum(found.examined.values()))
        return found

    def export(
        self, network: keras.Model, answered: Answered, judgement: Judgement, label_errors: LabelErrors
    ) -> ModelBundle:
        """Write the bundle into the run's folder."""
        bundle = export_bundle(
            network,
            self.folder.local,
            self.run,
            judgement=judgement,
            calibration=answered.calibration,
            shards=self.shards,
            label_errors=label_errors,
        )
        publish_bundle(self.folder.local, self.folder.uri)
        return bundle


def _at(temperature: float, answered: Predictions) -> Predictions:
    return replace(answered, probabilities=tempered(answered.probabilities, temperature))


def readable(figures: Mapping[str, Any]) -> dict[str, float]:
    """Four digits of each, and no point behind a whole number."""
    rounded = {name: float(f"{value:.4g}") for name, value in figures.items()}
    return {name: int(value) if value.is_integer() else value for name, value in rounded.items()}
