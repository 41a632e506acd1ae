"""A raw folder, or an archive: which images it holds, and their bytes. Read in place, never changed."""

import hashlib
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from contracts import storage
from contracts.dataset import Rejected
from contracts.errors import InputError
from datapipeline.records import naming
from datapipeline.records.archives import Archive, Member, decompressed, is_archive, open_archive

IN_ARCHIVE: Final = "::"
"""Between an archive's name and a member's: `flowers.zip::roses/1.jpg`."""

MAX_BYTES: Final = 256 << 20
"""Of one image's file: a stop before memory, far above any photo."""


class RawImage(NamedTuple):
    """An image where it lies."""

    path: str
    """Inside the raw folder; `archive.zip::member` for a member of an archive."""
    class_name: str
    file: str
    """The file, inside the raw folder, that holds the bytes: the image's own, or the archive."""
    member: Member | None
    """Which member of that archive; None: the file is the image."""


class Reader:
    """Reads images of a raw folder. It can be sent to other processes, where each opens what it needs."""

    def __init__(self, places: dict[str, str]) -> None:
        """Args: places: for each file of the folder that is opened, the URI to open."""
        self._places = places
        self._open: dict[str, Archive] = {}

    def read(self, image: RawImage) -> bytes:
        """Read an image's bytes.

        Raises:
            UnreadableError: its archive is damaged there.
            NotFoundError: it isn't there any more.
        """
        if image.member is None:
            return storage.read_bytes(self._places[image.file])
        return self.archive(image.file).read(image.member)

    def archive(self, file: str) -> Archive:
        """Open an archive of the folder, once."""
        if file not in self._open:
            self._open[file] = open_archive(self._places[file])
        return self._open[file]

    def close(self) -> None:
        """Close the archives that were opened."""
        while self._open:
            self._open.popitem()[1].close()

    def __getstate__(self) -> dict[str, Any]:
        return {"_places": self._places, "_open": {}}


class RawFolder:
    """What a raw folder or a single archive holds; a context manager, for its temporary files.

    Attributes:
        images: in the order in which they lie in their archives, so that reading runs forward.
        rejected: files that can't be images or can't be read, with the reason. Papers aren't mentioned.
        reader: reads the images, here or in another process.
    """

    def __init__(self, uri: str, *, fetch: bool = False) -> None:
        """Name what to read.

        Args:
            uri: a folder or an archive; a path or a gs:// URI.
            fetch: copy remote archives to a temporary place first: for who reads them out of order.
        """
        self.uri = uri.rstrip("/") or uri
        self.images: list[RawImage] = []
        self.rejected: list[Rejected] = []
        self.reader = Reader({})
        self._fetch = fetch
        self._by_path: dict[str, RawImage] = {}
        self._files: list[storage.FileInfo] = []
        self._root = self.uri
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        with self._cleanup:
            self._files, self._root = _list(self.uri)
            places = {file.name: storage.join(self._root, file.name) for file in self._files}
            self.reader = Reader(places)
            self._cleanup.callback(self.reader.close)
            for file in self._files:
                if is_archive(file.name):
                    self._look_into(file.name, places)
                else:
                    self._take(file.name, file.name, Member(file.name, 0, file.bytes, None), None)
            self._by_path = {image.path: image for image in self.images}
            self.images = list(self._by_path.values())
            self._cleanup = self._cleanup.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def read(self, path: str) -> bytes:
        """Read an image by its path, as `{train,val,test}.csv` have it.

        Raises:
            InputError: there is no such image.
        """
        return self.reader.read(self.find([path])[0])

    def find(self, paths: list[str]) -> list[RawImage]:
        """The images of those paths, in that order.

        Raises:
            InputError: there is no such image.
        """
        missing = next((path for path in paths if path not in self._by_path), None)
        if missing is not None:
            raise InputError(f"{self.uri} holds no image {missing}: was it changed? Run process again")
        return [self._by_path[path] for path in paths]

    def digest(self) -> str:
        """sha256 over every file's name, size and crc32c: any edit of any file changes it."""
        total = hashlib.sha256()
        for file in self._files:
            crc = file.crc32c or storage.checksum(Path(storage.join(self._root, file.name)))
            total.update(f"{file.name}\0{file.bytes}\0{crc}\n".encode(errors="surrogateescape"))
        return total.hexdigest()

    def _look_into(self, file: str, places: dict[str, str]) -> None:
        places[file] = self._reachable(places[file])
        for member in sorted(self.reader.archive(file).members(), key=lambda member: member.offset):
            inside = member.name.replace("\\", "/").removeprefix("./")  # Windows tools write backslashes
            self._take(f"{file}{IN_ARCHIVE}{inside}", inside, member, file)

    def _reachable(self, uri: str) -> str:
        """Where to open an archive: in place, if that can be done."""
        if uri.lower().endswith((".zip", ".tar")) and not (self._fetch and storage.is_remote(uri)):
            return uri
        folder = Path(self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="chrysalis-raw-")))
        if storage.is_remote(uri):
            storage.download(uri, folder / storage.last_part(uri))
            uri = str(folder / storage.last_part(uri))
        return decompressed(uri, folder)

    def _take(self, path: str, inside: str, member: Member, archive: str | None) -> None:
        if naming.is_ignored(inside):
            return
        reason = naming.trouble(inside) or member.trouble or _too_large(member)
        if reason is not None:
            shown = path.encode(errors="backslashreplace").decode()
            self.rejected.append(Rejected(path=shown, reason=reason))
            return
        image = RawImage(path, naming.class_name(inside), archive or path, member if archive else None)
        self.images.append(image)


def _too_large(member: Member) -> str | None:
    return f"too large: {member.bytes} bytes" if member.bytes > MAX_BYTES else None


def _list(uri: str) -> tuple[list[storage.FileInfo], str]:
    """The files to read, and the folder that their names count from."""
    try:
        file = storage.stat(uri)
    except storage.NotFoundError:
        return _list_folder(uri), uri
    if not is_archive(file.name):
        raise InputError(f"{uri} is neither a folder nor an archive (zip, tar, tar.gz, tar.bz2, tar.xz)")
    return [file], uri.rpartition("/")[0] if storage.is_remote(uri) else str(Path(uri).parent)


def _list_folder(uri: str) -> list[storage.FileInfo]:
    try:
        files = storage.list_files(uri)
    except storage.NotFoundError:
        raise InputError(
            f"{uri} doesn't exist: name a folder of images in class folders, an archive of them, or what "
            "python -m datapipeline.download.dataloader wrote (for build_records: with --raw)"
        ) from None
    return [file for file in files if not naming.is_ignored(file.name)]
