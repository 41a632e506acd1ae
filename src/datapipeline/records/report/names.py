"""Names and paths as people may see them: they come from strangers."""

import re
from typing import Final

_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
"""Controls, what turns the direction of text, what isn't seen, and surrogates, which no file can hold."""

LONGEST: Final = 160
"""Characters of a path; a zip's may have 65,535."""


def shown(text: str, longest: int = LONGEST) -> str:
    """The text with what can't be seen as escapes, and no longer than that: its middle is left out."""
    text = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]}…{text[-(longest // 2) :]}"
