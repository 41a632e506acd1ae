"""VGG16's epochs by Keras' `fit`, by a `tf.function` step written by hand, and by our loop.

Everybody has the same network, the same optimizer, and the same batches, ready in memory: uint8
[batch, size, size, 3], labels int64 [batch]. It says `trained` when an epoch's training is over and `epoch`
when its validation is.

    PYTHONPATH=src python training_loops.py fit --size 32 --batch 64 --steps 20 --validation-steps 2 …
"""

import argparse
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from contracts.console import log
from models.trainer import loop
from models.trainer.input_pipeline import READ_AHEAD, untuned
from models.trainer.objective import Objective
from models.vgg16.model import ARCHITECTURE

CLASSES = 10
RATE = 2e-4


def main() -> None:
    """Train a fresh network."""
    parser = argparse.ArgumentParser()
    parser.add_argument("loop", choices=LOOPS)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--validation-steps", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--precision", default="float32", help="a Keras policy, such as mixed_bfloat16")
    given = parser.parse_args()
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(given.precision)
    network = ARCHITECTURE.design(ARCHITECTURE.options()).build(CLASSES, given.size, 0.2)
    training = ready(given.batch, given.size, given.steps)
    validation = ready(given.batch, given.size, given.validation_steps)
    LOOPS[given.loop](network, training, validation, given.epochs)


def ready(batch: int, size: int, steps: int) -> tf.data.Dataset:
    """That many batches, all the same one: what is in the pixels doesn't matter to the time.

    Untuned for everybody, as the end of a tuned iterator may sleep for seconds.
    """
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (batch, size, size, 3), np.uint8)
    labels = generator.integers(0, CLASSES, batch, np.int64)
    batches = tf.data.Dataset.from_tensors((pixels, labels)).repeat(steps).prefetch(READ_AHEAD)
    return batches.with_options(untuned())


def by_fit(network: keras.Model, training: Any, validation: Any, epochs: int) -> None:
    """As the guide has it; `compile` chooses about XLA."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(RATE), loss, metrics=["accuracy"])
    told = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: log("epoch", number=epoch, **logs),
        on_test_begin=lambda logs: log("trained"),  # noqa: ARG005
    )
    network.fit(training, validation_data=validation, epochs=epochs, callbacks=[told], verbose=0)


def by_hand(network: keras.Model, training: Any, validation: Any, epochs: int) -> None:
    """A step with the loss, the gradients and the update, and nothing else but the two measures."""
    optimizer = keras.optimizers.Adam(RATE)
    optimizer.build(network.trainable_variables)
    cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits

    @tf.function(autograph=False)
    def train(images: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = network(images, training=True)
            loss = tf.reduce_mean(cross_entropy(labels, logits))
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)
        return tf.stack([loss, accuracy(labels, logits)])

    @tf.function(autograph=False)
    def measure(images: Any, labels: Any) -> Any:
        logits = network(images, training=False)
        return tf.stack([tf.reduce_mean(cross_entropy(labels, logits)), accuracy(labels, logits)])

    def a_pass(step: Callable[[Any, Any], Any], batches: Any) -> list[float]:
        return (sum(step(images, labels) for images, labels in batches) / len(batches)).numpy().tolist()

    for epoch in range(epochs):
        loss, correct = a_pass(train, training)
        log("trained", loss=loss, accuracy=correct)
        loss, correct = a_pass(measure, validation)
        log("epoch", number=epoch, val_loss=loss, val_accuracy=correct)


def accuracy(labels: Any, logits: Any) -> Any:
    """The share of a batch's answers that are right."""
    return tf.reduce_mean(tf.cast(tf.argmax(logits, axis=1) == labels, tf.float32))


def by_ours(network: keras.Model, training: Any, validation: Any, epochs: int) -> None:
    """The loop that our trainer runs."""
    strategy = tf.distribute.get_strategy()
    train = loop.train_steps(strategy, network, keras.optimizers.Adam(RATE), Objective())
    measure = loop.evaluation_steps(strategy, network, Objective())

    def a_pass(step: loop.Steps, batches: Any) -> loop.Totals:
        iterator, totals = iter(batches.map(with_shares)), loop.Totals()
        for _ in range(len(batches)):
            totals = totals.plus(step(iterator, 1, 0.0))
        return totals

    for epoch in range(epochs):
        totals = a_pass(train, training)
        log("trained", loss=totals.loss / totals.examples)
        totals = a_pass(measure, validation)
        log("epoch", number=epoch, val_loss=totals.loss / totals.examples)


def with_shares(images: Any, labels: Any) -> tuple[Any, Any, Any]:
    """A batch as our loop wants it: what each image counts in the mean stands beside it."""
    return images, labels, tf.ones(labels.shape) / labels.shape[0]


LOOPS = {"fit": by_fit, "step": by_hand, "ours": by_ours}

if __name__ == "__main__":
    main()
