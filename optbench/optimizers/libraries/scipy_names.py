"""`scipy.NAME`: the methods of scipy.optimize.minimize, by their names, as they run on the host.

Tolerances are as tight as a method takes them, so that the budget ends a run, not the method.
A method that uses gradients gets f and its gradient in one call, so a trial that it refuses costs
as much as one that it accepts; a dense Hessian costs a product per column.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize

from optbench.host import HostOracle, HostSolver, Told

_NO_LIMIT = 2**30  # of iterations and evaluations: the budget is the limit
_LEAST = 1e-15  # where 0 is no tolerance


class _Options(NamedTuple):
    """How one method is run.

    Attributes:
        asks: what it asks for, as `HostSolver` has it.
        fixed: options that make it run on.
        free: options that a label can give, with their defaults.
        tells_trials: whether its callback sees trial points, and its gradient calls the iterates.
    """

    asks: tuple[str, ...]
    fixed: Mapping[str, Any]
    free: Mapping[str, Any]
    tells_trials: bool = False


_VALUES = ("value",)
_GRADIENTS = ("value_and_grad",)
_PRODUCTS = ("value_and_grad", "hessian_product")
_HESSIANS = ("value_and_grad", "hessian")
_WOLFE = {"c1": 1e-4, "c2": 0.9}
_REGION = {"initial_trust_radius": 1.0, "max_trust_radius": 1000.0, "eta": 0.15}
_BOTH = {"maxiter": _NO_LIMIT, "maxfun": _NO_LIMIT}
_RUN_ON = {"gtol": 0.0, "maxiter": _NO_LIMIT}

METHODS = {
    "BFGS": _Options(_GRADIENTS, _RUN_ON, _WOLFE),
    "CG": _Options(_GRADIENTS, _RUN_ON, _WOLFE | {"c2": 0.4}),
    "COBYLA": _Options(_VALUES, {"tol": _LEAST, "maxiter": 10**6}, {"rhobeg": 1.0}),
    "COBYQA": _Options(
        _VALUES,
        {"final_tr_radius": _LEAST, "maxiter": 10**6, "maxfev": 10**6},
        {"initial_tr_radius": 1.0},
    ),
    "L-BFGS-B": _Options(
        _GRADIENTS, _BOTH | {"ftol": 0.0, "gtol": 0.0}, {"maxcor": 10, "maxls": 20}
    ),
    "Nelder-Mead": _Options(
        _VALUES,
        {"xatol": 0.0, "fatol": 0.0, "maxiter": _NO_LIMIT, "maxfev": _NO_LIMIT},
        {"adaptive": False},
    ),
    "Newton-CG": _Options(_PRODUCTS, {"xtol": 0.0, "maxiter": _NO_LIMIT}, _WOLFE),
    "Powell": _Options(
        _VALUES, {"ftol": 0.0, "maxiter": _NO_LIMIT, "maxfev": _NO_LIMIT}, {"xtol": 1e-4}
    ),
    "SLSQP": _Options(_GRADIENTS, {"ftol": 0.0, "maxiter": _NO_LIMIT}, {}, tells_trials=True),
    "TNC": _Options(_GRADIENTS, {"maxfun": _NO_LIMIT, "ftol": 0.0, "xtol": 0.0, "gtol": 0.0}, {}),
    "dogleg": _Options(_HESSIANS, _RUN_ON, _REGION),
    "trust-constr": _Options(_GRADIENTS, _RUN_ON | {"xtol": 0.0}, {"initial_tr_radius": 1.0}),
    "trust-exact": _Options(_HESSIANS, _RUN_ON, _REGION),
    "trust-krylov": _Options(_PRODUCTS, _RUN_ON, _REGION | {"inexact": True}),
    "trust-ncg": _Options(_PRODUCTS, _RUN_ON, _REGION),
}
EXCLUDED: dict[str, str] = {}


@functools.cache
def entries() -> dict[str, Callable[..., HostSolver]]:
    """Label -> factory."""
    return {f"scipy.{name}": _factory(name, options) for name, options in METHODS.items()}


def _factory(name: str, options: _Options) -> Callable[..., HostSolver]:
    def factory(**given: Any) -> HostSolver:
        def minimize(ask: HostOracle, start: np.ndarray, told: Told) -> None:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                scipy.optimize.minimize(
                    x0=start,
                    method=name,
                    options=dict(options.fixed) | given,
                    **_functions(options, ask, told),
                )

        return HostSolver(minimize, options.asks)

    offered = [
        inspect.Parameter(
            option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=type(default)
        )
        for option, default in options.free.items()
    ]
    factory.__name__ = factory.__qualname__ = f"scipy.{name}"
    factory.__doc__ = f"{name} of scipy.optimize.minimize, on the host."
    signature = inspect.Signature(offered, return_annotation=HostSolver)
    factory.__signature__ = signature  # type: ignore[attr-defined]
    return factory


def _functions(options: _Options, ask: HostOracle, told: Told) -> dict[str, Any]:
    """What a method is given to call."""
    if options.tells_trials:
        return _telling_gradients(ask, told)
    given: dict[str, Any] = {"fun": ask.value, "callback": lambda point, *state: told(point)}
    if "value_and_grad" in options.asks:
        given |= {"fun": ask.value_and_grad, "jac": True}
    if "hessian_product" in options.asks:
        given["hessp"] = ask.hessian_product
    if "hessian" in options.asks:
        given["hess"] = ask.hessian
    return given


def _telling_gradients(ask: HostOracle, told: Told) -> dict[str, Any]:
    """f, and its gradient as evaluated with it, each call for which but the first is an iterate."""
    gradients: list[np.ndarray] = []
    is_start = [True]

    def value(point: np.ndarray) -> float:
        found, gradient = ask.value_and_grad(point)
        gradients[:] = [gradient]
        return found

    def gradient(point: np.ndarray) -> np.ndarray:
        if not is_start[0]:
            told(point)
        is_start[0] = False
        return gradients[0]

    return {"fun": value, "jac": gradient}
