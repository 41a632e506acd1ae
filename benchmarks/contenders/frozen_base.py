"""A head over a frozen VGG16, by hand: on features that one pass made, or through the base every time.

    PYTHONPATH=src python frozen_base.py weights FILE
    PYTHONPATH=src python frozen_base.py features SHARDS --weights FILE --precision bfloat16 --epochs 30
    PYTHONPATH=src python frozen_base.py through SHARDS --weights FILE --precision bfloat16 --epochs 1

It says `begin` when the network stands (`through` has traced its functions by then, on a batch), `features`
after the pass, and `epoch` after each epoch, validation included.
"""

import argparse
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from plain_records import centres

from contracts.console import log
from models.vgg16.model import ARCHITECTURE

RATE = 2e-3
DROPOUT = 0.2


def main() -> None:
    """Do what the first argument says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=("weights", "features", "through"))
    parser.add_argument("place", type=Path, help="the shards; for `weights` the file to write")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=0)
    given = parser.parse_args()
    keras.utils.set_random_seed(0)
    if given.precision == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    design = ARCHITECTURE.design(ARCHITECTURE.options())
    network = design.build(given.classes, given.size, DROPOUT)
    if given.how == "weights":
        network.save_weights(given.place)
        return
    network.load_weights(given.weights)
    train, val = (centres(given.place, split, given.size, given.batch) for split in ("train", "val"))
    if given.how == "through":
        seam = [layer.name for layer in network.layers].index(design.features)
        for layer in network.layers[: seam + 1]:
            layer.trainable = False
        fit(network, train, val, given.epochs)
    else:
        base = keras.Model(network.input, network.get_layer(design.features).output)
        on_features(base, (train, val), given)


def on_features(base: keras.Model, splits: tuple[Any, Any], given: argparse.Namespace) -> None:
    """One pass of both splits through the base, then the head on what came out."""
    forward = tf.function(lambda images: base(images, training=False), autograph=False)
    log("begin")
    train, val = (
        tuple(
            np.concatenate(parts)
            for parts in zip(
                *((tf.cast(forward(images), tf.float32), labels) for images, labels in split), strict=True
            )
        )
        for split in splits
    )
    log("features", images=len(train[1]) + len(val[1]))
    keras.config.set_dtype_policy("float32")
    seam = keras.Input(train[0].shape[1:])
    logits = keras.layers.Dense(given.classes)(keras.layers.Dropout(DROPOUT)(seam))
    train_head(keras.Model(seam, logits), train, val, given)


def train_head(head: keras.Model, train: Any, val: Any, given: argparse.Namespace) -> None:
    """Epochs of a step written by hand over features in memory."""
    optimizer = keras.optimizers.Adam(RATE)
    optimizer.build(head.trainable_variables)
    cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits

    @tf.function(autograph=False, reduce_retracing=True)
    def step(features: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(cross_entropy(labels, head(features, training=True)))
        optimizer.apply(tape.gradient(loss, head.trainable_variables), head.trainable_variables)
        return loss

    batches = tf.data.Dataset.from_tensor_slices(train).shuffle(len(train[1])).batch(given.batch)
    for epoch in range(given.epochs):
        loss = sum(step(features, labels) for features, labels in batches) / len(batches)
        validated = tf.argmax(head(val[0], training=False), axis=1).numpy() == val[1]
        log("epoch", number=epoch, loss=float(loss), val_accuracy=float(validated.mean()))


def fit(network: keras.Model, train: Any, val: Any, epochs: int) -> None:
    """Keras' own, every image through the base in every epoch."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(RATE), loss, metrics=["accuracy"])
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: log("epoch", number=epoch, **logs))
    network.fit(train.take(1), validation_data=val.take(1), verbose=0)
    log("begin")
    network.fit(train, validation_data=val, epochs=epochs, callbacks=[told], verbose=0)


if __name__ == "__main__":
    main()
