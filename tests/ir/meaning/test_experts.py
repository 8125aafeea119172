"""Mixture of experts: routing against JAX; dispatch, grouped product and combine against each expert by hand."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import f64, i64
from xdsl.ir import Block

from dovetail.ir import nn
from dovetail.ir.interpret import evaluate


def apply(kind: type[nn.TensorOp], *operands: np.ndarray, **given) -> tuple[np.ndarray, ...]:
    """The results of one op on arrays; integers are i64."""
    block = Block(arg_types=[nn.tensor(i64 if o.dtype.kind == "i" else f64, o.shape) for o in operands])
    op = kind.make(*block.args, **given)
    results = evaluate(op, [o.astype(np.float64) for o in operands], {})
    assert [r.shape for r in results] == [nn.shape_of(r) for r in op.results]
    return results


@pytest.mark.parametrize("seed", range(4))
def test_softmax_routing_is_that_of_jax(seed: int) -> None:
    """As Mixtral and Qwen route: softmax over all experts, then the k best, with or without their sum made 1."""
    import jax
    from jax import lax

    rng = np.random.default_rng(seed)
    tokens, experts = int(rng.integers(1, 9)), int(rng.integers(2, 17))
    k, normalise = int(rng.integers(1, experts + 1)), int(rng.integers(2))
    logits = rng.normal(size=(tokens, experts))
    with jax.enable_x64(True):
        weights, picked = lax.top_k(jax.nn.softmax(logits, axis=-1), k)
        weights = weights / weights.sum(axis=-1, keepdims=True) if normalise else weights
    got = apply(nn.RouteOp, logits, k=k, normalise=normalise, scale=2.5)
    np.testing.assert_allclose(got[0], 2.5 * np.asarray(weights), rtol=1e-12)
    np.testing.assert_array_equal(got[1], picked)


def routed_as_published(logits, bias, k: int, groups: int, top: int, best: int, sigmoid: bool):
    """DeepSeek's `Gate.forward` (inference/model.py of the DeepSeek-V3 repository), in jnp."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    scores = jax.nn.sigmoid(logits) if sigmoid else jax.nn.softmax(logits, axis=-1)
    biased = scores + bias
    grouped = biased.reshape(len(logits), groups, -1)
    of_group = lax.top_k(grouped, best)[0].sum(axis=-1)
    chosen = lax.top_k(of_group, top)[1]
    mask = jnp.ones((len(logits), groups), dtype=bool).at[jnp.arange(len(logits))[:, None], chosen].set(False)
    biased = jnp.where(mask[..., None], -jnp.inf, grouped).reshape(scores.shape)
    picked = lax.top_k(biased, k)[1]
    return jnp.take_along_axis(scores, picked, axis=1), picked


@pytest.mark.parametrize("seed", range(4))
def test_routing_within_groups_is_that_of_deepseek(seed: int) -> None:
    import jax

    rng = np.random.default_rng(seed)
    tokens, groups, each = int(rng.integers(1, 7)), int(rng.integers(2, 5)), int(rng.integers(2, 5))
    top, best, sigmoid = int(rng.integers(1, groups + 1)), int(rng.integers(1, 3)), bool(rng.integers(2))
    k = int(rng.integers(1, top * each + 1))
    logits, bias = rng.normal(size=(tokens, groups * each)), rng.normal(size=groups * each) * 0.1
    with jax.enable_x64(True):
        weights, picked = routed_as_published(logits, bias, k, groups, top, best, sigmoid)
    score = "sigmoid" if sigmoid else "softmax"
    got = apply(nn.RouteOp, logits, bias, k=k, groups=groups, top_groups=top, group_best=best, score=score, normalise=0)
    np.testing.assert_allclose(got[0], weights, rtol=1e-12)
    np.testing.assert_array_equal(got[1], picked)


def test_of_equal_experts_the_first_are_picked() -> None:
    _, picked = apply(nn.RouteOp, np.array([[1.0, 2.0, 2.0, 2.0]]), k=2)
    assert picked.tolist() == [[1, 2]]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("transpose_b", [0, 1])
def test_the_rows_of_a_mixture_come_back_weighted(seed: int, transpose_b: int) -> None:
    rng = np.random.default_rng(seed)
    tokens, width, out = (int(n) for n in rng.integers(1, 9, 3))
    count, k = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    x, w = rng.normal(size=(tokens, width)), rng.normal(size=(count, width, out))
    weights, picked = rng.normal(size=(tokens, k)), rng.integers(0, count, (tokens, k))
    rows, order, sizes = apply(nn.DispatchOp, x, picked, count=count)
    assert np.all(np.diff(picked.ravel()[order.astype(int)]) >= 0), "rows are sorted by expert"
    assert sizes.tolist() == [np.sum(picked == e) for e in range(count)]
    given = w.swapaxes(1, 2) if transpose_b else w
    (y,) = apply(nn.GroupedMatmulOp, rows, given, sizes.astype(int), transpose_b=transpose_b)
    (got,) = apply(nn.CombineOp, y, weights, order.astype(int))
    expected = [
        sum(weights[t, s] * (x[t] @ w[picked[t, s]]) for s in range(k)) for t in range(tokens)
    ]  # fmt: skip
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(2))
def test_grouped_matmul_is_ragged_dot(seed: int) -> None:
    """Rows behind the last group give 0, and groups may be empty."""
    import jax
    from jax import lax

    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 4, 5)
    rows, w = rng.normal(size=(int(sizes.sum()) + 2, 6)), rng.normal(size=(5, 6, 3))
    with jax.enable_x64(True):
        expected = lax.ragged_dot(jax.numpy.asarray(rows), jax.numpy.asarray(w), jax.numpy.asarray(sizes))
    (got,) = apply(nn.GroupedMatmulOp, rows, w, sizes)
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)
    assert not got[-2:].any()
