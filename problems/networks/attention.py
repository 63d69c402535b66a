"""Softmax attention: one layer with a teacher, and a small transformer."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, CriticalPoint, Problem
from optbench.transforms.minibatches import minibatches
from problems.draws import data_rng
from problems.networks.layers import (
    Draw,
    InitialWeights,
    cross_entropy,
    draw_weights,
    layer_norm,
    least_squares,
    zeros,
)

TEACHER_SCALE = 1.5  # of its queries and keys over LeCun's draws: attention that is not uniform


def _attention(params: Any, inputs: Any) -> Any:
    """[n, time, dim] -> [n, time, dim]: softmax(Q K^T / sqrt(d)) V."""
    queries, keys, values = (inputs @ params[name] for name in ("query", "key", "value"))
    scores = queries @ jnp.swapaxes(keys, 1, 2) / jnp.sqrt(float(keys.shape[-1]))
    return jax.nn.softmax(scores) @ values


def _attention_targets(params: Any, inputs: np.ndarray) -> np.ndarray:
    queries, keys, values = (inputs @ params[name] for name in ("query", "key", "value"))
    weights = np.exp(queries @ keys.transpose(0, 2, 1) / np.sqrt(keys.shape[-1]))
    return weights / weights.sum(axis=2, keepdims=True) @ values


def attention(
    dim: int = 4,
    length: int = 5,
    num_samples: int = 24,
    seed: int = 0,
    *,
    batch_size: int | None = None,
) -> Problem:
    """One layer of softmax attention fitted to its teacher: half the mean square error of A V.

    A = softmax(X W_Q (X W_K)^T / sqrt(dim)) by rows, V = X W_V, for each sequence X of `length`
    tokens; f sums over the entries of A V and averages over sequences.

    Dimension: 3 dim^2, 48 by default. Start: LeCun's draws. x*: the teacher; (W_Q M, W_K M^-T) is
    equal to it for every invertible M; f* = 0.
    Critical point: uniform attention, W_Q = W_K = 0 with W_V by least squares, is a saddle.
    Constants: none holds globally.

    Source: Vaswani et al. (2017), "Attention is all you need", NIPS 30, equation 1.

    Args:
        dim: size of tokens, queries, keys and values.
        length: tokens per sequence, at least 2; standard normal.
        num_samples: number of sequences, at least `dim`.
        seed: of the data.
        batch_size: sequences per sampled gradient; None for all of them.

    Raises:
        OptbenchError: a size out of range.
    """
    if length < 2 or not 1 <= dim <= num_samples:
        raise OptbenchError(
            f"no attention to {num_samples} sequences of {length} tokens of size {dim}",
            "give length >= 2 and num_samples >= dim >= 1",
        )
    names, rng = ("query", "key", "value"), data_rng(seed)
    sharp = Draw((dim, dim), scale=TEACHER_SCALE)
    teacher = draw_weights(dict(zip(names, (sharp, sharp, Draw((dim, dim))), strict=True)), rng)
    inputs = rng.standard_normal((num_samples, length, dim))
    targets = _attention_targets(teacher, inputs)
    means = np.repeat(inputs.mean(axis=1), length, axis=0)
    flat_targets = targets.reshape(-1, dim)
    uniform = {name: np.zeros((dim, dim)) for name in names}
    uniform["value"] = np.linalg.lstsq(means, flat_targets)[0]
    errors = means @ uniform["value"] - flat_targets
    value = float(np.sum(errors**2) / (2 * num_samples))
    problem = Problem(
        **least_squares(_attention),
        data=(inputs, targets),
        start=InitialWeights({name: Draw((dim, dim)) for name in names}),
        minimum=0.0,
        minimizer=teacher,
        minimum_kind="closed form",
        critical_points=(CriticalPoint("saddle", value, uniform),),
        constants=Constants(convex=False),
        name="attention",
        source="Vaswani et al. (2017), NIPS 30, equation 1",
    )
    return minibatches(problem, batch_size)


def causal_attention(layer: Any, states: Any) -> Any:
    """Attention of each token to itself and those before it."""
    normal = layer_norm(states)
    queries, keys, values = (normal @ layer[name] for name in ("query", "key", "value"))
    scores = queries @ jnp.swapaxes(keys, 1, 2) / jnp.sqrt(float(keys.shape[-1]))
    length = states.shape[1]
    past = np.tril(np.ones((1, length, length), dtype=bool))
    return jax.nn.softmax(jnp.where(past, scores, -jnp.inf)) @ values


def transformer_logits(params: Any, inputs: Any) -> Any:
    """[n, time, letters] one-hot letters -> [n, time, letters] logits of the next ones."""
    states = inputs @ params["letters"] + params["positions"][None, :, :]
    for layer in params["layers"]:
        states = states + causal_attention(layer, states)
        hidden = layer_norm(states) @ layer["expand"] + layer["expand_biases"][None, None, :]
        states = states + jnp.tanh(hidden) @ layer["contract"]
    return states @ params["logits"]


def _predictions(params: Any, inputs: Any) -> Any:
    """Logits from the second token on: the first says nothing of the next."""
    return transformer_logits(params, inputs)[:, 1:]


def _sentences(letters: int, length: int) -> np.ndarray:
    """[n, length] all sentences of the language."""
    starts = itertools.product(range(letters), repeat=2)
    choices = list(itertools.product(range(2), repeat=length - 2))
    sentences = []
    for start, chosen in itertools.product(starts, choices):
        sentence = list(start)
        for choice in chosen:
            sentence.append((sentence[-2] + choice) % letters)
        sentences.append(sentence)
    return np.array(sentences)


def transformer(
    num_layers: int = 1,
    dim: int = 10,
    letters: int = 3,
    length: int = 5,
    *,
    batch_size: int | None = None,
) -> Problem:
    """A small causal transformer that learns a language: cross-entropy of the next letter.

    Each letter is the one two places before it or the successor of that, at even odds. The data
    are all sentences of the language, so the entropy, log 2 per letter, is no estimate: no causal
    model does better, whatever its size. To do as well it must attend to the token before.
    One head, layer norm before each part, a tanh layer of width `dim`, learned positions.

    Dimension: 2 letters dim + (length - 1) dim + num_layers (5 dim^2 + dim), 610 by default.
    Start: LeCun's draws. x*: none. f*: log 2 is the infimum from dim = 2 letters + 4 on, approached
    as hard attention copies letters and logits grow; a lower bound below.
    Constants: none holds globally.

    Source: Vaswani et al. (2017), "Attention is all you need", NIPS 30, section 3; entropy of a
    Markov source: Shannon (1948), "A mathematical theory of communication", section 7.

    Args:
        num_layers: number of blocks.
        dim: size of the states.
        letters: size of the alphabet, at least 3.
        length: letters per sentence, at least 3; there are letters^2 2^(length - 2) sentences.
        batch_size: sentences per sampled gradient; None for all of them.

    Raises:
        OptbenchError: a size out of range.
    """
    if num_layers < 1 or letters < 3 or not 3 <= length <= 12:
        raise OptbenchError(
            f"no {num_layers} layers on sentences of {length} out of {letters} letters",
            "give num_layers >= 1, letters >= 3 and 3 <= length <= 12",
        )
    one_hot = np.eye(letters)[_sentences(letters, length)]
    layer = dict.fromkeys(("query", "key", "value"), Draw((dim, dim))) | {
        "expand": Draw((dim, dim)),
        "expand_biases": zeros(dim),
        "contract": Draw((dim, dim)),
    }
    draws = {
        "letters": Draw((letters, dim)),
        "positions": Draw((length - 1, dim)),
        "layers": (layer,) * num_layers,
        "logits": Draw((dim, letters)),
    }
    wide = dim >= 2 * letters + 4
    problem = Problem(
        **cross_entropy(_predictions),
        data=(one_hot[:, :-1], one_hot[:, 2:]),
        start=InitialWeights(draws),
        minimum=float(np.log(2)) if wide else None,
        minimum_kind="closed form" if wide else None,
        constants=Constants(convex=False),
        name="transformer",
        source="Vaswani et al. (2017), NIPS 30, section 3",
    )
    return minibatches(problem, batch_size)
