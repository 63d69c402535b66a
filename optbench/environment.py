"""What a result was made with, and the private folder where compiled programs are kept."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optbench import __version__
from optbench.errors import OptbenchError

PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "optax", "optimistix", "equinox", "lineax")
PACKAGES += ("scikit-learn",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Environment:
    """What may change the numbers of a run, apart from the study itself; `None` is unknown.

    Attributes:
        versions: package (and Python) -> version; None where not installed.
        system: operating system and architecture.
        processor: model of the CPU.
        cores: CPU cores this process may use.
        device: kind of JAX's default device; None where JAX was not loaded.
        dtype: precision of the run.
        xla_flags: the variable XLA_FLAGS.
        compile_options: options handed to XLA with each program.
    """

    versions: Mapping[str, str | None]
    system: str
    processor: str | None
    cores: int | None
    device: str | None
    dtype: str
    xla_flags: str
    compile_options: Mapping[str, Any]

    def to_json(self) -> str:
        """The record as JSON text, keys sorted: equal records give equal texts."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Environment:
        """The record that `to_json` wrote."""
        return cls(**json.loads(text))


def describe_environment(
    dtype: str = "float64", compile_options: Mapping[str, Any] | None = None
) -> Environment:
    """The environment of this process, as it is now.

    Args:
        dtype: precision of the run.
        compile_options: options handed to XLA with each program.
    """
    own = {"optbench": __version__, "python": platform.python_version()}
    return Environment(
        versions=own | {package: _version(package) for package in PACKAGES},
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cores=_cores(),
        device=_device(),
        dtype=dtype,
        xla_flags=os.environ.get("XLA_FLAGS", ""),
        compile_options=dict(compile_options or {}),
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or None


def _cores() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _device() -> str | None:
    jax = sys.modules.get("jax")
    return jax.devices()[0].device_kind if jax else None


def cache_folder() -> Path:
    """The private folder of this user for compiled programs, made where it is missing.

    `$XDG_CACHE_HOME/optbench`, else the system's own place for caches. A compiled program is code
    that will be run, so nobody else may be able to put one there.

    Raises:
        OptbenchError: the folder cannot be made or written, or is open to others.
    """
    base = _cache_home()
    folder = base / "optbench"
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _refused(f"no cache folder can be made ({reason})") from error
    if not _is_own(base.stat(), open_bits=stat.S_IWGRP | stat.S_IWOTH):
        raise _refused("the cache folder lies in one that others may write")
    if not _is_own(folder.lstat(), open_bits=stat.S_IRWXG | stat.S_IRWXO):
        raise _refused("the cache folder is not private")
    if not os.access(folder, os.W_OK):
        raise _refused("the cache folder cannot be written")
    return folder


def _cache_home() -> Path:
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if named.is_absolute():
        return named
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    return Path.home() / ".cache"


def _is_own(status: os.stat_result, open_bits: int) -> bool:
    if not stat.S_ISDIR(status.st_mode):
        return False
    if sys.platform == "win32":
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & open_bits


def _refused(message: str) -> OptbenchError:
    return OptbenchError(message, "set XDG_CACHE_HOME to a folder that only you can write")


def enable_compilation_cache() -> str | None:
    """Keep this process's compiled programs on disk, for the next one; a no-op in numbers.

    A folder already set through `JAX_COMPILATION_CACHE_DIR` stays. Changes JAX's global settings,
    so it is for the command line only.

    Returns:
        None, or in one line why there will be no cache.
    """
    import jax

    if jax.config.values["jax_compilation_cache_dir"] is None:
        try:
            jax.config.update("jax_compilation_cache_dir", str(cache_folder()))
        except OptbenchError as error:
            return f"compiling without a cache: {error.message}"
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return None
