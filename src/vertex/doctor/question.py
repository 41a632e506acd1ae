"""What the doctor is asked about: the settings as they are, and the training that is meant."""

from dataclasses import dataclass
from typing import Final

from contracts import storage
from vertex.machines import DEFAULT_ACCELERATOR
from vertex.stages import DEFAULT_MODEL

DEFAULT_BATCH_SIZE: Final = 64
"""The trainer's own."""


@dataclass(frozen=True)
class Question:
    """None where the setting or the option isn't given."""

    project: str | None = None
    region: str | None = None
    bucket: str | None = None
    images: str | None = None
    tag: str = "latest"
    service_account: str | None = None
    wandb_secret: str | None = None
    root: str = "data"
    dataset: str = "digits"
    model: str = DEFAULT_MODEL
    gpu: int | None = None
    hosts: int = 1
    batch_size: int = DEFAULT_BATCH_SIZE
    accelerator: str = DEFAULT_ACCELERATOR
    spot: bool = False
    google_endpoint: str | None = None
    secrets_endpoint: str | None = None

    @property
    def gpus_in_the_cloud(self) -> int:
        """Of each host; a job has one where nothing else is said."""
        return 1 if self.gpu is None else self.gpu

    @property
    def bucket_name(self) -> str | None:
        """The bucket that the stages meet in: of the root, where that is in one."""
        name = self.root if storage.is_remote(self.root) else self.bucket or ""
        return name.removeprefix("gs://").partition("/")[0] or None

    def folder(self, stage: str) -> str:
        """A folder of the data set, as in processed/digits."""
        return storage.join(self.root, stage, self.dataset)
