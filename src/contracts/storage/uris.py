"""Arithmetic on URIs: local paths and `gs://bucket/name`."""

import posixpath

from contracts.errors import InputError

REMOTE = "gs://"


def is_remote(uri: str) -> bool:
    """Whether a URI names a bucket rather than a local path."""
    return uri.startswith(REMOTE)


def join(uri: str, *parts: str) -> str:
    """Put `parts` behind a URI, with one slash between each."""
    return "/".join([uri.rstrip("/") or uri, *(part.strip("/") for part in parts)])


def last_part(uri: str) -> str:
    """The last part of a URI: a file's or a folder's own name."""
    return uri.rstrip("/").rsplit("/", 1)[-1]


def split_bucket(uri: str) -> tuple[str, str]:
    """Split `gs://bucket/name` into bucket and name.

    Raises:
        InputError: there is no bucket in it.
    """
    bucket, _, name = uri.removeprefix(REMOTE).partition("/")
    if not is_remote(uri) or not bucket:
        raise InputError(f"expected gs://bucket/name, got {uri!r}")
    return bucket, name


def relative(uri: str, folder: str) -> str:
    """Express `uri` as seen from `folder` (`../../raw/digits`), so that both can move together.

    It stays as it is where the two lie in different buckets, or one is local and the other isn't.
    """
    if is_remote(uri) != is_remote(folder):
        return uri
    if not is_remote(uri):
        return posixpath.relpath(posixpath.abspath(uri), posixpath.abspath(folder))
    (bucket, name), (other, base) = split_bucket(uri), split_bucket(folder)
    return posixpath.relpath("/" + name, "/" + base) if bucket == other else uri


def resolve(uri: str, folder: str) -> str:
    """The inverse of `relative`: the URI that `uri` means when it stands in a document of `folder`."""
    if is_remote(uri) or posixpath.isabs(uri):
        return uri
    if not is_remote(folder):
        return posixpath.normpath(posixpath.join(folder, uri))
    bucket, base = split_bucket(folder)
    return f"{REMOTE}{bucket}{posixpath.normpath(posixpath.join('/' + base, uri))}"
