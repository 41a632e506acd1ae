"""PATCH: the fields that the mask names, and no others."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from rehearsal.vertex_ai.bodies import plain_message
from rehearsal.vertex_ai.checks import check_labels
from rehearsal.vertex_ai.errors import invalid, require
from rehearsal.vertex_ai.routes import Call


def updated(message: Any, call: Call, allowed: Collection[str]) -> Any:
    """Copy the fields of updateMask from the call's message to the resource.

    Raises:
        RefusedError: there is no mask, or it names a field that can't be changed.
    """
    mask = [_snake(field) for field in call.query.get("updateMask", "").split(",") if field]
    require(mask, "Required field update_mask is not set.")
    for field in mask:
        if field not in allowed:
            raise invalid(f"update_mask: {field} can not be updated")
    check_labels(call.message.labels)
    target, source = plain_message(message), plain_message(call.message)
    twin = type(target)()
    twin.CopyFrom(target)
    for field in mask:
        twin.ClearField(field)
        part = type(source)()
        part.CopyFrom(source)
        for other, _ in source.ListFields():
            if other.name != field:
                part.ClearField(other.name)
        twin.MergeFrom(part)
    target.CopyFrom(twin)
    message.update_time = datetime.now(UTC)
    return message


def _snake(field: str) -> str:
    return re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), field)
