"""Train cnn on 0 to N GPUs: `python -m models.cnn.train_multi_gpu --help`."""

from contracts.console import run_app
from models.cnn.model import ARCHITECTURE
from models.trainer.cli import app_for

app = app_for(ARCHITECTURE)

if __name__ == "__main__":
    run_app(app, "python -m models.cnn.train_multi_gpu")
