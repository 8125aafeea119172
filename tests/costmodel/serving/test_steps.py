"""Time of a step: its parts by hand, and the order that times must have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.costmodel.hardware import Device, find_device
from dovetail.costmodel.models import LLM, find_model
from dovetail.costmodel.models.attention import Attention
from dovetail.costmodel.operators import collective_s, gemm_s
from dovetail.costmodel.operators.gemm import quantising_s
from dovetail.costmodel.roofline import efficiency
from dovetail.costmodel.serving import Batch, Parallel, Replica, StepTime, decode_step_s, prefill_s, step_time


def llm(name: str) -> LLM:
    found = find_model(name)
    assert isinstance(found, LLM)
    return found


def device(name: str) -> Device:
    found = find_device(name)
    assert found is not None
    return found


H100, TPU = device("h100-sxm"), device("tpu-v5e")
SMALL, LARGE, MIXTURE, LATENT = map(llm, ("llama-3.1-8b", "llama-3.1-70b", "qwen3-30b-a3b", "deepseek-v3"))
MODELS = st.sampled_from([SMALL, LARGE, MIXTURE, LATENT, llm("mistral-7b-v0.1")])
TOKENS = st.floats(1, 20_000)
WAVE = 1.06
"""A kernel's last wave and its choice of tile may make a larger batch this much faster, as they do on real devices."""


def step(replica: Replica, sequences: float, context: float) -> StepTime:
    return step_time(replica, Batch(sequences, 1.0, context, decoding=True))


def test_products_are_those_of_every_layer_and_the_head() -> None:
    layer = [(6144, 4096), (4096, 4096), (28672, 4096), (4096, 14336)]
    expected = 32 * sum(float(gemm_s(H100, "bf16", 8, n, k)) for n, k in layer) + float(
        gemm_s(H100, "bf16", 8, 128256, 4096)
    )
    assert step(Replica(SMALL, H100), 8.0, 100.0).products == pytest.approx(expected)


def test_tensor_parallelism_cuts_columns_and_rows_and_sums_twice_a_layer() -> None:
    found = step(Replica(SMALL, H100, Parallel(tp=4), "fp8"), 8.0, 100.0)
    layer = [(1536, 4096), (4096, 1024), (7168, 4096), (4096, 3584)]
    engine = Replica(SMALL, H100).engine
    gemms = sum(float(gemm_s(H100, "fp8", 8, n, k)) for n, k in layer)
    fused = (1 - engine.quantise_share) * sum(float(quantising_s(H100, "fp8", 8, k)) for _, k in layer)
    head = float(gemm_s(H100, "bf16", 8, 32064, 4096))
    assert found.products == pytest.approx(32 * (gemms - fused) + head)
    reduce = float(collective_s(H100, "all_reduce", 8 * 4096 * 2, 4)) + engine.reduce_s
    assert found.collectives == pytest.approx(64 * reduce)


def test_experts_take_what_they_touch_and_at_least_a_tile_of_rows() -> None:
    replica = Replica(MIXTURE, H100, precision="bf16")
    engine, sequences = replica.engine, 16.0
    touched = 128 * (1 - (1 - 8 / 128) ** sequences)
    rows = ((sequences * 8 / touched) ** 4 + engine.expert_rows**4) ** 0.25
    weights = 3 * 2048 * 768
    compute = 2 * touched * rows * np.array([weights * 2 / 3, weights / 3]) / (989.4e12 * engine.expert_compute_share)
    traffic = touched * np.array([weights * 2 / 3, weights / 3]) * 2 / (3350e9 * engine.expert_bandwidth_share)
    expected = 48 * float(((compute**4 + traffic**4) ** 0.25 + engine.launch_s).sum())
    assert step(replica, sequences, 100.0).experts == pytest.approx(expected, rel=1e-3)


def test_groups_of_attention_share_their_experts_and_send_tokens_to_them() -> None:
    apart = Replica(MIXTURE, H100, Parallel(dp=4, ep=4), "bf16")
    one = step(Replica(MIXTURE, H100, precision="bf16"), 64.0, 100.0)
    found = step(apart, 16.0, 100.0)
    assert found.experts < one.experts / 3  # the same 64 tokens over four devices, launches apart
    size = 16 * 2048 * 2 * 4  # hidden vectors in 16 bits, four copies of each at most
    there = float(collective_s(H100, "all_to_all", size, 4)) + apart.engine.reduce_s
    assert found.collectives == pytest.approx(48 * 2 * there)


def test_other_devices_take_the_roofline_of_their_kind() -> None:
    reached = efficiency(TPU)
    n, k, m = 128256, 4096, 1.0
    flops = 2 * m * n * k / (TPU.flops_per_s["bf16"] * reached.compute)
    moved = (n * k * 2 + 2 * m * (n + k)) / (TPU.bandwidth_bytes_per_s * reached.bandwidth)
    head = (flops**4 + moved**4) ** 0.25
    without = replace(SMALL, vocab=1)
    difference = step(Replica(SMALL, TPU), m, 10.0).products - step(Replica(without, TPU), m, 10.0).products
    assert difference == pytest.approx(head, rel=1e-3)


def test_a_window_bounds_what_is_attended_to() -> None:
    model = llm("mistral-7b-v0.1")
    replica = Replica(model, H100)
    assert decode_step_s(replica, 1, 4096.0) == pytest.approx(float(decode_step_s(replica, 1, 30_000.0)))
    group = model.groups[0]
    assert isinstance(group.mixer, Attention)
    whole = Replica(replace(model, groups=(replace(group, mixer=replace(group.mixer, window_tokens=0)),)), H100)
    assert prefill_s(replica, 2048.0) == pytest.approx(float(prefill_s(whole, 2048.0)))
    assert prefill_s(replica, 16_384.0) < prefill_s(whole, 16_384.0)


def test_several_devices_without_a_link_are_an_error() -> None:
    with pytest.raises(ValueError, match="has no link to other devices"):
        prefill_s(Replica(SMALL, replace(H100, link_bandwidth_bytes_per_s=0.0), Parallel(tp=2)), 100.0)


@pytest.mark.parametrize("name", ["llama-3.1-70b", "gpt-oss-120b", "deepseek-v3"])
def test_a_grid_is_priced_as_its_points_are(name: str) -> None:
    replica = Replica(llm(name), H100, Parallel(tp=8), kv_precision="fp8")
    batch, context = (axis.ravel() for axis in np.meshgrid([1.0, 7.0, 64.0], [100.0, 9000.0]))
    grid = decode_step_s(replica, batch, context)
    points = [float(decode_step_s(replica, b, c)) for b, c in zip(batch.tolist(), context.tolist(), strict=True)]
    assert np.asarray(grid).tolist() == pytest.approx(points)


@settings(max_examples=40, deadline=None)
@given(MODELS, TOKENS, TOKENS)
def test_longer_prompts_are_hardly_ever_faster(model: LLM, one: float, other: float) -> None:
    short, long = sorted((one, other))
    replica = Replica(model, H100)
    assert prefill_s(replica, short) <= prefill_s(replica, long) * WAVE


@settings(max_examples=40, deadline=None)
@given(MODELS, TOKENS, TOKENS)
def test_cached_tokens_hardly_ever_cost(model: LLM, prompt: float, cached: float) -> None:
    plain, less = (float(prefill_s(Replica(model, H100), prompt, c)) for c in (0.0, min(cached, prompt)))
    assert less <= plain * WAVE


@settings(max_examples=40, deadline=None)
@given(MODELS, st.integers(1, 255), TOKENS, TOKENS)
def test_more_sequences_and_longer_contexts_are_hardly_ever_faster(
    model: LLM, batch: int, one: float, other: float
) -> None:
    short, long = sorted((one, other))
    replica = Replica(model, H100)
    found = decode_step_s(replica, batch, short)
    assert found <= decode_step_s(replica, batch, long) * WAVE
    assert found <= decode_step_s(replica, batch + 1, short) * WAVE


@settings(max_examples=40, deadline=None)
@given(MODELS, TOKENS, st.integers(1, 64))
def test_twice_the_device_is_never_slower(model: LLM, tokens: float, batch: int) -> None:
    twice = replace(
        H100,
        bandwidth_bytes_per_s=2 * H100.bandwidth_bytes_per_s,
        flops_per_s={dtype: 2 * rate for dtype, rate in H100.flops_per_s.items()},
    )
    before, after = Replica(model, H100), Replica(model, twice)
    assert prefill_s(after, tokens) <= prefill_s(before, tokens)  # equal where the host's launches bound both
    assert decode_step_s(after, batch, tokens) < decode_step_s(before, batch, tokens)
