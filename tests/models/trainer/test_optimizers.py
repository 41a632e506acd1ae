"""How weights change: the learning rate over the steps, what decays, and the moving average."""

from typing import Any

import keras
import numpy as np
import pytest

from models.trainer.config import TrainConfig
from models.trainer.optimizers import LearningRate, averaged, make_optimizer, scaled_rate


def rates(steps: int, epochs: int, **settings: Any) -> list[float]:
    schedule = LearningRate(TrainConfig.model_validate(settings), 0.1, steps, epochs)
    return [float(schedule(step)) for step in range(steps * epochs)]


@pytest.mark.parametrize(("schedule", "last"), [("cosine", 0.0), ("constant", 0.1), ("step", 0.01)])
def test_the_rate_rises_and_then_does_as_asked(schedule: str, last: float) -> None:
    found = rates(10, 10, schedule=schedule, warmup=0.2, step_epochs=4)
    assert found[0] == pytest.approx(0.1 / 20)
    assert found[:20] == sorted(found[:20])
    assert found[19] == pytest.approx(0.1)
    assert found[20] == pytest.approx(0.1)
    assert found[20:] == sorted(found[20:], reverse=True)
    assert found[-1] == pytest.approx(last, abs=1e-4)


def test_cosine_is_at_half_its_way_in_the_middle() -> None:
    assert rates(10, 10, warmup=0.0)[50] == pytest.approx(0.05)


def test_steps_fall_behind_whole_epochs() -> None:
    found = rates(10, 9, schedule="step", warmup=0.0, step_epochs=3, step_factor=0.5)
    assert [found[0], found[29], found[30], found[59], found[60]] == pytest.approx(
        [0.1, 0.1, 0.05, 0.05, 0.025]
    )


@pytest.mark.parametrize("warmup", [0.0, 0.1])
@pytest.mark.parametrize("steps", [1, 2, 23])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_short_phases_have_a_rate_too(warmup: float, steps: int, optimizer: str) -> None:
    config = TrainConfig.model_validate({"warmup": warmup, "optimizer": optimizer})
    assert 0 < float(make_optimizer(config, 0.1, steps, 1).learning_rate) <= 0.1 + 1e-6


def test_the_rate_follows_the_batch_only_when_asked() -> None:
    assert scaled_rate(TrainConfig(batch_size=256), 0.1) == 0.1
    assert scaled_rate(TrainConfig(batch_size=256, reference_batch_size=64), 0.1) == pytest.approx(0.4)


def network() -> Any:
    layers = keras.layers
    made = keras.Sequential([layers.Input([4]), layers.Dense(3, name="dense"), layers.BatchNormalization()])
    for variable in made.trainable_variables:
        variable.assign(np.ones(variable.shape))
    return made


def test_adamw_lets_only_kernels_decay() -> None:
    made = network()
    config = TrainConfig(optimizer="adamw", weight_decay=0.1, warmup=0.0, schedule="constant")
    optimizer = make_optimizer(config, 0.5, 10, 1)
    optimizer.build(made.trainable_variables)
    optimizer.apply([np.zeros(variable.shape, np.float32) for variable in made.trainable_variables])
    found = {variable.name: float(np.max(variable.numpy())) for variable in made.trainable_variables}
    assert found == {"kernel": pytest.approx(1 - 0.5 * 0.1), "bias": 1.0, "gamma": 1.0, "beta": 1.0}


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_average_is_lent_and_taken_back(precision: str) -> None:
    made = network()
    config = TrainConfig.model_validate({"optimizer": "sgd", "ema": 0.9, "precision": precision})
    optimizer = make_optimizer(config, 0.1, 10, 1)
    optimizer.build(made.trainable_variables)
    with averaged(made, optimizer):
        assert float(made.get_layer("dense").bias.numpy()[0]) == 1.0, "before the first step there is none"
    seen = []
    for _ in range(2):
        gradients = [np.ones(variable.shape, np.float32) for variable in made.trainable_variables]
        optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients])
        seen.append(made.get_layer("dense").bias.numpy().copy())
    with averaged(made, optimizer):
        lent = made.get_layer("dense").bias.numpy().copy()
    np.testing.assert_allclose(lent, 0.9 * seen[0] + 0.1 * seen[1], rtol=1e-6)
    np.testing.assert_array_equal(made.get_layer("dense").bias.numpy(), seen[1])
