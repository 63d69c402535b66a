"""Hyperparameters that theory tells: formulas in the constants of a problem.

A formula is text such as `1/L`, `2/(L+mu)` or `4/(sqrt(L)+sqrt(mu))^2`: numbers, + - * / ^,
`sqrt`, parentheses, and the names L (smoothness), mu (strong convexity), M (Lipschitz constant of
the Hessian), G (bound of the gradient), kappa = L/mu and f_star (the minimum). `optimal` stands for
what `optimal(...)` declares for a factory.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from optbench.errors import NotApplicable, OptbenchError
from optbench.problem import Problem

OPTIMAL = "optimal"
SMOOTHNESS: Any = "L"  # defaults of arguments that are told by theory alone
STRONG_CONVEXITY: Any = "mu"
MINIMUM: Any = "f_star"

Known = Mapping[str, float | None]  # symbol of a formula -> its value, None where unknown

_FIELDS = {
    "L": "smoothness",
    "mu": "strong_convexity",
    "M": "hessian_lipschitz",
    "G": "gradient_bound",
    "kappa": "condition_number",
    "f_star": "minimum",
}
_OPERATIONS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
}
_HINT = "give a number, a formula in L and mu such as 1/L or 2/(L+mu), or optimal"


def known_of(problem: Problem) -> Known:
    """What formulas may use of a problem."""
    constants = {s: getattr(problem.constants, f) for s, f in _FIELDS.items() if s != "f_star"}
    known = constants | {"f_star": problem.minimum}
    return {symbol: None if value is None else float(value) for symbol, value in known.items()}


def optimal(**formulas: str | tuple[str, ...]) -> Callable[[Any], Any]:
    """Declare what `optimal` stands for, argument by argument.

    Args:
        **formulas: argument -> its formula; of several, the first whose constants are known, and
            positive, counts. A problem on which no such formula is left is refused.
    """

    def declare(factory: Any) -> Any:
        factory.optimal_settings = formulas
        return factory

    return declare


def require_formula(argument: str, text: str) -> None:
    """Refuse text that is no formula.

    Raises:
        OptbenchError: it is none.
    """
    if text != OPTIMAL:
        _parse(argument, text)


def settle(factory: Callable[..., Any], name: str, argument: str, text: str, known: Known) -> float:
    """The value of a formula on a problem.

    Args:
        factory: whose argument it is.
        name: of the method, for messages.
        argument: its name.
        text: the formula.
        known: what `known_of` tells of the problem.

    Raises:
        OptbenchError: it is no formula, or nothing is declared optimal for this argument.
        NotApplicable: the problem does not know a constant, or the value is not finite; or L or mu,
            or a constant in what is declared optimal, is 0.
    """
    if text != OPTIMAL:
        if text in (SMOOTHNESS, STRONG_CONVEXITY):
            _require_positive(name, argument, text, (text,), known)
        return _value(name, argument, text, known)
    declared = getattr(factory, "optimal_settings", {}).get(argument)
    if declared is None:
        raise OptbenchError(
            f"no {argument} of {name} is known to be optimal", "give a number, or a formula: 1/L"
        )
    formulas = (declared,) if isinstance(declared, str) else declared
    for formula in formulas[:-1]:
        if all(known[symbol] for symbol in _parse(argument, formula).symbols):
            return _value(name, argument, formula, known)
    _require_positive(name, argument, text, _parse(argument, formulas[-1]).symbols, known)
    return _value(name, argument, formulas[-1], known)


def _require_positive(
    name: str, argument: str, text: str, symbols: tuple[str, ...], known: Known
) -> None:
    """Refuse a problem where a constant is known, and 0: theory is for positive ones."""
    for symbol in symbols:
        value = known[symbol]
        if value is not None and value <= 0:
            raise NotApplicable(
                f"{argument}={text} of {name} needs {symbol} > 0, and the problem has "
                f"{symbol} = {value:g}",
                f"give {argument} a number",
            )


def _value(name: str, argument: str, text: str, known: Known) -> float:
    tree, symbols = _parse(argument, text)
    found = {symbol: known[symbol] for symbol in symbols}
    for symbol, value in found.items():
        if value is None:
            field = _FIELDS[symbol]
            place = "Problem" if symbol == "f_star" else "Problem.constants"
            raise NotApplicable(
                f"{argument}={text} of {name} needs the {field.replace('_', ' ')} of the problem, "
                "which is not known",
                f"set {place}.{field}, or give {argument} a number",
            )
    try:
        value = _evaluate(tree, found)
    except (ZeroDivisionError, OverflowError, TypeError, ValueError):
        value = math.nan
    if isinstance(value, complex) or not math.isfinite(value):
        given = ", ".join(f"{n} = {v:g}" for n, v in found.items())
        raise NotApplicable(
            f"{argument}={text} of {name} is no number for {given}", f"give {argument} a number"
        )
    return value


class _Formula(NamedTuple):
    tree: ast.expr
    symbols: tuple[str, ...]  # the constants it names, each once


def _parse(argument: str, text: str) -> _Formula:
    """A formula; whatever else than arithmetic is in it is refused."""
    try:
        tree = ast.parse(text.replace("^", "**"), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise OptbenchError(f"{argument} is {text!r}", _HINT) from error
    nodes = list(ast.walk(tree))
    roots = [n.func for n in nodes if isinstance(n, ast.Call) and len(n.args) == 1]
    symbols: dict[str, None] = {}
    for node in nodes:
        if isinstance(node, ast.Name) and node.id in _FIELDS:
            symbols[node.id] = None
        elif not (_is_root(node, roots) or _is_number(node) or type(node) in _ARITHMETIC):
            raise OptbenchError(f"{argument} is {text!r}", _HINT)
    return _Formula(tree, tuple(symbols))


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def _is_root(node: ast.AST, roots: list[ast.expr]) -> bool:
    """Whether a node is a square root of one argument, or the name of such a root."""
    if isinstance(node, ast.Call):
        return node.func in roots and not node.keywords
    return isinstance(node, ast.Name) and node.id == "sqrt" and node in roots


_ARITHMETIC = (ast.BinOp, ast.UnaryOp, ast.Load, *_OPERATIONS)


def _evaluate(node: ast.AST, values: Mapping[str, Any]) -> float:
    if isinstance(node, ast.Constant):
        return float(node.value)  # pyright: ignore[reportArgumentType]
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.Call):
        return math.sqrt(_evaluate(node.args[0], values))
    if isinstance(node, ast.UnaryOp):
        return _OPERATIONS[type(node.op)](_evaluate(node.operand, values))
    assert isinstance(node, ast.BinOp)
    sides = _evaluate(node.left, values), _evaluate(node.right, values)
    return _OPERATIONS[type(node.op)](*sides)
