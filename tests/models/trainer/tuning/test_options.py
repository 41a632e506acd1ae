"""A search space against the options that the training really has."""

from pathlib import Path
from typing import Any

import pytest

from contracts.errors import InputError
from contracts.search_space import SearchSpace
from models.trainer.tuning.options import architecture_names
from models.trainer.tuning.training import Training

SEARCHES = Path(__file__).parents[4] / "searches"

RATE = {"parameterId": "learning-rate", "doubleValueSpec": {"minValue": 1e-4, "maxValue": 1e-2}}
MODEL = {"parameterId": "model", "categoricalValueSpec": {"values": ["vgg16", "cnn"]}}
HALVES = {"discreteValueSpec": {"values": [0.5, 1.5]}}
ZERO = {"minValue": 0, "maxValue": 1}
VARIANT = {"parameterId": "variant", "categoricalValueSpec": {"values": ["conv", "linear"]}}
FLIP = {"parameterId": "flip", "categoricalValueSpec": {"values": [True, False]}}


def space(*parameters: dict[str, Any]) -> SearchSpace:
    metrics = [{"metricId": "val_accuracy", "goal": "MAXIMIZE"}]
    return SearchSpace.model_validate({"studySpec": {"metrics": metrics, "parameters": parameters}})


def test_a_choice_becomes_the_options_of_its_architecture() -> None:
    searched = space(MODEL, VARIANT, RATE, FLIP)
    training = Training("cnn", ("--epochs", "2"))
    training.check(searched)
    chosen = {"model": "cnn", "variant": "linear", "learning-rate": 0.001, "flip": "false"}
    common = ["--epochs", "2"]
    assert training.options_of(chosen) == [
        *common, "--variant", "linear", "--learning-rate", "0.001", "--no-flip",
    ]  # fmt: skip
    vgg16 = training.options_of({**chosen, "model": "vgg16", "flip": "true"})
    assert vgg16 == [*common, "--learning-rate", "0.001", "--flip"]
    assert training.architecture_of({**chosen, "model": "vgg16"}).name == "vgg16"


def test_whole_numbers_are_typed_as_such() -> None:
    assert Training("cnn", ()).options_of({"batch_size": 32.0}) == ["--batch-size", "32"]


def test_the_search_starts_from_the_training_own_defaults() -> None:
    epochs = {"parameterId": "epochs", "integerValueSpec": {"minValue": 1, "maxValue": 9}}
    batch = {"parameterId": "batch_size", "discreteValueSpec": {"values": [16, 32]}}
    dropout = {
        "parameterId": "dropout",
        "doubleValueSpec": {"minValue": 0, "maxValue": 1 / 2, "defaultValue": 0.1},
    }
    searched = space(VARIANT, RATE, FLIP, epochs, batch, dropout)
    assert Training("cnn", ("--batch-size=16", "--epochs", "3")).defaults(space(RATE, epochs)) == {
        "learning-rate": 0.001,
        "epochs": 3,
    }
    # The default batch, 64, isn't in the space; the file says what dropout's is.
    assert Training("cnn", ()).defaults(searched) == {
        "variant": "conv",
        "learning-rate": 0.001,
        "flip": "false",
        "epochs": 8,
        "dropout": 0.1,
    }
    assert Training("vgg16", ()).defaults(space(MODEL, RATE)) == {"model": "vgg16", "learning-rate": 0.0002}


@pytest.mark.parametrize(
    ("parameters", "arguments", "complaint"),
    [
        ([{**RATE, "parameterId": "learning_rat"}], [], "parameter learning_rat is no option of cnn"),
        ([{**RATE, "parameterId": "gpu"}], [], "parameter gpu is no option of cnn that a study can search"),
        ([{**RATE, "parameterId": "crop_scale", "doubleValueSpec": ZERO}], [], "--crop-scale 0"),
        ([{**RATE, "parameterId": "batch_size"}], [], "batch_size is a whole number, and has a double"),
        ([{**RATE, "parameterId": "image_size"}], [], "make it an integerValueSpec"),
        ([{**HALVES, "parameterId": "batch_size"}], [], "parameter batch_size: models.cnn: "),
        ([RATE, {**RATE, "parameterId": "learning_rate"}], [], "learning-rate and learning_rate mean the sa"),
        ([RATE], ["--help"], "--help can't stand behind the --"),
        ([{**VARIANT, "categoricalValueSpec": {"values": ["deep"]}}], [], "parameter variant: models.cnn: "),
        ([{**FLIP, "categoricalValueSpec": {"values": ["often"]}}], [], "expected true or false, got often"),
        ([{**MODEL, "categoricalValueSpec": {"values": ["vgg19"]}}], [], "there is no architecture vgg19"),
        ([MODEL, {**MODEL, "parameterId": "architecture"}], [], "mean the same"),
        ([RATE], ["--epoch", "2"], "models.cnn: No such option: --epoch"),
        ([RATE], ["--epochs", "0"], "models.cnn: --epochs 0"),
        ([RATE], ["--learning-rate", "0.1"], "--learning-rate is searched"),
        ([FLIP], ["--no-flip"], "--flip is searched"),
        ([RATE], ["--output=elsewhere"], "--output can't stand behind the --"),
        ([MODEL], ["--variant", "conv"], "models.vgg16: No such option: --variant"),
    ],
)  # fmt: skip
def test_what_the_training_would_not_understand_is_refused(
    parameters: list[Any], arguments: list[str], complaint: str
) -> None:
    with pytest.raises(InputError) as caught:
        Training("cnn", tuple(arguments)).check(space(*parameters))
    assert complaint in str(caught.value)


def test_architectures_are_found_by_their_folders() -> None:
    assert architecture_names() == ["cnn", "keras_applications", "vgg16", "xception"]


@pytest.mark.parametrize("file", sorted(SEARCHES.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_search_spaces_that_come_along_are_understood(file: Path) -> None:
    searched = SearchSpace.read(str(file))
    training = Training("cnn", ())
    training.check(searched)
    assert len(training.defaults(searched)) >= len(searched.parameters) - 1
