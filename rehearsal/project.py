"""The made-up Google Cloud project that is rehearsed with."""

from typing import Final

PROJECT: Final = "rehearsal-project"
REGION: Final = "europe-west4"
BUCKET: Final = "rehearsal-bucket"
IMAGES: Final = f"{REGION}-docker.pkg.dev/{PROJECT}/chrysalis"
WANDB_SECRET: Final = "wandb-api-key"  # noqa: S105 - its name, not its value
RUN: Final = "gs://rehearsal-bucket/models/digits/cnn"
