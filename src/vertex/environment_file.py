"""The settings of `.env` in the working directory, which make and docker compose read, too.

Lines are NAME=value. For the three to read the same, and as make hands values to a shell, a value of ours has
letters, digits and . _ : / @ , + = - alone. What the shell sets counts more, as it does for make and compose.
"""

import re
from pathlib import Path
from typing import Final

from contracts.errors import InputError

FILE: Final = Path(".env")

_OURS = re.compile(r"\s*(?:export\s+)?(?P<name>(?:CHRYSALIS|GOOGLE)_[A-Z0-9_]*)\s*=")
_PLAIN = re.compile(r"[A-Z0-9_]+=[A-Za-z0-9._:/@,+=-]*")


def load_environment_file(file: Path = FILE) -> None:
    """Set the variables of `file`, where there is one, that the environment doesn't have.

    Raises:
        InputError: the file can't be read or isn't plain text, or a line of ours isn't, so that make or
            compose would read something else.
    """
    if not file.is_file():
        return
    from dotenv import load_dotenv

    for number, line in enumerate(_text(file).split("\n"), 1):
        found = _OURS.match(line)
        if found and not _PLAIN.fullmatch(line):
            raise InputError(
                f"{file}:{number}: expected {found['name']}=value, without export, quotes, spaces or what a "
                "shell reads otherwise, as make and docker compose read this file, too"
            )
    load_dotenv(file, override=False, interpolate=False)


def _text(file: Path) -> str:
    """What is in `file`: UTF-8 with neither a byte order mark nor carriage returns, which make would keep."""
    try:
        text = file.read_bytes().decode()
    except OSError as error:
        raise InputError(f"{file} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} isn't UTF-8: save it as that ({error})") from error
    if text.startswith("\ufeff"):
        raise InputError(f"{file} begins with a byte order mark: save it as UTF-8 without one")
    if "\r" in text:
        raise InputError(f"{file} has Windows' line ends: save it with \\n alone (sed -i 's/\\r//' {file})")
    return text
