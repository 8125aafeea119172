"""What time and memory of a serving step must obey on every device of the catalogue, for models of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from dovetail.costmodel.hardware import Device, load_devices
from dovetail.costmodel.models import LLM, find_model
from dovetail.costmodel.roofline import can_compute, compute_dtype
from dovetail.costmodel.serving import Parallel, decode_step_s, prefill_s
from dovetail.costmodel.serving.memory import memory_bytes_per_device
from dovetail.costmodel.serving.parallel import fits_shape
from dovetail.costmodel.serving.replica import Replica

NAMES = (
    "llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b-fp8", "qwen3-0.6b", "qwen3-32b", "opt-13b", "gemma-3-27b",
    "nemotron-super-49b", "mixtral-8x7b", "minimax-m2.5", "gpt-oss-20b", "gpt-oss-120b", "deepseek-v2-lite",
    "deepseek-v3", "deepseek-v3.2", "deepseek-v4-flash", "kimi-k2.5", "kimi-k3", "nemotron-3-nano-30b-a3b",
    "qwen3.5-35b-a3b",
)  # fmt: skip
"""of every kind: dense, mixtures, windows, latent and compressed caches, linear attention, states; 4, 8 and 16 bits"""
BATCHES = np.array([1.0, 2, 8, 16, 64, 256])
CONTEXTS = np.array([1.0, 200, 5000, 300_000])[:, None]
PROMPTS = np.array([1.0, 30, 500, 4000, 70_000])
DEGREES = (Parallel(tp=8), Parallel(tp=8, ep=8), Parallel(dp=8, ep=8), Parallel(tp=4, dp=2, ep=4), Parallel(pp=8))
DIP = 0.97
"""an estimate may fall by so much where a kernel takes another tile"""


def model(name: str) -> LLM:
    found = find_model(name)
    assert isinstance(found, LLM)
    return found


def replicas(device: Device) -> Iterator[Replica]:
    """Each model on one device, and on eight in one way of those that it can be cut in."""
    drawn = np.random.default_rng(5)
    for name in NAMES:
        llm = model(name)
        if not all(can_compute(device, p) for p in ("bf16", llm.precision)):
            continue
        ways = [degrees for degrees in DEGREES if fits_shape(llm, degrees)]
        if device.link_bandwidth_bytes_per_s and ways:
            yield Replica(llm, device, ways[drawn.integers(len(ways))])
        yield Replica(llm, device)


def floor_s(replica: Replica, tokens: np.ndarray) -> np.ndarray:
    """[s] that no step of `tokens` tokens of each attention group beats: each weight is read once, at the data sheet's
    bandwidth, and multiplied at its peak; of routed experts, those of one token."""
    llm, device, degrees = replica.llm, replica.device, replica.parallel
    read, multiply = 0.0, tokens * 0.0
    for group in llm.groups:
        always = [
            (p, 1.0 if p.split == "whole" else degrees.tp) for p in (*group.mixer.products, *group.network.products)
        ]
        routed = group.network.experts_per_token / degrees.stage_devices
        for product, parts in [*always, *((p, 1 / routed) for p in group.network.expert_products)]:
            dtype, stored = replica.weight(product.kind)
            peak = device.flops_per_s[compute_dtype(device, dtype)]
            read += group.count * product.parameters * stored / parts / device.bandwidth_bytes_per_s
            multiply = multiply + 2 * tokens * group.count * product.parameters / parts / peak
    return np.maximum(read, multiply)


Served = list[tuple[Replica, np.ndarray, np.ndarray]]


@pytest.fixture(scope="module", params=load_devices())
def served(request: pytest.FixtureRequest) -> Served:
    """Every replica of one device with its decode steps (contexts, batches) and prefills (prompts) in seconds."""
    found = list(replicas(load_devices()[request.param]))
    return [(r, np.asarray(decode_step_s(r, BATCHES, CONTEXTS)), np.asarray(prefill_s(r, PROMPTS))) for r in found]


def test_times_are_of_a_serving_step(served: Served) -> None:
    """Positive, finite, and seconds: no step of a token takes less than 10 us."""
    for replica, decode, prefill in served:
        for times in (decode, prefill):
            assert np.all(np.isfinite(times)), replica.key
            assert times.min() > 1e-5, replica.key


def test_more_work_takes_no_less(served: Served) -> None:
    for replica, decode, prefill in served:
        assert np.all(decode[:, 1:] > DIP * decode[:, :-1]), replica.key
        assert np.all(decode[1:] > DIP * decode[:-1]), replica.key
        assert np.all(prefill[1:] > DIP * prefill[:-1]), replica.key


def test_no_step_beats_the_data_sheet(served: Served) -> None:
    for replica, decode, prefill in served:
        groups = replica.parallel.dp * replica.parallel.pp  # the stages of a pipeline have a part of the batch each
        assert np.all(decode > floor_s(replica, np.maximum(1, BATCHES / groups))), replica.key
        assert np.all(prefill > floor_s(replica, PROMPTS)), replica.key


def test_more_sequences_take_more_memory(served: Served) -> None:
    for replica, *_ in served:
        held = memory_bytes_per_device(replica, BATCHES, CONTEXTS)
        assert np.all(np.diff(held, axis=0) >= 0), replica.key
        assert np.all(np.diff(held, axis=1) > 0), replica.key


def test_half_the_bytes_of_weights_are_no_slower(served: Served) -> None:
    """But for small products, alone or cut over devices: inputs that are brought to 8 bits take time of their own."""
    for replica, decode, _ in served:
        if replica.precision is None and replica.llm.precision == "bf16" and can_compute(replica.device, "fp8"):
            eight = np.asarray(decode_step_s(replace(replica, precision="fp8"), BATCHES, CONTEXTS))
            whole = replica.parallel.tp == 1 and replica.llm.hidden >= 4096
            assert np.all(eight < (1.03 if whole else 1.15) * decode), replica.key


@pytest.mark.parametrize("figure", ["bandwidth_bytes_per_s", "link_bandwidth_bytes_per_s", "flops_per_s"])
def test_a_faster_device_is_not_slower(served: Served, figure: str) -> None:
    for replica, decode, prefill in served[::4]:
        old = getattr(replica.device, figure)
        new = {dtype: 1.2 * rate for dtype, rate in old.items()} if figure == "flops_per_s" else 1.2 * old
        faster = replace(replica, device=replace(replica.device, **{figure: new}))
        assert np.all(decode_step_s(faster, BATCHES, CONTEXTS) <= decode * (1 + 1e-9)), replica.key
        assert np.all(prefill_s(faster, PROMPTS) <= prefill * (1 + 1e-9)), replica.key
