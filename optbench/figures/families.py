"""Which optimizers are of one kind, and which one stands for its kind."""

from __future__ import annotations

from collections.abc import Sequence

from optbench.catalog import parse_label
from optbench.errors import OptbenchError

FAMILIES = {  # name in the catalog -> family
    "gradient_descent": "first order",
    "gradient_descent_backtracking": "first order",
    "momentum": "momentum",
    "nesterov": "momentum",
    "adam": "adaptive",
    "adamw": "adaptive",
    "rmsprop": "adaptive",
    "adagrad": "adaptive",
    "lion": "adaptive",
    "newton": "second order",
    "newton_cg": "second order",
    "bfgs": "quasi-Newton",
    "lbfgs": "quasi-Newton",
    "natural_gradient": "natural gradient",
}
PREFERRED = ("gradient_descent", "momentum", "adam", "newton_cg", "lbfgs", "natural_gradient")
CONTRAST = ("gradient_descent", "natural_gradient", "adam", "newton_cg")


def base_name(label: str) -> str:
    """The name at the head of a label; all of it where it does not follow the grammar."""
    try:
        return parse_label(label).name
    except OptbenchError:
        return label


def family(label: str) -> str:
    """The family of an optimizer: clipped, one of `FAMILIES`, or its own name."""
    name = base_name(label)
    return "clipped" if name.startswith("clip_") else FAMILIES.get(name, name)


def representatives(labels: Sequence[str]) -> list[str]:
    """One optimizer per family, in order: the first that is `PREFERRED`, or else the first."""
    chosen: dict[str, str] = {}
    for label in labels:
        before = chosen.setdefault(family(label), label)
        if base_name(label) in PREFERRED and base_name(before) not in PREFERRED:
            chosen[family(label)] = label
    return [label for label in labels if label in chosen.values()]


def contrast(labels: Sequence[str]) -> list[str]:
    """What natural gradient is compared with, and itself; empty where it is not among them."""
    names = {label: base_name(label) for label in labels}
    if "natural_gradient" not in names.values():
        return []
    return [next(o for o in labels if names[o] == n) for n in CONTRAST if n in names.values()]
