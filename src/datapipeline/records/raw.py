"""A raw folder, or an archive: which images it holds, and their bytes. Read in place, never changed."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from contracts import storage
from contracts.dataset import Source, Split
from contracts.errors import InputError
from contracts.scratch import scratch
from datapipeline.records import naming
from datapipeline.records.ahead import ahead
from datapipeline.records.archives import (
    Archive,
    Member,
    UnreadableError,
    decompressed,
    is_archive,
    open_archive,
)
from datapipeline.records.worktable import WorkTable

IN_ARCHIVE: Final = "::"
"""Between an archive's name and a member's: `flowers.zip::roses/1.jpg`."""

MAX_BYTES: Final = 256 << 20
"""Of one image's file: a stop before memory, far above any photo."""

THREADS: Final = 8
"""Requests at once for images that lie in a bucket one by one."""

_ATTEMPTS: Final = 3
_PAGE: Final = 1000


class RawImage(NamedTuple):
    """An image where it lies."""

    path: str
    """Inside the raw folder; `archive.zip::member` for a member of an archive; a managed one is a URI."""
    class_name: str
    file: str
    """The file, in the raw folder or by its URI, that holds the bytes: the image's own, or the archive."""
    member: Member | None
    """Which member of that archive; None: the file is the image."""


MEMBER_COLUMNS: Final = "member, offset, bytes, packed, method, crc32"
COLUMNS: Final = f"path, class_name, file, {MEMBER_COLUMNS}"
"""Of the table `image`: what `to_image` takes."""


def to_image(row: Sequence[Any]) -> RawImage:
    """A row of `COLUMNS` as an image."""
    path, class_name, file, *member = row
    return RawImage(path, class_name, file, None if member[0] is None else Member._make((*member, None)))


def located(root: str, file: str) -> str:
    """The URI of a file of a raw folder; a managed data set's have their own."""
    return file if storage.is_remote(file) else storage.join(root, file)


def possible_archives(path: str) -> list[str]:
    """The archives that may hold an image, by the image's path; `a.zip::b/1.jpg` can be a file, too."""
    parts = path.split(IN_ARCHIVE)
    files = (IN_ARCHIVE.join(parts[:count]) for count in range(1, len(parts)))
    return [file for file in files if is_archive(file)]


class Reader:
    """Reads images of a raw folder. It can be sent to other processes, where each opens what it needs."""

    def __init__(self, root: str, replaced: dict[str, str]) -> None:
        """Args: root: what names count from; replaced: archives that are opened elsewhere: name to URI."""
        self._root, self._replaced = root, replaced
        self._open: dict[str, Archive] = {}

    def read(self, image: RawImage) -> bytes:
        """Read an image's bytes.

        Raises:
            UnreadableError: its archive is damaged there.
            NotFoundError: it isn't there any more.
        """
        if image.member is None:
            return storage.read_bytes(located(self._root, image.file))
        return self.archive(image.file).read(image.member)

    def read_all(self, images: Iterable[RawImage]) -> Iterator[bytes | UnreadableError]:
        """Read images one after the other; from a bucket, those that are objects of their own some ahead."""
        if storage.is_remote(self._root):
            yield from ahead(self._try, images, lambda image: image.member is None, THREADS)
        else:
            yield from map(self._try, images)

    def _try(self, image: RawImage) -> bytes | UnreadableError:
        # Ranges of a remote archive have no checksum: damage may be the network's, so it is read again.
        attempts = _ATTEMPTS if image.member is not None and storage.is_remote(self._root) else 1
        while True:
            try:
                return self.read(image)
            except UnreadableError as error:
                attempts -= 1
                if not attempts:
                    return error
                self._open.pop(image.file).close()
            except storage.NotFoundError as error:
                return UnreadableError(str(error))

    def archive(self, file: str) -> Archive:
        """Open an archive of the folder, once."""
        if file not in self._open:
            self._open[file] = open_archive(self._replaced.get(file) or located(self._root, file))
        return self._open[file]

    def close(self) -> None:
        """Close the archives that were opened."""
        while self._open:
            self._open.popitem()[1].close()

    def __getstate__(self) -> dict[str, Any]:
        return {"_root": self._root, "_replaced": self._replaced, "_open": {}}


class RawFolder:
    """What a raw folder or a single archive holds; a context manager, for its temporary files.

    Attributes:
        table: its files, its images, and the files that can't be images or can't be read, with the reason.
            Papers aren't mentioned.
        class_names: of the files whose names are images'.
        given_sides: of the split, by folders called train, val or test.
        reader: reads the images, here or in another process.
        root: the folder that names count from.
    """

    def __init__(
        self, uri: str, *, listed: bool = True, fetch: bool = False, share: str | None = None
    ) -> None:
        """Name what to read.

        Args:
            uri: a folder or an archive; a path or a gs:// URI.
            listed: list everything; else the tables know only the archives given to `look_into`.
            fetch: copy remote archives to a temporary place first: for who reads them out of order.
            share: a folder where other machines find what had to be decompressed.
        """
        self.uri = uri.rstrip("/") or uri
        self.table = WorkTable()
        self.class_names: set[str] = set()
        self.given_sides: set[Split] = set()
        self._listed, self._fetch, self._share = listed, fetch, share
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        with self._cleanup:
            self._cleanup.enter_context(self.table)
            self.root, files = _list(self.uri)
            self._replaced: dict[str, str] = {}
            self.reader = Reader(self.root, self._replaced)
            self._cleanup.callback(self.reader.close)
            for file in files if self._listed else ():
                self._add(file)
            self._cleanup = self._cleanup.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def images(self) -> Iterator[RawImage]:
        """Every image, in the order in which they lie in their archives, so that reading runs forward.

        Images may be rejected, or described, in the meantime.
        """
        place: tuple[Any, ...] = ("", -1, -1)
        query = (
            f"SELECT {COLUMNS}, id FROM image WHERE (file, offset, id) > (?, ?, ?)"
            f" ORDER BY file, offset, id LIMIT {_PAGE}"
        )
        while rows := self.table.sql.execute(query, place).fetchall():
            yield from (to_image(row[:-1]) for row in rows)
            last = rows[-1]
            place = last[2], last[4], last[-1]

    def read(self, path: str) -> bytes:
        """Read an image by its path, as `{train,val,test}.csv` have it.

        Raises:
            InputError: there is no such image.
        """
        row = self.table.sql.execute(f"SELECT {COLUMNS} FROM image WHERE path = ?", (path,)).fetchone()
        if row is None:
            raise InputError(f"{self.uri} holds no image {path}: was it changed? Run process again")
        return self.reader.read(to_image(row))

    def digest(self) -> str:
        """sha256 over every file's name, size and crc32c: any edit of any file changes it."""
        known = _Known(self.root)
        total = hashlib.sha256()
        for name, size, crc32c in self.table.sql.execute("SELECT * FROM file ORDER BY name"):
            total.update(f"{name}\0{size}\0{crc32c or known.crc32c(name, size)}\n".encode())
        return total.hexdigest()

    def _add(self, file: storage.FileInfo) -> None:
        if naming.is_ignored(file.name):
            return
        if file.name != file.name.encode(errors="replace").decode():
            self.table.reject(file.name, "a name that isn't UTF-8")
            return
        self.table.sql.execute("INSERT INTO file VALUES (?, ?, ?)", (file.name, file.bytes, file.crc32c))
        if is_archive(file.name):
            self.look_into(file.name)
        else:
            self._take(file.name, file.name, None, file.bytes, file.name)

    def look_into(self, file: str) -> None:
        """List the images of an archive.

        Raises:
            InputError: it can't be read.
            NotFoundError: it isn't there.
        """
        uri = located(self.root, file)
        reachable = self._reachable(uri)
        if reachable != uri:
            self._replaced[file] = reachable
        for member in self.reader.archive(file).members():
            inside = member.name.replace("\\", "/").removeprefix("./")  # Windows tools write backslashes
            if not naming.is_ignored(inside):
                self._take(f"{file}{IN_ARCHIVE}{inside}", inside, member, member.bytes, file)
        self._reject_overlaps(file)

    def _reachable(self, uri: str) -> str:
        """Where to open an archive: in place, if that can be done."""
        if uri.lower().endswith((".zip", ".tar")) and not (self._fetch and storage.is_remote(uri)):
            return uri
        folder = self._cleanup.enter_context(scratch())
        if storage.is_remote(uri):
            storage.download(uri, folder / storage.last_part(uri))
            uri = str(folder / storage.last_part(uri))
        plain = decompressed(uri, folder)
        if self._share is None:
            return plain
        shared = storage.join(self._share, f"{storage.last_part(uri)}.tar")
        storage.upload(Path(plain), shared)
        return shared

    def _take(self, path: str, inside: str, member: Member | None, size: int, file: str) -> None:
        reason = naming.trouble(inside) or (member and member.trouble) or too_large(size)
        if reason:
            self.table.reject(path, reason)
            return
        class_name = naming.class_name(inside)
        if naming.has_image_suffix(inside):
            self.class_names.add(class_name)
            if side := naming.given_side(inside):
                self.given_sides.add(side)
        row = (path, class_name, file, *(member[:-1] if member else (None, 0, size, size, 0, None)))
        try:
            self.table.sql.execute(
                f"INSERT INTO image ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        except sqlite3.IntegrityError:
            self.table.reject(path, "a name that an earlier member has")

    def _reject_overlaps(self, file: str) -> None:
        """Members that lie in each other: a bomb that unpacks the same bytes many times."""
        self.table.sql.execute("CREATE TEMP TABLE overlap (id INTEGER PRIMARY KEY)")
        self.table.sql.execute(
            "INSERT INTO overlap SELECT id FROM (SELECT id, offset < MAX(offset + packed) OVER (ORDER BY"
            " offset ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS inside FROM image WHERE file = ?)"
            " WHERE inside",
            (file,),
        )
        self.table.reject_where("id IN (SELECT id FROM overlap)", "'overlaps another member'")
        self.table.sql.execute("DROP TABLE overlap")


class _Known:
    """Checksums that needn't be computed: those of `source.json`, for files that weren't touched since."""

    def __init__(self, root: str) -> None:
        source = None if storage.is_remote(root) else Source.read_if_there(root)
        self._root = root
        self._files = {file.name: (file.bytes, file.crc32c) for file in source.files} if source else {}
        self._since = Path(root, Source.file_name).stat().st_mtime if source else 0.0

    def crc32c(self, name: str, size: int) -> str:
        path = Path(storage.join(self._root, name))
        known_size, crc32c = self._files.get(name, (None, ""))
        state = path.stat()
        # A rename or a copy keeps the time of the last edit, but not that of the last change.
        if known_size == size and max(state.st_mtime, state.st_ctime) < self._since:
            return crc32c
        return storage.checksum(path)


def too_large(size: int) -> str | None:
    """Why a file of so many bytes can't be taken; None: it can."""
    return f"too large: {size} bytes" if size > MAX_BYTES else None


def _list(uri: str) -> tuple[str, Iterator[storage.FileInfo]]:
    """The folder that names count from, and the files to read."""
    try:
        file = storage.stat(uri)
    except storage.NotFoundError:
        return uri, _list_folder(uri)
    if not is_archive(file.name):
        raise InputError(f"{uri} is neither a folder nor an archive (zip, tar, tar.gz, tar.bz2, tar.xz)")
    return uri.rpartition("/")[0] if storage.is_remote(uri) else str(Path(uri).parent), iter([file])


def _list_folder(uri: str) -> Iterator[storage.FileInfo]:
    try:
        return storage.iter_files(uri)
    except storage.NotFoundError:
        raise InputError(
            f"{uri} doesn't exist: name a folder of images in class folders, an archive of them, or what "
            "python -m datapipeline.download.dataloader wrote (for build_records: with --raw)"
        ) from None
