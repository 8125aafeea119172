"""What runs when a plan is made anew: the replicas of an earlier plan, less those that were lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from xdsl.ir import Operation

from ...costmodel.cold_start import start_s
from ...costmodel.hardware import Device
from ...ir.agent import graph_of
from ...ir.diagnostics import Diagnostic, DovetailError, InputError, did_you_mean
from ...ir.fleet import FleetSpec
from ...ir.llm import node_and_part
from ...ir.read.graph import parse_graph
from ...passes import run_pipeline
from ..candidates.profiles import profile_of
from ..candidates.setting import Setting
from ..placement.model.migration import kinds_by_pool
from ..placement.problem import Kind, PlacementProblem, Previous
from .to_problem import memory_key

Json = Mapping[str, Any]
OVER_S = 24 * 3600.0
"""What changes cost is spread over a day unless said: loads repeat daily, so that a plan is rarely kept for less."""


def refuse_unless_counted(goal: str, setting: Setting) -> None:
    """InputError where replicas are not counted, or are counted in another unit than USD."""
    if setting.rate_per_s is None:
        raise _refusal("the graph gives no rate, so that replicas are not counted", "give `workload: {rate: ...}`")
    if goal != "cost":
        message = f"what changes cost is counted in USD, and the objective is `{goal}`"
        raise _refusal(message, "plan for `--objective cost`; the others may be bounds")


def taken_from(plan: Json, name: str | None, lost: Mapping[str, int | None], over_s: float) -> dict[str, Any]:
    """What ran under `plan`, as a plan made in its place embeds it; `name` is that of the graph to be planned.

    `lost` are devices that failed, by fleet name (None: all): each takes a replica with it, the largest first, for
    which of them they were part of is not known. InputError for a plan of another graph or without replicas.
    """
    from ..check.reading import BROKEN
    from ..check.schema import shape_faults

    fault = next(shape_faults(plan), None) if "batch" not in plan else "it is of a batch, which runs once"
    if fault is not None:
        raise _refusal(f"the old plan is not sound: {fault}", "`dovetail check` lists its faults")
    if plan["status"] not in ("optimal", "feasible") or plan["cost"]["usd_per_hour"] is None:
        raise _refusal("the old plan counts no replicas", "take one that was made with a rate")
    old = plan["inputs"]["graph"].get("name")
    if old != name:
        message = (
            f"the old plan is of `{old or 'a graph without a name'}`, and this graph is `{name or 'without a name'}`"
        )
        raise _refusal(message, "give the plan of this graph; the same `name` says that they are one")
    try:
        pools = list(_pools(plan))
    except (*BROKEN, DovetailError) as error:
        text = error.diagnostics[0].message if isinstance(error, DovetailError) else f"{type(error).__name__}: {error}"
        raise _refusal(f"the old plan cannot be read: {text}", "`dovetail check` lists its faults") from None
    found = {"over_s": over_s, "usd_per_request": plan["cost"]["usd_per_request"], "pools": pools}
    return {**found, "lost": _lose(pools, lost)} if lost else found


def _pools(plan: Json) -> Iterator[dict[str, Any]]:
    """Pools of devices of one's own, with what each replica holds."""
    held: dict[str, list[dict[str, str]]] = {pool["id"]: [] for pool in plan["pools"]}
    roles = _holdings(plan)
    for entry in plan["placements"]:
        holding = roles[entry["piece"], entry["pool"]]
        if holding not in held[entry["pool"]]:
            held[entry["pool"]].append(holding)
    for pool in plan["pools"]:
        if pool["replicas"]:
            shape = {key: pool[key] for key in ("device", "replicas", "devices_per_replica", "parallel")}
            yield {**shape, "holds": sorted(held[pool["id"]], key=str)}


def _holdings(plan: Json) -> dict[tuple[str, str], dict[str, str]]:
    """Piece and its pool -> the model that it loads there, and its role."""
    from ..sensitivity.question import question_of

    question = question_of(plan)
    module = parse_graph(dict(question.graph)).module
    run_pipeline(module)
    setting = Setting(graph_of(module), question.fleet, {}, {})
    works, held = dict(question.works(setting.graph)), {(e["piece"], e["pool"]) for e in plan["placements"]}

    def role(op: Operation, pool: str) -> str:
        node, part = node_and_part(op)
        if part == "run" or profile_of(setting, op) is not None:
            return part
        return "both" if {(f"{node}.prefill", pool), (f"{node}.decode", pool)} <= held else part

    ops = {".".join(node_and_part(op)): op for op in setting.written.values()}
    served = {pool["id"]: pool.get("model") for pool in plan["pools"]}
    return {
        (piece, pool): {"model": memory_key(ops[piece], works, served[pool]), "role": role(ops[piece], pool)}
        for piece, pool in held
    }


def _lose(pools: list[dict[str, Any]], lost: Mapping[str, int | None]) -> dict[str, int]:
    """Take the replicas of lost devices out of `pools`; replicas lost, by device."""
    gone: dict[str, int] = {}
    for name, devices in lost.items():
        left = devices
        for pool in sorted((p for p in pools if p["device"] == name), key=lambda p: -p["devices_per_replica"]):
            taken = pool["replicas"] if left is None else min(left, pool["replicas"])
            pool["replicas"] -= taken
            left = None if left is None else left - taken
            gone[name] = gone.get(name, 0) + taken
    return gone


def without_lost(document: Json, fleet: FleetSpec, lost: Mapping[str, int | None]) -> dict[str, Any]:
    """The document of a fleet that has lost devices; InputError for more than it has, or none that it knows."""
    specs = {spec.name: spec for spec in fleet.devices if spec.kind != "api"}
    devices = dict(document["devices"])
    for name, number in lost.items():
        if name not in specs:
            raise _refusal(f"`--lost {name}`: the fleet has no such device", did_you_mean(name, specs))
        spec = specs[name]
        most = None if spec.max_count is None else max(spec.max_count, spec.owned)
        if number is not None and most is not None and number > most:
            raise _refusal(f"`--lost {name}={number}`: the fleet has {most}", f"`--lost {name}` loses all")
        if most is None and number is not None:
            continue  # as many more are to be had
        left = 0 if number is None or most is None else most - number
        owned = min(left, max(0, spec.owned - (number or 0))) if number is not None else 0
        rest = {key: value for key, value in devices[name].items() if key != "owned"}
        owns = {"owned": owned} if owned else {}
        devices[name] = {**rest, **owns, "count": f"{min(spec.min_count, left)}..{left}"}
    return {**document, "devices": devices}


def with_previous(
    problem: PlacementProblem, fleet: FleetSpec, devices: Mapping[str, Device], previous: Json
) -> PlacementProblem:
    """`problem` beside what runs already, as `taken_from` has it."""
    running: dict[Kind, int] = {}
    up: dict[str, int] = {}
    for pool in previous["pools"]:
        name, n, each = pool["device"], pool["replicas"], pool["devices_per_replica"]
        up[name] = up.get(name, 0) + n * each
        for holding in pool["holds"] if n else ():
            kind = Kind(name, holding["model"], holding["role"], each, **pool["parallel"])
            running[kind] = running.get(kind, 0) + n
    starts = _starts(problem, fleet, devices)
    figures = (previous["usd_per_request"], previous["over_s"])
    return replace(problem, previous=Previous(tuple(running.items()), tuple(up.items()), starts, *figures))


def _starts(
    problem: PlacementProblem, fleet: FleetSpec, devices: Mapping[str, Device]
) -> tuple[tuple[Kind, float, float], ...]:
    """Kind, bytes to load into a replica, and seconds until it answers."""
    kinds, weights = kinds_by_pool(problem), dict[Kind, float]()
    for o in problem.options:
        if o.pool in kinds:
            kind = kinds[o.pool][o.piece]
            weights[kind] = max(weights.get(kind, 0.0), o.weight_bytes * kind.devices)
    specs = {spec.name: spec for spec in fleet.devices}

    def seconds(kind: Kind, size: float) -> float:
        spec = specs[kind.device]
        return start_s(spec, devices.get(kind.device), fleet.site_of(spec), size)

    return tuple((kind, size, seconds(kind, size)) for kind, size in weights.items())


def _refusal(message: str, help: str | None) -> InputError:
    return InputError([Diagnostic("from", message, help=help)])
