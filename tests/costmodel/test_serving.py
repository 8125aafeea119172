"""Serving: memory and times by hand, and the order that times must have."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.costmodel.hardware import load_devices
from dovetail.costmodel.models import LLM, find_model
from dovetail.costmodel.models.attention import Attention
from dovetail.costmodel.roofline import efficiency
from dovetail.costmodel.serving import (
    KERNELS_PER_LAYER,
    RUNTIME_BYTES_PER_DEVICE,
    Parallel,
    activation_bytes_per_device,
    decode_step_s,
    fits_shape,
    kv_bytes_per_device,
    prefill_s,
    step_work,
    tbt_s,
    transfer_s,
    weight_bytes_per_device,
)


def llm(name: str) -> LLM:
    found = find_model(name)
    assert isinstance(found, LLM)
    return found


H100 = load_devices()["h100-sxm"]
assert H100 is not None
SMALL, LARGE, MIXTURE, LATENT = map(llm, ("llama-3.1-8b", "llama-3.1-70b", "qwen3-30b-a3b", "deepseek-v3"))
ONE = Parallel()
MODELS = st.sampled_from([SMALL, LARGE, MIXTURE, LATENT, llm("mistral-7b-v0.1")])
TOKENS = st.floats(1, 20_000)


def test_weights_are_cut_over_all_devices() -> None:
    assert weight_bytes_per_device(LARGE, Parallel(tp=4, pp=2)) == pytest.approx(141.1e9 / 8, rel=1e-3)


def test_kv_is_cut_over_kv_heads_and_stages() -> None:
    whole = 32768 * 327_680
    assert kv_bytes_per_device(LARGE, Parallel(tp=4), 32768) == whole / 4
    assert kv_bytes_per_device(LARGE, Parallel(tp=16), 32768) == whole / 8
    assert kv_bytes_per_device(LARGE, Parallel(tp=2, pp=2), 32768, "fp8") == whole / 8
    assert kv_bytes_per_device(LATENT, Parallel(tp=8), 1000) == LATENT.kv_bytes(1000)


def test_windows_count_where_the_sequences_are_known() -> None:
    model = llm("mistral-7b-v0.1")
    assert kv_bytes_per_device(model, ONE, 80_000, sequences=10) == 10 * model.kv_bytes(4096)
    assert kv_bytes_per_device(model, ONE, 80_000) == 80_000 * model.kv_bytes_per_token()


def test_activations_by_hand() -> None:
    # 4000 tokens x (2 x 4096 + 2 x 14336) x 2 bytes, logits of 8 sequences in fp32, the runtime
    found = activation_bytes_per_device(SMALL, ONE, 8, 4000)
    assert found == pytest.approx(4000 * 36864 * 2 + 4 * 8 * 128256 + RUNTIME_BYTES_PER_DEVICE)


def test_shapes_must_divide() -> None:
    assert fits_shape(LARGE, Parallel(tp=8, pp=4))
    assert fits_shape(LATENT, Parallel(tp=16))
    assert not fits_shape(LARGE, Parallel(tp=3))
    assert not fits_shape(LARGE, Parallel(pp=3))
    with pytest.raises(ValueError, match="ep and dp must be 1"):
        Parallel(ep=2)


def test_a_decode_step_by_hand() -> None:
    # One sequence on one H100: every weight is read once, the context's KV too.
    reached, context = efficiency(H100), 1000
    layer = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336
    weights = 2 * (32 * layer + 128256 * 4096)
    activations = 32 * (4 * 4096 + 2 * 4096 + 3 * 14336) * 2
    kv = (context + 1) * 2 * 32 * 8 * 128 * 2
    expected = (weights + activations + kv) / (reached.bandwidth * 3350e9)
    expected += 32 * (KERNELS_PER_LAYER + 1) * reached.launch_s + reached.step_s + reached.sequence_s
    assert decode_step_s(SMALL, H100, ONE, None, context_tokens=context) == pytest.approx(expected, rel=1e-9)


def test_a_long_prefill_by_hand() -> None:
    # 8000 tokens: bound by compute, 2 flops for each weight and token, 4 heads head_dim for each pair and layer.
    reached, n = efficiency(H100), 8000
    layer = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336
    flops = 2 * n * 32 * layer + 2 * 128256 * 4096
    pairs = 4 * 32 * 32 * 128 * n * (n + 1) / 2
    expected = (flops + pairs) / (reached.compute * 989.4e12)
    expected += 32 * (KERNELS_PER_LAYER + 1) * reached.launch_s + reached.step_s
    assert prefill_s(SMALL, H100, ONE, None, n) == pytest.approx(expected, rel=1e-9)


def test_a_batch_of_a_mixture_reads_the_experts_it_touches() -> None:
    products, _ = step_work(MIXTURE, ONE, "bf16", 16, 16, 16, 16)
    more, _ = step_work(MIXTURE, ONE, "bf16", 17, 17, 17, 16)
    touched = 128 * ((1 - 8 / 128) ** 16 - (1 - 8 / 128) ** 17)
    activations = 48 * (4 * 2048 + (2 * 32 * 128 + 3 * 8 * 768)) * 2
    grown = more.read_bytes + more.write_bytes - products.read_bytes - products.write_bytes
    assert grown == pytest.approx(48 * touched * 3 * 2048 * 768 * 2 + activations)


def test_latent_attention_decodes_on_the_latent_vectors() -> None:
    _, decode = step_work(LATENT, ONE, "fp8", 4, 400, 400, 4)
    _, prefill = step_work(LATENT, ONE, "fp8", 100, 5050, 100, 1)
    assert decode.flops == 400 * 61 * 2 * 128 * (2 * 512 + 64)
    assert prefill.flops == 5050 * 61 * 2 * 128 * (192 + 128)
    assert decode.read_bytes == 400 * 61 * 576 * 2


def test_a_window_bounds_what_is_attended_to() -> None:
    model = llm("mistral-7b-v0.1")
    assert decode_step_s(model, H100, ONE, None, context_tokens=4096) == decode_step_s(
        model, H100, ONE, None, context_tokens=30_000
    )
    group = model.groups[0]
    assert isinstance(group.mixer, Attention)
    whole = replace(model, groups=(replace(group, mixer=replace(group.mixer, window_tokens=0)),))
    assert prefill_s(model, H100, ONE, None, 4096) == pytest.approx(prefill_s(whole, H100, ONE, None, 4096))
    assert prefill_s(model, H100, ONE, None, 16_384) < prefill_s(whole, H100, ONE, None, 16_384)


def test_time_between_tokens_has_the_others_prefills_in_it() -> None:
    step = decode_step_s(SMALL, H100, ONE, None, batch=9, context_tokens=1050)
    stall = prefill_s(SMALL, H100, ONE, None, 1000)
    assert tbt_s(step, stall, batch=9, output_tokens=100) == pytest.approx(step + 8 / 100 * stall)
    assert tbt_s(step, stall, batch=1, output_tokens=100) == step


def test_several_devices_without_a_link_are_an_error() -> None:
    with pytest.raises(ValueError, match="has no link to other devices"):
        prefill_s(SMALL, replace(H100, link_bandwidth_bytes_per_s=0.0), Parallel(tp=2), None, 100)


def test_a_transfer_by_hand() -> None:
    # 10.7 GB over 400 Gbit/s: 0.215 s, far more than the 20 ms that the paper's TBT leaves
    assert transfer_s(LARGE.kv_bytes(32768), 400e9 / 8, 10e-6) == pytest.approx(0.2148, rel=1e-3)
    assert transfer_s(0, 1e9, 1.0) == 0


@given(MODELS, TOKENS, TOKENS)
def test_longer_prompts_are_never_faster(model: LLM, one: float, other: float) -> None:
    short, long = sorted((one, other))
    assert prefill_s(model, H100, ONE, None, short) <= prefill_s(model, H100, ONE, None, long)


@given(MODELS, TOKENS, TOKENS)
def test_cached_tokens_never_cost(model: LLM, prompt: float, cached: float) -> None:
    plain, less = (prefill_s(model, H100, ONE, None, prompt, c) for c in (0.0, min(cached, prompt)))
    assert less <= plain * (1 + 1e-9)


@given(MODELS, st.integers(1, 255), TOKENS, TOKENS)
def test_more_sequences_and_longer_contexts_are_never_faster(model: LLM, batch: int, one: float, other: float) -> None:
    short, long = sorted((one, other))
    step = decode_step_s(model, H100, ONE, None, "bf16", batch, short)
    assert step <= decode_step_s(model, H100, ONE, None, "bf16", batch, long)
    assert step <= decode_step_s(model, H100, ONE, None, "bf16", batch + 1, short)


@given(MODELS, st.integers(1, 255), TOKENS)
def test_a_batch_serves_more_tokens_per_second(model: LLM, batch: int, context: float) -> None:
    step = decode_step_s(model, H100, ONE, None, "bf16", batch, context)
    assert decode_step_s(model, H100, ONE, None, "bf16", batch + 1, context) / (batch + 1) <= step / batch * (1 + 1e-9)


@given(MODELS, TOKENS, st.integers(1, 64))
def test_twice_the_device_is_never_slower(model: LLM, tokens: float, batch: int) -> None:
    twice = replace(
        H100,
        bandwidth_bytes_per_s=2 * H100.bandwidth_bytes_per_s,
        flops_per_s={dtype: 2 * rate for dtype, rate in H100.flops_per_s.items()},
    )
    assert prefill_s(model, twice, ONE, None, tokens) < prefill_s(model, H100, ONE, None, tokens)
    assert decode_step_s(model, twice, ONE, None, "bf16", batch, tokens) < decode_step_s(
        model, H100, ONE, None, "bf16", batch, tokens
    )


@given(st.sampled_from([SMALL, LARGE, MIXTURE]), TOKENS, st.integers(1, 64))
def test_fewer_bits_are_never_slower(model: LLM, tokens: float, batch: int) -> None:
    for precision, plain in (("fp8", "bf16"), ("bf16", "fp32")):
        assert prefill_s(model, H100, ONE, precision, tokens) <= prefill_s(model, H100, ONE, plain, tokens)
        less, more = (decode_step_s(model, H100, ONE, p, "fp8", batch, tokens) for p in (precision, plain))
        assert less <= more
