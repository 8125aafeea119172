"""One query of a peer, answered here: Llama-3.1-70B, 4000 -> 500 tokens, TTFT <= 1 s, TPOT <= 50 ms, 32 GPUs.

    python examples/one_query/query.py

The peer is aiconfigurator 0.12 (github.com/ai-dynamo/aiconfigurator), whose answers, in tokens/s of each of the 32
GPUs, are below: it took 26 s and 312 MB for one of them. Every degree of parallelism of the planner is tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.models import LLM, find_model
from dovetail.costmodel.serving import Parallel, Replica, decode_step_s, prefill_s, sequences_held, serve
from dovetail.planner.candidates.llm.degrees import FREE, families, stands

PROMPT, OUTPUT, TTFT_S, TPOT_S, GPUS = 4000.0, 500.0, 1.0, 0.050, 32
BATCHES = np.arange(1.0, 513.0)
"""sequences of a replica"""


class Query(NamedTuple):
    """Which GPUs, in which precision."""

    prefill: str
    decode: str
    precision: str


PEER: dict[Query, tuple[float, float | None]] = {
    Query("h200-sxm", "h200-sxm", "fp8"): (640.7, 498.2),
    Query("h100-sxm", "h100-sxm", "fp8"): (561.4, 432.7),
    Query("h200-sxm", "h200-sxm", "bf16"): (289.0, 255.3),
    Query("h100-sxm", "h100-sxm", "bf16"): (264.3, 222.2),
    Query("h200-sxm", "h100-sxm", "fp8"): (582.5, None),
}
"""tokens/s and GPU (prefill and decode apart, together), of version 0.12"""


class Allowance(NamedTuple):
    """How far predictions are taken at their word."""

    prefill_slower: float = 1.0
    decode_slower: float = 1.0
    """times as long as predicted"""
    prefill_share: float = 1.0
    decode_share: float = 1.0
    """of the rate that a pool makes, in one with the other: for bubbles, and places left empty"""
    prompts: int = 8
    """that a replica prefills at once, at most"""


NONE = Allowance()
THEIRS = Allowance(1.1, 1.08, 0.9, 0.92, prompts=1)
"""defaults of the peer's `cli/api.py` and `sdk/picking.py`, read in 2026-11, for pools apart"""


def replicas(gpu: str, precision: str) -> Iterator[Replica]:
    """The model in every cut that such GPUs take."""
    llm, device = find_model("llama-3.1-70b"), find_device(gpu)
    assert isinstance(llm, LLM)
    assert device is not None
    for family in families(llm, FREE):
        for cut in family:
            if stands(device, cut) and cut.devices <= GPUS:
                yield Replica(llm, device, cut, precision, "fp8" if precision == "fp8" else "bf16")


class Rate(NamedTuple):
    """Most requests/s of one replica."""

    per_s: float
    cut: Parallel


def prefills(replica: Replica, allowed: Allowance) -> Rate:
    """Within the bound and the memory; each stage has a batch of prompts of its own."""
    prompts, pp = BATCHES[: allowed.prompts], replica.parallel.pp
    seconds = allowed.prefill_slower * np.asarray(prefill_s(replica, np.full_like(prompts, PROMPT), batch=prompts))
    meets = (seconds <= TTFT_S) & (sequences_held(replica, PROMPT) >= prompts * pp)
    return Rate(allowed.prefill_share * float(np.where(meets, prompts * pp / seconds, 0.0).max()), replica.parallel)


def decodes(replica: Replica, allowed: Allowance) -> Rate:
    """Within the bound and the memory."""
    contexts = np.full_like(BATCHES, PROMPT + OUTPUT / 2)
    step = allowed.decode_slower * np.asarray(decode_step_s(replica, BATCHES, contexts))
    meets = (step <= TPOT_S) & (sequences_held(replica, PROMPT + OUTPUT) >= BATCHES)
    rates = np.where(meets, BATCHES / (step * (OUTPUT - 1)), 0.0)
    return Rate(allowed.decode_share * float(rates.max()), replica.parallel)


def together(query: Query) -> float:
    """Most tokens/s and GPU of servers for both phases within the bounds."""
    best = 0.0
    for replica in replicas(query.prefill, query.precision):
        found = serve(replica, BATCHES, *(np.full_like(BATCHES, tokens) for tokens in (PROMPT, OUTPUT)))
        meets = (found.ttft_s <= TTFT_S) & (found.tpot_s <= TPOT_S)
        best = max(best, float(np.where(meets, found.tokens_per_s / replica.parallel.devices, 0.0).max()))
    return best


def apart(query: Query, allowed: Allowance = NONE) -> tuple[float, str]:
    """(most tokens/s and GPU with a pool for each phase, how they are cut): whole replicas on 32 GPUs."""
    best = (0.0, "")
    second = [decodes(replica, allowed) for replica in replicas(query.decode, query.precision)]
    for p in (prefills(replica, allowed) for replica in replicas(query.prefill, query.precision)):
        for d in second:
            for count in range(1, GPUS // p.cut.devices + 1):
                others = (GPUS - count * p.cut.devices) // d.cut.devices
                rate = min(count * p.per_s, others * d.per_s) * OUTPUT / GPUS
                best = max(best, (rate, f"{count} x {_named(p.cut)} + {others} x {_named(d.cut)}"))
    return best


def _named(cut: Parallel) -> str:
    return f"TP{cut.tp}" + (f" PP{cut.pp}" if cut.pp > 1 else "")


def main() -> None:
    print("| prefill::decode, precision | apart | cut | with their allowances | peer | off | together | peer | off |")
    print("|---|---|---|---|---|---|---|---|---|")
    for query, (peer_apart, peer_together) in PEER.items():
        rate, cut = apart(query)
        allowed, _ = apart(query, THEIRS)
        both = together(query)
        rest = f"{both:.0f} | {peer_together} | {both / peer_together - 1:+.0%}" if peer_together else "- | - | -"
        off = f"{allowed:.0f} | {peer_apart} | {allowed / peer_apart - 1:+.0%}"
        print(f"| {query.prefill}::{query.decode} {query.precision} | {rate:.0f} | {cut} | {off} | {rest} |")


if __name__ == "__main__":
    main()
