"""The learning rate over the steps."""

import pytest

from models.trainer.config import TrainConfig
from models.trainer.optimizers import learning_rate, make_optimizer


@pytest.mark.parametrize(("schedule", "last"), [("cosine", 0.0), ("constant", 0.1)])
def test_the_rate_rises_and_then_does_as_asked(schedule: str, last: float) -> None:
    config = TrainConfig.model_validate({"schedule": schedule, "warmup": 0.2})
    rate = learning_rate(config, 0.1, 100)
    rates = [float(rate(step)) for step in range(101)]
    assert rates[0] == pytest.approx(0.1 / 20)
    assert rates[:21] == sorted(rates[:21])
    assert max(rates) == pytest.approx(0.1, rel=1e-5)
    assert rates[20] == pytest.approx(0.1, rel=1e-5)
    assert rates[100] == pytest.approx(last, abs=1e-6)


@pytest.mark.parametrize("warmup", [0.0, 0.1])
@pytest.mark.parametrize("steps", [1, 2, 23])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_short_phases_have_a_rate_too(warmup: float, steps: int, optimizer: str) -> None:
    config = TrainConfig.model_validate({"warmup": warmup, "optimizer": optimizer})
    assert 0 < float(make_optimizer(config, 0.1, steps).learning_rate) <= 0.1 + 1e-6
