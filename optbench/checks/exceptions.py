"""Laws that catalog optimizers are known to break, each with its reason: shown, not hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

_NOISE = "its noise does not vanish, and is another in another precision"

EXCEPTIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "dadapt_adamw": {"stationary": "divides by the sum of gradients: NaN where all are 0"},
        "noisy_sgd": {"stationary": _NOISE, "float32": _NOISE},
        "prodigy": {"stationary": "divides by the sum of gradients: NaN where all are 0"},
        "sm3": {"any nesting": "optax.sm3 fails on a scalar among the params"},
        "yogi": {"stationary": "optax.yogi starts the average of gradients at 1e-6, not at 0"},
    }
)


def exceptions_of(factory: Callable[..., Any]) -> Mapping[str, str]:
    """Law -> why a function of the catalog, or of optax, breaks it."""
    module = getattr(factory, "__module__", "")
    is_known = module.partition(".")[0] in ("optbench", "optax")
    return EXCEPTIONS.get(factory.__name__, {}) if is_known else {}
