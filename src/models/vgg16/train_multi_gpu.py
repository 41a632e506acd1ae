"""Train vgg16 on 0 to N GPUs: `python -m models.vgg16.train_multi_gpu --help`."""

from contracts.console import run_app
from models.trainer.cli import app_for
from models.vgg16.model import ARCHITECTURE

app = app_for(ARCHITECTURE)

if __name__ == "__main__":
    run_app(app, "python -m models.vgg16.train_multi_gpu")
