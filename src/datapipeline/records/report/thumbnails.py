"""Thumbnails as data URIs."""

import base64
import io
from collections.abc import Iterable
from typing import Final

from PIL import Image

from datapipeline.records.archives import UnreadableError
from datapipeline.records.raw import COLUMNS, RawFolder, RawImage, to_image
from imaging import ImageError, decode, encode_jpeg, is_plain_jpeg

SIDE: Final = 128
"""Pixels of the longer side, of which about half are shown: for sharp screens. Smaller images stay small."""

_TINY: Final = 64
"""Pixels up to which an image is shown enlarged, so that a JPEG's blocks would be seen."""


def thumbnails(raw: RawFolder, paths: Iterable[str]) -> dict[str, str]:
    """The data URI of each path; those that can't be read any more are left out."""
    images = sorted((_image(raw, path) for path in set(paths)), key=_place)
    read = raw.reader.read_all(images)  # in the order of their archives, and from a bucket several at once
    found = ((image.path, _data_uri(data)) for image, data in zip(images, read, strict=True))
    return {path: uri for path, uri in found if uri is not None}


def _image(raw: RawFolder, path: str) -> RawImage:
    return to_image(raw.table.sql.execute(f"SELECT {COLUMNS} FROM image WHERE path = ?", (path,)).fetchone())


def _place(image: RawImage) -> tuple[str, int]:
    return image.file, 0 if image.member is None else image.member.offset


def _data_uri(data: bytes | UnreadableError) -> str | None:
    if isinstance(data, UnreadableError):
        return None
    try:
        image = _small(data)
    except ImageError:  # it was one when it was examined: the file was changed since
        return None
    image.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    jpeg = encode_jpeg(image, 95 if max(image.size) <= _TINY else 80)
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _small(data: bytes) -> Image.Image:
    """An RGB image, upright; of a plain JPEG only as many pixels as are needed: a tenth of the time."""
    if not data.startswith(b"\xff\xd8\xff") or not is_plain_jpeg(data):
        return decode(data).image
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        image.draft("RGB", (2 * SIDE, 2 * SIDE))
        return image.convert("RGB")
