"""What a `--source` means: which files there are to fetch, from where, and what is known of them before."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from contracts import storage
from contracts.dataset import Source
from contracts.errors import InputError
from contracts.storage import FileInfo
from datapipeline.download import catalogue
from datapipeline.download.archive import check_archive


@dataclass(frozen=True)
class Origin:
    """Files to fetch."""

    uri: str
    """What `source.json` will name; two origins with the same are the same."""
    folder: str | None
    """The path or gs:// prefix that the files lie in; None: `address` is one file, fetched over HTTP."""
    files: tuple[FileInfo, ...]
    """Sizes and checksums as far as they are known: over HTTP, 0 bytes means that nobody stated them."""
    address: str = ""
    sha256: str | None = None
    """Hexadecimal, of the only file, where somebody stated it."""
    place: str = ""
    """The folder inside the output that the files go to; empty: the output itself."""
    licence: str | None = None
    citation: str | None = None

    @property
    def is_archive(self) -> bool:
        """Whether it is one file; else it is a folder."""
        return self.uri != self.folder

    @property
    def name(self) -> str:
        """What it is called where it isn't alone: an archive's file name, a folder's last part."""
        return self.files[0].name if self.is_archive else storage.last_part(self.uri)

    def target(self, output: str) -> str:
        """The folder that the files are put into."""
        return storage.join(output, self.place) if self.place else output

    def placed(self) -> dict[str, FileInfo]:
        """The files by their names in the output."""
        return {f"{self.place}/{file.name}" if self.place else file.name: file for file in self.files}


def find(source: str, folder: Path) -> Origin:
    """Look `source` up: a name of the catalogue in `folder`, a path, an http(s) address or a gs:// URI.

    Raises:
        InputError: there is nothing to fetch, or a file that is no archive.
    """
    if not source.strip():
        raise InputError("--source is empty: give a name of the catalogue, a path or an address")
    source = storage.canonical(source)
    if _is_http(source):
        return _over_http(source)
    if storage.is_remote(source):
        return _in_storage(source if source.endswith("//") else source.rstrip("/"))
    if source in catalogue.names(folder):
        return _in_catalogue(source, folder)
    if Path(source).exists():
        return _in_storage(Path(source).resolve().as_posix())
    raise catalogue.unknown(source, folder)


def _is_http(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _in_catalogue(name: str, folder: Path) -> Origin:
    entry = catalogue.read(name, folder)
    stated = {"sha256": entry.sha256, "licence": entry.licence, "citation": entry.citation}
    if _is_http(entry.url):
        file = FileInfo(_file_name(entry.url), entry.bytes, None, 0)
        return Origin(entry.url, None, (file,), address=entry.url, **stated)
    if not (folder / entry.url).is_file():
        raise InputError(f"the catalogue's {name} lacks its file {folder / entry.url}: restore it")
    file = storage.stat(str(folder / entry.url))
    return Origin(f"catalogue:{name}", str(folder), (file,), **stated)


def _over_http(address: str) -> Origin:
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise InputError(f"{address} is no address ({error}): expected http(s)://host/file") from None
    public = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()  # no password in source.json
    return Origin(public, None, (FileInfo(_file_name(address), 0, None, 0),), address=address)


def _file_name(address: str) -> str:
    name = PurePosixPath(unquote(urlsplit(address).path)).name
    if not name or not name.isprintable():
        raise InputError(f"{address} names no file: give the address of an archive")
    return name


def _in_storage(uri: str) -> Origin:
    if storage.exists(uri):
        check_archive(uri, uri)
        return Origin(uri, uri.rpartition("/")[0] or "/", (storage.stat(uri),))
    files = tuple(file for file in storage.list_files(uri) if not is_junk(file.name))
    if not files:
        raise InputError(f"{uri} holds no files: name a folder of images in class folders, or an archive")
    for file in files:
        if file.name != file.name.encode(errors="replace").decode():
            raise InputError(f"{uri} holds {file.name!a}, a name that isn't UTF-8: rename it")
    return Origin(uri, uri, files)


def is_junk(name: str) -> bool:
    """Whether a file is what desktops leave behind, or the document of a raw folder that is a source."""
    parts = name.split("/")
    hidden = any(part.startswith(".") for part in parts)
    return (
        hidden or name == Source.file_name or not {"__MACOSX", "Thumbs.db", "desktop.ini"}.isdisjoint(parts)
    )
