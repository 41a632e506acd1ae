"""Fills the jinja2 templates of what the trainer writes for people: the report and the model card."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape


def render(template: str, **values: Any) -> str:
    """Fill a template of `templates/`; values are escaped in HTML, and a missing one is an error."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(values)


def data_uri(kind: str, data: bytes) -> str:
    """Bytes of a MIME type, to stand in a page in place of an address."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
