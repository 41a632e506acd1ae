"""What linear heads answer on a frozen base's features in float32 and in bfloat16.

    PYTHONPATH=src python feature_accuracy.py vgg16
    PYTHONPATH=src python feature_accuracy.py mobilenet --weights FILE --images CLASS_FOLDERS

`vgg16` is trained here on a third of scikit-learn's handwritten digits; the heads are trained on that third
and answer the rest. `mobilenet` has published weights; of every fifth of the images a head answers that was
trained on the other four. Heads are regressions that end at an optimum: what differs comes from the features.
It says `answered` with how many of how many were right in each precision.
"""

import argparse
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import RepeatedStratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contracts.console import log
from models.trainer.precision import in_precision
from models.vgg16.model import ARCHITECTURE

PRECISIONS = ("float32", "bfloat16")
Split = tuple[NDArray[np.int64], NDArray[np.int64]]
"""The numbers of the images to train a head on, and of those that it answers."""
MOBILENET_SIZE = 96
BATCH = 64
RIDGE = 10.0
REPEATS = 4
"""Another division into fifths each: by one alone, the answers differ by chance more than by precision."""


def main() -> None:
    """Answer with both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("base", choices=("vgg16", "mobilenet"))
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--images", type=Path, help="class folders")
    parser.add_argument("--epochs", type=int, default=6, help="of the digits' VGG16")
    given = parser.parse_args()
    keras.utils.set_random_seed(0)
    by_digits = given.base == "vgg16"
    features, labels, splits = digits(given.epochs) if by_digits else photos(given.weights, given.images)
    right = {precision: answered(values, labels, splits) for precision, values in features.items()}
    log("answered", answers=sum(len(asked) for _, asked in splits), **right)


def answered(values: NDArray[np.float32], labels: NDArray[np.int64], splits: list[Split]) -> int:
    """How many a head of each split answers rightly."""
    right = 0
    for known, asked in splits:
        head = make_pipeline(StandardScaler(), RidgeClassifier(RIDGE))
        head.fit(values[known], labels[known])
        right += int((head.predict(values[asked]) == labels[asked]).sum())
    return right


def digits(epochs: int) -> tuple[dict[str, Any], NDArray[np.int64], list[Split]]:
    """VGG16's features of the handwritten digits."""
    grey, labels = load_digits(return_X_y=True)
    small = np.repeat(np.uint8(grey.reshape(-1, 8, 8, 1) * 255 / 16), 3, axis=-1)
    images = np.uint8(np.clip(np.round(keras.ops.image.resize(small, (32, 32))), 0, 255))
    known, asked = train_test_split(np.arange(len(labels)), test_size=2 / 3, stratify=labels, random_state=0)
    design = ARCHITECTURE.design(ARCHITECTURE.options())
    network = design.build(10, 32, 0.2)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(2e-4), loss)
    network.fit(images[known], labels[known], batch_size=BATCH, epochs=epochs, verbose=0)
    base = keras.Model(network.input, network.get_layer(design.features).output)
    return passed(base, images), labels, [(known, asked)]


def photos(weights: Path, folder: Path) -> tuple[dict[str, Any], NDArray[np.int64], list[Split]]:
    """MobileNet's features of the images in class folders, enlarged."""
    side = (MOBILENET_SIZE, MOBILENET_SIZE)
    data = keras.utils.image_dataset_from_directory(
        folder, image_size=side, batch_size=None, shuffle=False, verbose=False
    )
    images, labels = (np.stack(part) for part in zip(*data.as_numpy_iterator(), strict=True))
    base = keras.applications.MobileNet(
        (*side, 3), 0.25, include_top=False, weights=str(weights), pooling="avg"
    )
    features = passed(base, np.float32(images) / 127.5 - 1)
    folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=REPEATS, random_state=0).split(images, labels)
    return features, labels, list(folds)


def passed(base: keras.Model, images: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    """What a base makes of the images in each precision, as the trainer does it: float32 [n, channels]."""
    return {
        precision: np.asarray(
            in_precision(base, precision).predict(images, batch_size=BATCH, verbose=0), np.float32
        )
        for precision in PRECISIONS
    }


if __name__ == "__main__":
    main()
