"""The `parameters` of a request, or of one of its tensors; those that nobody here knows are let be."""

from typing import Any

from serving.errors import MalformedError


def read_parameters(owner: dict[str, Any], place: str) -> dict[str, Any]:
    """Read the parameters of an object.

    Raises:
        MalformedError: they are no object.
    """
    parameters = owner.get("parameters", {})
    if not isinstance(parameters, dict):
        raise MalformedError(f"{place}: expected parameters as an object, got {type(parameters).__name__}")
    return parameters


def read_flag(parameters: dict[str, Any], name: str, default: bool, place: str) -> bool:
    """Read a parameter that is true or false.

    Raises:
        MalformedError: it is neither.
    """
    flag = parameters.get(name, default)
    if not isinstance(flag, bool):
        raise MalformedError(f"{place}: expected {name} as true or false, got {type(flag).__name__}")
    return flag
