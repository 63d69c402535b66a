"""Files that ship with optbench, by name, and those of a user, by path."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

from optbench.errors import OptbenchError, unknown_name

Read = TypeVar("Read")


def shipped_files(folder: str) -> dict[str, Traversable]:
    """Name -> TOML file of a folder of the package."""
    files = resources.files("optbench").joinpath(folder).iterdir()
    found = {f.name.removesuffix(".toml"): f for f in files if f.name.endswith(".toml")}
    return dict(sorted(found.items()))


def load_named(named: str | Path, folder: str, kind: str, read: Callable[[str, str], Read]) -> Read:
    """What a TOML file holds, or one that ships under a name.

    Args:
        named: a path that ends in .toml, or a name.
        folder: of the package, where those lie that ship.
        kind: what such a file is called in messages.
        read: (text, name) -> what it says.

    Raises:
        OptbenchError: there is none of this name, or the file cannot be read or is refused.
    """
    path = Path(named)
    if path.suffix != ".toml":
        shipped = shipped_files(folder)
        if str(named) not in shipped:
            offer = f"{', '.join(shipped)} ship with optbench; name your own file with its .toml"
            raise unknown_name(kind, str(named), list(shipped), offer)
        return read(shipped[str(named)].read_text(encoding="utf-8"), str(named))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise OptbenchError(f"cannot read {path}: {reason}", "name a TOML file") from error
    try:
        return read(text, path.stem)
    except OptbenchError as error:
        raise OptbenchError(f"{path}: {error.message}", error.hint) from error
