"""What a network's features say of images whose labels they were trained on, each image held out once.

In: a network, the name of its layer of features, the shards of its training split. Out: `Predictions` whose
probabilities come from a linear classifier that was fitted without the image.

With a frozen base, whose features never saw a label, these are out-of-sample probabilities exactly. A network
that was trained from scratch has moved the features of a wrongly labelled image towards the class that it was
given. The classifier decides how much that hides. With 5 % of the labels changed (digits where nothing else
is said), this share of the training split's changed labels was among the reported label errors, and of what
was reported there, this share had been changed (recall, precision):

    network, and the changed labels that it learnt    logistic regression    30 neighbours    discriminant
    vgg16 as it is trained by default:       6 %            58, 100 %          69, 100 %        96, 100 %
    cnn conv as by default:                  1 %            81, 100 %          76, 100 %        97,  89 %
    cnn conv, 25 epochs, no augmentation:    4 %            60, 100 %          71, 100 %        94,  87 %
    cnn conv-deep, 12 epochs, none either:  39 %            15, 100 %          39, 100 %        79, 100 %
    MobileNet trained on the right labels, CIFAR:           87,  22 %          85,  23 %        91,  21 %

A linear discriminant (Gaussians of one covariance) has no weight that an outlier could bend, which is why it
is taken. Fitting it on the other splits' features as well gained 5 points at most.

It is surer than it is right: of 4804 CIFAR images (MobileNet) it named 66 % rightly and was 80 % sure of it.
Who tells its probabilities to people tempers them first, by `label_errors.self_calibrated` (then: 67 % sure).
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.random_projection import SparseRandomProjection

from contracts.bundle import ImageSpec
from contracts.console import progress
from models.trainer.evaluation.predictions import Floats, Ints, Predictions
from models.trainer.examples import StoredExample, batches, read_examples

FOLDS = 5
FEWEST = 3
"""Images of a class: with one held out, two are left to tell what the class looks like."""
COMPONENTS = 128
"""Principal components of the features that are kept."""
WIDEST = 2048
"""Channels that are kept of an image; more (a flattened image's) are projected at random."""

_BATCH = 32
_COPY = re.compile(r"#\d+$")
"""How the records name an augmented copy of a training image."""


def held_out_predictions(
    network: keras.Model,
    features: str,
    shards: Sequence[str],
    image: ImageSpec,
    classes: int,
    most: int,
    seed: int,
) -> Predictions:
    """Judge training images by features that are compared with those of the others.

    Left out are augmented copies, which would vouch for their original, and classes of fewer than `FEWEST`
    images; so what comes back may be empty.

    Args:
        network: uint8 RGB [batch, size, size, 3] to logits.
        features: the layer, of the network's own graph, whose output is [batch, channels].
        shards: local paths of the training split.
        image: how stored bytes become pixels.
        classes: how many there are.
        most: images that are examined: of more, the first in a random order of the shards.
        seed: of what is examined and of the folds.

    Raises:
        InputError: a shard is damaged.
    """
    filenames, labels, table = _table(network, features, _examined(shards, most, seed), image, most)
    kept = np.flatnonzero(np.bincount(labels, minlength=classes)[labels] >= FEWEST)
    labels, table = labels[kept], table[kept]
    if len(np.unique(labels)) < 2 or not np.ptp(table, axis=0).any():
        return Predictions([], np.empty(0, np.int64), np.empty((0, classes), np.float32))
    components = PCA(min(COMPONENTS, *table.shape), random_state=seed).fit_transform(table)
    return Predictions(
        [filenames[row] for row in kept], labels, cross_validated(components, labels, classes, seed)
    )


def cross_validated(table: Floats, labels: Ints, classes: int, seed: int) -> NDArray[np.float32]:
    """Give each row's probabilities, float32 [n, classes], from a classifier that was fitted without it.

    Args:
        table: [n, components].
        labels: int [n]; two classes or more, each of `FEWEST` rows or more.
        classes: how many there are; those without a row get probabilities of 0.
        seed: of the folds.
    """
    folds = _folds(labels, seed)
    probabilities = np.zeros((len(labels), classes), np.float32)
    for fold in range(FOLDS):
        held = folds == fold
        classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        classifier.fit(table[~held], labels[~held])
        probabilities[np.ix_(held, classifier.classes_)] = classifier.predict_proba(table[held])
    return probabilities


def _folds(labels: Ints, seed: int) -> Ints:
    """Deal each class's rows to the folds in turn, in a random order: int [n].

    scikit-learn's StratifiedKFold may leave all rows of a class smaller than the folds in one of them.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    folds = np.empty(len(labels), np.int64)
    folds[order] = np.arange(len(labels)) % FOLDS
    return folds


def _table(
    network: keras.Model, features: str, examples: Iterator[StoredExample], image: ImageSpec, most: int
) -> tuple[list[str], Ints, NDArray[np.float32]]:
    """Compute the features of what is examined: file names, labels [n], and float32 [n, channels]."""
    layer = keras.Model(network.inputs, network.get_layer(features).output)
    forward = tf.function(
        lambda pixels: tf.cast(layer(pixels, training=False), tf.float32),
        input_signature=[tf.TensorSpec(network.inputs[0].shape, tf.uint8)],
        autograph=False,
    )
    projection = SparseRandomProjection(WIDEST, random_state=0)
    filenames: list[str] = []
    labels: list[int] = []
    rows: list[NDArray[np.float32]] = []
    steps, total = batches(examples, image, _BATCH), -(-most // _BATCH)
    for group, pixels in progress(steps, total=total, what="looking for label errors", unit="batch"):
        values = forward(tf.constant(pixels)).numpy()
        if values.shape[1] > WIDEST:
            values = projection.transform(values) if rows else projection.fit_transform(values)
        filenames += [example.filename for example in group]
        labels += [example.label for example in group]
        rows.append(values)
    return filenames, np.array(labels, np.int64), np.concatenate(rows)


def _examined(shards: Sequence[str], most: int, seed: int) -> Iterator[StoredExample]:
    """Draw at most `most` examples: images lie in the shards at random, so whole shards are a fair sample."""
    order = np.random.default_rng(seed).permutation(len(shards))
    examples = read_examples([shards[number] for number in order])
    return islice((example for example in examples if not _COPY.search(example.filename)), most)
