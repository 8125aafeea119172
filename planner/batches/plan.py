"""The document of plan.json for a batch, from files that were read; or why there is no plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from pathlib import Path
from time import monotonic
from typing import Any

from ...costmodel.embedded import embed
from ...costmodel.quality import quality_of
from ...ir.agent import graph_of
from ...ir.diagnostics import Diagnostic, Infeasible, InputError, Label
from ...ir.read.fleet import FleetFile
from ...ir.read.graph import GraphFile
from ..posing.pose import resolve_files
from ..record.plan import FORMAT, Inputs, rounded
from .bound import instance_bound_s, lower_bound_s, tools_bound_s
from .phases import solve_phases
from .pose import BatchSetting, pose_batch, setting_faults
from .problem import BatchProblem
from .simulate import percentiles, simulate
from .solve import BatchResult, assess, calls_usd, cheapest, fastest
from .unheeded import unheeded

Json = dict[str, Any]
MOST_SIMULATED = 60_000
"""visits of a batch that is simulated with its plan: a second or so"""
OPTIMAL = 1e-6
"""relative gap up to which a plan is called optimal"""
FACTORS = (2, 4, 8, 16, 32, 64)
"""times the workers there are that a late batch is tried on"""


def plan_batch(
    graph: GraphFile,
    fleet: FleetFile,
    base_dir: Path,
    version: str,
    objective: str | None = None,
    time_limit_s: float | None = None,
) -> Json:
    """plan.json of a batch. InputError for what a batch cannot have, Infeasible where no plan meets the deadline."""
    resolved, started = resolve_files(graph, fleet, base_dir), monotonic()
    setting = BatchSetting(graph_of(graph.module), fleet.spec, resolved.devices, resolved.llms)
    faults = setting_faults(setting, graph.sources)
    faults.found.extend(unheeded(setting.graph, fleet.spec, graph.sources, fleet.sources))
    faults.raise_if_errors()
    goal = objective or setting.graph.objective.data
    if goal not in ("cost", "latency"):
        help = "choose `cost`, the cheapest that meets the deadline, or `latency`, the fastest"
        raise InputError([Diagnostic("unsupported", f"`{goal}` of a batch is not supported yet", help=help)])
    used = [spec.model for spec in fleet.spec.devices if spec.model and spec.name in resolved.devices]
    inputs = Inputs(graph.document, fleet.document, embed(used, resolved.models, resolved.files))
    problems = list(pose_batch(setting))
    solver = fastest if goal == "latency" else cheapest
    result = solver(problems, time_limit_s) if problems else None
    late = result is not None and setting.deadline_s is not None and result.makespan_s > setting.deadline_s
    if result is None or late:
        unsolved = {"format": FORMAT, "dovetail": version, "status": "infeasible", "inputs": inputs.document()}
        conflict = ["workload.batch.deadline"] if problems else ["memory"]
        fault = _why(setting, problems, result or (fastest(problems) if problems else None), graph)
        raise Infeasible([fault], conflict, {**unsolved, "conflict": conflict})
    seconds = monotonic() - started
    document = _document(setting, goal, result, inputs, version)
    document["warnings"] = [warning.message for warning in graph.warnings] + _warnings(setting, result, document)
    document["solve"] = {"seconds": seconds, "pieces": len(result.problem.visits), "solver": "highs"}
    return {key: value if key == "inputs" else rounded(value) for key, value in document.items()}


def _why(setting: BatchSetting, problems: list[BatchProblem], best: BatchResult | None, graph: GraphFile) -> Diagnostic:
    """What is missing: a device that holds a model, or time."""
    if best is None:
        message = "no device of the fleet holds every model of the batch, or its calls are placed on none"
        return Diagnostic("infeasible", message, help="add devices with more memory, or more of them")
    label = Label(graph.sources.value(("workload", "batch", "deadline")))
    bound = min(lower_bound_s(p) for p in problems)
    proof = f", and none takes less than {bound:,.0f} s" if bound > (setting.deadline_s or 0) else ""
    message = (
        f"the fleet takes {best.makespan_s:,.0f} s at the least known{proof}; {setting.deadline_s:,.0f} s are asked"
    )
    return Diagnostic("infeasible", message, (label,), _what_helps(setting, problems))


def _what_helps(setting: BatchSetting, problems: list[BatchProblem]) -> str:
    """What no number of workers changes, or how many of them meet the deadline, tried."""
    deadline, p = setting.deadline_s or 0.0, problems[0]
    alone = min(map(instance_bound_s, problems))
    if alone > deadline:
        return f"no number of devices meets it: engines start and one instance runs in {alone:,.0f} s"
    for tool in p.tools:
        busy = p.size * tool.visits * tool.latency.mean
        if tool.concurrency is not None and busy / tool.concurrency > deadline:
            return f"`{tool.name}` alone needs a `concurrency` of {ceil(busy / deadline)}, and has {tool.concurrency}"
    if tools_bound_s(p) > deadline:
        return f"the tools keep the hosts busy for {tools_bound_s(p):,.0f} s: add hosts"
    for factor in FACTORS:
        for p in problems:
            more = replace(p, workers=tuple(replace(kind, count=kind.count * factor) for kind in p.workers))
            phases = solve_phases(more, 1) if lower_bound_s(more) <= deadline else None
            found = phases and assess(phases, 0.0)
            if found is not None and found.makespan_s <= deadline:
                names = " and ".join(f"{kind.count * kind.tp} of `{kind.device}`" for kind in more.workers)
                return f"{names} take {found.makespan_s:,.0f} s"
    return f"not even {FACTORS[-1]} times the devices meet it"


def _document(setting: BatchSetting, goal: str, result: BatchResult, inputs: Inputs, version: str) -> Json:
    value, bound = (result.makespan_s, result.bound_s) if goal == "latency" else (result.usd, result.usd_bound)
    gap = (value - bound) / value if value else 0.0
    return {
        "format": FORMAT,
        "dovetail": version,
        "status": "optimal" if gap <= OPTIMAL else "feasible",
        "inputs": inputs.document(),
        "objective": {
            "name": goal,
            "value": value,
            "unit": "s" if goal == "latency" else "USD",
            "bound": bound,
            "gap": gap,
        },
        "batch": _batch(setting, result),
        "cost": _cost(result),
        "pools": [_pool(result, b) for b in range(len(result.phases.bundles))],
        "placements": _placements(result),
        "fleet": _fleet(setting, result),
        "binding": [],
        "conflict": [],
        "warnings": [],
        "quality": _quality(setting, result),
    }


def _batch(setting: BatchSetting, result: BatchResult) -> Json:
    visits = result.problem.size * sum(result.problem.visits.values())
    run = [simulate(result.phases)] if visits <= MOST_SIMULATED else []
    return {
        "size": setting.size,
        "deadline_s": setting.deadline_s,
        "makespan_s": result.makespan_s,
        "phases_s": list(result.phases.lasts_s),
        "drain_s": result.makespan_s - result.phases.flow_s,
        "bound_s": result.bound_s,
        "simulated_s": percentiles(run)["mean"] if run else None,
    }


def _cost(result: BatchResult) -> Json:
    p, hours = result.problem, result.makespan_s / 3600
    tokens = p.size * sum(call.visits * call.output.mean for call in p.calls)
    each = result.usd / p.size
    return {
        "usd": result.usd,
        "usd_per_request": each,
        "usd_per_1k_requests": each * 1000,
        "usd_per_million_output_tokens": result.usd / tokens * 1e6 if tokens else None,
        "parts": {
            "workers": sum(kind.count * kind.usd_per_hour for kind in p.workers) * hours,
            "hosts": p.hosts_usd_per_hour * hours,
            "calls": calls_usd(p),
        },
    }


def _pool(result: BatchResult, b: int) -> Json:
    kind, workers = result.phases.bundles[b]
    return {
        "id": f"p{b + 1}",
        "device": kind.device,
        "replicas": workers,
        "devices_per_replica": kind.tp,
        "devices": workers * kind.tp,
        "parallel": {"tp": kind.tp, "pp": 1, "ep": 1, "dp": 1},
        "phases": [{"max_batch": dict(phase[b].batch)} for phase in result.phases.setups],
    }


def _placements(result: BatchResult) -> list[Json]:
    """Parts of the visits of each call, by phase and pool."""
    return [
        {"piece": f"{call}.run", "pool": f"p{b + 1}", "phase": k + 1, "share": fresh + reused, "continued": reused}
        for (call, k, b), (fresh, reused) in sorted(result.phases.shares.items())
    ]


def _fleet(setting: BatchSetting, result: BatchResult) -> Json:
    taken = {kind.device: {"devices": kind.count * kind.tp} for kind in result.problem.workers}
    hosts = {name: {"devices": n} for name, n in setting.hosts().items()} if result.problem.tools else {}
    return dict(sorted((taken | hosts).items()))


def _quality(setting: BatchSetting, result: BatchResult) -> Mapping[str, float]:
    """Shares of the work by how well its numbers are known: those of the devices."""
    total: dict[str, float] = {}
    weight = sum(kind.count * kind.tp for kind in result.problem.workers)
    for kind in result.problem.workers:
        for mark, share in quality_of(setting.devices[kind.device], setting.spec(kind.device).price):
            total[mark] = total.get(mark, 0.0) + share * kind.count * kind.tp / weight
    return dict(sorted(total.items()))


def _warnings(setting: BatchSetting, result: BatchResult, document: Json) -> list[str]:
    found = []
    simulated, deadline = document["batch"]["simulated_s"], setting.deadline_s
    if simulated is not None and deadline is not None and simulated > deadline >= result.makespan_s:
        found.append(f"the plan takes {result.makespan_s:,.0f} s by its own estimate, and {simulated:,.0f} s simulated")
    if any(spec.kind == "api" for spec in setting.fleet.devices):
        found.append("hosted APIs are left out: batches use devices alone")
    return found
