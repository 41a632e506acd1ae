"""Multipart forms, as the page and curl send them: files in memory, and fields of text."""

from typing import Final, NamedTuple

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from serving.body import bounded
from serving.errors import MalformedError
from serving.settings import Settings

FILE_FIELDS: Final = ("file", "files")


class Form(NamedTuple):
    """What a form holds."""

    images: list[bytes]
    """Encoded, in the order of the request."""
    fields: dict[str, str]


class _InMemory(MultiPartParser):
    """The form parser without temporary files: bodies are bounded, and a disk may be read-only.

    Names are UTF-8, whatever charset the client says: some of Python's take hours (punycode), or raise.
    """

    spool_max_size = 1 << 40

    @property
    def _charset(self) -> str:
        return "utf-8"

    @_charset.setter
    def _charset(self, _: str) -> None:
        pass


async def read_form(request: Request, settings: Settings) -> Form:
    """Read a multipart body: fields `file` or `files`, one or many, and any fields of text.

    Raises:
        RequestError: it is too large, no form, or has text for a file.
    """
    limited = bounded(request, settings)
    try:
        form = await _InMemory(limited.headers, limited.stream()).parse()
    except MultiPartException as error:
        raise MalformedError(f"the multipart body can't be read: {error.message}") from None
    except ValueError as error:
        raise MalformedError(f"the multipart body can't be read: {error}"[:200]) from None
    try:
        images, fields, others = [], {}, []
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                if name in FILE_FIELDS:
                    images.append(await value.read())
                else:
                    others.append(name)
            elif name in FILE_FIELDS:
                if value:  # else a page's field in which no file was chosen
                    raise MalformedError(f"the field {name} holds text: send it as a file, with a filename")
            else:
                fields[name] = value
        if others and not images:
            raise MalformedError(f"expected a field named {FILE_FIELDS[0]}, got {others[0][:40]}")
        return Form(images, fields)
    finally:
        await form.close()
