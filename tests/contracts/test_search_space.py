"""The search space: both forms, round trips, and mistakes that are named."""

import json
import subprocess
import sys

import pytest
import yaml

from contracts.errors import InputError
from contracts.search_space import SearchSpace

VERTEX = """
displayName: a job
studySpec:
  metrics: [{metricId: val_accuracy, goal: MAXIMIZE}]
  parameters:
    - {parameterId: learning_rate, doubleValueSpec: {minValue: 1e-4, maxValue: 1e-2, defaultValue: 0.001},
       scaleType: UNIT_LOG_SCALE}
    - {parameterId: batch_size, discreteValueSpec: {values: [64, 16, 32]}}
    - {parameterId: epochs, integerValueSpec: {minValue: 2, maxValue: '8'}, scaleType: UNIT_LINEAR_SCALE}
    - {parameterId: flip, categoricalValueSpec: {values: [true, false]}}
    - {parameterId: ema, doubleValueSpec: {minValue: 0.9, maxValue: 0.999}, scaleType: UNIT_REVERSE_LOG_SCALE}
  medianAutomatedStoppingSpec: {useElapsedDuration: false}
  measurementSelectionType: BEST_MEASUREMENT
  observationNoise: LOW
maxTrialCount: 20
parallelTrialCount: 2
maxFailedTrialCount: 3
"""

OLDER = """
trainingInput:
  scaleTier: CUSTOM
  hyperparameters:
    goal: MAXIMIZE
    hyperparameterMetricTag: val_accuracy
    maxTrials: 20
    maxParallelTrials: 2
    maxFailedTrials: 3
    enableTrialEarlyStopping: true
    algorithm: RANDOM_SEARCH
    params:
      - {parameterName: learning_rate, type: DOUBLE, minValue: 0.0001, maxValue: 0.01,
         scaleType: UNIT_LOG_SCALE}
      - {parameterName: batch_size, type: DISCRETE, discreteValues: [16, 32, 64], scaleType: NONE}
      - {parameterName: epochs, type: INTEGER, minValue: 2, maxValue: 8, scaleType: UNIT_LINEAR_SCALE}
      - {parameterName: optimizer, type: CATEGORICAL, categoricalValues: [adam, sgd]}
"""

IN_VERTEX_WORDS = """
import json, sys
from google.cloud.aiplatform_v1.types import HyperparameterTuningJob, StudySpec
job = json.load(sys.stdin)
spec = StudySpec.from_json(json.dumps(job["studySpec"]), ignore_unknown_fields=False)
again = StudySpec.to_dict(spec, use_integers_for_enums=False)
HyperparameterTuningJob.from_json(json.dumps(job), ignore_unknown_fields=False)
parameters = [parameter["parameter_id"] + ":" + parameter["scale_type"] for parameter in again["parameters"]]
print(json.dumps([again["metrics"], parameters]))
"""


def parse(text: str) -> SearchSpace:
    return SearchSpace.parse(text.encode(), "space.yaml")


def test_what_is_sent_is_read_by_vertex_own_client() -> None:
    """In a process of its own: Google's client warns at its import."""
    sent = json.dumps(parse(VERTEX).to_job())
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IN_VERTEX_WORDS], input=sent, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    metrics, parameters = json.loads(answer.stdout)
    assert (metrics[0]["metric_id"], metrics[0]["goal"]) == ("val_accuracy", "MAXIMIZE")
    assert parameters[0] == "learning_rate:UNIT_LOG_SCALE"
    assert parameters[4] == "ema:UNIT_REVERSE_LOG_SCALE"


def test_it_comes_back_as_it_went() -> None:
    space = parse(VERTEX)
    assert SearchSpace.model_validate(space.to_job()) == space
    assert parse(yaml.safe_dump({"studySpec": space.to_study_spec()})).study_spec == space.study_spec
    assert space.parameters[1].extremes == (16, 32, 64)
    assert space.parameters[3].extremes == ("true", "false")


def test_snake_case_is_the_same() -> None:
    snake = parse(VERTEX).model_dump(mode="json", exclude_none=True)
    assert "study_spec" in snake
    assert parse(yaml.safe_dump(snake)) == parse(VERTEX)


def test_the_older_form_becomes_the_newer_one() -> None:
    space = parse(OLDER)
    assert space.to_job() == {
        "studySpec": {
            "metrics": [{"metricId": "val_accuracy", "goal": "MAXIMIZE"}],
            "parameters": [
                {
                    "parameterId": "learning_rate",
                    "doubleValueSpec": {"minValue": 0.0001, "maxValue": 0.01},
                    "scaleType": "UNIT_LOG_SCALE",
                },
                {"parameterId": "batch_size", "discreteValueSpec": {"values": [16.0, 32.0, 64.0]}},
                {
                    "parameterId": "epochs",
                    "integerValueSpec": {"minValue": 2, "maxValue": 8},
                    "scaleType": "UNIT_LINEAR_SCALE",
                },
                {"parameterId": "optimizer", "categoricalValueSpec": {"values": ["adam", "sgd"]}},
            ],
            "algorithm": "RANDOM_SEARCH",
            "medianAutomatedStoppingSpec": {},
        },
        "maxTrialCount": 20,
        "parallelTrialCount": 2,
        "maxFailedTrialCount": 3,
    }
    block = yaml.safe_load(OLDER)["trainingInput"]["hyperparameters"]
    assert parse(yaml.safe_dump(block)) == space


@pytest.mark.parametrize(
    ("form", "old", "new", "complaint"),
    [
        (
            VERTEX,
            "maxValue: 1e-2",
            "maxValue: 1e-5",
            "studySpec.parameters[0] (learning_rate).doubleValueSpec: ",
        ),
        (VERTEX, "minValue: 1e-4", "minValue: 0", "scaleType UNIT_LOG_SCALE needs values above 0, got 0"),
        (VERTEX, "minValue: 1e-4", "minValue: small", "(learning_rate).doubleValueSpec.minValue: "),
        (VERTEX, "defaultValue: 0.001", "defaultValue: 1", "defaultValue 1 isn't between 0.0001 and 0.01"),
        (VERTEX, "goal: MAXIMIZE", "goal: MORE", "studySpec.metrics[0].goal: "),
        (VERTEX, "UNIT_LINEAR_SCALE", "LINEAR", "studySpec.parameters[2] (epochs).scaleType: "),
        (VERTEX, "maxTrialCount", "maxTrials", "maxTrials: there is no such key"),
        (VERTEX, "maxTrialCount: 20", "maxTrialCount: 0", "maxTrialCount: "),
        (VERTEX, "parameterId: flip", "parameterId: ema", "parameters: ema stands there twice"),
        (VERTEX, "[64, 16, 32]", "[]", "studySpec.parameters[1] (batch_size).discreteValueSpec.values: "),
        (VERTEX, "[64, 16, 32]", "[64, 64]", "a value stands in values twice"),
        (VERTEX, "observationNoise: LOW", "algorithm: GRID_SEARCH", "learning_rate has a doubleValueSpec"),
        (
            VERTEX,
            "discreteValueSpec",
            "conditionalParameterSpecs",
            "conditionalParameterSpecs isn't supported",
        ),
        (VERTEX, "discreteValueSpec", "discreteValues", "(batch_size).discreteValues: there is no such key"),
        (VERTEX, "discreteValueSpec: {values: [64, 16, 32]}", "scaleType: UNIT_LOG_SCALE", "got 0 of them"),
        (OLDER, "goal: MAXIMIZE", "", "goal: Field required"),
        (OLDER, "type: INTEGER, minValue: 2,", "type: INTEGER,", "params[2] (epochs): type INTEGER needs "),
        (OLDER, "type: DISCRETE", "type: DOUBLE", "params[1] (batch_size): type DOUBLE needs minValue"),
        (OLDER, "type: DISCRETE", "type: FLOAT", "params[1] (batch_size).type: "),
        (OLDER, "minValue: 2, maxValue: 8", "minValue: 2.5, maxValue: 8", "integerValueSpec.minValue: "),
        (OLDER, "maxTrials", "maxTrialCount", "maxTrialCount: there is no such key"),
        (OLDER, "trainingInput", "trainingOutput", "trainingOutput: there is no such key"),
    ],
)
def test_a_mistake_is_named_in_a_line(form: str, old: str, new: str, complaint: str) -> None:
    assert old in form
    with pytest.raises(InputError) as caught:
        parse(form.replace(old, new))
    message = str(caught.value)
    assert complaint in message
    assert message.startswith("space.yaml: ")
    assert "\n" not in message


@pytest.mark.parametrize("text", ["", "- a list", "just words", "a: [1", "\t"])
def test_what_is_no_search_space_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^space\.yaml"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[" * 3000, "space.yaml is nested too deeply"),
        (VERTEX + "maxTrialCount: 3\n", "the key maxTrialCount stands there twice"),
        (
            VERTEX.replace("parameterId: flip", "parameterId: flip, parameterId: f"),
            "parameterId stands there",
        ),
        ("a: 2026-02-31", "isn't YAML: day"),
        ("trainingInput: {hyperparameters: }", "hyperparameters: expected goal, params and so on, got {}"),
        ("hyperparameters: [goal]", "expected goal, params and so on, got ['goal']"),
    ],
)
def test_what_yaml_lets_pass_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_merge_may_be_said_anew() -> None:
    merged = VERTEX.replace("{useElapsedDuration: false}", "&a {useElapsedDuration: false}").replace(
        "[{metricId: val_accuracy, goal: MAXIMIZE}]", "[{<<: {goal: MINIMIZE}, metricId: a, goal: MAXIMIZE}]"
    )
    assert parse(merged).metric.goal == "MAXIMIZE"


def test_a_file_that_isnt_there_is_refused(tmp_path: object) -> None:
    with pytest.raises(InputError, match="can't be read"):
        SearchSpace.read(f"{tmp_path}/none.yaml")
