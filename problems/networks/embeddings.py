"""Embeddings: tied, in bags, and low-rank changes of a frozen layer."""

from __future__ import annotations

from typing import Any

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
    least_squares,
)


def untied_logits(params: Any, inputs: Any) -> Any:
    """x E_in M E_out^T, for one-hot words x."""
    return inputs @ params["inputs"] @ params["mixing"] @ params["outputs"].T


def _tied_logits(params: Any, inputs: Any) -> Any:
    """The same embedding on both sides."""
    embedding = params["embedding"]
    untied = {"inputs": embedding, "mixing": params["mixing"], "outputs": embedding}
    return untied_logits(untied, inputs)


def tied_embedding(
    vocabulary: int = 12, dim: int = 3, seed: int = 0, *, batch_size: int | None = None
) -> Problem:
    """A bigram model whose words have one embedding, as input and as output.

    P(k | j) = softmax_k(e_j^T M e_k), and f is the cross-entropy with a teacher of the same kind,
    mean over words j: the probabilities are known, there is no sample of text.

    Dimension: vocabulary dim + dim^2, 45 by default. Start: LeCun's draws. x*: the teacher, and
    (E G, G^-1 M G^-T) for every invertible G; f*: the mean entropy of its rows.
    Critical point: E = 0, M = I is a saddle, f = log vocabulary.
    Constants: none holds globally.

    Source: Press & Wolf (2017), "Using the output embedding to improve language models", EACL.

    Args:
        vocabulary: number of words, at least 2.
        dim: of an embedding, at most `vocabulary`.
        seed: of the teacher.
        batch_size: words per sampled gradient; None for all of them.

    Raises:
        OptbenchError: a size out of range.
    """
    if not 1 <= dim <= vocabulary or vocabulary < 2:
        raise OptbenchError(
            f"no embedding of {vocabulary} words in {dim} dimensions",
            "give vocabulary >= 2 and 1 <= dim <= vocabulary",
        )
    rng, words = data_rng(seed), np.eye(vocabulary)
    teacher = {
        "embedding": rng.standard_normal((vocabulary, dim)),
        "mixing": rng.standard_normal((dim, dim)),
    }
    logits = teacher["embedding"] @ teacher["mixing"] @ teacher["embedding"].T
    logits -= logits.max(axis=1, keepdims=True)
    log_odds = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    flat = {"embedding": np.zeros((vocabulary, dim)), "mixing": np.eye(dim)}
    problem = Problem(
        **cross_entropy(_tied_logits),
        data=(words, np.exp(log_odds)),
        start=InitialWeights({"embedding": Draw((vocabulary, dim)), "mixing": Draw((dim, dim))}),
        minimum=float(-np.sum(np.exp(log_odds) * log_odds) / vocabulary),
        minimizer=teacher,
        minimum_kind="closed form",
        critical_points=(CriticalPoint("saddle", float(np.log(vocabulary)), flat),),
        constants=Constants(convex=False),
        name="tied_embedding",
        source="Press & Wolf (2017), EACL",
    )
    return minibatches(problem, batch_size)


def _bag(params: Any, inputs: Any) -> Any:
    return inputs @ params["embeddings"] @ params["readout"]


def _draw_bags(
    rng: np.random.Generator, vocabulary: int, num_samples: int, bag_size: int
) -> np.ndarray:
    """[n, vocabulary] the share of each word in each bag; the r-th word has odds 1 / r."""
    odds = 1 / np.arange(1, vocabulary + 1)
    drawn = rng.choice(vocabulary, (num_samples, bag_size), p=odds / odds.sum())
    return np.eye(vocabulary)[drawn].mean(axis=1)


def embedding_bag(
    vocabulary: int = 120,
    dim: int = 3,
    num_samples: int = 100,
    bag_size: int = 5,
    *,
    seed: int = 0,
    batch_size: int | None = None,
) -> Problem:
    """Bags of words: the readout of the mean embedding of the words in a bag, least squares.

    The r-th word is drawn with odds 1 / r (Zipf's law), so most words are rare: the gradient is
    zero in the rows of words that a sample lacks, and many words are in no bag at all. Rare rows
    are what AdaGrad was made for.

    Dimension: dim (vocabulary + 1), 363 by default. Start: LeCun's draws over the dimension.
    x*: the teacher, with standard normal embeddings; any rows for words in no bag; f* = 0.
    Critical point: the origin is a saddle, f half the mean of y^2.
    Constants: none holds globally.

    Source: Duchi, Hazan & Singer (2011), "Adaptive subgradient methods for online learning and
    stochastic optimization", JMLR 12, section 1; the model: Joulin et al. (2017), "Bag of tricks
    for efficient text classification", EACL.

    Args:
        vocabulary: number of words.
        dim: of an embedding.
        num_samples: number of bags.
        bag_size: words per bag, drawn with replacement.
        seed: of the data.
        batch_size: bags per sampled gradient; None for all of them.

    Raises:
        OptbenchError: a size out of range.
    """
    if min(vocabulary, dim, num_samples, bag_size) < 1:
        raise OptbenchError(
            f"no {num_samples} bags of {bag_size} out of {vocabulary} words in {dim} dimensions",
            "give sizes of at least 1",
        )
    rng = data_rng(seed)
    bags = _draw_bags(rng, vocabulary, num_samples, bag_size)
    teacher = {
        "embeddings": rng.standard_normal((vocabulary, dim)),
        "readout": rng.standard_normal((dim, 1)),
    }
    targets = bags @ teacher["embeddings"] @ teacher["readout"]
    # An embedding is looked up, not summed over the vocabulary: its fan-in is its dimension.
    draws = {
        "embeddings": Draw((vocabulary, dim), scale=float(np.sqrt(vocabulary / dim))),
        "readout": Draw((dim, 1)),
    }
    origin = {name: np.zeros(draw.shape) for name, draw in draws.items()}
    problem = Problem(
        **least_squares(_bag),
        data=(bags, targets),
        start=InitialWeights(draws),
        minimum=0.0,
        minimizer=teacher,
        minimum_kind="closed form",
        critical_points=(CriticalPoint("saddle", float(np.mean(targets**2) / 2), origin),),
        constants=Constants(convex=False),
        name="embedding_bag",
        source="Duchi, Hazan & Singer (2011), JMLR 12, section 1",
    )
    return minibatches(problem, batch_size)


def _adapted(params: Any, inputs: Any, frozen: Any) -> Any:
    return inputs @ frozen + inputs @ params["down"] @ params["up"]


def low_rank_adapter(
    dim: int = 6,
    rank: int = 2,
    num_samples: int = 40,
    seed: int = 0,
    *,
    batch_size: int | None = None,
) -> Problem:
    """LoRA: a frozen layer W_0 plus a change A B of low rank: mean_i |x_i (W_0 + A B) - y_i|^2 / 2.

    The targets come from a change of the same rank.

    Dimension: 2 dim rank, 24 by default. Start: A by LeCun's draws, B = 0, so nothing is changed at
    first, and only B has a gradient. x*: the teacher's factors, and (A G, G^-1 B) for every
    invertible G; f* = 0.
    Critical point: A = B = 0 is a saddle; f is its value at every start.
    Constants: none holds globally.

    Source: Hu et al. (2022), "LoRA: Low-rank adaptation of large language models", ICLR, section
    4.1.

    Args:
        dim: number of inputs and of outputs.
        rank: of the change, at most `dim`.
        num_samples: n, at least `dim`; inputs are standard normal.
        seed: of the data.
        batch_size: rows per sampled gradient; None for all of them.

    Raises:
        OptbenchError: a size out of range.
    """
    if not 1 <= rank <= dim <= num_samples:
        raise OptbenchError(
            f"no change of rank {rank} of a {dim} x {dim} layer from {num_samples} samples",
            "give num_samples >= dim >= rank >= 1",
        )
    rng = data_rng(seed)
    frozen = Draw((dim, dim))(rng)
    teacher = draw_weights({"down": Draw((dim, rank)), "up": Draw((rank, dim))}, rng)
    inputs = rng.standard_normal((num_samples, dim))
    change = inputs @ teacher["down"] @ teacher["up"]
    origin = {"down": np.zeros((dim, rank)), "up": np.zeros((rank, dim))}
    problem = Problem(
        **least_squares(_adapted),
        data=(inputs, inputs @ frozen + change, frozen),
        start=InitialWeights({"down": Draw((dim, rank)), "up": Draw((rank, dim), "zeros")}),
        minimum=0.0,
        minimizer=teacher,
        minimum_kind="closed form",
        critical_points=(
            CriticalPoint("saddle", float(np.sum(change**2) / (2 * num_samples)), origin),
        ),
        constants=Constants(convex=False),
        name="low_rank_adapter",
        source="Hu et al. (2022), ICLR, section 4.1",
    )
    return minibatches(problem, batch_size)
