"""A bundle to serve: a network with 5 classes at 224 and random weights, exported as the trainer does it.

    python -m benchmarks.serving_bundle FOLDER vgg16|nothing [PHOTOS.zip]

What a network says of a photo costs as much with random weights as with trained ones; `nothing` is a network
that only averages the pixels. A finished bundle in FOLDER stays as it is.
"""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks import images
from contracts.bundle import (
    LITERT_MODEL,
    SAVED_MODEL,
    BundleFile,
    Calibration,
    ImageSpec,
    ModelBundle,
)

CLASSES: Final = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
SPEC: Final = ImageSpec(size=224, record_size=256, resize="shorter-side")
PHOTOS: Final = 16
"""On which the LiteRT file is compared with the network, and of which the golden ones are taken."""
BYTES: Final = 110_000
"""Of a photo: the one nearest to it is the first golden one, and what servers are asked."""


def network_of(name: str) -> Any:
    """Build it: uint8 RGB [batch, 224, 224, 3] to logits."""
    import keras

    from models.vgg16.model import build

    keras.utils.set_random_seed(0)
    if name == "vgg16":
        return build(len(CLASSES), SPEC.size)
    pixels = keras.Input((SPEC.size, SPEC.size, 3), dtype="uint8")
    averages = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
    return keras.Model(pixels, keras.layers.Dense(len(CLASSES))(averages))


def write(folder: Path, name: str, photos: list[images.Named]) -> None:
    """Build the network, convert it and describe the bundle in `folder`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import numpy as np

    from contracts import storage
    from imaging import prepare
    from models.trainer.examples import StoredExample
    from models.trainer.golden import TOLERANCE, write_golden
    from models.trainer.litert import LiteRTModel, write_litert
    from models.trainer.provenance import package_versions
    from models.trainer.saved_model import write_saved_model

    folder.mkdir(parents=True, exist_ok=True)
    network = network_of(name)
    write_saved_model(network, folder / SAVED_MODEL, SPEC, CLASSES)
    encoded = sorted((data for _, data in photos), key=lambda data: abs(len(data) - BYTES))[:PHOTOS]
    litert = write_litert(
        network, folder / LITERT_MODEL, [np.stack([prepare(data, SPEC) for data in encoded])]
    )
    examples = [
        StoredExample(f"{number}.jpg", number % len(CLASSES), data) for number, data in enumerate(encoded)
    ]
    golden = write_golden(folder, examples, SPEC, LiteRTModel(folder / LITERT_MODEL))
    ModelBundle(
        name=name,
        architecture=name,
        dataset="photos",
        dataset_digest="",
        created_at=datetime.now(UTC),
        class_names=CLASSES,
        image=SPEC,
        calibration=Calibration(temperature=1, examples=len(encoded)),
        litert=litert,
        golden=tuple(golden),
        golden_tolerance=TOLERANCE,
        metrics={},
        config={},
        git_commit=None,
        packages=package_versions(),
        wandb_run=None,
        files={file.name: BundleFile.of(folder / file.name) for file in storage.list_files(str(folder))},
    ).write(str(folder))


if __name__ == "__main__":
    place, network, *archive = sys.argv[1:]
    if not (Path(place) / ModelBundle.file_name).exists():
        write(Path(place), network, images.photos(Path(archive[0]) if archive else None))
