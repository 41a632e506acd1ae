"""Train on one and on two logical CPU devices, and print what came out: run by test_loop.py.

Arguments: a processed data set, and an empty folder. Each case is a list of two: one device's, two devices'.
"""

import json
import sys
from pathlib import Path
from typing import Any

from models.trainer.runtime import load_tensorflow

load_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from conftest import SMALL  # noqa: E402

from models.trainer.config import Execution, TrainConfig  # noqa: E402
from models.trainer.devices import strategy_for  # noqa: E402
from models.trainer.input_pipeline import BatchSize, features  # noqa: E402
from models.trainer.loop import in_calls, train_steps  # noqa: E402
from models.trainer.run_folder import HISTORY  # noqa: E402
from models.trainer.session import policy  # noqa: E402
from models.trainer.train import train_and_evaluate  # noqa: E402

DEVICES = (["CPU:0"], ["CPU:0", "CPU:1"])


def plain() -> Any:
    return SMALL.build(3, 16, 0.0)


def regularized() -> Any:
    image = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    return keras.Model(image, keras.layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.1))(x))


def with_chance() -> Any:
    image = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.Dropout(0.2)(keras.layers.BatchNormalization(synchronized=True)(x))
    return keras.Model(image, keras.layers.Dense(3)(x))


def fit(
    devices: list[str],
    *,
    build: Any = plain,
    examples: int = 21,
    batch: int = 8,
    clip_norm: float = 0.0,
    steps_per_call: int = 1,
    precision: str = "float32",
) -> dict[str, Any]:
    """Three epochs; the losses of each, and every weight at the end."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (examples, 16, 16, 3), np.uint8), rng.integers(0, 3, examples)
    strategy = strategy_for(0, devices)
    with strategy.scope(), policy(precision):
        network, optimizer = build(), keras.optimizers.SGD(0.1, momentum=0.9)
        if precision == "float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    size = BatchSize(batch, strategy.num_replicas_in_sync)
    train = train_steps(strategy, network, optimizer, clip_norm)
    losses = []
    for epoch in range(3):
        data = features(images, labels, size, seed=epoch)
        iterator = iter(strategy.experimental_distribute_dataset(data))
        sums = [train(iterator, count) for count in in_calls(size.steps(examples), steps_per_call)]
        assert sum(part.examples for part in sums) == examples
        losses.append(sum(part.loss for part in sums) / examples)
    weights = np.concatenate([np.ravel(value) for value in network.get_weights()])
    return {"losses": losses, "weights": weights.tolist()}


def history(records: str, output: Path, devices: list[str]) -> Any:
    """The real trainer's rows."""
    config = TrainConfig(epochs=2, batch_size=25, learning_rate=0.01, dropout=0.0)
    execution = Execution(gpu=0, wandb="off")
    train_and_evaluate(config, execution, records, str(output), SMALL, devices=devices)
    names, *rows = (line.split(",") for line in (output / HISTORY).read_text().splitlines())
    return [dict(zip(names, map(float, row), strict=True)) for row in rows]


CASES: dict[str, dict[str, Any]] = {
    "ragged": {},  # 8, 8 and 5
    "lone": {"examples": 17},  # the last batch has one image, so the second device has none
    "odd batch": {"batch": 7},  # a batch that two devices can't halve
    "clipped": {"clip_norm": 0.05},
    "regularized": {"build": regularized},
    "4 steps a call": {"steps_per_call": 4},
    "float16": {"precision": "float16"},
    "bfloat16": {"precision": "bfloat16"},
    "dropout and batch normalization": {"build": with_chance},
}

if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    found = {name: [fit(devices, **case) for devices in DEVICES] for name, case in CASES.items()}
    records, folder = sys.argv[1], Path(sys.argv[2])
    found["trainer"] = [history(records, folder / str(len(devices)), devices) for devices in DEVICES]
    sys.stdout.write("\n" + json.dumps(found) + "\n")
