"""Train the small network in a process of its own, which a test then kills: run by test_train.py.

Arguments: a processed data set, the run's folder, and settings as JSON.
"""

import json
import sys

from conftest import QUICK, SMALL

from models.trainer.config import Execution, TrainConfig
from models.trainer.train import train_and_evaluate

if __name__ == "__main__":
    config = TrainConfig(**(QUICK | json.loads(sys.argv[3])))
    train_and_evaluate(config, Execution(gpu=0, wandb="off"), sys.argv[1], sys.argv[2], SMALL)
