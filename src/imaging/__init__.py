"""One decode, upright, resize and crop for every stage: bytes to upright RGB images, and to uint8 arrays.

No TensorFlow; the records stage and the server both call it, so an image is prepared one way.
"""

from imaging.decode import MAX_PIXELS, STRANGERS_FORMATS, Decoded, ImageError, decode, is_plain_jpeg
from imaging.encode import encode_jpeg
from imaging.prepare import centre_crop, prepare
from imaging.resize import is_resized, resize

__all__ = [
    "MAX_PIXELS",
    "STRANGERS_FORMATS",
    "Decoded",
    "ImageError",
    "centre_crop",
    "decode",
    "encode_jpeg",
    "is_plain_jpeg",
    "is_resized",
    "prepare",
    "resize",
]
