"""Which optimizer of ours is which of torch.optim, and where their definitions part."""

from __future__ import annotations

import dataclasses
from typing import Literal

Verdict = Literal["agrees", "documented", "differs"]


@dataclasses.dataclass(frozen=True)
class Pair:
    """A run of torch, and an optimizer of ours that is given the same values.

    Attributes:
        reference: torch's, with arguments; a run of the reference table.
        label: ours.
        cause: where the two definitions part; nothing where they are one.
        reproduced_by: ours, with the argument that gives torch's definition.
    """

    reference: str
    label: str
    cause: str = ""
    reproduced_by: str | None = None

    @property
    def claim(self) -> Verdict:
        """What the pair says of itself."""
        if not self.cause:
            return "agrees"
        return "documented" if self.reproduced_by else "differs"


_HEAVY, _THEIR_HEAVY = "learning_rate=0.05,momentum=0.9", "lr=0.05, momentum=0.9"
_ROUGH = "learning_rate=0.005,b1=0.8,b2=0.9,eps=0.01"
_THEIR_ROUGH = "lr=0.005, betas=(0.8, 0.9), eps=0.01"

_SGD = (
    Pair("SGD()", "gradient_descent[learning_rate=0.001]"),
    Pair("SGD(lr=0.1)", "gradient_descent[learning_rate=0.1]"),
    Pair(f"SGD({_THEIR_HEAVY})", f"momentum[{_HEAVY}]"),
    Pair(f"SGD({_THEIR_HEAVY}, nesterov=True)", f"nesterov[{_HEAVY}]"),
    Pair(
        f"SGD({_THEIR_HEAVY}, dampening=0.5)",
        f"momentum[{_HEAVY}]",
        "torch damps every gradient but the first; nothing is damped here",
    ),
    Pair(
        "SGD(lr=0.1, weight_decay=0.1)",
        "l2_regularize(gradient_descent[learning_rate=0.1])[weight_decay=0.1]",
    ),
    Pair(
        f"SGD({_THEIR_HEAVY}, weight_decay=0.1)",
        f"l2_regularize(momentum[{_HEAVY}])[weight_decay=0.1]",
    ),
    Pair(
        "ASGD()",
        "gradient_descent[learning_rate=0.01]",
        "torch lowers the rate and shrinks the point, both by lambd",
    ),
    Pair("ASGD(lr=0.1, lambd=0)", "gradient_descent[learning_rate=0.1]"),
)

_ADAM = (
    Pair("Adam()", "adam[learning_rate=0.001,b1=0.9,b2=0.999,eps=1e-8]"),
    Pair(f"Adam({_THEIR_ROUGH})", f"adam[{_ROUGH}]"),
    Pair(
        f"Adam({_THEIR_ROUGH}, weight_decay=0.1)",
        f"l2_regularize(adam[{_ROUGH}])[weight_decay=0.1]",
    ),
    Pair(
        f"Adam({_THEIR_ROUGH}, amsgrad=True)",
        f"optax.amsgrad[{_ROUGH}]",
        "torch takes the maximum before the bias correction, optax after it",
    ),
    Pair("AdamW()", "adamw[learning_rate=0.001,b1=0.9,b2=0.999,eps=1e-8,weight_decay=0.01]"),
    Pair(f"AdamW({_THEIR_ROUGH}, weight_decay=0.1)", f"adamw[{_ROUGH},weight_decay=0.1]"),
    Pair("Adamax()", "optax.adamax[learning_rate=0.002,b1=0.9,b2=0.999,eps=1e-8]"),
    Pair(f"Adamax({_THEIR_ROUGH})", f"optax.adamax[{_ROUGH}]"),
    Pair(
        "NAdam()",
        "optax.adam[learning_rate=0.002,b1=0.9,b2=0.999,eps=1e-8,nesterov=True]",
        "torch warms its momentum up; where momentum_decay is huge it does not",
    ),
    Pair(f"NAdam({_THEIR_ROUGH}, momentum_decay=1e9)", f"optax.adam[{_ROUGH},nesterov=True]"),
    Pair(
        "RAdam()",
        "optax.radam[learning_rate=0.001,b1=0.9,b2=0.999,eps=1e-8]",
        "torch adds eps before the bias correction of the root, optax after it",
    ),
    Pair(
        "RAdam(lr=0.005, betas=(0.8, 0.9), eps=0)",
        "optax.radam[learning_rate=0.005,b1=0.8,b2=0.9,eps=0.0]",
    ),
)

_EPS = "torch adds eps to the root, here it is under it"
_GATHERED = "learning_rate=0.1,initial_accumulator_value"
_AVERAGED = "learning_rate=0.01,decay=0.99,eps"
_FACTORED = "optax.adafactor[min_dim_size_to_factor=2,learning_rate"

_ADAPTIVE = (
    Pair(
        "Adagrad()",
        "adagrad[learning_rate=0.01,initial_accumulator_value=0.0,eps=1e-10]",
        _EPS + "; without eps they agree",
    ),
    Pair(
        "Adagrad(lr=0.1, initial_accumulator_value=0.1, eps=0)",
        f"adagrad[{_GATHERED}=0.1,eps=0.0]",
    ),
    Pair(
        "Adagrad(lr=0.1, lr_decay=0.1)",
        f"adagrad[{_GATHERED}=0.0,eps=1e-10]",
        "torch divides the rate by 1 + lr_decay k",
    ),
    Pair(
        "RMSprop()",
        f"rmsprop[{_AVERAGED}=1e-8]",
        _EPS,
        f"rmsprop[{_AVERAGED}=1e-8,eps_in_sqrt=False]",
    ),
    Pair(
        "RMSprop(eps=0.01)",
        f"rmsprop[{_AVERAGED}=0.01]",
        _EPS,
        f"rmsprop[{_AVERAGED}=0.01,eps_in_sqrt=False]",
    ),
    Pair(
        "RMSprop(eps=0.01, centered=True)",
        f"rmsprop[{_AVERAGED}=0.01,centered=True]",
        _EPS,
        f"rmsprop[{_AVERAGED}=0.01,centered=True,eps_in_sqrt=False]",
    ),
    Pair(
        "RMSprop(eps=0.01, momentum=0.5)",
        f"optax.rmsprop[{_AVERAGED}=0.01,momentum=0.5]",
        _EPS,
        f"optax.rmsprop[{_AVERAGED}=0.01,momentum=0.5,eps_in_sqrt=False]",
    ),
    Pair(
        "RMSprop(eps=0.01, weight_decay=0.1)",
        f"l2_regularize(rmsprop[{_AVERAGED}=0.01])[weight_decay=0.1]",
        _EPS,
        f"l2_regularize(rmsprop[{_AVERAGED}=0.01,eps_in_sqrt=False])[weight_decay=0.1]",
    ),
    Pair("Adadelta()", "optax.adadelta[learning_rate=1.0,rho=0.9,eps=1e-6]"),
    Pair(
        "Adadelta(lr=0.1, rho=0.8, eps=0.001)",
        "optax.adadelta[learning_rate=0.1,rho=0.8,eps=0.001]",
    ),
    Pair(
        "Adadelta(weight_decay=0.1)",
        "optax.adadelta[learning_rate=1.0,rho=0.9,eps=1e-6,weight_decay=0.1]",
    ),
    Pair("Adafactor()", f"{_FACTORED}=0.01]"),
    Pair(
        "Adafactor(lr=0.005, weight_decay=0.1)",
        f"{_FACTORED}=0.005,weight_decay_rate=0.1]",
        "torch decays by lr * weight_decay, optax by weight_decay_rate",
        f"{_FACTORED}=0.005,weight_decay_rate=0.0005]",
    ),
    Pair(
        "Rprop()",
        "optax.rprop[learning_rate=0.01]",
        "optax.rprop takes each step one iteration late: its first is 0",
    ),
    Pair(
        "Rprop(lr=0.1, etas=(0.4, 1.1))",
        "optax.rprop[learning_rate=0.1,eta_minus=0.4,eta_plus=1.1]",
        "optax.rprop takes each step one iteration late: its first is 0",
    ),
    Pair(
        "Muon()",
        "optax.contrib.muon[learning_rate=0.001,beta=0.95,weight_decay=0.1,eps=1e-7]",
        "torch orthogonalizes in bfloat16",
    ),
)

PAIRS = _SGD + _ADAM + _ADAPTIVE
