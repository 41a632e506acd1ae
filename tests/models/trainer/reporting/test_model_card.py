"""The card's metadata must be YAML whatever people call their data, and its text says what was found."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from contracts.bundle import Calibration, LiteRT
from contracts.dataset import ShardIndex
from models.trainer.evaluation.judgement import Judgement
from models.trainer.evaluation.label_errors import LabelError, LabelErrors
from models.trainer.evaluation.metrics import evaluate
from models.trainer.evaluation.predictions import Predictions
from models.trainer.reporting.model_card import write_model_card
from models.trainer.run_facts import RunFacts


@pytest.fixture
def card(tiny_records: Path, tmp_path: Path) -> str:
    return written(tiny_records, tmp_path, contradicted=1)


def written(tiny_records: Path, tmp_path: Path, *, contradicted: int) -> str:
    index = ShardIndex.read(str(tiny_records)).model_copy(update={"dataset": 'dogs: "the" [best]'})
    run = RunFacts(
        name="run-1",
        architecture="keras_applications",
        index=index,
        image_size=32,
        config={"network": "EfficientNetB0"},
        command="",
        output="",
    )
    labels = np.array([0, 1, 2, 2])
    probabilities = np.eye(3, dtype=np.float32)[[0, 1, 2, 1]]
    metrics = evaluate(probabilities, labels, index.class_names, temperature=1.5)
    found = LabelErrors((LabelError("a", "val", "red", "blue", 0.1, 0.8),), {"val": 24}, contradicted)
    write_model_card(
        tmp_path / "card.md",
        run,
        Judgement("test", Predictions(list("abcd"), labels, probabilities), metrics),
        LiteRT(quantization="float16", agreement=0.99, examples=100),
        Calibration(temperature=1.5, examples=24),
        label_errors=found,
    )
    return (tmp_path / "card.md").read_text(encoding="utf-8")


def test_the_metadata_are_yaml(card: str) -> None:
    metadata = yaml.safe_load(card.split("---\n")[1])
    assert metadata["datasets"] == ['dogs: "the" [best]']
    assert metadata["tags"] == ["image-classification", "EfficientNetB0"]
    (result,) = metadata["model-index"][0]["results"]
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values.keys() == {"accuracy", "f1", "roc_auc"}
    assert values["accuracy"] == 0.75


def test_the_text_says_what_was_found_and_what_is_left_to_write(card: str) -> None:
    told = " ".join(card.split())
    for words in (
        "EfficientNetB0 (`models/keras_applications`)",
        "Accuracy (top 1) | 0.7500 (95% interval",
        "divided by a temperature of 1.500, fitted on 24 validation images",
        "1 label looks wrong to this network",
        "`model.tflite` (float16) names the same class as the float network for 99.0% of 100",
    ):
        assert words in told
    assert card.count("**Owner** —") >= 5


def test_a_network_that_is_often_wrong_accuses_no_label(tiny_records: Path, tmp_path: Path) -> None:
    told = " ".join(written(tiny_records, tmp_path, contradicted=12).split())
    assert "too often to tell wrong labels from hard images (`report/label_errors.csv` lists 1)" in told
    assert "looks wrong" not in told
