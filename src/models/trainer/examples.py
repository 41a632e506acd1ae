"""The examples of a split as they are stored: encoded bytes with label and file name, one after the other.

For export, evaluation and reports, which look at images as the server will; training has its own pipeline of
tensors.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

import imaging
from contracts import records
from contracts.bundle import ImageSpec
from contracts.errors import InputError


class StoredExample(NamedTuple):
    """One record."""

    filename: str
    label: int
    encoded: bytes
    """JPEG."""


def read_examples(shards: Sequence[str]) -> Iterator[StoredExample]:
    """Read TFRecord files, in order.

    Args:
        shards: local paths.

    Raises:
        InputError: a shard is damaged.
    """
    try:
        for data in tf.data.TFRecordDataset(list(shards)).as_numpy_iterator():
            features = tf.train.Example.FromString(data).features.feature
            yield StoredExample(
                features[records.FILENAME].bytes_list.value[0].decode(),
                features[records.LABEL].int64_list.value[0],
                features[records.ENCODED].bytes_list.value[0],
            )
    except (tf.errors.DataLossError, tf.errors.NotFoundError) as error:
        message = error.message.splitlines()[0]
        raise InputError(f"the shards can't be read ({message}): build the records again") from None


def batches(
    examples: Iterable[StoredExample], spec: ImageSpec, size: int
) -> Iterator[tuple[list[StoredExample], NDArray[np.uint8]]]:
    """Group examples into lists of `size` (the last may be shorter) with their pixels, uint8 [b, s, s, 3]."""
    group: list[StoredExample] = []
    for example in examples:
        group.append(example)
        if len(group) == size:
            yield group, _pixels(group, spec)
            group = []
    if group:
        yield group, _pixels(group, spec)


def _pixels(group: Sequence[StoredExample], spec: ImageSpec) -> NDArray[np.uint8]:
    return np.stack([imaging.prepare(example.encoded, spec) for example in group])
