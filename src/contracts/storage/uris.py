"""Arithmetic on URIs: local paths and `gs://bucket/name`.

On Vertex AI `/gcs/bucket/name` is `gs://bucket/name`: it mounts every bucket there, but by a file system that
has no locks and no renames that are atomic, and that is slow on small files.
"""

import posixpath
import re

from contracts import vertex_environment
from contracts.errors import InputError

REMOTE = "gs://"
MOUNTED = "/gcs/"

_BUCKET = re.compile(r"gs://(?!\.{1,2}(/|$))[^/]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(/|$)")


def canonical(uri: str) -> str:
    """Give a URI its one form: `gs://bucket/name` for where Vertex AI has mounted it; others as they are."""
    if uri.startswith(MOUNTED) and vertex_environment.on_vertex():
        return REMOTE + uri.removeprefix(MOUNTED)
    return uri


def check(uri: str) -> None:
    """Refuse what would be taken for a local path by mistake: an empty URI, another scheme, half a gs://.

    Raises:
        InputError: it is neither a local path nor `gs://bucket/…`.
    """
    given, uri = uri, canonical(uri)
    if given != uri and {".", ".."} & {*given.split("/")}:
        raise InputError(f"expected {MOUNTED}bucket/name without . and .. in it, got {given!r}")
    if not uri:
        raise InputError("a folder's URI is empty: expected a path or gs://bucket/prefix")
    if not uri.isascii() and uri != uri.encode(errors="replace").decode():
        raise InputError(f"expected a name in UTF-8, got {uri!a}: rename it")
    if _SCHEME.match(uri) and not _BUCKET.match(uri):
        raise InputError(f"expected a path or gs://bucket/prefix, got {uri!r}")


def is_remote(uri: str) -> bool:
    """Whether a URI names a bucket rather than a local path."""
    return canonical(uri).startswith(REMOTE)


def join(uri: str, *parts: str) -> str:
    """Put `parts` behind a URI, with one slash between each.

    Raises:
        InputError: the URI can't be one.
    """
    check(uri)
    uri = canonical(uri)
    return "/".join([uri.rstrip("/") or uri, *(part.strip("/") for part in parts)])


def last_part(uri: str) -> str:
    """The last part of a URI: a file's or a folder's own name."""
    return uri.rstrip("/").rsplit("/", 1)[-1]


def split_bucket(uri: str) -> tuple[str, str]:
    """Split `gs://bucket/name` into bucket and name.

    Raises:
        InputError: there is no bucket in it.
    """
    uri = canonical(uri)
    bucket, _, name = uri.removeprefix(REMOTE).partition("/")
    if not _BUCKET.match(uri):
        raise InputError(f"expected gs://bucket/name, got {uri!r}")
    return bucket, name


def relative(uri: str, folder: str) -> str:
    """Express `uri` as seen from `folder` (`../../raw/digits`), so that both can move together.

    It stays as it is where the two lie in different buckets, or one is local and the other isn't.
    """
    uri, folder = canonical(uri), canonical(folder)
    if is_remote(uri) != is_remote(folder):
        return uri
    if not is_remote(uri):
        return posixpath.relpath(posixpath.abspath(uri), posixpath.abspath(folder))
    (bucket, name), (other, base) = split_bucket(uri), split_bucket(folder)
    return posixpath.relpath("/" + name, "/" + base) if bucket == other else uri


def resolve(uri: str, folder: str) -> str:
    """The inverse of `relative`: the URI that `uri` means when it stands in a document of `folder`."""
    uri = canonical(uri)
    if is_remote(uri) or posixpath.isabs(uri):
        return uri
    if not is_remote(folder):
        return posixpath.normpath(posixpath.join(folder, uri))
    bucket, base = split_bucket(folder)
    return f"{REMOTE}{bucket}{posixpath.normpath(posixpath.join('/' + base, uri))}"
