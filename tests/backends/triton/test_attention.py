"""Kernels of attention against the meaning of the ops in float64."""

from __future__ import annotations

import numpy as np
import pytest
from random_shapes import SEEDS, Case, wide

from dovetail.backends.triton.interpreter import library

FIXED = {"block_m": 16, "block_n": 16, "num_warps": 4, "num_stages": 2}


def expected_attention(scores, values, seen, cap, sinks=None):
    """softmax of the capped scores that are seen, a sink in its sum; 0 where none is seen."""
    scores = np.where(seen, scores, -np.inf)
    weights = np.exp(scores - np.maximum(scores.max(-1, keepdims=True), -1e30))
    shift = np.maximum(scores.max(-1, keepdims=True), -1e30)
    total = weights.sum(-1, keepdims=True)
    if sinks is not None:
        with np.errstate(over="ignore"):
            total = total + np.where(shift > -1e29, np.exp(sinks[:, None, None] - shift), 1.0)
    return weights @ values / np.where(total > 0, total, 1.0)


def cap_of(scores, cap):
    return cap * np.tanh(scores / cap) if cap else scores


@pytest.mark.parametrize("seed", SEEDS)
def test_attention(interpreter, seed):
    """Causal or not, grouped heads, windows, soft caps, masks of every broadcast, sinks."""
    case = Case(seed)
    kv_heads, group, batch = case.size(3), case.size(3), case.size(2)
    heads, keys = kv_heads * group, case.size(90)
    queries, d, dv = case.size(keys), case.size(40), case.size(40)
    causal, window = case.pick(True, False), case.pick(0, 0, case.size(60))
    cap = case.pick(0.0, 0.0, 5.0)
    q, k, v = (
        case.array(batch, heads, queries, d),
        case.array(batch, kv_heads, keys, d),
        case.array(batch, kv_heads, keys, dv),
    )
    mask = case.pick(None, case.array(1, heads, queries, keys), case.array(batch, 1, 1, keys))
    sinks = case.pick(None, case.array(heads))
    tensors = {"q": q, "k": k, "v": v, "mask": mask, "sinks": sinks, "out": case.empty(batch, heads, queries, dv)}
    options = {"scale": d**-0.5, "causal": causal, "window": window, "softcap": cap}
    blocks = {"block_m": case.pick(16, 32), "block_n": case.pick(16, 32), "num_warps": 4, "num_stages": 2}
    (found,) = interpreter.call(library("attention"), tensors, ["out"], **options, **blocks)
    wide_q, wide_k, wide_v = wide(q, k.repeat(group, 1), v.repeat(group, 1))
    scores = cap_of(wide_q @ wide_k.swapaxes(2, 3) * d**-0.5, cap)
    scores += 0.0 if mask is None else mask.astype(np.float64)
    place, at = np.arange(queries)[:, None] + keys - queries, np.arange(keys)
    seen = (at <= place) if causal else np.full((queries, keys), True)
    seen &= (at > place - window) if window else True
    case.check(found, expected_attention(scores, wide_v, seen, cap, None if sinks is None else wide(sinks)[0]))


@pytest.mark.parametrize("seed", SEEDS)
def test_paged_attention(interpreter, seed):
    """Sequences of every length over scattered pages, one or several parts of the context."""
    case = Case(seed)
    kv_heads, group, batch, page = case.size(3), case.size(4), case.size(3), case.pick(1, 8, 16, 20)
    heads, queries, d, dv = kv_heads * group, case.pick(1, 1, case.size(4)), case.size(40), case.size(40)
    lengths = case.rng.integers(queries, 120, batch)
    blocks = -(-int(lengths.max()) // page)
    table = case.rng.permutation(batch * blocks).reshape(batch, blocks)
    k_pages, v_pages = (case.array(batch * blocks, page, kv_heads, size) for size in (d, dv))
    window, cap, splits = case.pick(0, 0, case.size(60)), case.pick(0.0, 5.0), case.pick(1, 2, 3, 8)
    q, rows = case.array(batch, heads, queries, d), (batch, kv_heads, splits, group * queries)
    tensors = {
        "q": q, "k_pages": k_pages, "v_pages": v_pages, "table": table, "lengths": lengths,
        "out": case.empty(batch, heads, queries, dv), "partial": case.empty(*rows, dv, dtype="float32"),
        "state": case.empty(*rows, 2, dtype="float32"),
    }  # fmt: skip
    options = {"scale": d**-0.5, "window": window, "softcap": cap, "splits": splits, "block_n": case.pick(16, 32)}
    (found,) = interpreter.call(library("paged_attention"), tensors, ["out"], **options, num_warps=4, num_stages=2)
    expected = np.empty(found.shape)
    for s, length in enumerate(lengths):
        keys, values = (
            p[table[s]].astype(np.float64).reshape(-1, *p.shape[2:])[:length].swapaxes(0, 1).repeat(group, 0)
            for p in (k_pages, v_pages)
        )
        scores = cap_of(q[s].astype(np.float64) @ keys.swapaxes(1, 2) * d**-0.5, cap)
        place, at = np.arange(queries)[:, None] + length - queries, np.arange(length)
        seen = (at <= place) & ((at > place - window) if window else True)
        expected[s] = expected_attention(scores, values, seen, cap)
    case.check(found, expected)


def test_a_query_that_sees_nothing_gives_zero(interpreter):
    case = Case(0)
    mask = np.zeros((1, 1, 4, 8), np.float32)
    mask[0, 0, 2] = -np.inf
    tensors = {"q": case.array(1, 1, 4, 16), "k": case.array(1, 1, 8, 16), "v": case.array(1, 1, 8, 16)}
    tensors |= {"mask": mask, "out": case.empty(1, 1, 4, 16)}
    (found,) = interpreter.call(library("attention"), tensors, ["out"], scale=0.25, **FIXED)
    np.testing.assert_array_equal(found[0, 0, 2], np.zeros(16))
    assert np.isfinite(found).all()
    assert (found[0, 0, :2] != 0).any()


def test_not_a_number_in_a_query_stays_in_its_row_and_infinite_scores_give_none(interpreter):
    case = Case(0)
    q, k, v = case.array(1, 1, 20, 16), case.array(1, 1, 20, 16), case.array(1, 1, 20, 16)
    q[0, 0, 3, 2], q[0, 0, 5] = np.nan, np.inf
    (found,) = interpreter.call(
        library("attention"), {"q": q, "k": k, "v": v, "out": case.empty(1, 1, 20, 16)}, ["out"], scale=0.25, **FIXED
    )
    assert np.isnan(found[0, 0, [3, 5]]).all()
    assert np.isfinite(np.delete(found[0, 0], [3, 5], 0)).all()


def test_empty_batches_and_shapes_that_do_not_fit(interpreter):
    case = Case(0)
    empty = {"q": case.array(0, 2, 4, 16), "k": case.array(0, 1, 8, 16), "v": case.array(0, 1, 8, 16)}
    found = interpreter.call(
        library("attention"), {**empty, "out": case.empty(0, 2, 4, 16)}, ["out"], scale=1.0, **FIXED
    )
    assert found[0].shape == (0, 2, 4, 16)
    q, k = case.array(1, 2, 4, 16), case.array(1, 1, 3, 16)
    tensors = {"q": q, "k": k, "v": k, "out": case.empty(1, 2, 4, 16)}
    with pytest.raises(ValueError, match="4 queries are not the last of 3 positions"):
        interpreter.call(library("attention"), tensors, ["out"], scale=1.0, causal=True, **FIXED)
