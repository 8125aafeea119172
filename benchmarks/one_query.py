"""One query of a peer, answered here: Llama-3.1-70B, 4000 -> 500 tokens, TTFT <= 1 s, TPOT <= 50 ms, 32 GPUs.

    python benchmarks/one_query.py

The peer is aiconfigurator 0.12 (github.com/ai-dynamo/aiconfigurator), whose answers, tokens/s and GPU, are below: it
took 26 s and 312 MB for one of them.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator

import numpy as np

from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.models import LLM, find_model
from dovetail.costmodel.serving import Parallel, Replica, decode_step_s, fits, prefill_s, sequences_held, serve

PROMPT, OUTPUT, TTFT_S, TPOT_S, GPUS = 4000.0, 500.0, 1.0, 0.050, 32
DEGREES = (1, 2, 4, 8)
BATCHES = np.arange(1.0, 513.0)
PEER = {
    ("h200-sxm", "h200-sxm", "fp8"): (640.7, 498.2),
    ("h100-sxm", "h100-sxm", "fp8"): (561.4, 432.7),
    ("h200-sxm", "h200-sxm", "bf16"): (289.0, 255.3),
    ("h100-sxm", "h100-sxm", "bf16"): (264.3, 222.2),
    ("h200-sxm", "h100-sxm", "fp8"): (582.5, None),
}
"""(prefill GPU, decode GPU, precision) -> (apart, together)"""


def replicas(gpu: str, precision: str) -> Iterator[Replica]:
    """One of each degree that holds the model."""
    llm, device = find_model("llama-3.1-70b"), find_device(gpu)
    assert isinstance(llm, LLM)
    assert device is not None
    for tp in DEGREES:
        found = Replica(llm, device, Parallel(tp=tp), precision, "fp8" if precision == "fp8" else "bf16")
        if fits(found, PROMPT + OUTPUT):
            yield found


def together(gpu: str, precision: str) -> float:
    """Most tokens/s and GPU of one server for both phases within the bounds."""
    best = 0.0
    for replica in replicas(gpu, precision):
        grid = [np.full_like(BATCHES, tokens) for tokens in (PROMPT, OUTPUT)]
        found = serve(replica, BATCHES, *grid)
        meets = (found.ttft_s <= TTFT_S) & (found.tpot_s <= TPOT_S)
        best = max(best, float(np.where(meets, found.tokens_per_s / replica.parallel.devices, 0.0).max()))
    return best


def apart(first: str, second: str, precision: str) -> tuple[float, str]:
    """(most tokens/s and GPU with a pool for each phase, how they are cut), whole replicas on at most 32 GPUs."""
    best = (0.0, "")
    prefills = [_fastest_prefill(replica) for replica in replicas(first, precision)]
    decodes = [_fastest_decode(replica) for replica in replicas(second, precision)]
    for p_tp, p_rate in prefills:
        for d_tp, d_rate in decodes:
            for count in range(1, GPUS // p_tp + 1):
                others = (GPUS - count * p_tp) // d_tp
                used = count * p_tp + others * d_tp
                rate = min(count * p_rate, others * d_rate) * OUTPUT / max(1, used)
                best = max(best, (rate, f"{count} x TP{p_tp} + {others} x TP{d_tp}"))
    return best


def _fastest_prefill(replica: Replica) -> tuple[int, float]:
    """(devices, most prompts/s within the bound)."""
    seconds = np.asarray(prefill_s(replica, np.full_like(BATCHES[:8], PROMPT), batch=BATCHES[:8]))
    return replica.parallel.tp, float(np.where(seconds <= TTFT_S, BATCHES[:8] / seconds, 0.0).max())


def _fastest_decode(replica: Replica) -> tuple[int, float]:
    """(devices, most requests/s within the bound and the cache)."""
    step = np.asarray(decode_step_s(replica, BATCHES, np.full_like(BATCHES, PROMPT + OUTPUT / 2)))
    meets = (step <= TPOT_S) & (sequences_held(replica, PROMPT + OUTPUT) >= BATCHES)
    return replica.parallel.tp, float(np.where(meets, BATCHES / (step * (OUTPUT - 1)), 0.0).max())


def main() -> None:
    start = time.process_time()
    print(
        "| prefill::decode, precision | apart, here | peer | cut | together, here | peer |\n|---|---|---|---|---|---|"
    )
    for (first, second, precision), (peer_apart, peer_together) in PEER.items():
        rate, cut = apart(first, second, precision)
        both = f"{together(first, precision):.0f} | {peer_together}" if peer_together else "- | -"
        print(f"| {first}::{second} {precision} | {rate:.0f} | {peer_apart} | {cut} | {both} |")
    took, most = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nAll of it took {took:.2f} s of processor time and {most:.0f} MB; the peer 26 s and 312 MB for one line.")


if __name__ == "__main__":
    main()
