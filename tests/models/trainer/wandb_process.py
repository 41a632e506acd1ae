"""A process that tells W&B of a run: `python wandb_process.py FOLDER MODE DATA ['verb argument'…]`.

Verbs: `begin N` with N epochs behind it, `epoch N`, `result`, `bundle URI`, `sleep SECONDS`, `wait` for a
line on standard input, `close`, and `kill`, as when a container is taken away: with W&B's own process.
"""

import os
import signal
import sys
import time
from pathlib import Path

from contracts.dataset import ShardIndex
from models.trainer import wandb_service
from models.trainer.checkpoints import Row
from models.trainer.config import Execution
from models.trainer.run_folder import Run
from models.trainer.wandb_run import start

RUN_ID = "night-1-0a1b2c3d"


def row(epoch: int) -> Row:
    measures = ("loss", "val_accuracy", "learning_rate", "gradient_norm", "images_per_second", "data_wait")
    return {"epoch": epoch, "step": 10 * epoch, **dict.fromkeys(measures, 1 / epoch)}


def main(folder: str, mode: str, data: str, *verbs: str) -> None:
    index = ShardIndex.read(data)
    run = Run(id=RUN_ID, architecture="small", index_digest="d" * 64, config={"epochs": 6, "seed": 7})
    told = start(run, "night-1", Execution(wandb=mode), Path(folder), index=index, data_uri=data)
    assert told, "W&B didn't start"
    for verb in verbs:
        name, _, argument = verb.partition(" ")
        if name == "begin":
            told.begin([row(epoch) for epoch in range(1, int(argument) + 1)])
        elif name == "epoch":
            told.epoch(row(int(argument)))
        elif name == "result":
            told.result({"accuracy": 0.75}, [0, 1, 2, 2], [0, 1, 2, 1])
        elif name == "bundle":
            told.bundle(argument)
        elif name == "sleep":
            time.sleep(float(argument))
        elif name == "wait":
            print("waiting", flush=True)
            sys.stdin.readline()
        elif name == "close":
            told.close(failed=False)
        elif name == "kill":
            import wandb

            wandb_service._process(wandb).kill()
            os.kill(os.getpid(), signal.SIGKILL)
    print("done", "online" if told.online else "offline")


if __name__ == "__main__":
    main(*sys.argv[1:])
