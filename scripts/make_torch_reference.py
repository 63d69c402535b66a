"""Write what the optimizers of torch.optim do on one small problem: the table of the conformance.

It needs torch, which optbench does not. The problem stands a second time, in JAX, in
optbench/checks/conformance.py.
"""

from __future__ import annotations

import functools
import json
import platform
from pathlib import Path

import torch  # pyright: ignore[reportMissingImports]

TABLE = Path(__file__).parents[1] / "optbench" / "checks" / "torch_reference.json"
torch.set_default_dtype(torch.float64)  # of its scalars too, such as the products of NAdam
START = [[1.5, -2.0], [0.7, 1.2]]
CURVATURES = [[1.0, 0.5], [0.3, 0.2]]
STEPS = (1, 2, 5, 10, 50, 100, 200)
HEAVY = "lr=0.05, momentum=0.9"
ROUGH = "lr=0.005, betas=(0.8, 0.9), eps=0.01"  # where the place of eps shows
RUNS = f"""
SGD(); SGD(lr=0.1); SGD({HEAVY}); SGD({HEAVY}, nesterov=True); SGD({HEAVY}, dampening=0.5);
SGD(lr=0.1, weight_decay=0.1); SGD({HEAVY}, weight_decay=0.1);
Adam(); Adam({ROUGH}); Adam({ROUGH}, weight_decay=0.1); Adam({ROUGH}, amsgrad=True);
AdamW(); AdamW({ROUGH}, weight_decay=0.1);
Adagrad(); Adagrad(lr=0.1, initial_accumulator_value=0.1, eps=0); Adagrad(lr=0.1, lr_decay=0.1);
RMSprop(); RMSprop(eps=0.01); RMSprop(eps=0.01, centered=True); RMSprop(eps=0.01, momentum=0.5);
RMSprop(eps=0.01, weight_decay=0.1);
Adadelta(); Adadelta(lr=0.1, rho=0.8, eps=0.001); Adadelta(weight_decay=0.1);
Adamax(); Adamax({ROUGH}); NAdam(); NAdam({ROUGH}, momentum_decay=1e9);
RAdam(); RAdam(lr=0.005, betas=(0.8, 0.9), eps=0); Rprop(); Rprop(lr=0.1, etas=(0.4, 1.1));
Adafactor(); Adafactor(lr=0.005, weight_decay=0.1); ASGD(); ASGD(lr=0.1, lambd=0); Muon()
"""


def walk(run: str) -> list[list[float]]:
    """The points of one run, at the steps that are kept."""
    curvatures = torch.tensor(CURVATURES)
    x = torch.tensor(START, requires_grad=True)
    name = run.partition("(")[0]
    optimizer = eval(run, {name: functools.partial(getattr(torch.optim, name), [x])})
    points = []
    for step in range(1, max(STEPS) + 1):
        optimizer.zero_grad()
        value = (curvatures * x**2).sum() / 2 + (x[0, 0] + 2 * x[0, 1]).sin()
        (value + (x[1, 0] * x[1, 1]).cos()).backward()
        optimizer.step()
        if step in STEPS:
            points.append(x.detach().flatten().tolist())
    return points


walks = {run: walk(run) for run in map(str.strip, RUNS.split(";"))}
versions = {"torch": torch.__version__, "python": platform.python_version()}
head = {"versions": versions, "start": START, "curvatures": CURVATURES, "steps": STEPS}
rows = ",\n".join(f"  {json.dumps(run)}: {json.dumps(points)}" for run, points in walks.items())
TABLE.write_text(f'{json.dumps(head)[:-1]},\n "runs": {{\n{rows}\n}}}}\n', encoding="utf-8")
print(f"{len(walks)} runs in {TABLE.name}")
