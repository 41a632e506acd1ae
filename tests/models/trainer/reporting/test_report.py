"""The report of answers of which some are wrong, as files and in a real browser."""

import csv
import dataclasses
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from contracts.dataset import SPLITS, ShardIndex, Split
from models.trainer.evaluation.calibration import tempered
from models.trainer.evaluation.judgement import Judgement
from models.trainer.evaluation.label_errors import LabelError, LabelErrors
from models.trainer.evaluation.metrics import Metrics, evaluate
from models.trainer.evaluation.predictions import Predictions
from models.trainer.examples import read_examples
from models.trainer.reporting.gallery import confused_pairs
from models.trainer.reporting.report import write_report
from models.trainer.run_facts import RunFacts

CLASSES = ("<b>bold</b>", "green", "red")
SECTIONS = (
    "curves",
    "confusion",
    "classes",
    "calibration",
    "mistakes",
    "pairs",
    "labels",
    "data",
    "use",
    "configuration",
)

Shards = Mapping[Split, Sequence[str]]


@pytest.fixture(scope="module")
def run(tiny_records: Path) -> RunFacts:
    index = ShardIndex.read(str(tiny_records)).model_copy(update={"class_names": CLASSES})
    return RunFacts(
        name="run",
        architecture="cnn",
        index=index,
        image_size=32,
        config={"variant": "conv", "optimizer": {"learning_rate": 0.125}},
        command="python -m models.cnn.train_multi_gpu",
        output="gs://bucket/run",
        history=[
            {"epoch": 1, "phase": 1, "loss": 1.0, "val_loss": 1.5},
            {"epoch": 2, "phase": 2, "loss": 0.5, "val_loss": 1.0},
        ],
    )


@pytest.fixture(scope="module")
def shards(tiny_records: Path) -> Shards:
    return {split: [str(tiny_records / f"{split}-00000-of-00001.tfrecord")] for split in SPLITS}


@pytest.fixture(scope="module")
def judgement(shards: Shards) -> Judgement:
    """Right but for the second (surely wrong) and the fifth (barely wrong); at temperature 2."""
    examples = list(read_examples(shards["test"]))
    labels = np.array([example.label for example in examples])
    probabilities = np.full((len(labels), 3), 0.05, np.float32)
    probabilities[np.arange(len(labels)), labels] = 0.9
    probabilities[4] = [0.5, 0.45, 0.05]
    probabilities[1] = [0.98, 0.01, 0.01]
    metrics = evaluate(tempered(probabilities, 1.0), labels, CLASSES, temperature=2.0)
    return Judgement(
        "test", Predictions([example.filename for example in examples], labels, probabilities), metrics
    )


@pytest.fixture(scope="module")
def label_errors(shards: Shards) -> LabelErrors:
    """An image of each split."""
    names = {split: next(read_examples(paths)).filename for split, paths in shards.items()}
    errors = (LabelError(name, split, "green", "<b>bold</b>", 0.01, 0.9) for split, name in names.items())
    return LabelErrors(tuple(errors), {"train": 60, "val": 24, "test": 30}, 5)


@pytest.fixture(scope="module")
def folder(
    run: RunFacts,
    judgement: Judgement,
    shards: Shards,
    tiny_network: keras.Model,
    label_errors: LabelErrors,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(folder, run, judgement, shards, network=tiny_network, label_errors=label_errors)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def labels_section(folder: Path) -> str:
    """What is read of likely label errors."""
    html = (folder / "report.html").read_text(encoding="utf-8")
    section = html.partition('id="labels">')[2].partition("</section>")[0]
    return " ".join(re.sub("<[^>]+>", " ", section).split())


def test_the_page_fetches_nothing_and_escapes_what_it_shows(page: str, folder: Path) -> None:
    HTMLParser().feed(page)
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources
    addresses = {source for source in sources if not source.startswith(("data:image/", "#"))}
    assert addresses == {"per_class.csv", "label_errors.csv", "predictions.csv"}
    assert all((folder / address).is_file() for address in addresses)
    assert "<b>bold</b>" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page


def test_the_page_tells_the_run(page: str) -> None:
    for told in (
        "cnn conv on tiny",
        "93.3%",
        "optimizer.learning_rate",
        "0.125",
        "a temperature of 2.00",
        "Each class has 20 images to train on.",
        "python -m serving --model gs://bucket/run",
    ):
        assert told in page


def test_the_surest_mistake_is_shown_first_with_what_the_network_looked_at(
    page: str, judgement: Judgement
) -> None:
    section = page.partition('id="mistakes"')[2].partition("</section>")[0]
    shown = re.findall(r'title="([^"]+)"', section)
    assert shown == [judgement.predictions.filenames[1], judgement.predictions.filenames[4]]
    assert section.count("What spoke for &lt;b&gt;bold&lt;/b&gt;") == 2


def test_a_confused_pair_shows_the_mistaken_and_right_ones_of_both(page: str, judgement: Judgement) -> None:
    section = page.partition('id="pairs"')[2].partition("</section>")[0]
    told = [
        " ".join(re.sub("<[^>]+>", " ", title).split())
        for title in re.findall("<h3>(.*?)</h3>", section, re.S)
    ]
    bold = "&lt;b&gt;bold&lt;/b&gt;"
    assert told == [
        f"green taken for {bold} 2 of 10",
        "green recognized 8 of 10",
        f"{bold} recognized 10 of 10",
    ]
    assert section.count("<img") == 2 + 3 + 3


def test_a_pair_of_one_mistake_is_not_shown(judgement: Judgement) -> None:
    labels = judgement.predictions.labels.copy()
    labels[1] = judgement.predictions.predicted[1]
    answers = dataclasses.replace(judgement.predictions, labels=labels)
    once = Judgement("test", answers, evaluate(answers.probabilities, labels, CLASSES))
    assert once.metrics.most_confused
    assert not confused_pairs(once, CLASSES)
    assert confused_pairs(judgement, CLASSES)


def test_likely_label_errors_are_shown_and_written(
    folder: Path, page: str, label_errors: LabelErrors
) -> None:
    section = page.partition('id="labels"')[2].partition("</section>")[0]
    assert section.count("<img") == 3
    told = labels_section(folder)
    assert "3 images may be in the wrong class: 1 of 60 in train, 1 of 24 in val, 1 of 30 in test." in told
    assert "probabilities of the network for val and test images and of a classifier" in told
    rows = list(csv.DictReader((folder / "label_errors.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["filename"] for row in rows] == [error.filename for error in label_errors.errors]
    assert rows[0] | {"filename": ""} == {
        "filename": "",
        "split": "train",
        "given": "green",
        "suggested": "<b>bold</b>",
        "probability_of_given": "0.010000",
        "probability_of_suggested": "0.900000",
    }


def test_a_network_that_is_often_wrong_accuses_no_label(
    run: RunFacts, judgement: Judgement, shards: Shards, label_errors: LabelErrors, tmp_path: Path
) -> None:
    weak = label_errors._replace(contradicted=57)
    write_report(tmp_path, run, judgement, shards, label_errors=weak)
    told = labels_section(tmp_path)
    assert "names another class than the label for 50.0% of the images, too often to tell" in told
    assert "hard images: 3 images are listed in label_errors.csv." in told
    assert "may be in the wrong class" not in told


def test_where_nothing_was_found_one_sentence_says_of_what(
    run: RunFacts, judgement: Judgement, shards: Shards, tmp_path: Path
) -> None:
    nothing = LabelErrors((), {"train": 0, "test": 30}, 2)
    write_report(tmp_path, run, judgement, shards, label_errors=nothing)
    told = labels_section(tmp_path)
    assert told == "Likely label errors No image looks as if it were in the wrong class, of 30 in test."


def test_metrics_and_pictures_are_beside_it(folder: Path) -> None:
    assert Metrics.model_validate_json((folder / "metrics.json").read_text()).examples == 30
    assert (folder / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "predictions.csv").read_text().count("\n") == 1 + 30


def test_it_says_nothing_on_the_way(
    run: RunFacts,
    judgement: Judgement,
    shards: Shards,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Matplotlib logs a line for every text whose font it doesn't find: thousands for one report.
    write_report(tmp_path, run, judgement, shards)
    assert not [record for record in caplog.records if record.name.startswith("matplotlib")]
    assert "findfont" not in capfd.readouterr().err
    assert "No heat map" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_temperature_that_did_not_help_on_this_split_is_told(
    run: RunFacts, shards: Shards, judgement: Judgement, tmp_path: Path
) -> None:
    labels = judgement.predictions.labels
    softened = np.eye(3, dtype=np.float32)[labels] * 0.85 + 0.05
    answers = dataclasses.replace(judgement.predictions, probabilities=softened)
    metrics = evaluate(softened, labels, CLASSES, temperature=2.0)
    write_report(tmp_path, run, Judgement("test", answers, metrics), shards)
    assert "it got worse on this split" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_many_classes_no_history_and_no_mistake_give_a_report_too(
    run: RunFacts, shards: Shards, judgement: Judgement, tmp_path: Path
) -> None:
    names = tuple(f"class {number:03d}" for number in range(70))
    many = dataclasses.replace(run, index=_of_classes(run.index, names), history=())
    labels = np.arange(30)
    answers = Predictions(judgement.predictions.filenames, labels, np.eye(70, dtype=np.float32)[labels])
    metrics = evaluate(answers.probabilities, labels, names)
    write_report(tmp_path, many, Judgement("test", answers, metrics), shards)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Learning curves" not in page
    assert "Worst mistakes" not in page
    assert "No image was mistaken." in page


def _of_classes(index: ShardIndex, names: tuple[str, ...]) -> ShardIndex:
    """The index as if its images were of so many classes."""
    histogram = (1,) * len(names)
    shards = {
        split: tuple(shard.model_copy(update={"class_histogram": histogram}) for shard in found)
        for split, found in index.shards.items()
    }
    return index.model_copy(update={"class_names": names, "shards": shards})


@pytest.mark.browser
def test_the_page_in_a_browser(browser: Any, folder: Path) -> None:
    url = (folder / "report.html").as_uri()
    page = browser.new_page(viewport={"width": 390, "height": 780})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    for name in SECTIONS:
        assert page.locator(f"#{name}").bounding_box()["height"] > 40
    page.evaluate("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0 && image.alt)")
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 780})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    page.get_by_role("link", name="Confused pairs").click()
    assert page.url.endswith("#pairs")
    page.close()
    assert said == []
    assert [address for address in asked if not address.startswith(("data:", url))] == []
