"""Opening the SQLite file of a study: reading anywhere, writing by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from optbench.errors import OptbenchError

FILE = "results.sqlite"
LOCK = "running.lock"  # held while a study runs
APPLICATION_ID = 0x6F707462  # "optb"
SCHEMA_VERSION = 3
BUSY_SECONDS = 30.0  # how long to wait for a reader

_ANOTHER = "give another folder"
_REFUSALS = {
    ("SQLITE_FULL", "ENOSPC", "EDQUOT"): (
        "the disk is full",
        "free some space and run the same command again: finished cells are kept",
    ),
    ("SQLITE_READONLY", "EACCES", "EPERM", "EROFS"): (
        "no permission, or a read-only file system",
        "give a folder that you may read and write",
    ),
    ("SQLITE_CANTOPEN",): (
        "the results cannot be opened",
        "an unfinished study opens only where its folder may be written: run it to its end",
    ),
    ("SQLITE_CORRUPT", "SQLITE_NOTADB"): (
        "the results are damaged",
        f"restore a copy, or {_ANOTHER}",
    ),
    ("SQLITE_BUSY", "SQLITE_LOCKED"): (
        "another process is running this study",
        f"wait until it has finished, or {_ANOTHER}",
    ),
    ("ENOTDIR", "EEXIST"): ("there is a file where the folder should be", _ANOTHER),
}


@contextlib.contextmanager
def said_plainly(folder: Path | None) -> Iterator[None]:
    """What SQLite and the file system refuse, as one line with one hint.

    Raises:
        OptbenchError: in place of `sqlite3.Error` and `OSError`.
    """
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.Error as error:
        raise _refusal(folder, getattr(error, "sqlite_errorname", ""), str(error)) from error
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "")
        raise _refusal(folder, name, error.strerror or str(error)) from error


def _refusal(folder: Path | None, name: str, text: str) -> OptbenchError:
    for starts, (message, hint) in _REFUSALS.items():
        if name.startswith(starts):
            return OptbenchError(f"{folder or 'results in memory'}: {message}", hint)
    return OptbenchError(f"{folder or 'results in memory'}: {text}", _ANOTHER)


def check_file(path: Path) -> None:
    """Refuse a file that is not ours, by what its first page says, touching nothing.

    SQLite itself reads that page: a process that opens and closes the file by other means loses
    the locks it holds on it (see "How To Corrupt An SQLite Database File", section 2.2).

    Raises:
        OptbenchError: foreign, or written by a newer or older optbench.
    """
    with _connected(path, "mode=ro&immutable=1") as connection:
        (application,), (version,) = (
            connection.execute(f"PRAGMA {name}").fetchone()
            for name in ("application_id", "user_version")
        )
    if application != APPLICATION_ID:
        raise OptbenchError(f"{path} holds no results of optbench", _ANOTHER)
    if version > SCHEMA_VERSION:
        raise OptbenchError(
            f"{path} was written by a newer optbench (schema {version}, here {SCHEMA_VERSION})",
            f"upgrade optbench, or {_ANOTHER}",
        )
    if version < SCHEMA_VERSION:
        raise OptbenchError(
            f"{path} was written by an older optbench (schema {version}, here {SCHEMA_VERSION})",
            f"read it with that one, or {_ANOTHER} and run the study again",
        )


@contextlib.contextmanager
def _connected(path: Path, options: str) -> Iterator[sqlite3.Connection]:
    address = f"{path.absolute().as_uri()}?{options}"
    with contextlib.closing(sqlite3.connect(address, BUSY_SECONDS, uri=True)) as connection:
        yield connection


@contextlib.contextmanager
def reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database of a folder, open for reading.

    Raises:
        OptbenchError: there is none, or it cannot be read.
    """
    path = folder / FILE
    with said_plainly(folder):
        if not path.exists():
            raise OptbenchError(f"no results in {folder}", "`optbench run` makes them")
        check_file(path)
        with _connected(path, "mode=ro") as connection:
            yield connection


def check_whole(connection: sqlite3.Connection, folder: Path) -> None:
    """Refuse a database whose pages do not fit together (a truncated copy, say).

    Raises:
        OptbenchError: it is damaged.
    """
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise _refusal(folder, "SQLITE_CORRUPT", "")


@contextlib.contextmanager
def writing(folder: Path | None, schema: str) -> Iterator[sqlite3.Connection]:
    """The database of a folder, made where there is none, in autocommit mode.

    Args:
        folder: of the study, or None to keep everything in memory.
        schema: SQL that makes the tables.

    Raises:
        OptbenchError: the folder cannot be used, or another process is using it.
    """
    if folder is None:
        with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            connection.executescript(schema)
            yield connection
        return
    path = folder / FILE
    with contextlib.ExitStack() as held:
        with said_plainly(folder):
            if path.exists():
                check_file(path)
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(_alone(folder / LOCK))
            if not path.exists():
                _create(path, schema)
            connection = sqlite3.connect(path, BUSY_SECONDS, isolation_level=None)
            held.enter_context(contextlib.closing(connection))
            check_whole(connection, folder)
            held.callback(_leave_wal, connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
        yield connection


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock that the system releases however the process ends."""
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()


def _create(path: Path, schema: str) -> None:
    """Make an empty database, whole or not at all."""
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(draft)) as connection:
        connection.executescript(schema)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    os.replace(draft, path)


def _leave_wal(connection: sqlite3.Connection) -> None:
    """Fold the log into the file, which then opens read-only anywhere."""
    connection.execute("PRAGMA busy_timeout = 1000")
    with contextlib.suppress(sqlite3.OperationalError):  # a reader is on it, or the disk is full
        connection.execute("SELECT * FROM sqlite_schema").fetchall()  # else the log may be left
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()
