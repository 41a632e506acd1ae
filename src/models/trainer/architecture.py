"""What the engine must know of an architecture; `models/<name>/model.py` holds one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import keras


class ArchitectureOptions(BaseModel):
    """An architecture's own options: each field of a subclass is one on its command line, as in `config`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Design:
    """A network that the engine can train."""

    build: Callable[[int, int, float], "keras.Model"]
    """(num_classes, image_size, dropout) to one flat functional graph, uint8 RGB [batch, size, size, 3] in
    0…255 to logits float32 [batch, num_classes]. It builds in the current dtype policy."""
    features: str
    """The layer whose output [batch, channels] the head reads; what comes behind it is the head."""
    fine_tune_from: str
    """What `--fine-tune-from` is by default."""
    smallest_image: int
    """Pixels; below it the pooling leaves nothing. Smaller records are enlarged."""
    learning_rate: float = 1e-3
    """What `--learning-rate` is by default."""
    published: Callable[[], "keras.Model"] | None = None
    """Keras' own network without its head, with ImageNet's weights, fetched if need be: what
    `--weights imagenet` copies into the base."""


@dataclass(frozen=True)
class Architecture:
    """A folder under `models/`."""

    name: str
    """The folder's name."""
    design: Callable[[Any], Design]
    """The `options` that were chosen to the network; it refuses what doesn't fit together with an InputError.
    TensorFlow is imported only inside what it returns."""
    options: type[ArchitectureOptions] = ArchitectureOptions
