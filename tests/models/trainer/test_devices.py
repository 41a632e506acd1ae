"""`--gpu`: looked at before anything is built."""

import pytest
import tensorflow as tf

from contracts.errors import InputError
from models.trainer.cluster import Cluster
from models.trainer.config import Execution
from models.trainer.devices import strategy_for


def test_the_cpu_needs_no_strategy() -> None:
    assert strategy_for(Execution(gpu="0"), Cluster()) is tf.distribute.get_strategy()


@pytest.mark.parametrize("hosts", [1, 2])
def test_more_gpus_than_there_are_is_one_line(hosts: int) -> None:
    """On a host of several as well, before it waits for the others."""
    with pytest.raises(InputError, match=r"^--gpu 99 wants more than this machine has: .*; use --gpu \d"):
        strategy_for(Execution(gpu="99"), Cluster(hosts, 0))
