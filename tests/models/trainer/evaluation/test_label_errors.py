"""Labels changed on purpose are found, whatever the data set looks like."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from contracts import records
from contracts.bundle import ImageSpec
from contracts.dataset import SPLITS, Split
from models.trainer.evaluation.answering import answer_all, network_answer
from models.trainer.evaluation.label_errors import find_label_errors, label_errors_of, self_calibrated
from models.trainer.evaluation.metrics import evaluate
from models.trainer.evaluation.predictions import Predictions
from models.trainer.examples import batches, read_examples

IMAGE = ImageSpec(size=32, record_size=32, resize="shorter-side")
NAMES = ("blue", "green", "red")
COUNTS: Mapping[Split, int] = {"train": 60, "val": 24, "test": 30}
CHANGED = {
    *("blue/train-003.png", "green/train-010.png", "red/train-020.png", "blue/train-045.png"),
    *("red/val-005.png", "green/test-007.png"),
}
COPY = "blue/train-003.png#1"


def judged(classes: int, images: int, changed: int, seed: int = 0) -> tuple[Predictions, list[int]]:
    """Answers that are right and rather sure, and the rows whose labels were changed."""
    rng = np.random.default_rng(seed)
    truth = np.arange(images) % classes
    logits = rng.normal(0, 1, (images, classes))
    logits[np.arange(images), truth] += 10
    probabilities = softmax(logits, axis=1)
    rows = rng.choice(images, changed, replace=False)
    labels = truth.copy()
    labels[rows] = (labels[rows] + 1) % classes
    names = [f"{seed}-{row}.png" for row in range(images)]
    return Predictions(names, labels, probabilities.astype(np.float32)), rows.tolist()


@pytest.mark.parametrize(("classes", "images", "changed"), [(2, 100, 5), (10, 1000, 50), (120, 20_000, 1000)])
def test_changed_labels_of_all_splits_are_found_the_likeliest_first(
    classes: int, images: int, changed: int
) -> None:
    names = [f"class {number:03d}" for number in range(classes)]
    train, rows = judged(classes, images, changed)
    test, others = judged(classes, images // 5, changed // 5, seed=1)
    found = label_errors_of({"train": train, "test": test}, names)
    assert found.examined == {"train": images, "test": images // 5}
    wrong = {("train", f"0-{row}.png") for row in rows} | {("test", f"1-{row}.png") for row in others}
    reported = [(error.split, error.filename) for error in found.errors]
    assert len(set(reported)) == len(reported)
    assert len(wrong & set(reported)) >= 0.9 * len(wrong)
    assert len(wrong & set(reported)) >= 0.9 * len(reported)
    scores = [error.score for error in found.errors]
    assert scores == sorted(scores)
    likeliest = found.errors[0]
    assert names[(names.index(likeliest.suggested) + 1) % classes] == likeliest.given
    assert likeliest.score < likeliest.suggested_probability


def test_no_error_is_found_where_there_is_none_or_nothing_to_compare_with() -> None:
    right, _ = judged(3, 300, 0)
    assert not label_errors_of({"val": right}, NAMES).errors
    one_class = Predictions(["a", "b"], np.array([1, 1]), np.full((2, 3), 1 / 3, np.float32))
    assert not label_errors_of({"val": one_class}, NAMES).errors
    nobody = Predictions([], np.empty(0, np.int64), np.empty((0, 3), np.float32))
    found = label_errors_of({"train": nobody}, NAMES, overconfident=["train"])
    assert found == ((), {"train": 0}, 0)
    assert not found.doubtful


def hesitant(images: int, temperature: float, seed: int) -> Predictions:
    """Answers whose probabilities hold once they are tempered."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (images, len(NAMES)))
    labels = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((images, 1))).sum(axis=1)
    names = [f"{seed}-{row}.png" for row in range(images)]
    return Predictions(names, labels, softmax(temperature * logits, axis=1).astype(np.float32))


def test_overconfident_probabilities_are_told_calibrated_and_rank_no_higher_for_it() -> None:
    train, val = hesitant(2000, 6, seed=0), hesitant(2000, 1, seed=1)
    calibrated = self_calibrated(train)
    before, after = (
        evaluate(answers.probabilities, answers.labels, NAMES).ece for answers in (train, calibrated)
    )
    assert before > 0.15
    assert after < 0.05
    raw = label_errors_of({"train": train, "val": val}, NAMES)
    found = label_errors_of({"train": train, "val": val}, NAMES, overconfident=["train"])
    assert {error.filename for error in found.errors} == {error.filename for error in raw.errors}
    scores = [error.score for error in found.errors]
    assert scores == sorted(scores)
    assert {error.split for error in raw.errors[:30]} == {"train"}
    assert {error.split for error in found.errors[:30]} == {"train", "val"}
    row = train.filenames.index(next(error.filename for error in found.errors if error.split == "train"))
    told = next(error for error in found.errors if error.filename == train.filenames[row])
    assert told.suggested_probability == calibrated.probabilities[row].max() < train.probabilities[row].max()


def test_many_contradictions_are_doubtful() -> None:
    assert label_errors_of({"val": hesitant(500, 1, seed=0)}, NAMES).doubtful
    few, _ = judged(3, 300, 15)
    found = label_errors_of({"val": few}, NAMES)
    assert found.contradicted == 15
    assert not found.doubtful
    many, _ = judged(3, 300, 45)
    assert label_errors_of({"val": many}, NAMES).doubtful


@settings(max_examples=60, deadline=None)
@given(
    classes=st.integers(2, 40),
    images=st.integers(1, 60),
    sureness=st.sampled_from([0.1, 3, 300]),
    seed=st.integers(0, 999),
)
def test_any_answers_can_be_judged(classes: int, images: int, sureness: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, sureness, (images, classes))
    probabilities = softmax(logits, axis=1).astype(np.float32)
    answered = Predictions([str(n) for n in range(images)], rng.integers(0, classes, images), probabilities)
    for error in label_errors_of({"val": answered}, [f"class {n}" for n in range(classes)]).errors:
        assert error.given != error.suggested
        assert error.score <= error.suggested_probability


@pytest.fixture(scope="module")
def mislabelled(tiny_records: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[Split, list[str]]:
    """The tiny records with some labels changed, and with an augmented copy of an image: shards."""
    folder = tmp_path_factory.mktemp("mislabelled")
    return {split: [_rewritten(next(tiny_records.glob(f"{split}-*")), folder)] for split in SPLITS}


def _rewritten(shard: Path, folder: Path) -> str:
    path = str(folder / shard.name)
    with tf.io.TFRecordWriter(path) as writer:
        for data in tf.data.TFRecordDataset(str(shard)).as_numpy_iterator():
            example = tf.train.Example.FromString(data)
            features = example.features.feature
            filename = features[records.FILENAME].bytes_list.value[0].decode()
            if filename in CHANGED:
                label = features[records.LABEL].int64_list.value
                label[0] = (label[0] + 1) % len(NAMES)
            writer.write(example.SerializeToString())
            if COPY.startswith(filename):
                features[records.FILENAME].bytes_list.value[0] = COPY.encode()
                writer.write(example.SerializeToString())
    return path


@pytest.fixture(scope="module")
def network(mislabelled: Mapping[Split, list[str]]) -> Any:
    """A few layers, trained on the wrong labels too."""
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = keras.layers.Conv2D(16, 3, strides=2, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    network = keras.Model(image, keras.layers.Dense(len(NAMES), name="logits")(x))
    network.compile(keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    examples, pixels = next(batches(read_examples(mislabelled["train"]), IMAGE, 100))
    network.fit(pixels, np.array([example.label for example in examples]), epochs=20, verbose=0)
    return network


def test_labels_that_were_changed_in_the_records_are_found_through_a_network(
    mislabelled: Mapping[Split, Sequence[str]], network: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = network_answer(network)
    splits: tuple[Split, ...] = ("val", "test")
    answered = {split: answer_all(answer, mislabelled[split], IMAGE, COUNTS[split]) for split in splits}
    capfd.readouterr()
    found = find_label_errors(network, "features", mislabelled, IMAGE, NAMES, answered, most=1000)
    assert found.examined == COUNTS
    assert {error.filename for error in found.errors} == CHANGED
    for error in found.errors:
        assert error.filename.startswith(f"{error.suggested}/{error.split}-")
    assert COPY not in {error.filename for error in found.errors}
    printed, said = capfd.readouterr()
    assert not printed
    assert "looking for label errors" in said
    again = find_label_errors(network, "features", mislabelled, IMAGE, NAMES, answered, most=1000)
    assert again == found


def test_without_a_training_split_the_answers_alone_are_judged(
    mislabelled: Mapping[Split, Sequence[str]], network: Any
) -> None:
    answered: dict[Split, Predictions] = {
        "test": answer_all(network_answer(network), mislabelled["test"], IMAGE, COUNTS["test"])
    }
    shards: dict[Split, Sequence[str]] = {"test": mislabelled["test"]}
    found = find_label_errors(network, "features", shards, IMAGE, NAMES, answered, most=1000)
    assert found.examined == {"test": COUNTS["test"]}
    assert [error.filename for error in found.errors] == ["green/test-007.png"]
    assert find_label_errors(network, "features", mislabelled, IMAGE, NAMES, answered, most=0) == found
