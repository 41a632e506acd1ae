"""What the engine must know of an architecture; `models/<name>/model.py` holds one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Pretrained:
    """Published weights without a head, as Keras' `applications` fetch them."""

    file: str
    """Its name in ~/.keras/models."""
    url: str
    md5: str


@dataclass(frozen=True)
class Architecture:
    """A network that the engine can train."""

    name: str
    """The folder under `models/`."""
    build: Callable[[int, int, float], "keras.Model"]
    """(num_classes, image_size, dropout) to one flat functional graph, uint8 RGB [batch, size, size, 3] in
    0…255 to logits float32 [batch, num_classes]. It builds in the current dtype policy."""
    features: str
    """The layer whose output [batch, channels] the head reads; what comes behind it is the head."""
    fine_tune_from: str
    """What `--fine-tune-from` is by default."""
    smallest_image: int
    """Pixels; below it the pooling leaves nothing."""
    pretrained: Pretrained | None = None
    """What `--weights imagenet` loads."""
