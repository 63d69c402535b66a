"""Measure what optimizers cost beside their steps: products, searches over lanes, compilation.

Products: seconds of a Hessian-vector and a Fisher-vector product over those of a value and
gradient (asked: at most 2.2). Searches: 200 lanes as a study runs them, over a loop that runs them
one by one (asked: at most 1.3 on the logistic loss). Compilation: seconds over those of Adam, built
just before, the first evaluation apart (asked: at most 3, but for line searches).
"""

from __future__ import annotations

import argparse

from speed.oracles import SEARCHING, compile_ratios, lanes_over_loop, product_ratios

from optbench.catalog import collect
from optbench.method import find_method
from optbench.optimizers.names import OPTIMIZERS, known_optimizers

EXAMPLES = """examples:
  python scripts/measure_optimizers.py
  python scripts/measure_optimizers.py --part products --repeats 9
  python scripts/measure_optimizers.py --part compile --optimizer newton --optimizer shampoo"""


def main() -> None:
    """Measure, and print one table per part."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("products", "searches", "compile")
    parser.add_argument("--part", action="append", choices=parts, help="only this part")
    parser.add_argument("--optimizer", action="append", help="only these, where compiling")
    parser.add_argument("--repeats", type=int, default=5, help="rounds of each measurement")
    given = parser.parse_args()
    chosen = given.part or parts
    if "products" in chosen:
        for label in ("logistic", "mlp_digits"):
            for kind, ratio in product_ratios(label, given.repeats).items():
                print(f"{label:12} {kind:18} {ratio:8.2f} x a value and gradient", flush=True)
    if "searches" in chosen:
        for label, budget in (("logistic", 60.0), ("rosenbrock", 300.0)):
            for name in SEARCHING:
                ratio = lanes_over_loop(label, name, given.repeats, budget)
                print(f"{label:12} {name:30} {ratio:8.2f} x a loop over lanes", flush=True)
    if "compile" in chosen:
        names = given.optimizer or [*collect(OPTIMIZERS, "Optimizer")]
        methods = {name: find_method(name, known_optimizers()) for name in names}
        for name, ratio in compile_ratios("logistic", methods):
            shown = "not applicable" if ratio is None else f"{ratio:8.2f} x Adam's compilation"
            print(f"{name:34} {shown}", flush=True)


if __name__ == "__main__":
    main()
