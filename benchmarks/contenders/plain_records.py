"""Our shards read by a few lines of `tf.data`, as somebody writes them who wants no more."""

import os
from pathlib import Path
from typing import Any

import tensorflow as tf

from models.trainer.input_pipeline import READ_AHEAD, untuned

FEATURES = {
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/class/label": tf.io.FixedLenFeature([], tf.int64),
}


def centres(folder: Path, split: str, size: int, batch: int) -> tf.data.Dataset:
    """A split's batches: uint8 [batch, size, size, 3], of whole images cut down to the centre, and labels."""

    def decode(record: Any) -> tuple[Any, Any]:
        example = tf.io.parse_single_example(record, FEATURES)
        image = tf.image.decode_jpeg(example["image/encoded"], channels=3)
        shape = tf.shape(image)
        top, left = (shape[0] - size) // 2, (shape[1] - size) // 2
        image = tf.image.crop_to_bounding_box(image, top, left, size, size)
        return tf.ensure_shape(image, [size, size, 3]), example["image/class/label"]

    files = [str(file) for file in sorted(folder.glob(f"{split}-*.tfrecord"))]
    records = tf.data.TFRecordDataset(files)
    images = records.map(decode, num_parallel_calls=os.cpu_count()).batch(batch).prefetch(READ_AHEAD)
    return images.with_options(untuned())  # a tuned iterator's end may sleep: others should have no less
