"""Where an image lies that a request names: a bucket's object, by names that can't mislead."""

from typing import Final, NamedTuple, Self

from serving.errors import MalformedError

NAME_BYTES: Final = 1024
"""An object's name has no more."""

SCHEME: Final = "gs://"


class Place(NamedTuple):
    """An object that a request names."""

    bucket: str
    name: str
    called: str
    """Where the request says so, such as `instance 3`, for messages."""

    @property
    def uri(self) -> str:
        """Its URI."""
        return f"{SCHEME}{self.bucket}/{self.name}"

    @classmethod
    def of(cls, bucket: object, name: object, called: str) -> Self:
        """Take a bucket's and an object's name.

        Raises:
            MalformedError: they can't be.
        """
        for what, part in (("bucket", bucket), ("filename", name)):
            if not isinstance(part, str) or not _is_plain(part):
                raise MalformedError(
                    f"{called}: expected the {what} as text of 1 to {NAME_BYTES} bytes without control "
                    f"characters and without .. between slashes, got {str(part)[:60]!r}"
                )
        return cls(str(bucket), str(name), called)

    @classmethod
    def of_uri(cls, uri: object, called: str) -> Self:
        """Take `gs://bucket/name`.

        Raises:
            MalformedError: it is none.
        """
        if not isinstance(uri, str) or not uri.startswith(SCHEME):
            raise MalformedError(f"{called}: expected gs://bucket/name, got {str(uri)[:60]!r}")
        bucket, _, name = uri.removeprefix(SCHEME).partition("/")
        return cls.of(bucket, name, called)


def _is_plain(part: str) -> bool:
    """Whether a text can be a name, and means the same to whatever passes it on."""
    if not part.isprintable() or ".." in part.split("/"):
        return False
    return 1 <= len(part.encode(errors="replace")) <= NAME_BYTES
