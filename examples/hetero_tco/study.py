"""Which device should prefill, and which decode: the study of arXiv 2507.19635, section 5, by Dovetail's cost model.

    python examples/hetero_tco/study.py

Four models (Llama-3 8B and 70B, 16 and 8 bits), two shapes, two goals (both latency bounds, or the most tokens per
dollar) and every pair of six devices, eight of one kind in a chassis and RoCE beyond, with every degree of tensor and
pipeline parallelism that the planner tries. A request costs the device time of its prefill on one kind and of its
decode on the other. Prices are the paper's Table 5, in its accounting.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np

from dovetail.costmodel.hardware import Device, find_device
from dovetail.costmodel.models import LLM, find_model
from dovetail.costmodel.serving import Parallel, Replica, decode_step_s, memory_bytes_per_device, prefill_s
from dovetail.costmodel.tco import annuity_usd_per_hour, interest_only_usd_per_hour, principal_usd_per_hour
from dovetail.planner.candidates.llm.degrees import FREE, families, stands

DEVICES = ("a40", "a100-sxm", "gaudi3", "mi300x", "h100-sxm", "b200-sxm")
MODELS = tuple(itertools.product(("llama-3.1-8b", "llama-3.1-70b"), ("fp16", "fp8")))
SHAPES = ((512, 4096), (4096, 512))
TTFT_S, TBT_S = 0.250, 0.020
CHASSIS = 8
BATCHES = np.array([2.0**k for k in range(11)])
"""sequences of each stage"""
ELECTRICITY_USD_PER_KWH, INTEREST, LIFE_YEARS = 0.40, 0.08, 4.0
PRICE_USD: Mapping[str, float] = {
    "a40": 3000, "a100-sxm": 8000, "gaudi3": 12500, "mi300x": 20000, "h100-sxm": 25000, "b200-sxm": 40000,
}  # fmt: skip
"""Table 5"""
PRINTED_FP16: Mapping[str, float] = {
    "a40": 75e12, "a100-sxm": 322e12, "gaudi3": 1678e12, "mi300x": 1307e12, "h100-sxm": 1979e12, "b200-sxm": 2250e12,
}  # fmt: skip
"""Table 5 as printed; 1,979 is the H100's sparse figure"""

Pair = tuple[str, str]
"""(prefill, decode device)"""
BASE: Pair = ("h100-sxm", "h100-sxm")
B200_GAUDI: Pair = ("b200-sxm", "gaudi3")
H100_GAUDI: Pair = ("h100-sxm", "gaudi3")
B200_ALONE: Pair = ("b200-sxm", "b200-sxm")


@dataclass(frozen=True)
class Speeds:
    """How long a device is held to take."""

    roofline: bool = False
    """bare roofline of the data sheet, in place of fitted kernels and engine overheads"""
    printed_flops: bool = False
    """FLOP/s of Table 5 as printed, and in 8 bits as many times more as the data sheet has, in place of dense ones"""
    pipelines: bool = True


@dataclass(frozen=True)
class Assumptions:
    """What the paper leaves open, or takes otherwise than we do."""

    label: str
    speeds: Speeds = Speeds()
    accounting: Literal["interest", "annuity", "price"] = "interest"
    """interest and electricity as in Table 5, the principal too, or the price over the life alone"""
    h100_usd: float = PRICE_USD["h100-sxm"]
    goals: tuple[bool, ...] = (True, False)
    """within both bounds, or for the most tokens per dollar"""


OURS = Assumptions("as Dovetail sees it")
TOKENS_ALONE = Assumptions("with the principal, tokens per dollar", accounting="annuity", goals=(False,))
VARIANTS = (
    OURS,
    Assumptions("bare roofline", Speeds(roofline=True)),
    Assumptions("FLOP/s as printed", Speeds(printed_flops=True)),
    Assumptions("no pipelines", Speeds(pipelines=False)),
    Assumptions("an H100 at 30,000 USD", h100_usd=30000.0),
    Assumptions("within the bounds", goals=(True,)),
    Assumptions("tokens per dollar", goals=(False,)),
    Assumptions("with the principal", accounting="annuity"),
    Assumptions("the price alone", accounting="price"),
    TOKENS_ALONE,
    Assumptions("roofline, as printed, with the principal", Speeds(True, True), "annuity"),
    Assumptions("roofline, as printed, the price alone", Speeds(True, True), "price"),
)


@dataclass(frozen=True)
class Case:
    """One model, shape and goal."""

    model: str
    precision: str
    prompt: int
    output: int
    bounded: bool


def cases(goals: tuple[bool, ...] = OURS.goals) -> Iterator[Case]:
    """All of them with these goals."""
    for (model, precision), (prompt, output), bounded in itertools.product(MODELS, SHAPES, goals):
        yield Case(model, precision, prompt, output, bounded)


def usd_per_s(name: str, assumed: Assumptions) -> float:
    """Holding one device and feeding it at full power."""
    price = {**PRICE_USD, "h100-sxm": assumed.h100_usd}[name]
    if assumed.accounting == "price":
        return principal_usd_per_hour(price, LIFE_YEARS) / 3600
    holding = annuity_usd_per_hour if assumed.accounting == "annuity" else interest_only_usd_per_hour
    power = device_of(name).tdp_w / 1e3 * ELECTRICITY_USD_PER_KWH
    return (holding(price, INTEREST, LIFE_YEARS) + power) / 3600


def device_of(name: str, printed_flops: bool = False) -> Device:
    """The catalogue's, in a chassis of eight, with the FLOP/s that are assumed."""
    found = find_device(name)
    assert found is not None
    if printed_flops:
        rate, sheet = PRINTED_FP16[name], found.flops_per_s
        eight = rate * sheet["fp8"] / sheet["bf16"] if sheet.get("fp8") else 0.0
        found = replace(found, flops_per_s={"fp16": rate, "bf16": rate, "fp8": eight})
    return replace(found, chassis=CHASSIS)


def model_of(name: str) -> LLM:
    """The catalogue's language model."""
    found = find_model(name)
    assert isinstance(found, LLM)
    return found


def times(replica: Replica, case: Case, roofline: bool) -> tuple[np.ndarray, np.ndarray]:
    """(prefill of so many prompts, decode step of so many sequences in each stage) [s], for each of `BATCHES`."""
    context = case.prompt + case.output / 2
    if not roofline:
        prompts, contexts = (np.full_like(BATCHES, tokens) for tokens in (case.prompt, context))
        step = decode_step_s(replica, BATCHES * replica.parallel.pp, contexts)
        return np.asarray(prefill_s(replica, prompts, batch=BATCHES)), np.asarray(step)
    llm, device, tp = replica.llm, replica.device, replica.parallel.tp
    peak = device.flops_per_s.get(case.precision) or device.flops_per_s["bf16"]
    weights = llm.weight_bytes(replica.precision)
    arithmetic = 2 * llm.active_parameters * BATCHES / (peak * tp)
    cached = BATCHES * llm.kv_bytes(context, replica.kv_precision)
    moved = (weights + cached) / (device.bandwidth_bytes_per_s * tp)
    read = weights / (device.bandwidth_bytes_per_s * tp)
    return np.maximum(arithmetic * case.prompt, read), np.maximum(arithmetic, moved)


@cache
def least_device_s(name: str, case: Case, speeds: Speeds) -> tuple[float, float]:
    """Device seconds of one request's (prefill, decode) on one kind of device; infinite where it cannot be done.

    A prompt leaves each of the stages free for the next one; what is decoded keeps its place in all of them.
    """
    device = device_of(name, speeds.printed_flops)
    best = [math.inf, math.inf]
    for cut in cuts(case.model, device, speeds):
        kv = "fp8" if case.precision == "fp8" else "fp16"
        replica = Replica(model_of(case.model), device, cut, case.precision, kv)
        held = memory_bytes_per_device(replica, BATCHES * cut.pp, float(case.prompt + case.output))
        prefill, step = times(replica, case, speeds.roofline)
        room = held <= device.memory_bytes
        may = (room & (prefill <= TTFT_S), room & (step <= TBT_S)) if case.bounded else (room, room)
        spent = (cut.tp * prefill / BATCHES, cut.tp * step * (case.output - 1) / BATCHES)
        best = [min(b, float(np.where(ok, s, np.inf).min())) for b, ok, s in zip(best, may, spent, strict=True)]
    return best[0], best[1]


def cuts(model: str, device: Device, speeds: Speeds) -> Iterator[Parallel]:
    """Those that the planner tries of a model on a kind of device."""
    for family in families(model_of(model), FREE):
        yield from (cut for cut in family if stands(device, cut) and (speeds.pipelines or cut.pp == 1))


def ratios(assumed: Assumptions) -> dict[Pair, list[float]]:
    """Tokens per dollar of each pair over those of H100::H100, case by case; 0 where impossible."""
    found: dict[Pair, list[float]] = {pair: [] for pair in itertools.product(DEVICES, DEVICES)}
    price = {name: usd_per_s(name, assumed) for name in DEVICES}
    for case in cases(assumed.goals):
        spent = {name: least_device_s(name, case, assumed.speeds) for name in DEVICES}
        cost = {(a, b): price[a] * spent[a][0] + price[b] * spent[b][1] for a, b in found}
        for pair, each in found.items():
            each.append(cost[BASE] / cost[pair] if math.isfinite(cost[pair]) else 0.0)
    return found


def overall(found: Mapping[Pair, list[float]]) -> dict[Pair, float]:
    """Geometric mean over the cases; 0 for a pair that cannot serve one of them."""
    return {pair: math.prod(each) ** (1 / len(each)) for pair, each in found.items()}


def ranking(mean: Mapping[Pair, float], without: str = "") -> list[Pair]:
    """Pairs, the best first, but those with the device left out."""
    return sorted((pair for pair in mean if without not in pair), key=lambda pair: -mean[pair])


def main() -> None:
    found = overall(ratios(OURS))
    print("Tokens per dollar against H100::H100, geometric mean over 16 cases; rows prefill, columns decode\n")
    print("            " + "".join(f"{name:>10}" for name in DEVICES))
    for first in DEVICES:
        print(f"{first:<12}" + "".join(f"{found[first, second]:>10.2f}" for second in DEVICES))
    print(f"\n{'':<42}{'of all six devices':<38}{'without MI300X':<38}{'H100::':>6}{'B200::':>8}")
    columns = f"{'best pair':<24}{'B200::Gaudi3':<14}"
    print(f"{'What is assumed':<42}{columns}{columns}{'Gaudi3':>6}{'B200':>8}")
    for assumed in VARIANTS:
        mean = overall(ratios(assumed))
        shown = "".join(_best(mean, ranking(mean, without)) for without in ("", "mi300x"))
        print(f"{assumed.label:<42}{shown}{mean[H100_GAUDI]:>6.2f}{mean[B200_ALONE]:>8.2f}")


def _best(mean: Mapping[Pair, float], ranked: list[Pair]) -> str:
    """The best pair, and the place of the paper's best."""
    first, second = ranked[0]
    place = f"{mean[B200_GAUDI]:.2f} (no. {ranked.index(B200_GAUDI) + 1})"
    return f"{f'{first}::{second} {mean[ranked[0]]:.2f}':<24}{place:<14}"


if __name__ == "__main__":
    main()
