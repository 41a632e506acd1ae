"""A plain `tf.data` script, as somebody writes it who knows it well: TFRecord shards of `tf.train.Example`.

Only the centre square is decoded, two images at a time, in a pool of two threads; the main thread frames and
writes, round robin over the shards.

    python tf_data.py LISTING OUTPUT --size 224 --quality 90 --shards 8 --workers 2
"""

import argparse
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf


def main() -> None:
    """Shard a listing's images."""
    parser = argparse.ArgumentParser()
    parser.add_argument("listing", type=Path, help="lines of `file<TAB>class name`")
    parser.add_argument("output", type=Path)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--quality", type=int, required=True)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    given = parser.parse_args()
    tf.config.threading.set_inter_op_parallelism_threads(given.workers)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    lines = [line.split("\t") for line in given.listing.read_text().splitlines()]
    given.output.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        names = (f"train-{shard:05d}-of-{given.shards:05d}.tfrecord" for shard in range(given.shards))
        writers = [stack.enter_context(tf.io.TFRecordWriter(str(given.output / name))) for name in names]
        images = prepared([file for file, _ in lines], given.size, given.quality, given.workers)
        for number, (encoded, (file, name)) in enumerate(zip(images, lines, strict=True)):
            writers[number % given.shards].write(example(encoded, name, file))


def prepared(files: list[str], size: int, quality: int, workers: int) -> Iterator[bytes]:
    """Yield the encoded centre squares of the files, in order."""

    def prepare(file: tf.Tensor) -> tf.Tensor:
        data = tf.io.read_file(file)
        shape = tf.io.extract_jpeg_shape(data)
        side = tf.minimum(shape[0], shape[1])
        window = tf.stack([(shape[0] - side) // 2, (shape[1] - side) // 2, side, side])
        pixels = tf.image.decode_and_crop_jpeg(data, window, channels=3)
        resized = tf.image.resize(pixels, [size, size], antialias=True)
        return tf.io.encode_jpeg(tf.saturate_cast(tf.round(resized), tf.uint8), quality=quality)

    options = tf.data.Options()
    options.threading.private_threadpool_size = workers
    options.threading.max_intra_op_parallelism = 1
    dataset = tf.data.Dataset.from_tensor_slices(files).map(prepare, num_parallel_calls=workers)
    return dataset.prefetch(64).with_options(options).as_numpy_iterator()


def example(encoded: bytes, class_name: str, file: str) -> bytes:
    """Frame an image and its label."""
    text = {
        "image/encoded": encoded,
        "image/class/text": class_name.encode(),
        "image/filename": file.encode(),
    }
    feature = {
        key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for key, value in text.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


if __name__ == "__main__":
    main()
