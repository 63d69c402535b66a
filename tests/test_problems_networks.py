"""The networks agree with second sources: plain loops, closed forms, and what theory says."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from scipy.special import log_softmax, softmax
from sklearn.decomposition import PCA

from optbench.catalog import collect
from optbench.errors import OptbenchError
from problems.networks import attention as attention_module
from problems.networks import physics
from problems.networks.attention import attention, causal_attention, transformer, transformer_logits
from problems.networks.deep import deep_linear, deep_tanh
from problems.networks.embeddings import (
    embedding_bag,
    low_rank_adapter,
    tied_embedding,
    untied_logits,
)
from problems.networks.layers import Draw, layer_norm, mean_cross_entropy
from problems.networks.multilayer import (
    autoencoder_digits,
    mlp_digits,
    one_neuron,
    teacher_student,
    xor_network,
)
from problems.networks.physics import poisson_network
from problems.networks.recurrent import recurrent_recall

NETWORKS = collect("problems.networks", "Problem")
RNG = np.random.default_rng(11)


@functools.cache
def compiled(function):
    return jax.jit(jax.value_and_grad(function))


def evaluate(problem, params, data=None):
    """f and its gradient, in NumPy."""
    with jax.enable_x64(True):
        found = compiled(problem.objective)(params, *(data or problem.data))
        return jax.tree.map(np.asarray, found)


def assert_same(one, other, rtol=1e-10):
    scale = max(float(np.max(np.abs(leaf))) for leaf in jax.tree.leaves(other))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale), one, other
    )


# Forward passes, written a second time: one row and one step at a time.


def neuron_loop(params, inputs):
    return [np.tanh(sum(w * x for w, x in zip(params, row, strict=True))) for row in inputs]


def perceptron_loop(params, inputs):
    units = zip(params["hidden_weights"].T, params["hidden_biases"], strict=True)
    hidden = np.array([[np.tanh(w @ x + b) for x in inputs] for w, b in units])
    return np.einsum("hn,hk->nk", hidden, params["output_weights"]) + params["output_biases"]


def chain_loop(weights, inputs):
    return inputs @ functools.reduce(np.matmul, weights)


def tanh_loop(problem):
    network = problem.objective.outputs.network

    def forward(params, inputs):
        states = inputs
        for weights, biases in zip(params["weights"], params["biases"], strict=True):
            summed = np.einsum("nj,jk->nk", states, weights) + biases
            if network.layer_norm:
                centered = [row - np.mean(row) for row in summed]
                summed = np.array([row / np.sqrt(np.mean(row**2) + 1e-5) for row in centered])
            states = np.tanh(summed) + (states if network.residual else 0.0)
        return states @ params["readout"]

    return forward


def recurrent_loop(params, inputs):
    answers = []
    for sequence in inputs:
        state = np.zeros(len(params["biases"]))
        for entry in sequence:
            drive = params["input_weights"].T @ entry + params["biases"]
            state = np.tanh(params["recurrent_weights"].T @ state + drive)
        answers.append(params["readout"].T @ state)
    return np.array(answers)


def attention_loop(params, inputs):
    outputs = np.zeros_like(inputs)
    for n, tokens in enumerate(inputs):
        for i, query in enumerate(tokens @ params["query"]):
            scores = [query @ (params["key"].T @ token) for token in tokens]
            weights = softmax(np.array(scores) / np.sqrt(len(query)))
            outputs[n, i] = weights @ (tokens @ params["value"])
    return outputs


def normalized(row):
    return (row - row.mean()) / np.sqrt(row.var() + 1e-5)


def transformer_loop(params, inputs):
    logits = []
    for sentence in inputs:
        states = sentence @ params["letters"] + params["positions"]
        for layer in params["layers"]:
            normal = np.array([normalized(row) for row in states])
            moved = states.copy()
            for i, row in enumerate(normal):
                keys = normal[: i + 1] @ layer["key"]
                weights = softmax(keys @ (layer["query"].T @ row) / np.sqrt(len(row)))
                moved[i] += weights @ normal[: i + 1] @ layer["value"]
            hidden = np.array([normalized(row) for row in moved]) @ layer["expand"]
            states = moved + np.tanh(hidden + layer["expand_biases"]) @ layer["contract"]
        logits.append(states[1:] @ params["logits"])
    return np.array(logits)


def tied_loop(params, inputs):
    embedding = params["embedding"]
    words = inputs.argmax(axis=1)
    return np.array([[embedding[j] @ params["mixing"] @ e for e in embedding] for j in words])


def bag_loop(params, inputs):
    means = [sum(c * params["embeddings"][r] for r, c in enumerate(row) if c) for row in inputs]
    return np.array(means) @ params["readout"]


def adapted_loop(params, inputs, frozen):
    return inputs @ (frozen + params["down"] @ params["up"])


def poisson_loop(params, points):
    """-u'' by Richardson's differences of u."""

    def solution(x):
        return x * (1 - x) * (np.tanh(x * params["weights"] + params["biases"]) @ params["readout"])

    def second(h):
        return (solution(points + h) - 2 * solution(points) + solution(points - h)) / h**2

    return -(4 * second(1e-3) - second(2e-3)) / 3


def square_loss(outputs, targets):
    return np.sum((np.asarray(outputs) - targets) ** 2) / 2 / len(targets)


def entropy_loss(logits, targets):
    return -np.mean(np.sum(targets * log_softmax(logits, axis=-1), axis=-1))


SECOND_SOURCES = {
    "one_neuron": neuron_loop,
    "teacher_student": perceptron_loop,
    "xor_network": perceptron_loop,
    "autoencoder_digits": perceptron_loop,
    "deep_linear": chain_loop,
    "recurrent_recall": recurrent_loop,
    "attention": attention_loop,
    "transformer": transformer_loop,
    "tied_embedding": tied_loop,
    "embedding_bag": bag_loop,
    "low_rank_adapter": adapted_loop,
    "poisson_network": poisson_loop,
}


@pytest.mark.parametrize("name", SECOND_SOURCES)
def test_equals_a_plain_loop(name):
    problem = NETWORKS[name]()
    inputs, targets, *constants = problem.data
    params = problem.start(1)
    outputs = SECOND_SOURCES[name](params, inputs, *constants)
    entropic = problem.objective.output_loss is mean_cross_entropy
    expected = (entropy_loss if entropic else square_loss)(outputs, targets)
    rtol = 1e-7 if name == "poisson_network" else 1e-12
    np.testing.assert_allclose(evaluate(problem, params)[0], expected, rtol=rtol)


def test_mlp_digits_equals_a_plain_loop():
    problem, params = mlp_digits(hidden=3, num_samples=40), mlp_digits(hidden=3).start(1)
    inputs, targets, l2 = problem.data
    expected = entropy_loss(perceptron_loop(params, inputs), targets)
    expected += float(l2) / 2 * sum(np.sum(leaf**2) for leaf in params.values())
    np.testing.assert_allclose(evaluate(problem, params)[0], expected, rtol=1e-12)


CURES = [
    {},
    {"init": "xavier"},
    {"init": "orthogonal"},
    {"residual": True},
    {"layer_norm": True},
]


@pytest.mark.parametrize("cure", [CURES[0], CURES[3], CURES[4]])
def test_deep_tanh_equals_a_plain_loop(cure):
    problem = deep_tanh(**cure)
    inputs, targets = problem.data
    params = problem.start(1)
    expected = square_loss(tanh_loop(problem)(params, inputs), targets)
    np.testing.assert_allclose(evaluate(problem, params)[0], expected, rtol=1e-12)
    assert evaluate(problem, problem.minimizer)[0] < 1e-25


# Gradients.


def attention_gradient(params, inputs, targets, centered=True):
    """By hand: softmax' = diag(a) - a a^T; without its second term the gradient is wrong."""
    found = {name: np.zeros_like(leaf) for name, leaf in params.items()}
    scale = np.sqrt(params["query"].shape[1])
    for x, y in zip(inputs, targets, strict=True):
        queries, keys, values = (x @ params[name] for name in ("query", "key", "value"))
        weights = softmax(queries @ keys.T / scale, axis=1)
        errors = (weights @ values - y) / len(inputs)
        slopes = errors @ values.T
        if centered:
            slopes = slopes - np.sum(slopes * weights, axis=1, keepdims=True)
        slopes = weights * slopes / scale
        found["value"] += x.T @ weights.T @ errors
        found["query"] += x.T @ slopes @ keys
        found["key"] += x.T @ slopes.T @ queries
    return found


def test_attention_has_the_closed_form_gradient():
    problem, params = attention(), attention().start(1)
    _, grad = evaluate(problem, params)
    assert_same(grad, attention_gradient(params, *problem.data))
    with pytest.raises(AssertionError):
        assert_same(grad, attention_gradient(params, *problem.data, centered=False))


def linear_gradient(weights, inputs, targets):
    """d f / d W_l = (W_1 ... W_{l-1})^T X^T (X W_1 ... W_L - Y) (W_{l+1} ... W_L)^T / n."""
    slope = inputs.T @ (chain_loop(weights, inputs) - targets) / len(inputs)
    before, after = np.eye(len(weights[0])), np.eye(weights[-1].shape[1])
    found = []
    for level in range(len(weights)):
        left = functools.reduce(np.matmul, weights[:level], before)
        right = functools.reduce(np.matmul, reversed([w.T for w in weights[level + 1 :]]), after)
        found.append(left.T @ slope @ right)
    return tuple(found)


def test_deep_linear_has_the_closed_form_gradient():
    problem = deep_linear(depth=4)
    params = problem.start(1)
    assert_same(evaluate(problem, params)[1], linear_gradient(params, *problem.data))


def test_tied_gradient_is_the_sum_of_the_untied_ones():
    problem, params = tied_embedding(), tied_embedding().start(1)
    words, targets = problem.data
    embedding = params["embedding"]
    untied = {"inputs": embedding, "mixing": params["mixing"], "outputs": embedding}

    def loss(params):
        return mean_cross_entropy(untied_logits(params, words), words, targets)

    with jax.enable_x64(True):
        parts = jax.grad(loss)(jax.tree.map(jnp.asarray, untied))
    _, grad = evaluate(problem, params)
    assert_same(grad["embedding"], np.asarray(parts["inputs"] + parts["outputs"]))
    assert_same(grad["mixing"], np.asarray(parts["mixing"]))
    assert np.max(np.abs(parts["inputs"] - parts["outputs"])) > 1e-3


def test_embedding_bag_leaves_unseen_words_alone():
    problem = embedding_bag()
    bags, targets = problem.data
    _, grad = evaluate(problem, problem.start(1))
    seen = bags.any(axis=0)
    assert 40 < seen.sum() < 110
    np.testing.assert_array_equal(grad["embeddings"].any(axis=1), seen)
    _, grad = evaluate(problem, problem.start(1), (bags[:1], targets[:1]))
    np.testing.assert_array_equal(grad["embeddings"].any(axis=1), bags[0] > 0)


def test_low_rank_gradient_follows_the_chain_rule():
    problem = low_rank_adapter()
    inputs, targets, frozen = problem.data
    params = {name: RNG.standard_normal(leaf.shape) for name, leaf in problem.start(0).items()}
    whole = inputs.T @ (adapted_loop(params, inputs, frozen) - targets) / len(inputs)
    expected = {"down": whole @ params["up"].T, "up": params["down"].T @ whole}
    assert_same(evaluate(problem, params)[1], expected)
    value, at_start = evaluate(problem, problem.start(3))
    assert not at_start["down"].any() and at_start["up"].any()
    np.testing.assert_allclose(value, problem.critical_points[0].value, rtol=1e-12)


# What the passports say.


def gradient_norms(problem):
    """Of biases and weights per layer, [2, depth], medians over starts."""
    grads = [evaluate(problem, problem.start(seed))[1] for seed in range(5)]
    norms = [[np.linalg.norm(g["biases"], axis=1), _norms(g["weights"])] for g in grads]
    return np.median(norms, axis=0)


def _norms(matrices):
    return np.sqrt(np.sum(matrices**2, axis=(1, 2)))


def test_deep_tanh_vanishes_and_each_cure_helps():
    """The error sent back is the gradient of the biases: first layer over last."""
    found = [gradient_norms(deep_tanh(**cure)) for cure in CURES]
    vanished, *cured = [biases[0] / biases[-1] for biases, _ in found]
    assert vanished < 1e-4
    xavier, orthogonal, residual, normed = cured
    assert 1e3 * vanished < xavier < orthogonal < min(residual, normed)
    assert orthogonal > 0.1 and min(residual, normed) > 1


def test_deep_tanh_has_tiny_gradients_in_all_layers():
    """Error times signal: what one loses on the way back the other loses on the way forward."""
    tiny, cured = (gradient_norms(deep_tanh(init=init))[1] for init in ("uniform", "orthogonal"))
    assert np.max(tiny) < 1e-3 * np.min(cured)
    assert max(np.ptp(np.log10(norms)) for norms in (tiny, cured)) < 1


def test_recurrent_gradient_grows_with_the_spectral_radius():
    def size(radius):
        problem = recurrent_recall(spectral_radius=radius)
        grads = [evaluate(problem, problem.start(seed))[1] for seed in range(9)]
        return np.median([np.linalg.norm(grad["input_weights"][0]) for grad in grads])

    sizes = [size(radius) for radius in (0.5, 0.8, 1.0, 1.5, 3.0)]
    assert sizes[0] < 1e-8 and sizes[-1] > 10
    assert all(low < high for low, high in zip(sizes, sizes[1:], strict=False))


def test_recurrent_recall_has_infimum_zero():
    problem, values = recurrent_recall(), []
    for size in (1e-1, 1e-2, 1e-3):
        params = jax.tree.map(np.zeros_like, problem.start(0))
        params["recurrent_weights"] = np.eye(8)
        params["input_weights"][0, 0], params["readout"][0, 0] = size, 1 / size
        values.append(float(evaluate(problem, params)[0]))
    assert values[0] > 1e3 * values[1] > 1e6 * values[2] > 0


def test_deep_linear_minimum_is_that_of_reduced_rank_regression():
    """Half of tr S_yy less the leading eigenvalues of S_yx S_xx^-1 S_xy (Baldi & Hornik 1989)."""
    problem = deep_linear()
    x, y = problem.data
    fitted = y.T @ x @ np.linalg.solve(x.T @ x, x.T @ y) / len(x)
    eigenvalues = np.linalg.eigvalsh(fitted)[::-1]
    expected = (np.sum(y**2) / len(x) - np.sum(eigenvalues[:3])) / 2
    np.testing.assert_allclose(problem.minimum, expected, rtol=1e-12)


def test_deep_linear_has_no_poor_local_minimum():
    problem = deep_linear()
    shapes = [w.shape for w in problem.start(0)]
    ends = np.cumsum([np.prod(shape) for shape in shapes])

    def value_and_grad(flat):
        parts = np.split(flat, ends[:-1])
        weights = tuple(p.reshape(s) for p, s in zip(parts, shapes, strict=True))
        value = square_loss(chain_loop(weights, problem.data[0]), problem.data[1])
        return value, np.concatenate([g.ravel() for g in linear_gradient(weights, *problem.data)])

    for seed in range(3):
        start = np.concatenate([w.ravel() for w in problem.start(seed)])
        found = scipy.optimize.minimize(value_and_grad, start, jac=True, options={"gtol": 1e-7})
        np.testing.assert_allclose(found.fun, problem.minimum, rtol=1e-8)


def curvatures(problem, params):
    """Eigenvalues of the Hessian, by differences of gradients."""
    leaves, structure = jax.tree.flatten(params)
    ends, step = np.cumsum([leaf.size for leaf in leaves])[:-1], 1e-5
    center = np.concatenate([leaf.ravel() for leaf in leaves])

    def gradient(point):
        parts = zip(np.split(point, ends), leaves, strict=True)
        moved = jax.tree.unflatten(structure, [part.reshape(like.shape) for part, like in parts])
        return np.concatenate([g.ravel() for g in jax.tree.leaves(evaluate(problem, moved)[1])])

    rows = [gradient(center + e) - gradient(center - e) for e in step * np.eye(center.size)]
    hessian = np.array(rows) / (2 * step)
    return np.linalg.eigvalsh((hessian + hessian.T) / 2)


def test_the_origin_of_a_deep_linear_network_has_no_curvature():
    for depth, flat in ((2, False), (3, True)):
        problem = deep_linear(depth=depth, dim=3, hidden=2)
        eigenvalues = curvatures(problem, problem.critical_points[0].point)
        assert (np.max(np.abs(eigenvalues)) < 1e-9) == flat
        assert flat or np.min(eigenvalues) < -0.1


STRICT = [attention, teacher_student, tied_embedding, low_rank_adapter]


@pytest.mark.parametrize("factory", STRICT)
def test_saddles_have_negative_curvature(factory):
    problem = factory()
    (saddle,) = problem.critical_points
    assert curvatures(problem, saddle.point)[0] < -1e-3
    value, grad = evaluate(problem, saddle.point)
    np.testing.assert_allclose(value, saddle.value, rtol=1e-12)
    assert max(np.max(np.abs(leaf)) for leaf in jax.tree.leaves(grad)) < 1e-14


def test_one_neuron_descends_towards_its_teacher():
    """The slope along w - w* is positive everywhere: no other critical point."""
    problem = one_neuron(dim=3)
    for scale in (0.1, 1.0, 3.0):
        for _ in range(20):
            away = scale * RNG.standard_normal(3)
            _, grad = evaluate(problem, problem.minimizer + away)
            assert grad @ away > 0


def test_one_neuron_bounds_come_from_tanh():
    t = np.linspace(-1, 1, 100001)
    np.testing.assert_allclose(np.max((1 + t) * (1 - t**2)), 32 / 27, rtol=1e-9)
    np.testing.assert_allclose(np.max(2 * t * (1 - t**2)), 4 / (3 * np.sqrt(3)), rtol=1e-9)


def test_xor_is_out_of_reach_of_linear_functions():
    problem = xor_network()
    inputs, targets = problem.data
    np.testing.assert_array_equal(targets[:, 0], [-1, 1, 1, -1])
    rows = np.hstack([inputs, np.ones((4, 1))])
    np.testing.assert_allclose(np.linalg.lstsq(rows, targets)[0], 0, atol=1e-15)
    outputs = perceptron_loop(problem.minimizer, inputs)
    np.testing.assert_allclose(outputs, targets, atol=1e-14)


def test_teacher_has_symmetric_copies():
    problem = teacher_student()
    params = {name: np.array(leaf) for name, leaf in problem.minimizer.items()}
    order = [2, 0, 1]
    params |= {name: params[name][..., order] for name in ("hidden_weights", "hidden_biases")}
    params["output_weights"] = params["output_weights"][order]
    for name in ("hidden_weights", "hidden_biases", "output_weights"):
        params[name] = -params[name]
    assert evaluate(problem, params)[0] < 1e-28


def test_autoencoder_infimum_is_what_principal_components_leave():
    problem = autoencoder_digits(hidden=4, num_samples=60)
    images, _ = problem.data
    components = PCA(4).fit(images)
    restored = components.inverse_transform(components.transform(images))
    np.testing.assert_allclose(problem.minimum, square_loss(restored, images), rtol=1e-12)
    gaps = []
    for size in (1e-1, 1e-2):
        params = {
            "hidden_weights": size * components.components_.T,
            "hidden_biases": -size * components.components_ @ components.mean_,
            "output_weights": components.components_ / size,
            "output_biases": components.mean_,
        }
        gaps.append(square_loss(perceptron_loop(params, images), images) - problem.minimum)
    assert gaps[0] > 50 * gaps[1] > 0


# The language and its transformer.


def test_the_language_has_one_bit_per_letter():
    """By counting: after every beginning two letters follow, equally often."""
    sentences = np.argmax(transformer().data[0], axis=-1)
    last = np.argmax(transformer().data[1], axis=-1)[:, -1:]
    sentences = np.hstack([sentences, last])
    for end in range(2, 5):
        beginnings, index = np.unique(sentences[:, :end], axis=0, return_inverse=True)
        for row in range(len(beginnings)):
            letters, counts = np.unique(sentences[index == row, end], return_counts=True)
            assert len(letters) == 2 and counts[0] == counts[1]


def hard_attention(sharpness, odds):
    """Params of a transformer that copies the letter before the last and knows what follows it.

    States hold the letter (3 entries), a point on the circle and its opposite (4), and the letter
    copied (3): all of one mean and norm, which the layer norm then only scales.
    """
    angles = np.pi / 4 * np.arange(4)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    read = np.zeros((10, 10))
    read[3:7, :2] = np.vstack([np.eye(2), -np.eye(2)]) / 2
    back = np.eye(10)
    back[:2, :2] = [[np.cos(np.pi / 4), -np.sin(np.pi / 4)], [np.sin(np.pi / 4), np.cos(np.pi / 4)]]
    copy, follow = np.zeros((10, 10)), np.zeros((10, 3))
    copy[:3, 7:] = np.eye(3)
    follow[7:] = odds * (np.eye(3) + np.roll(np.eye(3), 1, axis=1))
    zero = jax.tree.map(np.zeros_like, transformer().start(0)["layers"][0])
    attending = {"query": sharpness * read @ back, "key": read, "value": copy}
    return {
        "letters": np.eye(3, 10),
        "positions": np.hstack([np.zeros((4, 3)), circle, -circle, np.zeros((4, 3))]),
        "layers": (zero | attending,),
        "logits": follow,
    }


def test_transformer_infimum_is_the_entropy():
    problem = transformer()
    gaps = [float(evaluate(problem, hard_attention(s, s))[0] - np.log(2)) for s in (5, 20, 80)]
    assert gaps[0] > 1e-3 and gaps[0] > gaps[1] > gaps[2] > -1e-15
    assert gaps[2] < 1e-6
    assert transformer(dim=8).minimum is None


def leak():
    """How much the outputs of the first tokens change with the last token."""
    params = transformer(num_layers=2).start(0)
    sentences = np.eye(3)[np.array([[0, 1, 2, 0], [0, 1, 2, 1]])]
    with jax.enable_x64(True):
        logits = np.asarray(transformer_logits(params, sentences))
    return np.max(np.abs(logits[0, :3] - logits[1, :3])), np.max(np.abs(logits[0] - logits[1]))


def see_all(layer, states):
    """Attention without a mask."""
    names = {"query": layer["query"], "key": layer["key"], "value": layer["value"]}
    return attention_module._attention(names, layer_norm(states))


def test_transformer_does_not_see_the_future(monkeypatch):
    earlier, last = leak()
    assert earlier == 0 < last
    monkeypatch.setattr(attention_module, "causal_attention", see_all)
    assert leak()[0] > 1e-3


def test_without_a_future_the_mask_changes_nothing():
    layer = transformer().start(0)["layers"][0]
    states = RNG.standard_normal((2, 4, 10))
    with jax.enable_x64(True):
        masked = causal_attention(layer, jnp.asarray(states))
        open_ = see_all(layer, jnp.asarray(states))
    np.testing.assert_allclose(masked[:, -1], open_[:, -1], rtol=1e-12)


# The differential equation.


def test_trial_solution_meets_the_boundary_and_the_equation():
    params = poisson_network().start(1)
    with jax.enable_x64(True):
        ends = physics.trial_solution(params, jnp.array([[0.0], [1.0]]))
        second = jax.vmap(jax.grad(jax.grad(lambda x: _at(params, x))))(jnp.linspace(0.1, 0.9, 5))
        by_hand = physics.negative_curvature(params, jnp.linspace(0.1, 0.9, 5)[:, None])
    np.testing.assert_array_equal(ends, 0)
    np.testing.assert_allclose(by_hand[:, 0], -second, rtol=1e-12)


def _at(params, x):
    return physics.trial_solution(params, x[None, None])[0, 0]


def test_solution_error_is_that_of_the_exact_solution():
    problem, params = poisson_network(), poisson_network().start(1)
    points, sources = problem.data
    (name, monitor), x = problem.monitors[0], points[:, 0]
    hidden = np.tanh(x[:, None] * params["weights"] + params["biases"])
    expected = np.max(np.abs(x * (1 - x) * (hidden @ params["readout"])[:, 0] - np.sin(np.pi * x)))
    with jax.enable_x64(True):
        found = monitor(params, *problem.data)
    assert name == "solution_error"
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(sources[:, 0], np.pi**2 * np.sin(np.pi * x))


# How they are built.


def test_initializations_have_their_variances():
    rng = np.random.default_rng(0)
    expected = {"uniform": 1 / 300, "lecun": 1 / 100, "xavier": 2 / 300, "orthogonal": 1 / 200}
    for init, variance in expected.items():
        drawn = Draw((100, 200), init)(rng)
        spread = np.var(drawn)
        assert abs(spread / variance - 1) < 5 * np.sqrt(2 / drawn.size), init
    assert np.max(np.abs(Draw((100, 200), "uniform")(rng))) <= 1 / 10
    assert not Draw((3, 4), "zeros")(rng).any()


def test_stacked_layers_are_orthogonal_one_by_one():
    for square in Draw((3, 5, 5), "orthogonal", scale=2.0)(np.random.default_rng(0)):
        np.testing.assert_allclose(square @ square.T, 4 * np.eye(5), atol=1e-14)


def test_radius_is_that_of_the_recurrent_weights():
    weights = recurrent_recall(spectral_radius=1.7).start(2)["recurrent_weights"]
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(weights)), 1.7, rtol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_a_finite_sum_with_a_fisher_matrix(name):
    whole, sampled = NETWORKS[name](), NETWORKS[name](batch_size=2)
    assert whole.has_fisher and whole.row_arrays == 2 and not whole.stochastic
    assert sampled.sample_fraction == 2 / len(whole.data[0])
    again = dataclasses.replace(sampled, sample_loss=None, sample_fraction=1.0)
    assert jax.tree.structure(again) == jax.tree.structure(whole)


def test_seeds_share_one_program():
    for factory in (one_neuron, deep_tanh, attention, embedding_bag, recurrent_recall):
        assert jax.tree.structure(factory(seed=0)) == jax.tree.structure(factory(seed=1))
        assert not np.array_equal(factory(seed=0).data[0], factory(seed=1).data[0])
    structures = {jax.tree.structure(deep_tanh(**cure)) for cure in CURES}
    assert len(structures) == 3


MALFORMED = [
    lambda: one_neuron(dim=0),
    lambda: one_neuron(dim=60),
    lambda: teacher_student(hidden=0),
    lambda: teacher_student(num_samples=1),
    lambda: xor_network(batch_size=5),
    lambda: mlp_digits(l2=0.0),
    lambda: mlp_digits(hidden=0),
    lambda: mlp_digits(num_samples=1798),
    lambda: autoencoder_digits(hidden=65),
    lambda: autoencoder_digits(num_samples=0),
    lambda: deep_linear(depth=1),
    lambda: deep_linear(hidden=6),
    lambda: deep_linear(init="large"),
    lambda: deep_tanh(depth=0),
    lambda: deep_tanh(init="large"),
    lambda: deep_tanh(num_samples=0),
    lambda: recurrent_recall(lag=0),
    lambda: recurrent_recall(spectral_radius=0.0),
    lambda: recurrent_recall(hidden=0),
    lambda: attention(length=1),
    lambda: attention(dim=0),
    lambda: transformer(letters=2),
    lambda: transformer(length=2),
    lambda: transformer(num_layers=0),
    lambda: transformer(dim=0),
    lambda: tied_embedding(dim=13),
    lambda: tied_embedding(vocabulary=1, dim=1),
    lambda: embedding_bag(bag_size=0),
    lambda: low_rank_adapter(rank=7),
    lambda: poisson_network(num_points=0),
    lambda: poisson_network(hidden=0),
]


@pytest.mark.parametrize("factory", MALFORMED)
def test_networks_refuse_bad_arguments(factory):
    with pytest.raises(OptbenchError) as raised:
        factory()
    assert raised.value.hint and "\n" not in raised.value.message
