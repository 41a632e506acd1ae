"""Refusals in the form that Google's services give them."""

from typing import Any, Final

STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class RefusedError(Exception):
    """An answer other than 200."""

    def __init__(self, code: int, message: str, status: str | None = None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or STATUSES.get(code, "UNKNOWN")

    def document(self) -> dict[str, Any]:
        """The answer's body."""
        return {"error": {"code": self.code, "message": self.message, "status": self.status}}


def invalid(message: str) -> RefusedError:
    """The request itself is wrong."""
    return RefusedError(400, message)


def not_now(message: str) -> RefusedError:
    """The request is right, but not for the resource as it is."""
    return RefusedError(400, message, "FAILED_PRECONDITION")


def missing(name: str) -> RefusedError:
    """There is no resource of this name."""
    return RefusedError(404, f"The resource {name} is not found.")


def require(condition: object, message: str) -> None:
    """Refuse a request that doesn't meet `condition`."""
    if not condition:
        raise invalid(message)
