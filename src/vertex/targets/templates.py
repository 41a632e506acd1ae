"""The files of deploy/: each is valid by itself, and what a project has of its own is set in a copy."""

from pathlib import Path
from typing import Any, Final

from vertex.images import ROOT

DEPLOY: Final = ROOT / "deploy"


def template(name: str) -> dict[str, Any]:
    """Read a file of deploy/, by its path in there."""
    import yaml

    document: dict[str, Any] = yaml.safe_load(Path(DEPLOY, name).read_text(encoding="utf-8"))
    return document


def rendered(document: dict[str, Any]) -> str:
    """Write a document as YAML, in the order that it has."""
    import yaml

    return yaml.safe_dump(document, sort_keys=False)
