"""The return type is the registration, and one grammar names every entry.

A label is `name`, `name[argument=value,...]` or, for a wrapper, `name(label)[argument=value,...]`:
`clip_by_global_norm(adam[learning_rate=0.003])[max_norm=1.0]`. A name may be
`path/to/file.py:function`; text with other characters than those of a name stands in quotes.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from optbench.errors import OptbenchError, unknown_name

GRAMMAR = "write name[argument=value,...], and a wrapper as name(label)[argument=value,...]"


@dataclasses.dataclass(frozen=True)
class Label:
    """A parsed label: a name, what it wraps, and its arguments."""

    name: str
    inner: Label | None = None
    arguments: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        inner = f"({self.inner})" if self.inner else ""
        arguments = ",".join(f"{name}={_render(value)}" for name, value in self.arguments)
        return f"{self.name}{inner}[{arguments}]" if arguments else f"{self.name}{inner}"


def _render(value: Any) -> str:
    if isinstance(value, tuple):
        return "(" + ",".join(_render(item) for item in value) + ("," * (len(value) == 1)) + ")"
    if isinstance(value, str):
        bare = re.fullmatch(r"[A-Za-z_]\w*", value) and read_value(value) == value
        return value if bare else repr(value)
    return repr(value)


def parse_label(text: str) -> Label:
    """Read one label.

    Raises:
        OptbenchError: the text does not follow the grammar.
    """
    label, rest = _parse(text.strip(), text)
    if rest:
        raise OptbenchError(f"cannot read {text!r} after {str(label)!r}", GRAMMAR)
    return label


def _parse(rest: str, text: str) -> tuple[Label, str]:
    match = re.match(r"\s*((?:[\w./~\-]+\.py:)?[A-Za-z_][\w.\-]*)\s*", rest)
    if match is None:
        raise OptbenchError(f"cannot read {text!r}: a name is missing", GRAMMAR)
    name, rest = match[1], rest[match.end() :]
    inner, arguments = None, ()
    if rest.startswith("("):
        inner, rest = _parse(rest[1:], text)
        if not rest.startswith(")"):
            raise OptbenchError(f"cannot read {text!r}: ')' is missing", GRAMMAR)
        rest = rest[1:].lstrip()
    if rest.startswith("["):
        content, rest = _bracketed(rest, text)
        arguments = tuple(_argument(part, text) for part in _split(content) if part.strip())
        names = [argument for argument, _ in arguments]
        if len(set(names)) < len(names):
            raise OptbenchError(f"cannot read {text!r}: an argument is given twice", GRAMMAR)
    return Label(name, inner, arguments), rest.lstrip()


def _pieces(text: str) -> list[str]:
    """Quoted strings whole, everything else character by character."""
    return re.findall(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|.", text, re.DOTALL)


def _bracketed(rest: str, text: str) -> tuple[str, str]:
    pieces, depth = _pieces(rest), 0
    for index, piece in enumerate(pieces):
        depth += (piece in "[(") - (piece in "])")
        if depth == 0:
            return "".join(pieces[1:index]), "".join(pieces[index + 1 :])
    raise OptbenchError(f"cannot read {text!r}: ']' is missing", GRAMMAR)


def _split(content: str) -> list[str]:
    parts, depth = [""], 0
    for piece in _pieces(content):
        depth += (piece in "[(") - (piece in "])")
        if piece == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _argument(part: str, text: str) -> tuple[str, Any]:
    name, equals, value = part.partition("=")
    if not equals or not name.strip().isidentifier():
        raise OptbenchError(f"cannot read {part.strip()!r} in {text!r}", GRAMMAR)
    return name.strip(), read_value(value.strip())


def read_value(text: str) -> Any:
    """A number, boolean, None, quoted string or tuple of these; failing these, the text itself."""
    if text in ("inf", "-inf", "nan"):
        return float(text)
    if text[:1] + text[-1:] in ("()", "[]"):
        parts = _split(text[1:-1])
        if len(parts) > 1 or not parts[0].strip() or text[0] == "[":
            return tuple(read_value(part.strip()) for part in parts if part.strip())
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return text if isinstance(value, (dict, set)) else value


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter of a catalog function; `default` is `inspect.Parameter.empty` if required."""

    name: str
    default: Any
    annotation: str

    @property
    def required(self) -> bool:
        """Whether a call must give it."""
        return self.default is inspect.Parameter.empty


@functools.cache
def parameters(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """The named parameters of a function, as its signature tells."""
    named = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    return tuple(
        Parameter(p.name, p.default, _annotation(p.annotation))
        for p in inspect.signature(function).parameters.values()
        if p.kind in named
    )


def _annotation(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    if isinstance(annotation, str):
        return annotation.strip("'\"").rpartition(".")[2]
    return getattr(annotation, "__name__", "")


def returned(function: Callable[..., Any]) -> str:
    """The name of the type a function says it returns; empty where it says nothing."""
    return _annotation(inspect.signature(function).return_annotation)


Catalog = Mapping[str, Callable[..., Any]]


def collect(
    package: str | ModuleType, returns: str, *, wrapping: bool = False
) -> dict[str, Callable[..., Any]]:
    """Every public function below a package whose return annotation is the given type.

    Args:
        package: an importable package or module, or its name.
        returns: name of the return type, such as "Problem".
        wrapping: whether to collect those that take one of that type, and nothing else without a
            default, rather than those that take nothing without a default.

    Returns:
        The functions by name, in the order of modules and of definition.

    Raises:
        OptbenchError: the package cannot be imported, or two functions share a name.
    """
    root = _import(package) if isinstance(package, str) else package
    found: dict[str, Callable[..., Any]] = {}
    for module in (root, *_submodules(root)):
        for name, function in entries(module, returns, wrapping=wrapping).items():
            if name in found:
                raise OptbenchError(
                    f"two entries are named {name!r}: in {found[name].__module__} and "
                    f"{function.__module__}",
                    "rename one of them",
                )
            found[name] = function
    return found


def entries(
    module: ModuleType, returns: str, *, wrapping: bool = False
) -> dict[str, Callable[..., Any]]:
    """The catalog functions defined in one module, as `collect` takes them."""
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
        and returned(function) == returns
        and [p.annotation for p in parameters(function) if p.required] == [returns] * wrapping
    }


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise OptbenchError(
            f"cannot import {name!r}: {error}", "name an importable module that holds the catalog"
        ) from error


def _submodules(root: ModuleType) -> list[ModuleType]:
    paths = getattr(root, "__path__", None)
    if paths is None:
        return []
    names = sorted(m.name for m in pkgutil.iter_modules(paths) if not m.name.startswith("_"))
    modules = [_import(f"{root.__name__}.{name}") for name in names]
    return [found for module in modules for found in (module, *_submodules(module))]


def lookup(name: str, catalog: Catalog, kind: str, returns: str) -> Callable[..., Any]:
    """The catalog function of this name, or `file.py:function` from somebody's own file.

    Raises:
        OptbenchError: there is none; near names are offered.
    """
    if ".py:" in name:
        return load_file(name)
    if name in catalog:
        return catalog[name]
    libraries = " --all" if any("." in known for known in catalog) else ""
    where = f"`optbench list {kind}s{libraries}` shows all {len(catalog)}"
    raise unknown_name(kind, name, list(catalog), where)


def load_file(reference: str) -> Callable[..., Any]:
    """The function that `path/to/file.py:function` names.

    Raises:
        OptbenchError: no such file or function, or the file fails when it is run.
    """
    path_text, _, name = reference.rpartition(":")
    path = Path(path_text).resolve()
    if not path.is_file():
        raise OptbenchError(f"no file {path_text!r}", "write path/to/file.py:function")
    module = _run_file(path)
    function = getattr(module, name, None)
    if not callable(function):
        known = [n for n, v in vars(module).items() if inspect.isfunction(v) and n[0] != "_"]
        raise unknown_name("function", name, known, f"{path_text} defines {', '.join(known)}")
    return function


@functools.cache
def _run_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"optbench_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise OptbenchError(f"cannot read {path.name!r} as Python", "name a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise OptbenchError(
            f"{path.name} fails when run: {type(error).__name__}: {error}", "mend the file"
        ) from error
    return module


def check_arguments(
    function: Callable[..., Any], arguments: tuple[tuple[str, Any], ...], kind: str, name: str
) -> None:
    """Refuse argument names that a function does not have.

    Raises:
        OptbenchError: an argument is unknown; near names are offered.
    """
    known = [p.name for p in parameters(function)]
    for argument, _ in arguments:
        if argument not in known:
            offer = f"{name} takes {', '.join(known)}" if known else f"{name} takes no argument"
            raise unknown_name(f"argument of {kind} {name}", argument, known, offer)
