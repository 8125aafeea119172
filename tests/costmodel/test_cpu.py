"""Nodes on CPU hosts: tools with retries against their exact law, lookups by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import FloatAttr, IntegerAttr, StringAttr, f64, i64
from xdsl.ir import Attribute, Operation

from dovetail.costmodel.cpu import DISPATCH_S, SMALL_BYTES, TOOL_LAW_POINTS, node_work, tool_attempts, tool_latency
from dovetail.costmodel.hardware import load_devices
from dovetail.ir.agent import (
    CacheOp,
    ComputeOp,
    DistAttr,
    LLMCallOp,
    LookupOp,
    RouterOp,
    StoreOp,
    ToolCallOp,
)
from dovetail.ir.distribution import Distribution

HOST = load_devices()["epyc-9554"]
assert HOST is not None


def node(kind: type[Operation], **values: Any) -> Operation:
    """An op of that kind, numbers and distributions as its attributes."""

    def attribute(value: Any) -> Attribute:
        match value:
            case Distribution():
                return DistAttr.of(value)
            case int():
                return IntegerAttr(value, i64)
            case float():
                return FloatAttr(value, f64)
        return StringAttr(value)

    named = {"sym_name": "n", **values}
    return kind.create(attributes={name: attribute(value) for name, value in named.items()})


def tool(latency: Distribution, **values: Any) -> Operation:
    """A tool call of half a core."""
    asked = {"cpus": 0.5, "memory_mean_bytes": 2e8, "memory_peak_bytes": 1e9, "usd_per_call": 0.002, "failure": 0.0}
    return node(ToolCallOp, latency=latency, **{**asked, **values})


def law(distribution: Distribution) -> dict[float, float]:
    """Value -> probability of a distribution of equally likely values, to two digits."""
    found: dict[float, float] = {}
    for value in distribution.params:
        key = round(value, 2)
        found[key] = found.get(key, 0.0) + 1 / len(distribution.params)
    return {value: round(share, 2) for value, share in found.items()}


def test_a_plain_tool_keeps_its_law() -> None:
    latency = Distribution.lognormal_mean_p95(0.3, 0.9)
    work = node_work(tool(latency, retries=2), HOST)
    assert work.latency == latency
    assert (work.cpus, work.memory_mean_bytes, work.memory_peak_bytes, work.usd_per_call) == (0.5, 2e8, 1e9, 0.002)


def test_a_timeout_cuts_and_tries_again() -> None:
    # Half the attempts take 1 s, half would take 3 s and are cut at 2 s: 1, 2 + 1, or 2 + 2.
    latency = Distribution("samples", (1.0, 3.0))
    work = node_work(tool(latency, timeout_s=2.0, retries=1), HOST)
    assert law(work.latency) == {1.0: 0.5, 3.0: 0.25, 4.0: 0.25}
    assert work.usd_per_call == pytest.approx(0.002 * 1.5)


def test_a_failure_is_tried_again_until_retries_run_out() -> None:
    assert law(tool_latency(Distribution.point(1.0), 0.5, retries=2)) == {1.0: 0.5, 2.0: 0.25, 3.0: 0.25}
    assert tool_attempts(Distribution.point(1.0), 0.5, retries=2) == 1.75


def test_a_tool_that_always_fails_takes_all_its_attempts() -> None:
    assert law(tool_latency(Distribution.point(2.0), 1.0, retries=2)) == {6.0: 1.0}
    assert law(tool_latency(Distribution.point(2.0), 0.0, timeout_s=0.5, retries=1)) == {1.0: 1.0}


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 10), st.floats(0, 1), st.floats(0.05, 20), st.integers(0, 4))
def test_the_mean_is_attempts_times_their_mean(mean: float, failure: float, timeout_s: float, retries: int) -> None:
    # Wald: attempts are independent, and whether there is a next one is known when one ends.
    latency = Distribution.exponential(mean)
    found = tool_latency(latency, failure, timeout_s, retries)
    attempt_s = mean * -math.expm1(-timeout_s / mean)
    expected = tool_attempts(latency, failure, timeout_s, retries) * attempt_s
    assert found.mean == pytest.approx(expected, rel=0.01)
    assert len(found.params) <= TOOL_LAW_POINTS


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 0.9), st.integers(0, 3))
def test_more_retries_and_failures_never_take_less(failure: float, retries: int) -> None:
    latency = Distribution.exponential(1.0)
    now = tool_latency(latency, failure, retries=retries).mean
    assert now <= tool_latency(latency, failure, retries=retries + 1).mean * (1 + 1e-9)
    assert now <= tool_latency(latency, failure + 0.1, retries=retries).mean * (1 + 1e-9)


def test_a_flat_lookup_reads_every_vector_once() -> None:
    work = node_work(node(LookupOp, vectors=1_000_000, dimensions=768, top_k=10, index="flat"), HOST)
    read_s = 1_000_000 * 768 * 4 / (0.70 * 460.8e9)
    assert work.latency.mean == pytest.approx(DISPATCH_S + read_s + 1e-6)
    assert work.cpus == 64
    assert work.shared_bytes == 1_000_000 * 768 * 4
    assert work.held_bytes(0.0) == 1_000_000 * 768 * 4 + SMALL_BYTES


def test_an_index_is_faster_than_a_scan_and_takes_one_core() -> None:
    size = {"vectors": 10_000_000, "dimensions": 768, "top_k": 10}
    flat, hnsw, ivf = (node_work(node(LookupOp, index=i, **size), HOST) for i in ("flat", "hnsw", "ivf"))
    assert hnsw.latency.mean < ivf.latency.mean < flat.latency.mean
    assert hnsw.cpus == ivf.cpus == 1
    assert hnsw.shared_bytes > flat.shared_bytes


def test_an_unknown_index_is_an_error() -> None:
    with pytest.raises(ValueError, match="`annoy` is no kind of index"):
        node_work(node(LookupOp, vectors=10, dimensions=8, top_k=5, index="annoy"), HOST)


def test_compute_takes_its_seconds_of_one_core_and_its_bytes() -> None:
    op = node(ComputeOp, cpu_s=Distribution.exponential(0.2), bytes_in=3e9, bytes_out=1e9)
    work = node_work(op, HOST)
    assert work.latency == Distribution.exponential(0.2).shifted(0.4)
    assert (work.cpus, work.memory_mean_bytes) == (1, 4e9 + SMALL_BYTES)


def test_small_nodes() -> None:
    store = node_work(node(StoreOp, bytes=1e6), HOST)
    router = node_work(node(RouterOp), HOST)
    cache = node_work(node(CacheOp, hit_ratio=0.3, latency=Distribution.point(0.004)), HOST)
    assert [w.latency.mean for w in (store, router, cache)] == pytest.approx([2e-3, 1e-4, 4e-3])


def test_what_no_host_runs_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"`agent\.llm_call` does not run on a host"):
        node_work(LLMCallOp.create(), HOST)
