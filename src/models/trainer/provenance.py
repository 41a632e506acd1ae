"""What software made a bundle."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

PACKAGES = (
    "ai-edge-litert",
    "keras",
    "numpy",
    "pillow",
    "protobuf",
    "scikit-learn",
    "tensorflow",
    "tensorflow-cpu",
    "wandb",
)


def package_versions() -> dict[str, str]:
    """Versions of what a bundle's files depend on, and of Python."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # TensorFlow comes under one of two names, and W&B may be left out
    return versions


def git_commit() -> str | None:
    """The commit of this code: CHRYSALIS_GIT_COMMIT (an image has no repository), else the checkout's."""
    if commit := os.environ.get("CHRYSALIS_GIT_COMMIT"):
        return commit
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
