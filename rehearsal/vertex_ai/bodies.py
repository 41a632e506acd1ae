"""Messages to and from JSON, as strictly as the service reads them.

A field that the message doesn't have, a value of another type and an unknown value of an enum are refused.
"""

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from rehearsal.vertex_ai.errors import invalid


def parse(body: bytes, kind: Any) -> Any:
    """Read JSON as a message of `kind`, one of aiplatform_v1's types.

    Raises:
        RefusedError: it isn't one.
    """
    message = kind()
    plain = plain_message(message)
    try:
        json_format.Parse(body or b"{}", plain, ignore_unknown_fields=False)
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error
    _check_enums(plain)
    return message


def answer(message: Any, *, enums_as_numbers: bool) -> bytes:
    """Write a message, or a plain document, as JSON."""
    if isinstance(message, dict):
        return json.dumps(message).encode()
    return json_format.MessageToJson(
        plain_message(message), use_integers_for_enums=enums_as_numbers, indent=None
    ).encode()


def document(message: Any, *, proto_names: bool = False) -> dict[str, Any]:
    """Give a message as a document, with the names of enums."""
    found: dict[str, Any] = json_format.MessageToDict(
        plain_message(message), preserving_proto_field_name=proto_names
    )
    return found


def copy(message: Any) -> Any:
    """Copy one of aiplatform_v1's messages."""
    twin = type(message)()
    plain_message(twin).CopyFrom(plain_message(message))
    return twin


def plain_message(message: Any) -> Message:
    """The protobuf message inside one of aiplatform_v1's."""
    plain: Message = message if isinstance(message, Message) else type(message).pb(message)
    return plain


def _check_enums(message: Message) -> None:
    """Refuse numbers that no name stands for: protobuf itself keeps them."""
    for field, value in message.ListFields():
        if field.message_type and field.message_type.GetOptions().map_entry:
            continue  # the service's maps hold text and numbers
        values = [value] if not field.is_repeated else value
        if field.enum_type:
            for number in values:
                if number not in field.enum_type.values_by_number:
                    raise invalid(f"Invalid value at '{field.name}' ({field.enum_type.full_name}), {number}")
        elif field.message_type:
            for inner in values:
                _check_enums(inner)
