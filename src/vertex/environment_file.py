"""The settings of `.env` in the working directory, which make and docker compose read, too.

Lines are NAME=value. For the three to read the same, a value of ours has no quotes, spaces, $ and #. What the
shell sets counts more, as it does for make and compose.
"""

import re
from pathlib import Path
from typing import Final

from contracts.errors import InputError

FILE: Final = Path(".env")

_OURS = re.compile(r"\s*(?:export\s+)?(?P<name>(?:CHRYSALIS|GOOGLE)_[A-Z0-9_]*)\s*=")
_PLAIN = re.compile(r"[A-Z0-9_]+=[^\s\"'`$#\\]*")


def load_environment_file(file: Path = FILE) -> None:
    """Set the variables of `file`, where there is one, that the environment doesn't have.

    Raises:
        InputError: a line of ours isn't plain, so that make or compose would read something else.
    """
    if not file.is_file():
        return
    from dotenv import load_dotenv

    text = file.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        found = _OURS.match(line)
        if found and not _PLAIN.fullmatch(line.rstrip()):
            raise InputError(
                f"{file}:{number}: expected {found['name']}=value, without export, quotes, spaces, $ or #, "
                "as make and docker compose read this file, too"
            )
    load_dotenv(file, override=False, interpolate=False)
