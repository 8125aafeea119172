"""Weights of feed-forward networks by hand, and how many experts a batch touches."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail.costmodel.models.feed_forward import Dense, Mixture, NoNetwork


def test_dense_networks_by_hand() -> None:
    up, down = Dense(64, 100).products
    assert (up.n, up.k, up.split) == (200, 64, "columns")
    assert (down.n, down.k, down.split) == (64, 100, "rows")
    assert Dense(64, 100).parameters == Dense(64, 100).active_parameters == 3 * 64 * 100
    assert Dense(64, 100, gated=False).parameters == 2 * 64 * 100
    assert Dense(64, 100, ffn_bias=True).parameters == 3 * 64 * 100 + 2 * 100 + 64
    assert NoNetwork().parameters == 0


def test_a_mixture_by_hand() -> None:
    mixture = Mixture(64, 10, 8, 2, shared_experts=1, shared_ffn=30, shared_gate=True, router_correction=True)
    always = 64 * 8 + 64 + 8 + 3 * 64 * 30
    assert mixture.parameters == always + 8 * 3 * 64 * 10
    assert mixture.active_parameters == always + 2 * 3 * 64 * 10
    assert mixture.width == 2 * 10 + 30


def test_experts_on_a_narrower_vector() -> None:
    mixture = Mixture(64, 10, 8, 2, gated=False, expert_hidden=16, expert_norm=True)
    assert mixture.parameters == 64 * 8 + 2 * 64 * 16 + 16 + 8 * 2 * 16 * 10


def test_biases_of_gpt_oss() -> None:
    mixture = Mixture(64, 10, 8, 2, ffn_bias=True)
    assert mixture.parameters == 64 * 8 + 8 + 8 * (3 * 64 * 10 + 20 + 64)


def test_distinct_experts_of_arrays() -> None:
    mixture = Mixture(64, 10, 8, 2)
    assert mixture.distinct_experts(np.array([0.0, 1.0, 2.0])) == pytest.approx([0, 2, 3.5])
    assert Dense(64, 100).distinct_experts(np.array([5.0])) == pytest.approx([0])
