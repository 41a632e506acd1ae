"""Batches of photos to train on: decoding alone, our augmented ones, and Keras' folder loader.

    PYTHONPATH=src python input_pipelines.py decoding SHARDS --batch 64 --size 224 --passes 4
    PYTHONPATH=src python input_pipelines.py ours SHARDS … --crop-scale 0.08
    PYTHONPATH=src python input_pipelines.py folder CLASS_FOLDERS …
    PYTHONPATH=src python input_pipelines.py buffer SHARDS … --shuffle-buffer 1000

It says `begin` before each pass over all images and `pass` after it. `buffer` is ours until its first batch,
when its shuffle buffer is full; it says `filled`, and the memory that the process then has, in bytes.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from plain_records import centres

from contracts.console import log
from contracts.dataset import ShardIndex
from models.trainer.augmentation import Augmentation
from models.trainer.config import TrainConfig
from models.trainer.input_pipeline import Batches, Epoch, Pixels, SplitShards, training

Pass = Callable[[int], tf.data.Dataset]
"""The number of a pass to its batches."""


def main() -> None:
    """Go over the images a few times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=PASSES | {"buffer": ours})
    parser.add_argument("place", type=Path)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--crop-scale", type=float, default=0.8)
    parser.add_argument("--shuffle-buffer", type=int, default=TrainConfig().shuffle_buffer)
    parser.add_argument("--passes", type=int, default=1)
    given = parser.parse_args()
    if given.how == "buffer":
        batches_left = iter(ours(given)(0))
        next(batches_left)
        log("filled", pss=memory())
        return
    batches = PASSES[given.how](given)
    for number in range(given.passes):
        log("begin")
        images = sum(int(batch[1].shape[0]) for batch in batches(number))
        log("pass", number=number, images=images)


def memory() -> int:
    """The proportional set size of this process, in bytes."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def decoding(given: argparse.Namespace) -> Pass:
    """Whole JPEGs decoded, and the centre cut out."""
    data = centres(given.place, "train", given.size, given.batch)
    return lambda _number: data


def ours(given: argparse.Namespace) -> Pass:
    """The trainer's: shuffled, a random crop of each resized, half of them mirrored."""
    index = ShardIndex.read(str(given.place))
    shards = index.shards["train"]
    split = SplitShards(
        tuple(str(given.place / shard.name) for shard in shards), tuple(shard.examples for shard in shards)
    )
    pixels = Pixels(given.size, index.image_size, len(index.class_names))
    augment = Augmentation(flip=True, crop_scale=given.crop_scale)
    return lambda number: training(
        split, pixels, Batches(given.batch), Epoch(0, number, augment, given.shuffle_buffer)
    )


def folder(given: argparse.Namespace) -> Pass:
    """Keras' loader on the photos themselves, as its guide has it, with half of them mirrored."""
    photos = keras.utils.image_dataset_from_directory(
        given.place, image_size=(given.size, given.size), batch_size=given.batch, seed=0, verbose=False
    )
    flip = keras.layers.RandomFlip("horizontal")
    data = photos.map(
        lambda images, labels: (flip(images, training=True), labels), num_parallel_calls=tf.data.AUTOTUNE
    )
    data = data.prefetch(tf.data.AUTOTUNE)
    return lambda _number: data


PASSES = {"decoding": decoding, "ours": ours, "folder": folder}

if __name__ == "__main__":
    main()
