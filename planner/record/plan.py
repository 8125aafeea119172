"""The document of plan.json: a placement, what it costs and how fast it is, with the inputs that it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...costmodel.energy import carbon_g
from ...costmodel.figures import QUALITIES
from ...costmodel.quality import GIVEN
from ...ir.digest import digest
from ...ir.units import HOUR_S, HOURS_PER_YEAR
from ..placement.model.objective import price
from ..placement.model.quality import mean_quality, node_qualities
from ..placement.model.racks import Racks
from ..placement.result import COST_PARTS, PlacementResult
from ..posing.device_time import device_time_usd
from ..posing.goals import stated
from .migration import migration
from .pools import pool_record
from .rows import placement_rows, transfer_rows
from .solved import Json, Solved

FORMAT = 1
DIGITS = 9
"""Significant digits of the figures in plan.json."""


@dataclass(frozen=True)
class Inputs:
    """What a plan was made from, as plain data."""

    graph: Json
    fleet: Json
    catalogue: Json
    previous: Json | None = None
    """What ran before, as `previous.py` takes it from a plan."""

    def document(self) -> Json:
        """`inputs` of plan.json: the documents themselves, and their digests."""
        parts = {"graph": self.graph, "fleet": self.fleet, "catalogue": self.catalogue}
        parts |= {} if self.previous is None else {"previous": self.previous}
        return {**parts, "sha256": {name: digest(part) for name, part in parts.items()}}


def plan_document(solved: Solved, inputs: Inputs, warnings: list[str], version: str) -> Json:
    """plan.json of a solved problem; floats to nine significant digits."""
    result, latency = solved.result, solved.latency
    best = stated(solved.goal, solved.problem, result, solved.output_tokens_per_request, solved.served).document()
    document = {
        "format": FORMAT,
        "dovetail": version,
        "status": result.status,
        "inputs": inputs.document(),
        "objective": {**best, "gap": 0.0 if best["gap"] is not None and best["gap"] < 10**-DIGITS else best["gap"]},
        "cost": _cost(solved),
        "latency_s": {
            "ttft": latency.ttft,
            "tbt": latency.tbt,
            "first_output": latency.first_output,
            "end_to_end": latency.end_to_end,
        },
        **_energy(solved),
        "pools": [pool_record(solved, number, pool) for number, pool in solved.pools.items()],
        "placements": placement_rows(solved.problem, solved.chosen, solved.number),
        "transfers": transfer_rows(solved.problem, result.transfers),
        "fleet": _fleet(solved),
        **_racks(solved),
        **migration(solved.problem, result),
        **_model_quality(solved),
        "binding": list(result.binding),
        "binding_complete": result.binding_complete,
        "conflict": list(result.conflict),
        "warnings": warnings,
        "quality": _quality(solved),
        "solve": {
            "seconds": result.stats.seconds,
            "pieces": len(solved.problem.pieces),
            "variables": result.stats.variables,
            "constraints": result.stats.constraints,
            "cuts": result.stats.cuts,
            "solver": result.stats.solver,
        },
    }
    return {key: value if key == "inputs" else rounded(value) for key, value in document.items()}


def unsolved_document(result: PlacementResult, inputs: Inputs, version: str) -> Json:
    """plan.json where there is no plan: what was asked, and what stands against it."""
    return {
        "format": FORMAT,
        "dovetail": version,
        "status": result.status,
        "inputs": inputs.document(),
        "conflict": list(result.conflict),
    }


def _cost(solved: Solved) -> Json:
    parts = {part: solved.result.cost.get(part, 0.0) for part in COST_PARTS}
    total, rate = sum(parts.values()), solved.problem.rate_per_s
    if rate is None:
        _move_device_time(solved, parts)
    per_request = total if rate is None else total / (rate * HOUR_S)
    tokens = solved.output_tokens_per_request
    return {
        "usd_per_hour": None if rate is None else total,
        "usd_per_request": per_request,
        "usd_per_1k_requests": per_request * 1000,
        "usd_per_year": None if rate is None else total * HOURS_PER_YEAR,
        "usd_per_million_output_tokens": per_request / tokens * 1e6 if tokens else None,
        "parts": parts,
    }


def _move_device_time(solved: Solved, parts: dict[str, float]) -> None:
    """Take the time of devices out of `calls`, where the solver has it without a rate, and under its own parts."""
    devices = {device.name: device for device in solved.problem.devices}
    for pool in solved.pools.values():
        for option in solved.inside(pool):
            for part, usd in device_time_usd(devices[pool.device], pool, option).items():
                parts[part] += usd
                parts["calls"] -= usd
    parts["calls"] = max(0.0, parts["calls"])


def _mean_power_w(solved: Solved) -> dict[str, float]:
    """Mean power of all devices taken of each name, PUE included [W]; empty without a rate.

    Idle power, and what the load adds; where only interest is paid, full power without PUE (Table 5 of
    arXiv 2507.19635).
    """
    drawn, rate = dict[str, float](), solved.problem.rate_per_s or 0.0
    pools = {pool.id: pool for pool in solved.problem.pools}
    for spec in solved.fleet.devices:
        device, taken = solved.devices.get(spec.name), solved.result.devices.get(spec.name, 0)
        if device is None or not taken:
            continue
        if spec.price.accounting == "interest_only":
            drawn[spec.name] = device.tdp_w * (taken - solved.given_back.get(spec.name, 0.0))
            continue
        inside = [o for o in solved.chosen.values() if pools[o.pool].device == spec.name]
        above_idle_w = rate * sum(option.energy_j_per_request for option in inside)
        taken -= solved.given_back.get(spec.name, 0.0)
        drawn[spec.name] = (device.idle_w * taken + above_idle_w) * solved.fleet.site_of(spec).pue
    return drawn


def _energy(solved: Solved) -> Json:
    rate = solved.problem.rate_per_s
    if rate is None:
        return {"energy_j_per_request": None, "gco2_per_request": None}
    drawn, sites = _mean_power_w(solved), {d.name: solved.fleet.site_of(d) for d in solved.fleet.devices}
    grams = sum(carbon_g(watts / rate, sites[name].carbon_g_per_kwh or 0.0) for name, watts in drawn.items())
    known = solved.fleet.is_carbon_known
    return {"energy_j_per_request": sum(drawn.values()) / rate, "gco2_per_request": grams if known else None}


def _racks(solved: Solved) -> Json:
    """Mean power of the racks that have limits, and how often they draw more; nothing where there are none."""
    if not solved.problem.racks or solved.problem.rate_per_s is None:
        return {}
    held, plan = Racks(solved.problem), solved.result.placements
    found = {
        rack.name: {
            "limit_w": rack.power_w,
            "mean_w": held.mean_w(rack, plan),
            "exceeded": min(1.0, held.exceeded(rack, plan)),
        }
        for rack in solved.problem.racks
    }
    return {"racks": found}


def _model_quality(solved: Solved) -> Json:
    """How good the answers of the chosen models are, by node and on average over visits; nothing where none is told."""
    problem, plan = solved.problem, solved.result.placements
    mean = mean_quality(problem, plan)
    return {} if mean is None else {"model_quality": {"nodes": node_qualities(problem, plan), "mean": mean}}


def _fleet(solved: Solved) -> Json:
    """Devices taken by fleet name, and what they cost a year, energy included."""
    rate = solved.problem.rate_per_s
    if rate is None:
        taken: dict[str, int] = {}
        for pool in solved.pools.values():
            taken[pool.device] = taken.get(pool.device, 0) + solved.replicas(pool) * pool.devices_per_replica
        return {name: {"devices": n, "usd_per_year": None} for name, n in sorted(taken.items()) if n}
    found = {}
    for device in solved.problem.devices:
        count = solved.result.devices.get(device.name, 0)
        if count:
            usd = device_usd_per_hour(solved, device.name, count)
            found[device.name] = {"devices": count, "usd_per_year": usd * HOURS_PER_YEAR}
    return dict(sorted(found.items()))


def device_usd_per_hour(solved: Solved, name: str, count: int) -> float:
    """[USD/h] of `count` devices, the energy of what runs on them among it."""
    device = next(d for d in solved.problem.devices if d.name == name)
    back = solved.given_back.get(name, 0.0)
    paid = max(0, count - device.owned) - back
    pools = {pool.id: pool for pool in solved.problem.pools}
    joules = sum(o.energy_j_per_request for o in solved.chosen.values() if pools[o.pool].device == name)
    busy_usd = joules * (solved.problem.rate_per_s or 0.0) * HOUR_S * device.usd_per_joule
    energy = (count - back) * device.idle_usd_per_hour + busy_usd
    return paid * price(device) + energy


def _quality(solved: Solved) -> Json:
    """Shares of the cost by how well its numbers are known; where nothing costs anything, pieces weigh alike.

    What a pool's devices cost goes by the marks of the options in it, by their load. Prices of calls are measured
    where a profile has them, and else as the user or the provider states them.
    """
    shares: dict[str, float] = dict.fromkeys(QUALITIES, 0.0)
    devices = {device.name: device for device in solved.problem.devices}
    sized, calls_per_s = solved.problem.rate_per_s is not None, solved.problem.rate_per_s or 1 / HOUR_S
    for pool in solved.pools.values():
        inside = solved.inside(pool)
        load = sum(option.load for option in inside)
        held = (
            pool.billed * solved.replicas(pool) * pool.devices_per_replica * price(devices[pool.device])
            if sized
            else 0.0
        )
        for option in inside:
            timed = 0.0 if sized else sum(device_time_usd(devices[pool.device], pool, option).values())
            called = "measured" if option.quality == (("measured", 1.0),) else GIVEN
            shares[called] += (option.usd_per_request - timed) * HOUR_S * calls_per_s
            weight = held * (option.load / load if load else 1 / len(inside)) + timed * HOUR_S * calls_per_s
            for mark, share in option.quality:
                shares[mark] += weight * share
    total = sum(shares.values())
    if total:
        return {mark: share / total for mark, share in shares.items()}
    for option in solved.chosen.values():
        for mark, share in option.quality:
            shares[mark] += share / len(solved.chosen)
    return shares


def rounded(value: Any) -> Any:
    """Figures to `DIGITS` significant digits, so that equal inputs give equal bytes."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") + 0.0
    if isinstance(value, Mapping):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value
