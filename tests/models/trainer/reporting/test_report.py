"""The report of answers of which some are wrong."""

import csv
import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from contracts.dataset import ShardIndex
from models.trainer.evaluation.metrics import Metrics, evaluate
from models.trainer.evaluation.predictions import Predictions
from models.trainer.examples import StoredExample, read_examples
from models.trainer.reporting.report import write_report
from models.trainer.run_facts import RunFacts

CLASSES = ("<b>bold</b>", "green", "red")


@pytest.fixture(scope="module")
def run(tiny_records: Path) -> RunFacts:
    index = ShardIndex.read(str(tiny_records)).model_copy(update={"class_names": CLASSES})
    return RunFacts(
        name="run",
        architecture="cnn",
        index=index,
        image_size=32,
        config={"optimizer": {"learning_rate": 0.125}},
        command="python -m models.cnn.train_multi_gpu",
        output="gs://bucket/run",
        history=[{"epoch": 1, "loss": 1.0, "val_loss": 1.5}, {"epoch": 2, "loss": 0.5, "val_loss": 1.0}],
    )


@pytest.fixture(scope="module")
def examples(tiny_records: Path) -> list[StoredExample]:
    return list(read_examples([str(tiny_records / "test-00000-of-00001.tfrecord")]))


@pytest.fixture(scope="module")
def predictions(examples: list[StoredExample]) -> Predictions:
    """Right but for the second (surely wrong) and the fifth (barely wrong)."""
    labels = np.array([example.label for example in examples])
    probabilities = np.full((len(labels), 3), 0.05, np.float32)
    probabilities[np.arange(len(labels)), labels] = 0.9
    probabilities[4] = [0.5, 0.45, 0.05]
    probabilities[1] = [0.98, 0.01, 0.01]
    return Predictions([example.filename for example in examples], labels, probabilities)


@pytest.fixture(scope="module")
def folder(
    run: RunFacts,
    predictions: Predictions,
    examples: list[StoredExample],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("report")
    metrics = evaluate(predictions.probabilities, predictions.labels, CLASSES)
    write_report(folder, run, predictions, metrics, examples)
    return folder


def test_the_page_fetches_nothing_and_escapes_what_it_shows(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    HTMLParser().feed(page)
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    assert "<b>bold</b>" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page


def test_the_page_tells_the_run(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    for told in ("93.3%", "optimizer.learning_rate", "0.125", "python -m serving --model gs://bucket/run"):
        assert told in page


def test_the_surest_mistake_is_shown_first(folder: Path, predictions: Predictions) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    shown = re.findall(r'title="([^"]*)"', page)
    assert shown == [predictions.filenames[1], predictions.filenames[4]]


def test_predictions_hold_both_probabilities(folder: Path, predictions: Predictions) -> None:
    rows = list(csv.DictReader((folder / "predictions.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == len(predictions.filenames)
    assert rows[4] == {
        "filename": predictions.filenames[4],
        "label": "green",
        "predicted": "<b>bold</b>",
        "probability_of_label": "0.450000",
        "probability_of_predicted": "0.500000",
    }


def test_metrics_and_picture_are_beside_it(folder: Path) -> None:
    assert Metrics.model_validate_json((folder / "metrics.json").read_text()).examples == 30
    assert (folder / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")


def test_it_says_nothing_on_the_way(
    run: RunFacts,
    predictions: Predictions,
    examples: list[StoredExample],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Matplotlib logs a line for every text whose font it doesn't find: thousands for one report.
    metrics = evaluate(predictions.probabilities, predictions.labels, CLASSES)
    write_report(tmp_path, run, predictions, metrics, examples)
    assert not [record for record in caplog.records if record.name.startswith("matplotlib")]
    assert "findfont" not in capfd.readouterr().err


def test_many_classes_and_no_history_give_a_report_too(
    run: RunFacts, examples: list[StoredExample], tmp_path: Path
) -> None:
    names = tuple(f"class {number:03d}" for number in range(70))
    many = dataclasses.replace(run, index=run.index.model_copy(update={"class_names": names}), history=())
    labels = np.arange(30) % 70
    answers = Predictions(
        [example.filename for example in examples], labels, np.eye(70, dtype=np.float32)[labels]
    )
    write_report(tmp_path, many, answers, evaluate(answers.probabilities, labels, names), examples)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Learning curves" not in page
    assert "No image was mistaken." in page
