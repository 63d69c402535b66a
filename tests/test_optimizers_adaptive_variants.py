"""A second source for what optax does: the formulas of the docstrings once more, in NumPy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from walks import WAVY, X0, walk, wavy_at, wavy_grad

from optbench.errors import NotApplicable
from optbench.optimizer import Optimizer
from optbench.optimizers.adaptive.curvature_scaled import sophia
from optbench.optimizers.adaptive.large_batch import lamb, lars, novograd
from optbench.optimizers.adaptive.memory_saving import adafactor, sm3
from optbench.optimizers.adaptive.model_based import momo, momo_adam
from optbench.optimizers.adaptive.moment_variants import (
    adabelief,
    adadelta,
    adamax,
    adan,
    ademamix,
    adopt,
    amsgrad,
    nadam,
    radam,
    yogi,
)
from optbench.optimizers.adaptive.moments import adam
from optbench.optimizers.adaptive.orthogonalized import muon
from optbench.optimizers.adaptive.parameter_free import (
    cocob,
    dadapt_adamw,
    dog,
    dowg,
    mechanize,
    prodigy,
    schedule_free_adamw,
    schedule_free_sgd,
)
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.problem import Problem
from optbench.start import standard_normal

STEPS = 15


class Averages(dict):
    """Moving averages by name, 0 at first."""

    def move(self, name: str, decay, new):
        self[name] = decay * self.get(name, 0 * np.asarray(new)) + (1 - decay) * new
        return self[name]


def numpy_adadelta(x, k, s, rate=1.0, rho=0.9, eps=1e-6):
    g = wavy_grad(x)
    v, u = s.move("v", rho, g**2), s.get("u", 0)
    d = g * np.sqrt(u + eps) / np.sqrt(v + eps)
    s.move("u", rho, d**2)
    return x - rate * d


def moments(x, k, s, b1, b2):
    g = wavy_grad(x)
    m, v = s.move("m", b1, g), s.move("v", b2, g**2)
    return m / (1 - b1 ** (k + 1)), v / (1 - b2 ** (k + 1))


def numpy_amsgrad(x, k, s, rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    m, v = moments(x, k, s, b1, b2)
    s["w"] = np.maximum(s.get("w", 0), v)
    return x - rate * m / (np.sqrt(s["w"]) + eps)


def numpy_nadam(x, k, s, rate=2e-3, b1=0.9, b2=0.999, eps=1e-8):
    _, v = moments(x, k, s, b1, b2)
    n = b1 * s["m"] / (1 - b1 ** (k + 2)) + (1 - b1) * wavy_grad(x) / (1 - b1 ** (k + 1))
    return x - rate * n / (np.sqrt(v) + eps)


def numpy_radam(x, k, s, rate=1e-3, b1=0.9, b2=0.999, eps=1e-8, threshold=5.0):
    m, v = moments(x, k, s, b1, b2)
    most, t = 2 / (1 - b2) - 1, k + 1
    r = most - 2 * t * b2**t / (1 - b2**t)
    if r < threshold:
        return x - rate * m
    c = np.sqrt((r - 4) * (r - 2) * most / ((most - 4) * (most - 2) * r))
    return x - rate * c * m / (np.sqrt(v) + eps)


def numpy_adabelief(x, k, s, rate=1e-3, b1=0.9, b2=0.999, eps=1e-16, eps_root=1e-16):
    g = wavy_grad(x)
    m = s.move("m", b1, g)
    s["v"] = s.move("v", b2, (g - m) ** 2) + eps_root
    v = s["v"] / (1 - b2 ** (k + 1))
    return x - rate * m / (1 - b1 ** (k + 1)) / (np.sqrt(v) + eps)


def numpy_adamax(x, k, s, rate=2e-3, b1=0.9, b2=0.999, eps=1e-8):
    m, _ = moments(x, k, s, b1, b2)
    s["u"] = np.maximum(b2 * s.get("u", 0), np.abs(wavy_grad(x)) + eps)
    return x - rate * m / s["u"]


def numpy_yogi(x, k, s, rate=1e-2, b1=0.9, b2=0.999, eps=1e-3, first=1e-6):
    g = wavy_grad(x)
    s["m"] = b1 * s.get("m", first) + (1 - b1) * g
    v = s.get("v", first)
    s["v"] = v - (1 - b2) * np.sign(v - g**2) * g**2
    m, v = s["m"] / (1 - b1 ** (k + 1)), s["v"] / (1 - b2 ** (k + 1))
    return x - rate * m / (np.sqrt(v) + eps)


def numpy_adan(x, k, s, rate=1e-3, b1=0.98, b2=0.92, b3=0.99, eps=1e-8, eps_root=1e-8):
    g = wavy_grad(x)
    d = g - s.get("g", g)
    s["g"] = g
    m, v = s.move("m", b1, g), s.move("v", b2, d)
    n = s.move("n", b3, (g + (1 - b2) * d) ** 2)
    m, v, n = (a / (1 - b ** (k + 1)) for a, b in ((m, b1), (v, b2), (n, b3)))
    return x - rate * (m + (1 - b2) * v) / (np.sqrt(n + eps_root) + eps)


def numpy_ademamix(x, k, s, rate=1e-3, b1=0.9, b2=0.999, b3=0.9999, alpha=5.0, eps=1e-8):
    m, v = moments(x, k, s, b1, b2)
    return x - rate * (m + alpha * s.move("slow", b3, wavy_grad(x))) / (np.sqrt(v) + eps)


def numpy_adopt(x, k, s, rate=1e-3, b1=0.9, b2=0.9999, eps=1e-6):
    g = wavy_grad(x)
    if k == 0:
        s["v"] = g**2
        return x
    c = np.clip(g / np.maximum(np.sqrt(s["v"]), eps), -(k**0.25), k**0.25)
    m = s.move("m", b1, c)
    s.move("v", b2, g**2)
    return x - rate * m


def numpy_lars(x, k, s, rate=1.0, momentum=0.9, trust=1e-3, eps=0.0, decay=0.0):
    u = wavy_grad(x) + decay * x
    r = trust * np.linalg.norm(x) / (np.linalg.norm(u) + eps)
    s["m"] = momentum * s.get("m", 0) + rate * r * u
    return x - s["m"]


def numpy_lamb(x, k, s, rate=1e-3, b1=0.9, b2=0.999, eps=1e-6, decay=0.0):
    m, v = moments(x, k, s, b1, b2)
    u = m / (np.sqrt(v) + eps) + decay * x
    return x - rate * u * np.linalg.norm(x) / np.linalg.norm(u)


def numpy_novograd(x, k, s, rate=1e-2, b1=0.9, b2=0.25, eps=1e-6, decay=0.0):
    g = wavy_grad(x)
    s["v"] = g @ g if k == 0 else b2 * s["v"] + (1 - b2) * g @ g
    s["m"] = b1 * s.get("m", 0) + g / (np.sqrt(s["v"]) + eps) + decay * x
    return x - rate * s["m"]


def numpy_adafactor(x, k, s, rate=1e-2, power=0.8, clip=1.0, eps=1e-30, relative=True):
    def rms(a):
        return np.sqrt(np.mean(a**2))

    g = wavy_grad(x)
    u = g / np.sqrt(s.move("v", 1 - np.float32(k + 1) ** np.float32(-power), g**2 + eps))
    u = u / max(1, rms(u) / clip)
    return x - rate * u * (max(rms(x), 1e-3) if relative else 1)


def numpy_sm3(x, k, s, rate=0.1, momentum=0.9):
    g = wavy_grad(x)
    s["v"] = s.get("v", 0) + g**2
    return x - rate * s.move("m", momentum, g / np.sqrt(s["v"] + 1e-8))


def numpy_momo(x, k, s, rate=1.0, beta=0.9, bound=0.0, decay=0.0):
    g, b = wavy_grad(x), 0.0 if k == 0 else beta
    f, m, inner = s.move("f", b, wavy_at(x)), s.move("m", b, g), s.move("G", b, g @ x)
    gain = (1 + rate * decay) * (f - inner - bound) + m @ x
    t = min(rate, max(gain, 0) / (m @ m))
    return x - t * m - rate * decay / (1 + rate * decay) * x


def numpy_momo_adam(x, k, s, rate=1e-2, b1=0.9, b2=0.999, eps=1e-8, bound=0.0):
    g, q = wavy_grad(x), 1 - b1 ** (k + 1)
    _, v = moments(x, k, s, b1, b2)
    f, m, inner = s.move("f", b1, wavy_at(x)), s["m"], s.move("G", b1, g @ x)
    scaled = m / (np.sqrt(v) + eps)
    t = min(rate / q, max(f + m @ x - inner - q * bound, 0) / (m @ scaled))
    return x - t * scaled


def numpy_dog(x, k, s, rate=1.0, first=1e-6, eps=1e-8):
    g, start = wavy_grad(x), s.setdefault("x0", x)
    least = first * (1 + np.linalg.norm(start))
    s["r"] = max(s.get("r", least), np.linalg.norm(x - start))
    s["S"] = s.get("S", 0) + g @ g
    return x - rate * s["r"] * g / np.sqrt(s["S"] + eps)


def numpy_dowg(x, k, s, rate=1.0, eps=1e-4):
    g, start = wavy_grad(x), s.setdefault("x0", x)
    s["r2"] = max(s.get("r2", eps), (x - start) @ (x - start))
    s["S"] = s.get("S", 0) + s["r2"] * (g @ g)
    return x - rate * s["r2"] * g / (np.sqrt(s["S"]) + eps)


def numpy_dadapt(x, k, s, rate=1.0, b1=0.9, b2=0.999, eps=1e-8, first=1e-6, decay=0.0):
    g, w, d = wavy_grad(x), np.sqrt(b2), s.get("d", first)
    step = d * rate * np.sqrt(1 - b2 ** (k + 1)) / (1 - b1 ** (k + 1))
    old = s.get("s", 0 * g) / (np.sqrt(s.get("v", 0 * g)) + eps)
    n = s.move("n", w, step * (g @ old))
    m, v, total = s.move("m", b1, step * g), s.move("v", b2, g**2), s.move("s", w, step * g)
    s["d"] = max(d, n / ((1 - w) * np.sum(np.abs(total))))
    return x - m / (np.sqrt(v) + eps) - decay * step * x


def numpy_prodigy(x, k, s, rate=1.0, b1=0.9, b2=0.999, eps=1e-8, first=1e-6, decay=0.0):
    g, w, d, start = wavy_grad(x), np.sqrt(b2), s.get("d", first), s.setdefault("x0", x)
    step = d * rate * np.sqrt(1 - b2 ** (k + 1)) / (1 - b1 ** (k + 1))
    m, v = s.move("m", b1, d * g), s.move("v", b2, (d * g) ** 2)
    s["s"] = w * s.get("s", 0) + step * d * g / first
    s["n"] = w * s.get("n", 0) + d / first * step * (g @ (start - x))
    s["d"] = max(d, s["n"] / np.sum(np.abs(s["s"])))
    return x - step * m / (np.sqrt(v) + s["d"] * eps) - decay * step * x


def numpy_cocob(x, k, s, alpha=100.0, eps=1e-8):
    g, start = wavy_grad(x), s.setdefault("x0", x)
    s["L"] = np.maximum(s.get("L", eps), np.abs(g))
    s["G"] = s.get("G", 0) + np.abs(g)
    s["R"] = np.maximum(s.get("R", 0) - g * (x - start), 0)
    s["C"] = s.get("C", 0) - g
    return start + s["C"] * (s["L"] + s["R"]) / (
        s["L"] * np.maximum(s["G"] + s["L"], alpha * s["L"])
    )


def numpy_schedule_free(y, k, s, rate=1.0, b1=0.9, scale=lambda g, y, k, s: g):
    x, z = s.get("x", y), s.get("z", y)
    s["z"] = z - rate * scale(wavy_grad(y), y, k, s)
    s["x"] = x + (s["z"] - x) / (k + 1)
    return b1 * s["x"] + (1 - b1) * s["z"]


def numpy_schedule_free_adamw(y, k, s, rate=0.0025, b1=0.9, b2=0.999, eps=1e-8, decay=0.0):
    def scale(g, y, k, s):
        return g / (np.sqrt(s.move("v", b2, g**2) / (1 - b2 ** (k + 1))) + eps) + decay * y

    return numpy_schedule_free(y, k, s, rate, b1, scale)


def numpy_mechanize(x, k, s, rate=0.1, decay=1e-2, eps=1e-8, first=1e-6, count=6):
    """Around gradient descent."""
    g, start, zeros = wavy_grad(x), s.setdefault("x0", x), np.zeros(count)
    scale = s.get("s", first * np.ones(count))
    moved = (x - start) / (scale.sum() + eps)
    g2 = g + decay * scale.sum() * np.linalg.norm(g) / (np.linalg.norm(x) + eps) * x
    h, b = -g2 @ moved, 1 - 0.1 ** np.arange(1, count + 1)
    m, v, r = (s.get(name, zeros) for name in "mvr")
    s["r"] = b * r + np.clip(h, -m, m) * scale
    s["m"] = np.maximum(b * m, np.abs(h) + eps)
    s["v"] = b**2 * v + h**2
    s["s"] = (first / count * s["m"] + np.maximum(s["r"], 0)) / (np.sqrt(s["v"]) + eps)
    return start + s["s"].sum() * (moved - rate * g)


def numpy_walk(rule, num_steps: int, start=X0, **arguments) -> np.ndarray:
    points, x, state = [], start, Averages()
    for k in range(num_steps):
        x = rule(x, k, state, **arguments)
        points.append(x)
    return np.array(points)


SOURCES = [
    (adadelta(), numpy_adadelta, {}),
    (adadelta(0.5, 0.8, 1e-2), numpy_adadelta, {"rate": 0.5, "rho": 0.8, "eps": 1e-2}),
    (amsgrad(), numpy_amsgrad, {}),
    (amsgrad(0.3, 0.8, 0.6, 1e-2), numpy_amsgrad, dict(rate=0.3, b1=0.8, b2=0.6, eps=1e-2)),
    (nadam(), numpy_nadam, {}),
    (nadam(0.3, 0.8, 0.6, 1e-2), numpy_nadam, dict(rate=0.3, b1=0.8, b2=0.6, eps=1e-2)),
    (radam(), numpy_radam, {}),
    (
        radam(0.3, 0.8, 0.9, 1e-2, 4.5),
        numpy_radam,
        dict(rate=0.3, b1=0.8, b2=0.9, eps=1e-2, threshold=4.5),
    ),
    (adabelief(), numpy_adabelief, {}),
    (
        adabelief(0.3, 0.8, 0.6, 1e-2, 1e-3),
        numpy_adabelief,
        dict(rate=0.3, b1=0.8, b2=0.6, eps=1e-2, eps_root=1e-3),
    ),
    (adamax(), numpy_adamax, {}),
    (adamax(0.3, 0.8, 0.6, 1e-2), numpy_adamax, dict(rate=0.3, b1=0.8, b2=0.6, eps=1e-2)),
    (yogi(), numpy_yogi, {}),
    (yogi(0.3, 0.8, 0.6, 1e-2), numpy_yogi, dict(rate=0.3, b1=0.8, b2=0.6, eps=1e-2)),
    (adan(), numpy_adan, {}),
    (
        adan(0.3, 0.8, 0.6, 0.7, 1e-2, eps_root=1e-3),
        numpy_adan,
        dict(rate=0.3, b1=0.8, b2=0.6, b3=0.7, eps=1e-2, eps_root=1e-3),
    ),
    (ademamix(), numpy_ademamix, {}),
    (
        ademamix(0.3, 0.8, 0.6, 0.9, 2.0, eps=1e-2),
        numpy_ademamix,
        dict(rate=0.3, b1=0.8, b2=0.6, b3=0.9, alpha=2.0, eps=1e-2),
    ),
    (adopt(), numpy_adopt, {}),
    (adopt(0.3, 0.8, 0.6, 1.0), numpy_adopt, dict(rate=0.3, b1=0.8, b2=0.6, eps=1.0)),
    (lars(), numpy_lars, {}),
    (
        lars(0.3, 0.5, 0.1, 1e-2, weight_decay=0.2),
        numpy_lars,
        dict(rate=0.3, momentum=0.5, trust=0.1, eps=1e-2, decay=0.2),
    ),
    (lamb(), numpy_lamb, {}),
    (
        lamb(0.1, 0.8, 0.6, 1e-2, weight_decay=0.2),
        numpy_lamb,
        dict(rate=0.1, b1=0.8, b2=0.6, eps=1e-2, decay=0.2),
    ),
    (novograd(), numpy_novograd, {}),
    (
        novograd(0.1, 0.5, 0.6, 1e-2, weight_decay=0.2),
        numpy_novograd,
        dict(rate=0.1, b1=0.5, b2=0.6, eps=1e-2, decay=0.2),
    ),
    (adafactor(), numpy_adafactor, {}),
    (
        adafactor(0.1, 0.6, 0.5, 1e-2, multiply_by_parameter_scale=False),
        numpy_adafactor,
        dict(rate=0.1, power=0.6, clip=0.5, eps=1e-2, relative=False),
    ),
    (sm3(), numpy_sm3, {}),
    (sm3(0.5, 0.5), numpy_sm3, dict(rate=0.5, momentum=0.5)),
    (momo(), numpy_momo, {}),
    (
        momo(0.8, 0.7, -1.0, weight_decay=0.1),
        numpy_momo,
        dict(rate=0.8, beta=0.7, bound=-1.0, decay=0.1),
    ),
    (momo_adam(), numpy_momo_adam, {}),
    (
        momo_adam(0.5, 0.8, 0.6, 1e-2, -1.0),
        numpy_momo_adam,
        dict(rate=0.5, b1=0.8, b2=0.6, eps=1e-2, bound=-1.0),
    ),
    (dog(), numpy_dog, {}),
    (dog(0.5, 0.1, 1e-2), numpy_dog, dict(rate=0.5, first=0.1, eps=1e-2)),
    (dowg(), numpy_dowg, {}),
    (dowg(0.5, 0.1), numpy_dowg, dict(rate=0.5, eps=0.1)),
    (dadapt_adamw(), numpy_dadapt, {}),
    (
        dadapt_adamw(0.5, 0.8, 0.6, 1e-2, 1e-2, weight_decay=0.2),
        numpy_dadapt,
        dict(rate=0.5, b1=0.8, b2=0.6, eps=1e-2, first=1e-2, decay=0.2),
    ),
    (prodigy(), numpy_prodigy, {}),
    (
        prodigy(0.5, 0.8, 0.6, 1e-2, 1e-2, weight_decay=0.2),
        numpy_prodigy,
        dict(rate=0.5, b1=0.8, b2=0.6, eps=1e-2, first=1e-2, decay=0.2),
    ),
    (cocob(), numpy_cocob, {}),
    (cocob(3.0, 1e-2), numpy_cocob, dict(alpha=3.0, eps=1e-2)),
    (schedule_free_sgd(), numpy_schedule_free, {}),
    (schedule_free_sgd(0.1, 0.6, 0.0), numpy_schedule_free, dict(rate=0.1, b1=0.6)),
    (schedule_free_adamw(), numpy_schedule_free_adamw, {}),
    (
        schedule_free_adamw(0.1, 0.6, 0.7, 1e-2, weight_decay=0.2),
        numpy_schedule_free_adamw,
        dict(rate=0.1, b1=0.6, b2=0.7, eps=1e-2, decay=0.2),
    ),
    (mechanize(gradient_descent(0.1)), numpy_mechanize, {}),
    (
        mechanize(gradient_descent(0.1), 0.1, 1e-3, 0.5, 3),
        numpy_mechanize,
        dict(decay=0.1, eps=1e-3, first=0.5, count=3),
    ),
]


def ids(sources) -> list[str]:
    return [f"{rule.__name__}-{bool(given)}" for _, rule, given in sources]


@pytest.mark.parametrize(("optimizer", "rule", "given"), SOURCES, ids=ids(SOURCES))
def test_walks_as_the_formulas_say(optimizer: Optimizer, rule, given: dict):
    walked = walk(optimizer, WAVY, X0, STEPS).params
    np.testing.assert_allclose(walked, numpy_walk(rule, STEPS, **given), rtol=1e-9, atol=1e-12)


def test_formulas_that_differ_in_a_detail_are_told_apart():
    walked = walk(adan(0.3), WAVY, X0, STEPS).params

    def of_the_paper(x, k, s, rate=0.3, b1=0.98, b2=0.92, b3=0.99, eps=1e-8):
        g = wavy_grad(x)
        d = g - s.get("g", g)
        s["g"] = g
        m, v = s.move("m", b1, g), s.move("v", b2, d)
        n = s.move("n", b3, (g + b2 * d) ** 2)
        m, v, n = (a / (1 - b ** (k + 1)) for a, b in ((m, b1), (v, b2), (n, b3)))
        return x - rate * (m + b2 * v) / (np.sqrt(n + 1e-8) + eps)

    assert np.max(np.abs(walked - numpy_walk(of_the_paper, STEPS))) > 1e-3


# ---- special cases


@pytest.mark.parametrize(
    ("special", "general"),
    [
        (ademamix(0.1, alpha=0.0), adam(0.1)),
        (radam(0.1, threshold=1e9), radam(0.1, b2=0.5, threshold=1e9)),
        (schedule_free_sgd(0.1, b1=1.0), schedule_free_sgd(0.1, 1.0, 0.0)),
        (gradient_descent(1.0), momo(1.0, beta=0.0, lower_bound=-1e9)),
    ],
)
def test_special_cases_agree(special: Optimizer, general: Optimizer):
    one, other = walk(special, WAVY, X0, 20).params, walk(general, WAVY, X0, 20).params
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


# ---- matrices


SCALE = np.array([[1.0, 0.4, 0.2], [0.7, 0.1, 0.5]])
TARGET = np.array([[0.3, -0.2, 0.5], [0.1, -0.4, 0.2]])
W0 = TARGET + np.array([[1.1, -0.8, 0.6], [1.2, -1.0, 0.9]])


def bowl(w, scale, target):
    return jnp.sum(scale * (w - target) ** 2) / 2


BOWL = Problem(objective=bowl, start=standard_normal((2, 3)), data=(SCALE, TARGET))


def bowl_grad(w):
    return SCALE * (w - TARGET)


def numpy_muon(w, k, s, rate=0.02, beta=0.95, eps=1e-8, decay=0.0, rounds=5, nesterov=True):
    g = bowl_grad(w)
    m = s.move("m", beta, g)
    x = m / (1 - beta ** (k + 1))
    if nesterov:
        x = beta * m / (1 - beta ** (k + 2)) + (1 - beta) * g / (1 - beta ** (k + 1))
    x = x / (np.linalg.norm(x) + eps)
    for _ in range(rounds):
        square = x @ x.T
        x = 3.4445 * x - 4.775 * square @ x + 2.0315 * square @ square @ x
    return w - rate * (np.sqrt(max(1, w.shape[1] / w.shape[0])) * x + decay * w)


def numpy_matrix_sm3(w, k, s, rate=0.1, momentum=0.9):
    g = bowl_grad(w)
    rows, columns = s.get("r", np.zeros((2, 1))), s.get("c", np.zeros((1, 3)))
    v = np.minimum(rows, columns) + g**2
    s["r"], s["c"] = v.max(1, keepdims=True), v.max(0, keepdims=True)
    return w - rate * s.move("m", momentum, g / np.sqrt(v + 1e-8))


def numpy_factored(w, k, s, rate=1e-2, power=0.8):
    g = bowl_grad(w)
    b = 1 - np.float32(k + 1) ** np.float32(-power)
    rows = s.move("r", b, np.mean(g**2 + 1e-30, 1))
    columns = s.move("c", b, np.mean(g**2 + 1e-30, 0))
    u = g / np.sqrt(np.outer(rows, columns) / rows.mean())
    u = u / max(1, np.sqrt(np.mean(u**2)))
    return w - rate * u * max(np.sqrt(np.mean(w**2)), 1e-3)


MATRIX_SOURCES = [
    (muon(), numpy_muon, {}),
    (
        muon(0.1, 0.5, 1e-2, weight_decay=0.2, ns_steps=3, nesterov=False),
        numpy_muon,
        dict(rate=0.1, beta=0.5, eps=1e-2, decay=0.2, rounds=3, nesterov=False),
    ),
    (sm3(), numpy_matrix_sm3, {}),
    (adafactor(min_dim_size_to_factor=2), numpy_factored, {}),
]


@pytest.mark.parametrize(("optimizer", "rule", "given"), MATRIX_SOURCES, ids=ids(MATRIX_SOURCES))
def test_walks_of_matrices_are_as_the_formulas_say(optimizer: Optimizer, rule, given: dict):
    walked = walk(optimizer, BOWL, W0, STEPS).params
    np.testing.assert_allclose(walked, numpy_walk(rule, STEPS, W0, **given), rtol=1e-6, atol=1e-8)


def numpy_sophia(w, k, s, rate=0.1, b1=0.8, b2=0.9, gamma=0.5, cut=0.7, every=3, decay=0.2):
    """On a diagonal Hessian, whose estimate is exact whatever the signs."""
    m = s.move("m", b1, bowl_grad(w)) / (1 - b1 ** (k + 1))
    u = np.clip(m / np.maximum(gamma * s.get("h", 0), 1e-8), -cut, cut)
    if k % every == 0:
        s.move("h", b2, SCALE)
    return w - rate * (u + decay * w)


def test_sophia_divides_by_the_diagonal_of_the_hessian():
    optimizer = sophia(0.1, 0.8, 0.9, 0.5, 0.7, weight_decay=0.2, update_interval=3)
    steps = walk(optimizer, BOWL, W0, STEPS)
    np.testing.assert_allclose(steps.params, numpy_walk(numpy_sophia, STEPS, W0), rtol=1e-9)
    assert steps.calls.hessian_products.tolist() == [k % 3 == 0 for k in range(STEPS)]


def test_muon_refuses_params_without_a_matrix():
    with pytest.raises(NotApplicable, match="muon orthogonalizes matrices, and these params have"):
        jax.eval_shape(muon().init, jnp.ones(3))


def test_mechanize_refuses_complex_params():
    with pytest.raises(NotApplicable, match="takes no complex params"):
        jax.eval_shape(mechanize(gradient_descent()).init, jnp.ones(3, complex))
