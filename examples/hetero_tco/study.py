"""Which device should prefill, and which decode: the study of arXiv 2507.19635, section 5, by Dovetail's cost model.

    python examples/hetero_tco/study.py

Four models (Llama-3 8B and 70B, 16 and 8 bits), two shapes, two goals (both latency bounds, or the most tokens per
dollar) and every pair of six devices, up to eight of one kind in a chassis. A request costs the device time of its
prefill on one kind and of its decode on the other. Prices are the paper's Table 5, in its accounting.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from dovetail.costmodel.hardware import Device, find_device
from dovetail.costmodel.models import LLM, find_model
from dovetail.costmodel.serving import Parallel, Replica, decode_step_s, fits_shape, memory_bytes_per_device, prefill_s
from dovetail.costmodel.tco import annuity_usd_per_hour, interest_only_usd_per_hour, principal_usd_per_hour

DEVICES = ("a40", "a100-sxm", "gaudi3", "mi300x", "h100-sxm", "b200-sxm")
MODELS = tuple(itertools.product(("llama-3.1-8b", "llama-3.1-70b"), ("fp16", "fp8")))
SHAPES = ((512, 4096), (4096, 512))
TTFT_S, TBT_S = 0.250, 0.020
CHASSIS = 8
DEGREES = (1, 2, 4, 8)
BATCHES = np.array([2.0**k for k in range(11)])
ELECTRICITY_USD_PER_KWH, INTEREST, LIFE_YEARS = 0.40, 0.08, 4.0
PRICE_USD: Mapping[str, float] = {
    "a40": 3000, "a100-sxm": 8000, "gaudi3": 12500, "mi300x": 20000, "h100-sxm": 25000, "b200-sxm": 40000,
}  # fmt: skip
"""Table 5"""
PRINTED_FP16: Mapping[str, float] = {
    "a40": 75e12, "a100-sxm": 322e12, "gaudi3": 1678e12, "mi300x": 1307e12, "h100-sxm": 1979e12, "b200-sxm": 2250e12,
}  # fmt: skip
"""Table 5 as printed; 1,979 is the H100's sparse figure"""


@dataclass(frozen=True)
class Assumptions:
    """What the paper leaves open, or takes otherwise than we do."""

    label: str
    roofline: bool = False
    """bare roofline of the data sheet, in place of fitted kernels and engine overheads"""
    printed_flops: bool = False
    """FLOP/s of Table 5 as printed, twice as many in 8 bits, in place of dense ones"""
    annuity: bool = False
    """the principal is paid too, in place of interest alone"""
    price_alone: bool = False
    """the price over the life, without interest and electricity"""
    h100_usd: float = PRICE_USD["h100-sxm"]


OURS = Assumptions("as Dovetail sees it")
VARIANTS = (
    OURS,
    Assumptions("bare roofline", roofline=True),
    Assumptions("FLOP/s as printed", printed_flops=True),
    Assumptions("bare roofline, FLOP/s as printed", roofline=True, printed_flops=True),
    Assumptions("with the principal", annuity=True),
    Assumptions("an H100 at 30,000 USD", h100_usd=30000.0),
    Assumptions("the price alone", price_alone=True),
    Assumptions("bare roofline, as printed, with the principal", roofline=True, printed_flops=True, annuity=True),
    Assumptions("bare roofline, as printed, the price alone", roofline=True, printed_flops=True, price_alone=True),
)


@dataclass(frozen=True)
class Case:
    """One model, shape and goal."""

    model: str
    precision: str
    prompt: int
    output: int
    bounded: bool


def cases() -> Iterator[Case]:
    """All of them."""
    for (model, precision), (prompt, output), bounded in itertools.product(MODELS, SHAPES, (True, False)):
        yield Case(model, precision, prompt, output, bounded)


def usd_per_s(name: str, device: Device, assumed: Assumptions) -> float:
    """Holding one device and feeding it at full power."""
    price = {**PRICE_USD, "h100-sxm": assumed.h100_usd}[name]
    if assumed.price_alone:
        return principal_usd_per_hour(price, LIFE_YEARS) / 3600
    holding = (annuity_usd_per_hour if assumed.annuity else interest_only_usd_per_hour)(price, INTEREST, LIFE_YEARS)
    return (holding + device.tdp_w / 1e3 * ELECTRICITY_USD_PER_KWH) / 3600


def device_of(name: str, assumed: Assumptions) -> Device:
    """The catalogue's, in a chassis of eight, with the FLOP/s that are assumed."""
    found = find_device(name)
    assert found is not None
    if assumed.printed_flops:
        rate = PRINTED_FP16[name]
        eight = 2 * rate if found.flops_per_s.get("fp8") else 0.0
        found = replace(found, flops_per_s={"fp16": rate, "bf16": rate, "fp8": eight})
    return replace(found, chassis=CHASSIS)


def times(replica: Replica, case: Case, assumed: Assumptions) -> tuple[np.ndarray, np.ndarray]:
    """(prefill of so many prompts, decode step of so many sequences) [s], for each of `BATCHES`."""
    context = case.prompt + case.output / 2
    if not assumed.roofline:
        prompts, contexts = (np.full_like(BATCHES, tokens) for tokens in (case.prompt, context))
        return np.asarray(prefill_s(replica, prompts, batch=BATCHES)), np.asarray(
            decode_step_s(replica, BATCHES, contexts)
        )
    llm, device, tp = replica.llm, replica.device, replica.parallel.tp
    peak = device.flops_per_s.get(case.precision) or device.flops_per_s["bf16"]
    weights = llm.weight_bytes(replica.precision)
    arithmetic = 2 * llm.active_parameters * BATCHES / (peak * tp)
    cache = BATCHES * llm.kv_bytes(context, replica.kv_precision)
    moved = (weights + cache) / (device.bandwidth_bytes_per_s * tp)
    read = weights / (device.bandwidth_bytes_per_s * tp)
    return np.maximum(arithmetic * case.prompt, read), np.maximum(arithmetic, moved)


def cheapest(name: str, case: Case, assumed: Assumptions) -> tuple[float, float]:
    """[USD] of one request's (prefill, decode) on one kind of device; infinite where it cannot be done."""
    device, llm = device_of(name, assumed), find_model(case.model)
    assert isinstance(llm, LLM)
    best = [math.inf, math.inf]
    for tp in DEGREES:
        kv = "fp8" if case.precision == "fp8" else "fp16"
        replica = Replica(llm, device, Parallel(tp=tp), case.precision, kv)
        if not fits_shape(llm, replica.parallel):
            continue
        held = memory_bytes_per_device(replica, BATCHES, float(case.prompt + case.output))
        prefill, step = times(replica, case, assumed)
        second = tp * usd_per_s(name, device, assumed) / BATCHES
        room = held <= device.memory_bytes
        may = (room & (prefill <= TTFT_S), room & (step <= TBT_S)) if case.bounded else (room, room)
        costs = (second * prefill, second * step * (case.output - 1))
        best = [min(b, float(np.where(ok, c, np.inf).min())) for b, ok, c in zip(best, may, costs, strict=True)]
    return best[0], best[1]


def ratios(assumed: Assumptions) -> dict[tuple[str, str], list[float]]:
    """(prefill, decode device) -> tokens per dollar over those of H100::H100, case by case; 0 where impossible."""
    found: dict[tuple[str, str], list[float]] = {pair: [] for pair in itertools.product(DEVICES, DEVICES)}
    for case in cases():
        costs = {name: cheapest(name, case, assumed) for name in DEVICES}
        base = sum(costs["h100-sxm"])
        for first, second in found:
            cost = costs[first][0] + costs[second][1]
            found[first, second].append(base / cost if math.isfinite(cost) else 0.0)
    return found


def overall(found: Mapping[tuple[str, str], list[float]]) -> dict[tuple[str, str], float]:
    """Geometric mean over the cases; 0 for a pair that cannot serve one of them."""
    return {pair: math.prod(each) ** (1 / len(each)) for pair, each in found.items()}


def main() -> None:
    found = overall(ratios(OURS))
    print("Tokens per dollar against H100::H100, geometric mean over 16 cases; rows prefill, columns decode\n")
    print("            " + "".join(f"{name:>10}" for name in DEVICES))
    for first in DEVICES:
        print(f"{first:<12}" + "".join(f"{found[first, second]:>10.2f}" for second in DEVICES))
    heads = ("B200::Gaudi3", "H100::Gaudi3", "B200::B200")
    print(
        f"\n{'What is assumed':<46}{'best pair':<25}{'without MI300X':<25}" + "".join(f"{head:>14}" for head in heads)
    )
    for assumed in VARIANTS:
        mean = overall(ratios(assumed))
        others = [pair for pair in mean if "mi300x" not in pair]
        shown = "".join(f"{_best(mean, pairs):<25}" for pairs in (list(mean), others))
        named = [mean[pair] for pair in (("b200-sxm", "gaudi3"), ("h100-sxm", "gaudi3"), ("b200-sxm", "b200-sxm"))]
        print(f"{assumed.label:<46}{shown}" + "".join(f"{value:>14.2f}" for value in named))


def _best(mean: Mapping[tuple[str, str], float], pairs: list[tuple[str, str]]) -> str:
    first, second = max(pairs, key=lambda pair: mean[pair])
    return f"{first}::{second} {mean[first, second]:.2f}"


if __name__ == "__main__":
    main()
