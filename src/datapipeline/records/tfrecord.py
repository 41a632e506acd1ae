"""TFRecord files of `tf.train.Example`, without TensorFlow.

A record is its length (uint64, little-endian), a masked crc32c of those 8 bytes, the data, and a masked
crc32c of the data. An example is a map of names to lists of bytes, floats or int64s, as a protobuf message.
"""

import struct
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, BinaryIO, Final

import google_crc32c
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

Feature = bytes | int

_LENGTH: Final = struct.Struct("<Q")
_CRC: Final = struct.Struct("<I")
_LARGEST: Final = 1 << 31
_MASK: Final = 0xA282EAD8


class RecordError(ValueError):
    """A file isn't made of whole records."""


def frame(data: bytes) -> bytes:
    """Wrap data as one record."""
    length = _LENGTH.pack(len(data))
    return b"".join((length, _masked_crc(length), data, _masked_crc(data)))


def read_records(file: BinaryIO) -> Iterator[bytes]:
    """Yield the data of each record.

    Raises:
        RecordError: a checksum is wrong, or the file ends within a record.
    """
    while head := file.read(_LENGTH.size + _CRC.size):
        length, crc = head[: _LENGTH.size], head[_LENGTH.size :]
        if len(head) < _LENGTH.size + _CRC.size or _masked_crc(length) != crc:
            raise RecordError("a record's length is damaged")
        size = _LENGTH.unpack(length)[0]
        if size > _LARGEST:
            raise RecordError(f"a record claims {size} bytes")
        data = file.read(size)
        if _masked_crc(data) != file.read(_CRC.size):
            raise RecordError("a record's data is damaged")
        yield data


def to_example(features: Mapping[str, Feature]) -> bytes:
    """Serialize one value for each name as a `tf.train.Example`; equal features give equal bytes."""
    example = _example_class()()
    by_name = example.features.feature
    for name, value in features.items():
        feature = by_name[name]
        (feature.bytes_list if isinstance(value, bytes) else feature.int64_list).value.append(value)
    return bytes(example.SerializeToString(deterministic=True))


def from_example(data: bytes) -> dict[str, Feature]:
    """The inverse of `to_example`.

    Raises:
        RecordError: it isn't an example with one value for each name.
    """
    try:
        features = _example_class().FromString(data).features.feature
        return {name: getattr(value, value.WhichOneof("kind")).value[0] for name, value in features.items()}
    except (DecodeError, IndexError, TypeError) as error:
        raise RecordError(f"a record isn't an example: {error}") from error


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return _CRC.pack(((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)


@cache
def _example_class() -> Any:
    """The message, from descriptors in a pool of its own: TensorFlow has the same names in the common one."""
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="tensorflow", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto
    for name, kind in (
        ("BytesList", field.TYPE_BYTES),
        ("FloatList", field.TYPE_FLOAT),
        ("Int64List", field.TYPE_INT64),
    ):
        values = file.message_type.add(name=name)
        values.field.add(name="value", number=1, type=kind, label=field.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(("bytes_list", "float_list", "int64_list"), start=1):
        kind_name = f".tensorflow.{name.title().replace('_', '')}"
        _add_message(feature, name, number, kind_name).oneof_index = 0
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    _add_message(entry, "value", 2, ".tensorflow.Feature")
    _add_message(features, "feature", 1, ".tensorflow.Features.FeatureEntry").label = field.LABEL_REPEATED
    _add_message(file.message_type.add(name="Example"), "features", 1, ".tensorflow.Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


def _add_message(
    message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str
) -> descriptor_pb2.FieldDescriptorProto:
    field = descriptor_pb2.FieldDescriptorProto
    return message.field.add(
        name=name, number=number, type=field.TYPE_MESSAGE, type_name=kind, label=field.LABEL_OPTIONAL
    )
