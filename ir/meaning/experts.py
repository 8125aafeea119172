"""Mixture of experts."""

from __future__ import annotations

import numpy as np

from .. import nn
from .meaning import Array, Meanings


def _route(op: nn.RouteOp, logits: Array, bias: Array | None = None) -> tuple[Array, Array]:
    if op.score.data == "softmax":
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = powers / powers.sum(axis=1, keepdims=True)
    else:
        scores = 0.5 * (1.0 + np.tanh(0.5 * logits))
    liked = _within_groups(op, scores if bias is None else scores + bias)
    experts = np.argsort(-liked, axis=1, kind="stable")[:, : nn.integer(op.k)]
    weights = np.take_along_axis(scores, experts, axis=1)
    if nn.integer(op.normalise):
        weights = weights / weights.sum(axis=1, keepdims=True)
    return weights * nn.number(op.scale), experts


def _within_groups(op: nn.RouteOp, liked: Array) -> Array:
    """What is liked of the experts in the best groups; minus infinity for the others."""
    groups, top, best = (nn.integer(a) for a in (op.groups, op.top_groups, op.group_best))
    if top == groups:
        return liked
    grouped = liked.reshape(len(liked), groups, -1)
    of_group = np.sort(grouped, axis=2)[..., -best:].sum(axis=2)
    taken = np.zeros((len(liked), groups), dtype=bool)
    np.put_along_axis(taken, np.argsort(-of_group, axis=1, kind="stable")[:, :top], True, axis=1)
    return np.where(taken[..., None], grouped, -np.inf).reshape(liked.shape)


def _dispatch(op: nn.DispatchOp, x: Array, experts: Array) -> tuple[Array, Array, Array]:
    order = np.argsort(experts.ravel(), kind="stable")
    sizes = np.bincount(experts.ravel(), minlength=nn.integer(op.count))
    return x[order // experts.shape[1]], order, sizes


def _grouped_matmul(op: nn.GroupedMatmulOp, rows: Array, w: Array, sizes: Array) -> Array:
    w = w.swapaxes(1, 2) if nn.integer(op.transpose_b) else w
    out = np.zeros((len(rows), w.shape[2]))
    ends = np.cumsum(sizes)
    for expert in np.flatnonzero(sizes):
        own = slice(ends[expert] - int(sizes[expert]), ends[expert])
        out[own] = rows[own] @ w[expert]
    return out


def _combine(op: nn.CombineOp, y: Array, weights: Array, order: Array) -> Array:
    of_pick = np.empty_like(y)
    of_pick[order] = y
    return (of_pick.reshape(*weights.shape, -1) * weights[..., None]).sum(axis=1)


MEANING: Meanings = {
    nn.RouteOp: _route,
    nn.DispatchOp: _dispatch,
    nn.GroupedMatmulOp: _grouped_matmul,
    nn.CombineOp: _combine,
}
