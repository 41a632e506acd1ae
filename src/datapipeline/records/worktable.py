"""What is known of every image, in a temporary SQLite database: memory doesn't grow with their number.

The database has no name. It lies in the temporary folder once it outgrows its cache, and goes with the
process, however that ends.
"""

import re
import sqlite3
import tempfile
from collections.abc import Iterator
from typing import Final, Self

from contracts.errors import StageError

_SETTINGS: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = FILE;
PRAGMA cache_size = -1000;
PRAGMA temp.cache_size = -1000;
"""

_TABLES: Final = """
CREATE TABLE file (name TEXT PRIMARY KEY, bytes INTEGER, crc32c TEXT) WITHOUT ROWID;
CREATE TABLE rejected (path TEXT, reason TEXT);
CREATE TABLE image (
    id INTEGER PRIMARY KEY,
    -- Where it lies: see RawImage and Member. A file of its own has no member.
    path TEXT UNIQUE, class_name TEXT, file TEXT,
    member TEXT, offset INTEGER, bytes INTEGER, packed INTEGER, method INTEGER, crc32 INTEGER,
    -- The side that a managed data set's list gives it; the name of a folder may give another one's.
    stated TEXT,
    -- What it is: see Examined.
    sha256 TEXT, width INTEGER, height INTEGER, format TEXT,
    hash INTEGER, thumbnail BLOB, brightness REAL, sharpness REAL,
    -- What it belongs to: copies, and images as good as copies, share a cluster.
    cluster INTEGER, split TEXT
);
CREATE INDEX place ON image (file, offset);
"""


class WorkTable:
    """The tables `file`, `image` and `rejected`; a context manager.

    Attributes:
        sql: the connection. Nothing is ever committed: there is nobody to read it but us.
    """

    def __enter__(self) -> Self:
        self.sql = sqlite3.connect("", isolation_level=None)
        self.sql.executescript(_SETTINGS + _TABLES)
        self.sql.execute("BEGIN")
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self.sql.close()
        if isinstance(error, sqlite3.OperationalError):
            place = tempfile.gettempdir()
            raise StageError(
                f"the temporary folder {place} failed ({error}): make room, or set TMPDIR"
            ) from error

    def reject(self, path: str, reason: str) -> None:
        """Note a file that isn't used; what is no text in its name is shown as escapes."""
        shown = path.encode(errors="backslashreplace").decode()
        shown = re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: ascii(found[0])[1:-1], shown)
        self.sql.execute("INSERT INTO rejected VALUES (?, ?)", (shown, reason))

    def reject_where(
        self, condition: str, reason: str, values: tuple[str, ...] = (), reasons: tuple[str, ...] = ()
    ) -> None:
        """Move images to the rejected; both texts are SQL over the columns of `image`, with their values."""
        moving = f"INSERT INTO rejected SELECT path, {reason} FROM image WHERE {condition}"
        self.sql.execute(moving, (*reasons, *values))
        self.sql.execute(f"DELETE FROM image WHERE {condition}", values)

    def rejected(self) -> Iterator[tuple[str, str]]:
        """Path and reason of each rejected file, sorted."""
        yield from self.sql.execute("SELECT path, reason FROM rejected ORDER BY path, reason")

    def count(self, table: str = "image") -> int:
        """How many rows a table has."""
        return int(self.sql.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])

    def class_names(self) -> list[str]:
        """The classes that have an image, sorted."""
        return [name for (name,) in self.sql.execute("SELECT DISTINCT class_name FROM image ORDER BY 1")]
