"""The page of a study, looked at in a browser."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.search_space import SearchSpace
from models.trainer.reporting.study_charts import curves_chart
from models.trainer.reporting.study_report import STUDY_HTML, study_page, write_study_report
from models.trainer.tuning.record import State, Study, TrialRecord

SPACE = """
studySpec:
  metrics: [{metricId: val_accuracy, goal: MAXIMIZE}]
  parameters:
    - parameterId: learning_rate
      doubleValueSpec: {minValue: 1e-4, maxValue: 1e-2}
      scaleType: UNIT_LOG_SCALE
    - parameterId: ema
      doubleValueSpec: {minValue: 0.001, maxValue: 0.999}
      scaleType: UNIT_REVERSE_LOG_SCALE
    - {parameterId: batch_size, discreteValueSpec: {values: [16, 32]}}
    - {parameterId: flip, categoricalValueSpec: {values: ["true", "false"]}}
"""


def trial(number: int, state: State, value: float | None, **more: Any) -> TrialRecord:
    parameters = {"learning_rate": 0.001 * (number + 1), "ema": 0.9, "batch_size": 16.0, "flip": "true"}
    return TrialRecord(
        name=f"tuned-{number:02d}",
        number=number,
        state=state,
        architecture="cnn",
        parameters=parameters | more.pop("parameters", {}),
        value=value,
        values=() if value is None else (value / 2, value),
        seconds=60.0 * number,
        **more,
    )


def study(*trials: TrialRecord, first: Mapping[str, Any] | None = None) -> Study:
    return Study(
        name="tuned",
        dataset="digits",
        dataset_digest="0" * 64,
        created_at=datetime.now(UTC),
        space=SearchSpace.parse(SPACE.encode(), "space.yaml").to_job(),
        model="cnn",
        arguments=("--epochs", "2"),
        pruner="median",
        seed=0,
        command="python -m models.trainer.tune --space space.yaml --trials 4 -- --lr 1",
        first=dict(trials[0].parameters if first is None else first),
        trials=trials,
        best=max(
            (each for each in trials if each.state == "complete"), key=lambda each: each.value or 0
        ).name,
        importance={"learning_rate": 0.75, "flip": 0.25},
    )


FOUR = (
    trial(0, "complete", 0.5),
    trial(1, "complete", 0.75, parameters={"flip": "false", "ema": 0.99}),
    trial(2, "pruned", 0.25),
    trial(3, "failed", None, reason="the loss is <no> number"),
)


def test_it_tells_what_was_found() -> None:
    page = study_page(study(*FOUR), 80)
    assert "+0.2500" in page
    assert "against 0.5000 of the default configuration, on 80 validation images" in page
    assert "models.trainer.tune --trials MORE --space space.yaml -- --lr 1" in page
    assert '<td class="n">16</td>' in page
    assert "tuned-03 failed: the loss is &lt;no&gt; number" in page
    assert page == study_page(study(*FOUR).model_copy(update={"created_at": datetime.now(UTC)}), 80)


def test_it_claims_no_gain_where_the_default_is_unknown() -> None:
    page = study_page(study(*FOUR, first={"learning_rate": 0.001}), 80)
    assert "default configuration" not in page
    assert study(FOUR[0]).default_trial == FOUR[0]
    study_page(study(FOUR[0]), 80)  # one trial makes a page as well


def test_single_epochs_are_drawn_as_points() -> None:
    trials = [each.model_copy(update={"values": (0.5,)}) for each in FOUR[:2]]
    chart = curves_chart(study(*trials)).decode()
    ticks = chart.partition('id="matplotlib.axis_2"')[0]
    assert re.findall(r"<text [^>]*>([^<]*)</text>", ticks) == ["1", "epoch"]
    assert chart.count('<use xlink:href="#m') - ticks.count('<use xlink:href="#m') >= len(trials)


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_it_fits_and_all_is_drawn(browser: Any, tmp_path: Path, width: int, scheme: str) -> None:
    write_study_report(str(tmp_path), study(*FOUR), 80)
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: complaints.extend([request.url] * request.url.startswith("http")))
    page.goto((tmp_path / STUDY_HTML).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("img.chart").count() == 7
    drawn = page.locator("img.chart").evaluate_all("images => images.every(image => image.naturalWidth > 0)")
    assert drawn
    assert page.locator("#trials tr").count() == 5
    assert complaints == []
    page.close()
