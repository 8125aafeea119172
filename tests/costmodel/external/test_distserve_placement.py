"""Placements of OPT-13B and OPT-66B with DistServe's own fitted times, against those that DistServe published.

Zhong et al., "DistServe: Disaggregating Prefill and Decoding for Goodput-optimized Large Language Model Serving", OSDI
2024, arXiv 2401.09670: bounds in Table 1 (90 % attainment), placements in Table 3 (appendix B); github.com/LLMServe/
DistServe at 82831f16: fitted times of A100s of 80 GB and most tokens by degree, `simdistserve/estimators`. There are

    prefill of prompts n: a + b sum n + c sum n^2     step of B sequences with T tokens: a + b T + c B    [ms]

with p stages each takes a p-th, p batches at once. The search here is the planner's: the fewest devices that keep the
bounds at a rate. DistServe's is the most requests a GPU within them, of one prefill with one decode instance.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dovetail.ir.distribution import Distribution
from dovetail.planner.candidates.sizing import sizings
from dovetail.planner.placement.problem import (
    Bound,
    DeviceType,
    Option,
    Piece,
    PlacementProblem,
    Pool,
    Route,
    Scenario,
    Step,
    Transfer,
    VisitTime,
)
from dovetail.planner.placement.result import PlacementResult
from dovetail.planner.placement.search.solve import solve

DEGREES = (1, 2, 4, 8)
"""of tensor parallelism that the planner tries; the fits have 3 too, for which 66B would need 7 GPUs in place of 8"""
STAGES = (1, 2, 4)
BATCHES = (8, 16, 32, 48, 64, 96, 128, 192, 256)
PROMPTS = Distribution(
    "quantiles",
    (0, 9, 0.1, 89, 0.2, 269, 0.3, 384, 0.4, 542, 0.5, 739, 0.6, 864, 0.7, 1052, 0.8, 1336, 0.9, 1516, 1, 2003),
)
"""tokens of ShareGPT as DistServe cuts it: deciles of 220 requests of `distserve-300-3.exp`, `benchmarks/alignment`"""
OUTPUT_TOKENS = 200.3
"""mean of ShareGPT (Figure 7a)"""


@dataclass(frozen=True)
class Fits:
    """DistServe's figures of one model on A100s."""

    times: dict[str, Any]
    """coefficients by degree of tensor parallelism [ms]"""
    most_tokens: dict[tuple[int, int], int]
    """of all sequences, by degree and stages"""

    def prefill_s(self, tp: int, tokens: float) -> float:
        base, each, square = self.times[str(tp)]["prefill"]
        return (base + each * tokens + square * tokens**2) / 1e3

    def step_s(self, tp: int, sequences: float, context: float) -> float:
        small = sequences < self.times[str(tp)]["decoding_large_small_bs_threshold"]
        base, token, sequence = self.times[str(tp)]["decoding_smallbs" if small else "decoding_largebs"]
        return (base + token * sequences * context + sequence * sequences) / 1e3


def fits(folder: Path, model: str) -> Fits:
    times = json.loads((folder / "profiler-a100-80g.distserve.json").read_text())
    with (folder / "max_num_tokens.csv").open() as rows:
        most = {
            (int(r["tp"]), int(r["pp"])): int(r["max_num_tokens"]) for r in csv.DictReader(rows) if r["model"] == model
        }
    return Fits(times[model], most)


Candidate = tuple[Pool, Option]


def prefill_pools(found: Fits, rate: float, gpus: int) -> Iterator[Candidate]:
    for tp, pp in shapes(found):
        samples = [found.prefill_s(tp, PROMPTS.quantile((k + 0.5) / 100)) for k in range(100)]
        total = Distribution("samples", tuple(samples))
        stage_s = total.mean / pp
        for each in sizings(rate, pp, [stage_s], total.mean, gpus // (tp * pp)):
            pool = Pool(f"prefill {tp} {pp} {each.label}", "a100", "prefill", tp * pp, tp, pp, capacity=each.capacity)
            yield pool, Option("chat.prefill", pool.id, (VisitTime(total, total, each.law),), stage_s)


def decode_pools(found: Fits, rate: float, gpus: int, gap_limit_s: float) -> Iterator[Candidate]:
    context = PROMPTS.mean + OUTPUT_TOKENS / 2
    for tp, pp in shapes(found):
        for batch in BATCHES:
            gap_s = found.step_s(tp, batch / pp, context)
            if batch * context > found.most_tokens[tp, pp] or gap_s > gap_limit_s:
                break
            held_s = (OUTPUT_TOKENS - 1) * gap_s
            gap, total = Distribution.point(gap_s), Distribution.point(held_s)
            for each in sizings(rate, batch, [held_s / batch], held_s, gpus // (tp * pp)):
                id = f"decode {tp} {pp} {batch} {each.label}"
                pool = Pool(id, "a100", "decode", tp * pp, tp, pp, max_batch=batch, capacity=each.capacity)
                times = (VisitTime(gap, total, each.law),)
                yield pool, Option("chat.decode", id, times, held_s / batch, tbt_s=(gap_s,))


def shapes(found: Fits) -> list[tuple[int, int]]:
    """Degrees and stages that fit and were fitted."""
    fitted = [tp for tp in DEGREES if str(tp) in found.times]
    return [(tp, pp) for tp in fitted for pp in STAGES if (tp, pp) in found.most_tokens]


def problem(found: Fits, rate: float, ttft_s: float, tbt_s: float, gpus: int) -> PlacementProblem:
    """One model that chats, on so many GPUs at a dollar an hour each."""
    candidates = [*prefill_pools(found, rate, gpus), *decode_pools(found, rate, gpus, tbt_s)]
    return PlacementProblem(
        pieces=(Piece("chat.prefill", "chat", "prefill", 1.0), Piece("chat.decode", "chat", "decode", 1.0)),
        pools=tuple(pool for pool, _ in candidates),
        options=tuple(option for _, option in candidates),
        devices=(DeviceType("a100", 0, gpus, usd_per_hour=(("rent", 1.0),)),),
        transfers=(Transfer("chat.prefill", "chat.decode", 0.0, (Route("prefill", "decode", 0.0),)),),
        scenarios=(Scenario(1.0, (Step("chat@1", ("chat.prefill", "chat.decode"), 1, ()),), ("chat@1",)),),
        bounds=(
            Bound("slo.ttft[chat]", "ttft", ttft_s, 0.9, "chat"),
            Bound("slo.tbt[chat]", "tbt", tbt_s, 0.9, "chat"),
        ),
        rate_per_s=rate,
    )


def shape_of(result: PlacementResult, posed: PlacementProblem, piece: str) -> tuple[int, int]:
    """(TP, PP) of the pool that a piece is in, which has one replica."""
    id = result.placements[piece]
    assert result.replicas[id] == 1
    return next((pool.tp, pool.pp) for pool in posed.pools if pool.id == id)


@pytest.fixture(scope="module")
def folder(data_folder: Path) -> Path:
    return data_folder / "silicon" / "distserve"


@pytest.mark.parametrize("rate", [1.0, 2.0, 3.0, 4.0])
def test_opt_13b(rate: float, folder: Path) -> None:
    """Published: prefill TP 2, decode TP 1, no stages; up to 1.56 requests/s for each of the 3 GPUs (simdistserve).

    Beyond 4 requests/s three prefills of TP 1 are found for one more GPU: the M/M/n law here has longer waits than
    DistServe's simulation, which reaches 4.7 with the one prefill.
    """
    posed = problem(fits(folder, "facebook/opt-13b"), rate, ttft_s=0.2, tbt_s=0.1, gpus=8)
    result = solve(posed, time_limit_s=60)
    assert result.status == "optimal"
    assert shape_of(result, posed, "chat.prefill") == (2, 1)
    assert shape_of(result, posed, "chat.decode") == (1, 1)
    assert result.objective == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("rate", "ttft_s", "tbt_s"), [pytest.param(1.0, 0.4, 0.1, id="v1"), pytest.param(3.0, 2.5, 0.15, id="v3")]
)
def test_opt_66b(rate: float, ttft_s: float, tbt_s: float, folder: Path) -> None:
    """Published: prefill TP 4, decode TP 2 in two stages, under the bounds of either version of the paper.

    Prefill comes out so; for decode TP 4 in one stage is found, which takes as many GPUs: of plans with equal cost the
    planner takes the faster, DistServe the first. The published decode is held to be another optimum.
    """
    posed = problem(fits(folder, "facebook/opt-66b"), rate, ttft_s, tbt_s, gpus=16)
    result = solve(posed, time_limit_s=60)
    assert result.status == "optimal"
    assert shape_of(result, posed, "chat.prefill") == (4, 1)
    tp, pp = shape_of(result, posed, "chat.decode")
    assert tp * pp == 4
    published = {pool.id for pool in posed.pools if pool.location == "prefill" or (pool.tp, pool.pp) == (2, 2)}
    kept = tuple(option for option in posed.options if option.pool in published)
    pools = tuple(pool for pool in posed.pools if pool.id in published)
    as_published = solve(replace(posed, pools=pools, options=kept), time_limit_s=60)
    assert as_published.objective == pytest.approx(result.objective)
    assert result.objective == pytest.approx(8.0)
