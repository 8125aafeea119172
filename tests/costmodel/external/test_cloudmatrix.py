"""DeepSeek-R1 on Ascend 910C, against the rates of CloudMatrix-Infer.

Zuo et al., "Serving Large Language Models on Huawei CloudMatrix384", arXiv 2506.12708v3, section 5: 8-bit integers;
rates for each NPU, which is two dies. Prefill on 16 NPUs (32 dies, EP 32), prompts of 4,096 tokens, 16,384 tokens a
batch and NPU: 6,688 tokens/s where experts are evenly loaded, 5,655 as they are. Decode on 160 NPUs (320 dies, EP 320,
attention data-parallel), 96 sequences an NPU with 4,096 tokens behind each: 1,943 tokens/s at 49.4 ms between tokens,
with one speculated token that is taken in 70 % of steps. Both cut each batch in two, so that one half communicates
while the other computes, each on units of its own.

A die is a device here: half a package. Steps are the serving model's, for devices known by their data sheet alone, and
overlap as in `docs/math/overlap.md`. Left out: the engine's own time (theirs samples on the NPU and prepares all
metadata before), the 32 spare experts, and 538 tokens/s within 15 ms at 8 sequences an NPU, where the all-to-all here
takes one hop after another through 320 dies (0.30 ms at 256 of them; measured 0.15).
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from dovetail.costmodel.hardware import Device, find_device
from dovetail.costmodel.models import LLM, find_model
from dovetail.costmodel.overlap import Demand, overlapped_s, sequential_s
from dovetail.costmodel.serving import Batch, Parallel, Replica, step_time

DIES = 2
PROMPT = CONTEXT = 4096
TOKENS_A_STEP = 1.7
"""of a sequence: its next, and in 70 % of steps the speculated one"""


def die() -> Device:
    """Half of an Ascend 910C."""
    npu = find_device("ascend-910c")
    assert npu is not None
    return replace(
        npu,
        memory_bytes=npu.memory_bytes / DIES,
        bandwidth_bytes_per_s=npu.bandwidth_bytes_per_s / DIES,
        flops_per_s=MappingProxyType({dtype: rate / DIES for dtype, rate in npu.flops_per_s.items()}),
        link_bandwidth_bytes_per_s=npu.link_bandwidth_bytes_per_s / DIES,
    )


def replica(dies: int) -> Replica:
    model = find_model("deepseek-r1")
    assert isinstance(model, LLM)
    return Replica(model, die(), Parallel(dp=dies, ep=dies), "int8", "bf16")


def demands(of: Replica, half: Batch) -> list[Demand]:
    """What two such halves of a batch ask of the dies and of the network between them."""
    time = step_time(of, half)
    return [Demand(compute_s=2 * (time.device_s - time.collectives)), Demand(network_s=2 * time.collectives)]


PREFILL = demands(replica(32), Batch(1.0, float(PROMPT), 0.0, decoding=False))
"""two prompts a die"""


def decode(new_tokens: float) -> list[Demand]:
    """48 sequences a die, of `new_tokens` each."""
    return demands(replica(320), Batch(24.0, new_tokens, float(CONTEXT), decoding=True))


def test_prefill() -> None:
    """Prompt tokens a second and NPU, experts evenly loaded: here 1 % below."""
    rate = DIES * 2 * PROMPT / overlapped_s(PREFILL)
    assert rate == pytest.approx(6688, rel=0.15)


def test_decode() -> None:
    """Output tokens a second and NPU, and the time between two of a sequence: here 6 % faster."""
    step_s = overlapped_s(decode(2.0))
    assert DIES * 48 * TOKENS_A_STEP / step_s == pytest.approx(1943, rel=0.15)
    assert step_s / TOKENS_A_STEP == pytest.approx(49.4e-3, rel=0.15)
    assert step_s / TOKENS_A_STEP < 50e-3


def test_speculation_pays() -> None:
    """Section 5.4: 6 to 49 % more tokens, the less the larger the batch, though a layer takes 44 % longer."""
    one_s, two_s = overlapped_s(decode(1.0)), overlapped_s(decode(2.0))
    assert 1.06 * 0.85 < TOKENS_A_STEP * one_s / two_s < 1.49
    assert two_s / one_s == pytest.approx(1.44, rel=0.15)


def test_overlap_pays() -> None:
    """Section 5.4: 23 to 31 % more in prefill, 6 to 9 % in decode; here 34 and, with all gaps filled, more."""
    assert sequential_s(PREFILL) / overlapped_s(PREFILL) == pytest.approx(1.27, rel=0.15)
    assert sequential_s(decode(2.0)) / overlapped_s(decode(2.0)) > 1.06
