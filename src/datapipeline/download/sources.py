"""Several `--source` in one output: where each goes, and what is known of it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from contracts import storage
from contracts.errors import InputError
from datapipeline.download import origin
from datapipeline.download.origin import Origin, is_junk

_SHA256_DIGITS = 64


def find_all(sources: Sequence[str], output: str, catalogue: Path, sha256: Sequence[str]) -> list[Origin]:
    """Look every source up; of several, each folder goes into one of its own name.

    Args:
        sources: as `origin.find` takes them.
        output: the folder to fill.
        catalogue: the folder of the catalogue's entries.
        sha256: `HEX`, or `NAME=HEX` where there are several archives.

    Raises:
        InputError: one of them can't be fetched, two would have one name, one lies around the output, or a
            sha256 is of nothing that is fetched.
    """
    found = [origin.find(source, catalogue) for source in sources]
    for one in found:
        _refuse_overlap(one, output)
    if len(found) > 1:
        found = [one if one.is_archive else replace(one, place=one.name) for one in found]
    _refuse_clash(found)
    for stated in sha256:
        found = _with_sha256(found, stated)
    return found


def _refuse_overlap(wanted: Origin, output: str) -> None:
    if wanted.folder is None or storage.is_remote(wanted.folder) != storage.is_remote(output):
        return
    target = output.rstrip("/") if storage.is_remote(output) else Path(output).resolve().as_posix()
    if f"{target}/".startswith(f"{wanted.uri}/"):
        raise InputError(f"{output} lies in the source {wanted.uri}: choose an --output outside it")


def _refuse_clash(found: list[Origin]) -> None:
    taken: dict[str, Origin] = {}
    for one in found:
        kept = one.is_archive or len(found) > 1
        if kept and (is_junk(one.name) or one.name.endswith(storage.PARTIAL)):
            raise InputError(f"{one.uri}: {one.name} is a name that listings pass over: rename it")
        if len(found) > 1 and one.name in taken:
            raise InputError(
                f"{taken[one.name].uri} and {one.uri} would both be {one.name} in the output: rename one of "
                "them, or give each an --output of its own"
            )
        taken[one.name] = one


def _with_sha256(found: list[Origin], stated: str) -> list[Origin]:
    name, _, digest = stated.rpartition("=")
    digest = digest.strip().lower()
    if len(digest) != _SHA256_DIGITS or set(digest) - set("0123456789abcdef"):
        raise InputError(
            f"--sha256 {stated}: expected {_SHA256_DIGITS} hexadecimal digits, got {len(digest)}"
        )
    archives = [one.name for one in found if one.is_archive]
    if not name and len(archives) == 1:
        name = archives[0]
    if name not in archives:
        known = ", ".join(archives) or "there are none"
        raise InputError(
            f"--sha256 {stated} is of none of the archives to fetch ({known}): expected NAME=HEX"
        )
    return [_stating(one, digest) if one.is_archive and one.name == name else one for one in found]


def _stating(one: Origin, digest: str) -> Origin:
    if one.sha256 not in (None, digest):
        raise InputError(f"--sha256 {digest}: the catalogue states {one.sha256} of {one.uri}: leave it out")
    return replace(one, sha256=digest)
