"""The annotations of functions, methods and dataclasses, checked by beartype at every call.

`beartype.claw` fails on a `NamedTuple` whose annotations are postponed (its issue 318), and the
import hook of jaxtyping takes a third of the time of all tests: it binds every call to a signature.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.abc
import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

import beartype

DECORATOR, UNKNOWN = "__checked__", "__unknown_types__"  # as a checked module knows them


class WrongType(UserWarning, TypeError):
    """A value is not of the type that an annotation tells; pytest makes it an error."""


# An int is a float, as PEP 484 says.
_beartype = beartype.beartype(
    conf=beartype.BeartypeConf(is_pep484_tower=True, violation_type=WrongType)
)


def checked(defined: Any) -> Any:
    """A function that checks what it takes and returns, or a dataclass that checks its fields."""
    if not isinstance(defined, type):
        return _checked(defined)
    if dataclasses.is_dataclass(defined) and "__init__" in vars(defined):
        defined.__init__ = _checked(defined.__init__)
    return defined


def _checked(function: Any) -> Any:
    written = dict(function.__annotations__)
    unknown = function.__globals__.get(UNKNOWN, frozenset())
    function.__annotations__ = {
        name: Any if unknown & set(re.findall(r"\w+", str(text))) else text
        for name, text in written.items()
    }
    wrapper = _beartype(function)
    function.__annotations__ = written  # beartype has put types for their names
    wrapper.__annotations__ = dict(written)
    return wrapper


def check_packages(*names: str) -> None:
    """Check the annotations of these packages, which are not imported yet."""
    sys.meta_path.insert(0, _Finder(names))


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, names: Sequence[str]):
        self.names = frozenset(names)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] not in self.names:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        """Run a module from its source: no bytecode holds what is checked."""
        tree = ast.parse(self.get_data(self.path), self.path)
        vars(module).update({DECORATOR: checked, UNKNOWN: _names_of_types_alone(tree)})
        decorated = ast.fix_missing_locations(_Decorating().visit(tree))
        exec(compile(decorated, self.path, "exec", dont_inherit=True), vars(module))


class _Decorating(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.decorator_list.append(ast.Name(DECORATOR, ast.Load()))
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.decorator_list.insert(0, ast.Name(DECORATOR, ast.Load()))
        return self.generic_visit(node)


def _names_of_types_alone(tree: ast.AST) -> frozenset[str]:
    """What a module imports below `if TYPE_CHECKING`, so not when it runs."""
    guarded = [
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for line in node.body
        if isinstance(line, ast.Import | ast.ImportFrom)
    ]
    return frozenset(alias.asname or alias.name for line in guarded for alias in line.names)
