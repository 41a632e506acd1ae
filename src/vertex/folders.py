"""Where a data set's folders are: under one root in a bucket."""

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from contracts import storage
from contracts.errors import InputError


@dataclass(frozen=True)
class Folders:
    """The root and the data set, as a group (`vertex.option_groups`)."""

    title: ClassVar[str] = "Folders"

    dataset: Annotated[str, typer.Option(help="The data set's name: it names the folders.")] = "digits"
    root: Annotated[
        str | None,
        typer.Option(
            help="Where everything goes: gs://bucket/prefix. By default the whole of CHRYSALIS_BUCKET."
        ),
    ] = None
    bucket: Annotated[
        str | None,
        typer.Option(envvar="CHRYSALIS_BUCKET", help="The bucket's name, where --root isn't given."),
    ] = None


def root_uri(folders: Folders) -> str:
    """The root of all folders: --root, or the whole bucket.

    Raises:
        InputError: neither is given, or a job couldn't reach it.
    """
    root = folders.root
    if root is None and folders.bucket:
        root = f"gs://{folders.bucket.removeprefix('gs://')}"
    if not root:
        raise InputError("no root: give --root gs://bucket/prefix, or set CHRYSALIS_BUCKET")
    return bucket_uri("--root", root)


def bucket_uri(option: str, uri: str) -> str:
    """Check a folder of a bucket, which is all that a job reaches.

    Raises:
        InputError: it is something else.
    """
    if not re.fullmatch(r"gs://[a-z0-9][a-z0-9._-]*(/.*)?", uri):
        raise InputError(
            f"a job on Vertex AI reaches buckets only: expected {option} gs://bucket/prefix, got {uri!r}"
        )
    if re.search(r"[?#]|/\.{1,2}(/|$)", uri) or not uri.isprintable():
        raise InputError(
            f"expected {option} without ?, #, ., .. and control characters in its names; got {uri!r}"
        )
    return storage.join(uri)


def scratch(root: str, name: str) -> str:
    """A folder of the root's bucket whose files the bucket's lifecycle deletes: tmp/ at its top."""
    return f"gs://{root.removeprefix('gs://').partition('/')[0]}/tmp/{name}"  # noqa: S108 - no folder of this machine
