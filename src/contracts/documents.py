"""The JSON documents that finish a folder. Each is written last, and carries the version of its form."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts import storage
from contracts.errors import InputError


class Part(BaseModel):
    """A piece of a document: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Stamp(BaseModel):
    """The version of a document, whatever else its form holds."""

    schema_version: int = 1


class Document(Part):
    """A JSON file at the root of a folder that says what the folder holds, and that it is whole."""

    file_name: ClassVar[str]
    current_version: ClassVar[int] = 1
    made_by: ClassVar[str]
    """The command that writes this document: what to run where it is missing."""

    schema_version: int = Field(default=1)

    @classmethod
    def read(cls, folder: str) -> Self:
        """Read the document of `folder` (a path or a gs:// URI).

        Raises:
            InputError: it isn't there, isn't valid, or has a version that this code doesn't know.
        """
        return cls.parse(cls.read_text(folder), storage.join(folder, cls.file_name))

    @classmethod
    def read_text(cls, folder: str) -> bytes:
        """Read the document of `folder` as it stands there, for `replace`.

        Raises:
            InputError: it isn't there.
        """
        try:
            return storage.read_bytes(storage.join(folder, cls.file_name))
        except storage.NotFoundError:
            raise InputError(
                f"{folder} holds no {cls.file_name}, so it isn't a finished folder: run {cls.made_by} first, "
                "or name the folder that it wrote"
            ) from None

    @classmethod
    def read_if_there(cls, folder: str) -> Self | None:
        """As `read`, but None where there is no such document, or none that this version reads."""
        uri = storage.join(folder, cls.file_name)
        try:
            text = storage.read_bytes(uri)
        except storage.NotFoundError:
            return None
        try:
            return cls.parse(text, uri)
        except InputError:
            return None

    @classmethod
    def parse(cls, text: bytes, uri: str) -> Self:
        """Read the document from JSON; `uri` is for the message where it is bad."""
        try:
            version = _Stamp.model_validate_json(text).schema_version
            if version == cls.current_version:
                return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            problem = first["msg"].removeprefix("Value error, ")
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise InputError(
                f"{uri} isn't a valid {cls.__name__}: {where}: {problem}; run {cls.made_by} again"
            ) from None
        raise InputError(
            f"{uri} has schema_version {version}; this version of Chrysalis reads {cls.current_version}: "
            f"run {cls.made_by} again"
        )

    def write(self, folder: str) -> None:
        """Publish the document in `folder`, atomically: the very last thing a stage does."""
        storage.write_bytes(storage.join(folder, self.file_name), self.to_json())

    def replace(self, folder: str, seen: bytes | None) -> None:
        """Publish the document in place of the one that `read_text` gave; None: there was none.

        Raises:
            storage.ConflictError: somebody else wrote one in the meantime; nothing was written.
        """
        storage.replace_bytes(storage.join(folder, self.file_name), seen, self.to_json())

    def to_json(self) -> bytes:
        """The document as indented JSON that ends in a newline; equal documents give equal bytes."""
        return (self.model_dump_json(indent=2) + "\n").encode()
