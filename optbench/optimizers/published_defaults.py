"""Where the defaults of an optimizer's signature were published: those that a D row runs at.

An optimizer that is not listed has no defaults to compare at, whatever its signature says.
"""

from __future__ import annotations

from optbench.method import Method

SOURCES = {
    "adabelief": "Zhuang et al. (2020), their implementation",
    "adadelta": "torch.optim.Adadelta",
    "adam": "Kingma and Ba (2015), algorithm 1",
    "adamax": "Kingma and Ba (2015), algorithm 2",
    "adamw": "Loshchilov and Hutter (2019), algorithm 2; weight decay of optax.adamw",
    "adan": "Xie et al. (2022), their implementation",
    "adopt": "Taniguchi et al. (2024), algorithm 2",
    "amsgrad": "torch.optim.Adam with amsgrad",
    "momo": "Schaipp et al. (2024), their implementation",
    "momo_adam": "Schaipp et al. (2024), their implementation",
    "muon": "Jordan (2024), the reference implementation",
    "nadam": "Dozat (2016); torch.optim.NAdam",
    "radam": "torch.optim.RAdam",
    "rmsprop": "Hinton (2012), lecture 6e",
    "schedule_free_adamw": "Defazio et al. (2024), their implementation",
    "schedule_free_sgd": "Defazio et al. (2024), their implementation",
    "yogi": "Zaheer et al. (2018), section 5",
}
_LIBRARIES = "optax.", "optimistix."


def source_of_defaults(method: Method) -> str | None:
    """Where the values that a method has without tuning were published; None where nowhere is.

    A wrapper needs published defaults as much as what it wraps; the signature of a library's
    optimizer is its publication. What a label changes is no longer what was published.
    """
    sources = [_source(layer) for layer in method.layers]
    known = [source for source in sources if source is not None]
    return "; ".join(dict.fromkeys(known)) if len(known) == len(sources) else None


def _source(layer: Method) -> str | None:
    if layer.arguments or any(value is None for value in layer.continuous.values()):
        return None
    if layer.name.startswith(_LIBRARIES):
        return f"signature of {layer.name}"
    return SOURCES.get(layer.name)
