"""Train the same on so many logical CPU devices, and write what came out: run by test_loop.py.

Arguments: how many devices, a processed data set, and an empty folder, which gets `found.json`. TensorFlow's
devices are set once a process, so each count has a process of its own.
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
from conftest import train_small  # noqa: E402
from keras import layers  # noqa: E402

from models.trainer.augmentation import Augmentation  # noqa: E402
from models.trainer.cluster import Cluster  # noqa: E402
from models.trainer.config import Execution, TrainConfig  # noqa: E402
from models.trainer.devices import strategy_for  # noqa: E402
from models.trainer.feature_batches import FeatureBatches  # noqa: E402
from models.trainer.input_pipeline import Batches, Epoch  # noqa: E402
from models.trainer.loop import Totals, distributed, evaluation_steps, in_calls, train_steps  # noqa: E402
from models.trainer.objective import Objective, balanced  # noqa: E402
from models.trainer.optimizers import averaged, make_optimizer  # noqa: E402
from models.trainer.precision import policy  # noqa: E402

EXAMPLES, CLASSES, SIDE = 77, 3, 8
EPOCHS = 2  # of 10 steps each


def network(*, regularized: bool = False, normalized: bool = False, dropout: float = 0.0) -> keras.Model:
    """A convolution and a head: float32 [batch, 192] in -1…1 to logits."""
    pixels = keras.Input((SIDE * SIDE * 3,))
    x = layers.Reshape((SIDE, SIDE, 3))(pixels)
    x = layers.Conv2D(8, 3, kernel_regularizer=keras.regularizers.L2(0.1) if regularized else None)(x)
    if normalized:
        x = layers.BatchNormalization(synchronized=True)(x)
    x = layers.Flatten()(layers.ReLU()(x))
    return keras.Model(pixels, layers.Dense(CLASSES, dtype="float32")(layers.Dropout(dropout)(x)))


def fit(
    devices: list[str],
    *,
    examples: int = EXAMPLES,
    steps_per_call: int = 1,
    built: dict[str, Any] | None = None,
    execution: dict[str, Any] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Train for a few epochs: the losses of each, the last judgement, and every weight as it is judged."""
    config = TrainConfig(
        **{"batch_size": 8, "optimizer": "sgd", "learning_rate": 0.05, "clip_norm": 0.0, "warmup": 0.0}
        | settings
    )
    chosen = Execution(gpu="0", **execution or {})
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (examples, SIDE * SIDE * 3)).astype(np.float32)
    labels = np.minimum(rng.integers(0, CLASSES + 2, examples), CLASSES - 1)  # the last class has more
    weights = balanced(np.bincount(labels).tolist()) if config.class_weights == "balanced" else None
    objective = Objective(config.label_smoothing, weights)
    strategy = strategy_for(chosen, Cluster(), devices)
    batches = Batches(config.batch_size, strategy.num_replicas_in_sync, config.accumulate)
    steps = batches.steps(examples)
    with strategy.scope(), policy(config.precision):
        trained = network(**built or {})
        optimizer = make_optimizer(config, config.learning_rate or 0.0, steps, EPOCHS)
    train = train_steps(
        strategy,
        trained,
        optimizer,
        objective,
        clip_norm=config.clip_norm,
        accumulate=config.accumulate,
        xla=chosen.xla,
    )
    losses, norms = [], []
    for number in range(EPOCHS):
        data = FeatureBatches(images, labels, batches)
        shuffled = data.shuffled(Epoch(config.seed, number, Augmentation()))
        iterator = iter(distributed(strategy, shuffled))
        epoch = Totals()
        for count in in_calls(steps, steps_per_call):
            epoch = epoch.plus(train(iterator, count, 0.0))
        assert epoch.examples == examples
        losses.append(epoch.loss / examples)
        norms.append(epoch.gradient_norm / steps)
    with averaged(trained, optimizer):
        judge = evaluation_steps(strategy, trained, objective)
        in_order = FeatureBatches(images, labels, batches).in_order()
        judged = judge(iter(distributed(strategy, in_order)), steps, 1.0)
        values = np.concatenate([np.ravel(value) for value in trained.get_weights()])
    assert judged.examples == examples
    assert judged.requests == len(devices) * steps
    judgement = [judged.loss / examples, judged.correct]
    return {"losses": losses, "norms": norms, "judged": judgement, "weights": values.tolist()}


EVERYTHING = {"accumulate": 2, "clip_norm": 0.5, "ema": 0.9, "class_weights": "balanced"}

EXACT: dict[str, dict[str, Any]] = {
    "ragged": {},  # the last batch has 5 images
    "lone": {"examples": 73},  # the last batch has one image, so only the first device has any
    "indivisible": {"batch_size": 7},
    "accumulated": {"accumulate": 2},
    "clipped": {"clip_norm": 0.5},
    "averaged": {"ema": 0.9},
    "class weights": {"class_weights": "balanced"},
    "regularized": {"built": {"regularized": True}},
    "4 steps a call": {"steps_per_call": 4},
    "normalized": {"built": {"normalized": True}},
    "everything": {
        **EVERYTHING,
        "optimizer": "adam",
        "learning_rate": 0.003,
        "built": {"regularized": True},
        "label_smoothing": 0.1,
        "steps_per_call": 2,
    },
}
"""What any number of devices computes alike."""

ON_TWO: dict[str, dict[str, Any]] = {
    "hierarchical copy": {"execution": {"all_reduce": "hierarchical-copy"}},
    "xla": {"execution": {"xla": True}, **EVERYTHING},
    "float16": {"precision": "float16"},
    "bfloat16 and dropout": {"precision": "bfloat16", "built": {"dropout": 0.2}},
}


def history(records: str, output: Path, devices: list[str], **settings: Any) -> list[list[float]]:
    """What the real trainer's rows say of losses and accuracy."""
    train_small(records, output, devices=devices, batch_size=24, dropout=0.0, **settings)
    names, *rows = (line.split(",") for line in (output / "history.csv").read_text().splitlines())
    told = [names.index(name) for name in ("loss", "accuracy", "val_loss", "val_accuracy", "gradient_norm")]
    return [[float(row[column]) for column in told] for row in rows]


if __name__ == "__main__":
    count, records, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    cases = EXACT if count > 2 else EXACT | ON_TWO
    devices = [f"CPU:{number}" for number in range(count)]
    found: dict[str, Any] = {name: fit(devices, **case) for name, case in cases.items()}
    found["trainer"] = history(records, folder / "run", devices, batch_norm=True)
    (folder / "found.json").write_text(json.dumps(found))
