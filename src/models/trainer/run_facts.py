"""What is known of a run when its training is over: what the report, the model card and the bundle tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.bundle import ImageSpec
from contracts.dataset import ShardIndex


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """A finished training run."""

    name: str
    """The run's id (`contracts.run_name`)."""
    architecture: str
    """The folder under `models/`: `vgg16`."""
    index: ShardIndex
    """Of the data set that it was trained on."""
    image_size: int
    """Pixels; the side of the network's square input."""
    config: Mapping[str, Any]
    """The whole configuration, as JSON can hold it."""
    command: str
    """What to type to train it again."""
    output: str
    """The run's folder: a path or a URI."""
    history: Sequence[Mapping[str, float]] = field(default=())
    """A row an epoch, as in history.csv: `epoch`, `loss`, `val_loss`, `accuracy`, `val_accuracy`, …"""
    wandb_run: str | None = None
    """The W&B run's id; None: W&B was off."""

    class_info: str | None = None
    """A path or URI of what is told of the classes, which goes into the bundle; None: nothing."""

    image_spec: ImageSpec | None = None
    """How bytes become its input, where that doesn't follow from these records: it was trained on others."""

    @property
    def image(self) -> ImageSpec:
        """How encoded bytes become the network's input."""
        return self.image_spec or ImageSpec(
            size=self.image_size, record_size=self.index.image_size, resize=self.index.resize
        )
