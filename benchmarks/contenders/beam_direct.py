"""Apache Beam's local runner with two worker processes: resize with Pillow, WriteToTFRecord.

The record is the JPEG alone: `tf.train.Example` would have every worker import TensorFlow. DirectRunner runs
such a pipeline on its FnApiRunner when it can't download its other engine, Prism: naming it saves the try.

    python beam_direct.py LISTING OUTPUT --size 224 --quality 90 --shards 8 --workers 2
"""

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from PIL import Image


class Prepare(beam.DoFn):
    """File name to the encoded centre square."""

    def __init__(self, size: int, quality: int) -> None:
        self.size = size
        self.quality = quality

    def process(self, file: str) -> Iterator[bytes]:
        """Crop, resize and encode."""
        with Image.open(file) as image:
            rgb = image.convert("RGB")
        side = min(rgb.size)
        left, top = (rgb.width - side) // 2, (rgb.height - side) // 2
        box = (left, top, left + side, top + side)
        resized = rgb.resize((self.size, self.size), Image.Resampling.BILINEAR, box=box)
        buffer = io.BytesIO()
        resized.save(buffer, "JPEG", quality=self.quality)
        yield buffer.getvalue()


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
    files = [line.split("\t")[0] for line in given.listing.read_text().splitlines()]
    options = PipelineOptions(
        runner="apache_beam.runners.portability.fn_api_runner.fn_runner.FnApiRunner",
        direct_running_mode="multi_processing",
        direct_num_workers=given.workers,
    )
    with beam.Pipeline(options=options) as pipeline:
        _ = (
            pipeline
            | beam.Create(files)
            | beam.Reshuffle()
            | beam.ParDo(Prepare(given.size, given.quality))
            | beam.io.WriteToTFRecord(
                str(given.output / "train"), file_name_suffix=".tfrecord", num_shards=given.shards
            )
        )


if __name__ == "__main__":
    # Beam sends what `__main__` holds by value; from a module that the workers can't import it would fail.
    main()
