"""Names and keys that the writer and the reader of TFRecords share.

The keys are those of tensorflow/models; the shard names those of TensorFlow Datasets.
"""

from contracts.dataset import Split

ENCODED = "image/encoded"
"""bytes: the JPEG, RGB or grey."""
LABEL = "image/class/label"
"""int64: the class's index in the sorted names, from 0."""
TEXT = "image/class/text"
"""bytes: the class's name in UTF-8."""
FORMAT = "image/format"
"""bytes: `jpeg`."""
FILENAME = "image/filename"
"""bytes: the image's path inside the raw folder."""
HEIGHT = "image/height"
"""int64: pixels of the encoded image."""
WIDTH = "image/width"
"""int64: pixels of the encoded image."""


def shard_name(split: Split, index: int, count: int) -> str:
    """Name shard `index` (from 0) of `count`: `train-00000-of-00008.tfrecord`."""
    if not 0 <= index < count:
        raise ValueError(f"expected a shard index in [0, {count}), got {index}")
    return f"{split}-{index:05d}-of-{count:05d}.tfrecord"
