"""Degrees of parallelism against an enumeration of every cut, batch and number of replicas by the cost model alone."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dovetail.costmodel import serving
from dovetail.costmodel.hardware import Device, resolve
from dovetail.costmodel.models import LLM, find_model
from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.check.waiting import erlang_c
from dovetail.planner.placement.search.solve import objective_within
from dovetail.planner.posing.pose import pose

Json = dict[str, Any]
BATCHES = tuple(2**k for k in range(9))
DENSE, MIXTURES = ("llama-3.2-1b", "qwen3-8b"), ("qwen3-30b-a3b", "gpt-oss-20b")


@dataclass(frozen=True)
class Case:
    """One node on one kind of device; times in seconds."""

    model: str
    prompt: int
    output: int
    rate: float
    ttft: float
    tbt: float
    memory_gb: float
    chassis: int
    count: int
    network: float
    """[GB/s] from one chassis to the next; 0: no link"""

    def graph(self, parallel: Json | None = None) -> Json:
        node = {"kind": "llm", "model": self.model, "prompt_tokens": self.prompt, "output_tokens": self.output}
        return {
            "version": 1,
            "nodes": {"think": {**node, **({"parallel": parallel} if parallel else {})}},
            "workload": {"rate": f"{self.rate} req/s"},
            "slo": {"ttft": f"{self.ttft} s", "tbt": f"{self.tbt} s"},
        }

    def fleet(self) -> Json:
        figures = {
            "kind": "npu",
            "memory": f"{self.memory_gb} GB",
            "bandwidth": "1 TB/s",
            "flops": {"bf16": "100 TFLOP/s"},
        }
        links: list[Json] = [{"within": "a", "bandwidth": "100 GB/s", "latency": "3 us"}] if self.chassis > 1 else []
        if self.network:
            links.append({"between": ["a", "a"], "bandwidth": f"{self.network} GB/s", "latency": "5 us"})
        device = {**figures, "chassis": self.chassis, "count": self.count, "price": {"rent": "1 USD/h"}}
        return {
            "devices": {"a": device},
            "links": links,
            "site": {"network": {"bandwidth": "10 GB/s", "latency": "20 us"}},
        }

    def least(self, parallel: Json | None = None) -> float | None:
        """Least cost by the planner [USD/h]."""
        posed = pose(parse_graph(self.graph(parallel)), parse_fleet(self.fleet()), Path())
        return objective_within(posed.problem, None)


def case(seed: int) -> Case:
    r = random.Random(seed)
    model = r.choice(DENSE if seed % 2 else MIXTURES)
    llm = find_model(model)
    assert isinstance(llm, LLM)
    weights = llm.weight_bytes("bf16" if seed % 2 else llm.precision) / 1e9
    return Case(
        model,
        prompt=r.choice([200, 1000, 4000]),
        output=r.choice([20, 100]),
        rate=r.choice([0.2, 1.0, 4.0]),
        ttft=r.choice([0.3, 1.0, 4.0]),
        tbt=r.choice([0.03, 0.1]),
        memory_gb=round(weights * r.choice([0.15, 0.3, 0.6]) + 2.5, 1),
        chassis=r.choice([1, 2, 2]),
        count=r.choice([8, 16]),
        network=r.choice([0.0, 10.0, 50.0, 50.0]),
    )


def stands(device: Device, cut: serving.Parallel) -> bool:
    chassis, stage = device.chassis, cut.tp * cut.dp
    if cut.tp > chassis:
        return False
    if cut.devices <= chassis:
        return True
    even = chassis % stage == 0 or stage % chassis == 0
    return even and cut.devices % chassis == 0 and bool(device.network_bandwidth_bytes_per_s)


def every_cut(llm: LLM, device: Device, most: int) -> Iterator[serving.Parallel]:
    """All cuts that a fleet has the devices for."""
    mixture = any(group.network.experts for group in llm.groups)
    for tp, pp, dp in itertools.product((1, 2, 4, 8), (1, 2, 4, 8), (1, 2, 4, 8, 16) if mixture else (1,)):
        for ep in {1, tp} if mixture and dp == 1 else {tp * dp} if mixture else {1}:
            cut = serving.Parallel(tp, pp, ep, dp)
            if cut.devices <= most and stands(device, cut) and serving.fits_shape(llm, cut):
                yield cut


@dataclass(frozen=True)
class Phase:
    """A pool's replica in a role."""

    devices: int
    slots: int
    slot_s: float
    """that a visit keeps"""
    first_s: float
    gap_s: float


def phases(case: Case, llm: LLM, device: Device) -> Iterator[tuple[str, Phase]]:
    precision = llm.precision
    longest, context = case.prompt + case.output, case.prompt + case.output / 2
    for cut in every_cut(llm, device, case.count):
        replica = serving.Replica(llm, device, cut, precision)
        prefill = float(serving.prefill_s(replica, float(case.prompt)))
        for each in BATCHES:
            batch = each * cut.dp * cut.pp
            held = serving.weight_bytes_per_device(llm, cut, precision)
            held += serving.kv_bytes_per_device(llm, cut, batch, longest)
            held += serving.activation_bytes_per_device(llm, cut, batch, longest)
            if held > device.memory_bytes or each * cut.pp > 256:
                break
            step = float(serving.decode_step_s(replica, float(batch), context))
            gap = float(serving.tbt_s(replica, step, prefill, float(batch), case.prompt, case.output))
            tokens = case.output - 1
            yield "decode", Phase(cut.devices, batch, tokens * step, 0.0, step)
            yield "both", Phase(cut.devices, batch, prefill + tokens * gap, prefill, gap)
            if each == 1:
                yield "prefill", Phase(cut.devices, cut.dp, prefill / cut.pp, prefill, 0.0)


def fewest(case: Case, phase: Phase, most_wait_s: float) -> int | None:
    """Devices of the fewest replicas that carry the rate with no longer a mean wait."""
    offered = case.rate * phase.slot_s
    for n in range(int(offered / phase.slots) + 1, case.count // phase.devices + 1):
        servers = n * phase.slots
        wait = erlang_c(servers, offered) * phase.slot_s / (servers - offered) if offered < servers else math.inf
        if wait <= most_wait_s * (1 + 1e-9):
            return n * phase.devices
    return None


def enumerated(case: Case) -> float | None:
    """Least cost of all [USD/h]: in one server, or each phase in one of its own."""
    fleet = parse_fleet(case.fleet()).spec
    device = resolve(fleet.devices[0], fleet.links)
    llm = find_model(case.model)
    assert isinstance(device, Device)
    assert isinstance(llm, LLM)
    moved = 20e-6 + llm.kv_bytes_per_token("bf16") * case.prompt / 10e9
    found: dict[str, list[int]] = {"both": [], "prefill": [], "decode": []}
    for role, phase in phases(case, llm, device):
        moves = moved / (case.output - 1) if role == "decode" else 0.0
        if phase.gap_s + moves <= case.tbt * (1 + 1e-9) and phase.first_s <= case.ttft:
            devices = fewest(case, phase, math.inf if role == "decode" else case.ttft - phase.first_s)
            if devices is not None:
                found[role].append(devices)
    costs = [float(n) for n in found["both"]]
    costs += [float(a + b) for a in found["prefill"] for b in found["decode"]]
    return min((cost for cost in costs if cost <= case.count), default=None)


def test_the_planner_finds_the_least_cost_of_all_cuts() -> None:
    changed = 0
    for seed in range(72):
        it = case(seed)
        best, expected = it.least(), enumerated(it)
        assert best == (None if expected is None else pytest.approx(expected, rel=1e-6)), (seed, it)
        changed += it.least({"pp": 1, "ep": 1, "dp": 1}) != (None if best is None else pytest.approx(best))
    assert changed >= 30


def test_what_the_user_names_is_kept_and_the_rest_is_free() -> None:
    it = replace(case(0), memory_gb=6.0, chassis=2, count=16, network=50.0, ttft=4.0, tbt=0.1)
    for pinned in ({"pp": 4}, {"dp": 4}, {"ep": 4}, {"tp": 2, "pp": 2}, {"ep": 1, "pp": 2}):
        problem = pose(parse_graph(it.graph(pinned)), parse_fleet(it.fleet()), Path()).problem
        assert problem.pools
        for pool in problem.pools:
            assert {name: getattr(pool, name) for name in pinned} == pinned
            assert pool.devices_per_replica == pool.tp * pool.pp * pool.dp
    free = {
        (g.tp, g.pp, g.ep, g.dp)
        for g in pose(parse_graph(it.graph({"ep": 4})), parse_fleet(it.fleet()), Path()).problem.pools
    }
    assert len(free) > 1


def test_a_replica_spans_no_chassis_that_no_link_joins() -> None:
    it = replace(case(1), model="qwen3-8b", memory_gb=6.5, chassis=2, count=16, ttft=4.0, tbt=0.1)
    assert replace(it, network=0.0).least() is None
    assert replace(it, network=50.0).least() is not None
