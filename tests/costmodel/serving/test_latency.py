"""What a request sees: stalls, waits, closed loops, pools apart; each against hand figures from a step's time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dovetail.costmodel.hardware import Device, find_device
from dovetail.costmodel.models import LLM, find_model
from dovetail.costmodel.serving import (
    Batch,
    Parallel,
    Replica,
    decode_step_s,
    find_engine,
    prefill_s,
    sequences_held,
    serve,
    serve_apart,
    step_time,
    tbt_s,
    transfer_s,
    ttft_s,
)
from dovetail.costmodel.serving.latency import Pool


def llm(name: str) -> LLM:
    found = find_model(name)
    assert isinstance(found, LLM)
    return found


def device(name: str) -> Device:
    found = find_device(name)
    assert found is not None
    return found


SMALL, LARGE, MIXTURE = map(llm, ("llama-3.1-8b", "llama-3.1-70b", "qwen3-30b-a3b"))
REPLICA = Replica(SMALL, device("h100-sxm"), engine=find_engine("vllm"))
PROMPTS_FIRST = replace(REPLICA, engine=find_engine("sglang"))


def test_engines_are_known_by_name() -> None:
    with pytest.raises(ValueError, match="`vlm` is no engine; known are vllm, trtllm, sglang"):
        find_engine("vlm")


def test_a_short_prefill_takes_what_its_host_takes_to_launch_it() -> None:
    kernels = 32 * (2 + 2 + 7 + 1)  # products of attention and network, small kernels, attention
    least = kernels * REPLICA.engine.host_launch_s + REPLICA.engine.step_s + REPLICA.engine.sequence_s
    slow = replace(REPLICA, engine=replace(REPLICA.engine, host_launch_s=1e-3))
    assert prefill_s(slow, 10.0) == pytest.approx(kernels * 1e-3 + REPLICA.engine.step_s + REPLICA.engine.sequence_s)
    assert prefill_s(REPLICA, 10.0) >= least


def test_a_pipeline_serves_its_sequences_in_turns() -> None:
    staged = Replica(LARGE, device("h100-sxm"), Parallel(tp=4, pp=2))
    half = step_time(staged, Batch(16.0, 1.0, 500.0, decoding=True)).total
    assert decode_step_s(staged, 32.0, 500.0) == half


def test_prefills_that_ride_along_stop_each_request_once_for_each_other() -> None:
    found = tbt_s(REPLICA, 0.010, 0.050, 9.0, 1000.0, 100.0)
    assert found == pytest.approx(0.010 + 8 / 100 * (0.050 - REPLICA.engine.step_s))
    assert tbt_s(REPLICA, 0.010, 0.050, 1.0, 1000.0, 100.0) == 0.010


def test_prompts_that_go_first_stop_half_of_the_others_outside_their_own_step() -> None:
    # 16,384 tokens of a step hold eight prompts of 2048: of 32 requests, 24 are prefilled before or after.
    found = tbt_s(PROMPTS_FIRST, 0.010, 0.050, 32.0, 2048.0, 100.0)
    assert found == pytest.approx(0.010 + 12 / 100 * (0.050 - PROMPTS_FIRST.engine.step_s))
    assert tbt_s(PROMPTS_FIRST, 0.010, 0.050, 8.0, 2048.0, 100.0) == 0.010


def test_the_first_token_waits_for_other_prefills() -> None:
    engine = REPLICA.engine
    assert ttft_s(REPLICA, 0.1, 1.0, 1000.0) == pytest.approx(0.1 + engine.request_s)
    waits = engine.wait_share * 15 / 16 + engine.wait_slope * 15
    assert ttft_s(REPLICA, 0.1, 16.0, 1000.0) == pytest.approx((1 + waits) * 0.1 + engine.request_s)
    assert ttft_s(PROMPTS_FIRST, 0.1, 32.0, 2048.0) == pytest.approx(20 * 0.1 + PROMPTS_FIRST.engine.request_s)


def test_requests_beyond_the_cache_wait_for_a_place() -> None:
    tight = Replica(LARGE, device("h200-sxm"), precision="fp8", kv_precision="fp8")
    room = float(sequences_held(tight, 8192.0 + 512))
    assert 20 < room < 128
    over, full = (serve(tight, load, 8192.0, 1024.0) for load in (128.0, room))
    assert over.tpot_s == pytest.approx(float(full.tpot_s))
    assert over.sequences == pytest.approx(room)
    waited = (128 / room - 1) * (1024 * over.tpot_s + prefill_s(tight, 8192.0))
    assert over.ttft_s - full.ttft_s == pytest.approx(waited)
    assert over.tokens_per_s < full.tokens_per_s * 1.05


def test_a_closed_loop_writes_as_many_tokens_as_its_requests_take_time() -> None:
    found = serve(REPLICA, 8.0, 1000.0, 100.0)
    assert found.tokens_per_s == pytest.approx(800 / (found.ttft_s + 99 * found.tpot_s))


def test_pools_apart_run_at_the_rate_of_the_slower_one() -> None:
    first, step = float(prefill_s(REPLICA, 1000.0)), float(decode_step_s(REPLICA, 16.0, 1050.0))
    one = Pool(REPLICA, 1, 1.0)
    narrow = serve_apart(one, Pool(REPLICA, 4, 16.0), 1000.0, 100.0, moved_s=0.01)
    prefills, decodes = 1 / first, 4 * 16 / (step * 99)
    assert narrow.tokens_per_s == pytest.approx(100 * min(prefills, decodes))
    assert narrow.ttft_s == pytest.approx(first + 0.01 + REPLICA.engine.request_s)
    assert narrow.tpot_s == pytest.approx(step)
    wide = serve_apart(Pool(REPLICA, 8, 1.0), Pool(REPLICA, 1, 16.0), 1000.0, 100.0)
    assert wide.tokens_per_s == pytest.approx(100 * 16 / (step * 99))


def test_a_mixture_with_its_experts_apart_is_costed() -> None:
    spread = Replica(MIXTURE, device("h100-sxm"), Parallel(dp=8, ep=8))
    found = serve(spread, np.array([8.0, 64.0, 512.0]), 1000.0, 100.0)
    assert np.all(np.diff(found.tokens_per_s) > 0)


def test_a_transfer_by_hand() -> None:
    # 10.7 GB over 400 Gbit/s: 0.215 s, far more than the 20 ms that arXiv 2507.19635 leaves between tokens
    assert transfer_s(float(LARGE.kv_bytes(32768)), 400e9 / 8, 10e-6) == pytest.approx(0.2148, rel=1e-3)
    assert transfer_s(0, 1e9, 1.0) == 0
