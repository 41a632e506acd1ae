"""Files under a URI: a local path or `gs://bucket/prefix`. What reads or writes a URI does it here.

A final name means a whole, verified file: local files are written beside it under a temporary name, synced
and renamed; objects appear whole, with their crc32c checked by the server and by us. Bytes that were damaged
on the way are transferred again; only those of a ranged read (`open_read`) can't be checked. What a killed
run left under temporary names goes with the next write to that folder. Checksums are crc32c, in the form of
Cloud Storage: base64 of the big-endian 32 bits. STORAGE_EMULATOR_HOST is honoured.
"""

from contracts.storage.files import (
    checksum,
    delete,
    download,
    download_many,
    exists,
    iter_files,
    list_files,
    local_copy,
    open_read,
    read_bounded,
    read_bytes,
    replace_bytes,
    stat,
    sync,
    upload,
    upload_many,
    write_bytes,
    writing,
)
from contracts.storage.partials import PARTIAL
from contracts.storage.types import (
    ConflictError,
    CorruptError,
    FileInfo,
    ForbiddenError,
    NotFoundError,
    TooLargeError,
    UnreachableError,
)
from contracts.storage.uris import canonical, is_remote, join, last_part, relative, resolve

__all__ = [
    "PARTIAL",
    "ConflictError",
    "CorruptError",
    "FileInfo",
    "ForbiddenError",
    "NotFoundError",
    "TooLargeError",
    "UnreachableError",
    "canonical",
    "checksum",
    "delete",
    "download",
    "download_many",
    "exists",
    "is_remote",
    "iter_files",
    "join",
    "last_part",
    "list_files",
    "local_copy",
    "open_read",
    "read_bounded",
    "read_bytes",
    "relative",
    "replace_bytes",
    "resolve",
    "stat",
    "sync",
    "upload",
    "upload_many",
    "write_bytes",
    "writing",
]
