"""Laws that catalog optimizers are known to break, each with its reason: shown, not hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

_PER_ARRAY = "takes norms of one array of params at a time"
_RELATIVE = "steps are relative to the norm of the params"
_NOISE = "noise is drawn array by array, in the precision of the run, and does not vanish"

EXCEPTIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "adafactor": {"any nesting": _PER_ARRAY, "translation": _RELATIVE},
        "dadapt_adamw": {"stationary": "divides by the sum of gradients: NaN where all are 0"},
        "dog": {"translation": "its first step is relative to the norm of the params"},
        "lamb": {"any nesting": _PER_ARRAY, "translation": _RELATIVE},
        "lars": {"any nesting": _PER_ARRAY, "translation": _RELATIVE},
        "muon": {"any nesting": "acts on a matrix as a whole, and otherwise on other arrays"},
        "noisy_sgd": {"any nesting": _NOISE, "stationary": _NOISE, "float32": _NOISE},
        "novograd": {"any nesting": _PER_ARRAY},
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
