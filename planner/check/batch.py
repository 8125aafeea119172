"""The validator of plans of batches: shares, memory, loads, order, makespan and cost derived anew from plan.json.

It shares no code with the planner of batches. Ids of its faults: `check.placement`, `.count`, `.memory`, `.capacity`,
`.order`, `.latency`, `.cost`, `.objective`, `.bound`, and those of every plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...costmodel.cpu import NodeWork, node_work
from ...costmodel.embedded import read_catalogue
from ...costmodel.energy import energy_usd_per_hour
from ...costmodel.hardware import Device, resolve
from ...costmodel.models import LLM
from ...costmodel.tco import money
from ...ir.agent import GraphOp, LLMCallOp, NodeOp, graph_of
from ...ir.diagnostics import Diagnostics
from ...ir.fleet import FleetSpec
from ...passes.agent.inline_agents import inline_agents
from .batch_engine import EngineOnPool
from .close import far

Json = Mapping[str, Any]
SLACK = 1e-6
"""relative; shares are printed to nine digits"""


@dataclass(frozen=True)
class Subject:
    """A plan of a batch with its inputs read anew."""

    plan: Json
    graph: GraphOp
    fleet: FleetSpec
    devices: Mapping[str, Device]
    llms: Mapping[str, LLM]

    @cached_property
    def calls(self) -> dict[str, LLMCallOp]:
        """The llm nodes by name."""
        return {op.sym_name.data: op for op in self.graph.nodes if isinstance(op, LLMCallOp)}

    @cached_property
    def edges(self) -> list[tuple[str, str, float | None]]:
        """(from, to, probability)."""
        return [(*e.ends, e.probability.value.data if e.probability else None) for e in self.graph.edges]

    @cached_property
    def hosts(self) -> dict[str, int]:
        """CPU hosts as the plan has them."""
        fleet = self.plan["fleet"]
        return {n: int(fleet[n]["devices"]) for n, d in self.devices.items() if d.kind == "cpu" and n in fleet}

    @cached_property
    def works(self) -> dict[str, NodeWork]:
        """What a visit of each node that is no llm takes of the first host."""
        others = [op for op in self.graph.nodes if isinstance(op, NodeOp) and not isinstance(op, LLMCallOp)]
        return {op.sym_name.data: node_work(op, self.devices[next(iter(self.hosts))]) for op in others}

    @cached_property
    def visits(self) -> dict[str, float]:
        """Node -> visits of an instance."""
        found: dict[str, float] = {}
        names = [*self.calls, *(n for n in self.works)]
        while len(found) < len(names):
            for name in set(names) - set(found):
                into = [(a, q) for a, b, q in self.edges if b == name]
                if all(a in found for a, _ in into):
                    ways = [found[a] * self._taken(a, q) for a, q in into]
                    several = any(q is not None for _, q in into)
                    found[name] = 1.0 if not ways else min(1.0, sum(ways)) if several else max(ways)
        return found

    def _taken(self, node: str, probability: float | None) -> float:
        if probability is not None:
            return probability
        return 1.0 - sum(q for a, _, q in self.edges if a == node and q is not None)

    def engine(self, pool: Json, phase: int, model: str) -> EngineOnPool:
        """A model of a pool in a phase; KeyError for a model that no call of the graph names."""
        calls = tuple(op for op in self.calls.values() if _key(op) == model and _allowed(op, pool["device"]))
        device, tp = self.devices[pool["device"]], int(pool["parallel"]["tp"])
        batch = int(pool["phases"][phase]["max_batch"][model])
        return EngineOnPool(calls, self.llms[calls[0].model.data], device, tp, batch, self.visits)


def _key(op: LLMCallOp) -> str:
    return "/".join([op.model.data, *(str(f.data) for f in (op.precision, op.kv_precision) if f is not None)])


def _allowed(op: LLMCallOp, device: str) -> bool:
    on = op.place.data.get("on") if op.place is not None else None
    return on is None or device in [each.data for each in on]  # pyright: ignore[reportGeneralTypeIssues,reportAttributeAccessIssue]


def read_batch(plan: Json) -> Subject:
    """The plan's embedded inputs, read again."""
    from ...ir.read.fleet import parse_fleet
    from ...ir.read.graph import parse_graph

    module, inputs = parse_graph(plan["inputs"]["graph"]).module, plan["inputs"]
    inline_agents(module)
    fleet, catalogue = parse_fleet(inputs["fleet"]).spec, read_catalogue(inputs["catalogue"])
    devices = {s.name: resolve(s, fleet.links, catalogue.find_device) for s in fleet.devices if s.kind != "api"}
    known = {name: device for name, device in devices.items() if isinstance(device, Device)}
    llms = {name: model for name, model in catalogue.models.items() if isinstance(model, LLM)}
    return Subject(plan, graph_of(module), fleet, known, llms)


def check_batch(subject: Subject, faults: Diagnostics) -> None:
    """Note every fault of the plan."""
    _check_placements(subject, faults)
    if faults.errors:
        return
    for rule in (_check_counts, _check_memory, _check_loads, _check_order, _check_makespan, _check_cost):
        rule(subject, faults)


def _check_placements(s: Subject, faults: Diagnostics) -> None:
    """Every call is placed once, on pools that hold its model then."""
    pools, total = {pool["id"]: pool for pool in s.plan["pools"]}, dict.fromkeys(s.calls, 0.0)
    phases = len(s.plan["batch"]["phases_s"])
    for pool in pools.values():
        if len(pool["phases"]) != phases:
            faults.error("check.placement", f"`{pool['id']}` has {len(pool['phases'])} phases, and the plan {phases}")
            return
    for row in s.plan["placements"]:
        call, pool = row["piece"].removesuffix(".run"), pools.get(row["pool"])
        if call not in s.calls or pool is None or row["phase"] > phases or row["continued"] > row["share"] + SLACK:
            faults.error("check.placement", f"`{row['piece']}` on `{row['pool']}` is no placement of this plan")
            continue
        total[call] += row["share"]
        if _key(s.calls[call]) not in pool["phases"][row["phase"] - 1]["max_batch"]:
            faults.error(
                "check.placement", f"`{pool['id']}` does not hold the model of `{call}` in phase {row['phase']}"
            )
        if not _allowed(s.calls[call], pool["device"]):
            faults.error("check.constraint", f"`{call}` may not run on `{pool['device']}`")
    for call, share in total.items():
        if abs(share - 1) > SLACK:
            faults.error("check.placement", f"the shares of `{call}` sum to {share:.6g}, and not 1")


def _check_counts(s: Subject, faults: Diagnostics) -> None:
    taken: dict[str, int] = {}
    for pool in s.plan["pools"]:
        devices = pool["replicas"] * pool["parallel"]["tp"]
        if devices != pool["devices"] or pool["devices_per_replica"] != pool["parallel"]["tp"]:
            faults.error("check.count", f"`{pool['id']}` has {devices} devices by its replicas")
        taken[pool["device"]] = taken.get(pool["device"], 0) + devices
    for spec in s.fleet.devices:
        most, stated = spec.max_count, s.plan["fleet"].get(spec.name, {}).get("devices", 0)
        n = taken.get(spec.name, s.hosts.get(spec.name, 0))
        if n != stated or (most is not None and n > max(most, spec.owned)):
            faults.error("check.count", f"the plan takes {n} of `{spec.name}`, states {stated}, and {most} are there")


def _check_memory(s: Subject, faults: Diagnostics) -> None:
    """Weights, activations and caches of all engines fit a device in every phase."""
    for pool in s.plan["pools"]:
        for k, phase in enumerate(pool["phases"]):
            engines = [s.engine(pool, k, model) for model in phase["max_batch"]]
            held = sum(engine.held_bytes for engine in engines)
            room = max((e.replica.engine.memory_share * e.device.memory_bytes for e in engines), default=0.0)
            if held > room * (1 + SLACK):
                message = f"`{pool['id']}` holds {held / 1e9:.1f} GB in phase {k + 1}, and has {room / 1e9:.1f} GB"
                faults.error("check.memory", message)


def _rows(s: Subject, pool: Json, phase: int) -> Iterator[tuple[str, float, float]]:
    """(call, share read anew, share continued) of a pool in a phase."""
    for row in s.plan["placements"]:
        if row["pool"] == pool["id"] and row["phase"] == phase + 1:
            yield row["piece"].removesuffix(".run"), row["share"] - row["continued"], row["continued"]


def _check_loads(s: Subject, faults: Diagnostics) -> None:
    """No pool does more in a phase than it lasts, and none continues what it has not done."""
    size = s.plan["batch"]["size"]
    for pool in s.plan["pools"]:
        ever = {m for phase in pool["phases"] for m in phase["max_batch"]}
        for k, phase in enumerate(pool["phases"]):
            held = phase["max_batch"]
            before = pool["phases"][k - 1]["max_batch"] if k else {}
            busy = sum(s.engine(pool, k, m).load_s for m in held if k and m not in before)
            if k == 0:
                first = {m: next(i for i, p in enumerate(pool["phases"]) if m in p["max_batch"]) for m in ever}
                busy = sum(s.engine(pool, i, m).start_s for m, i in first.items())
            done = {call: fresh + kept for call, fresh, kept in _rows(s, pool, k)}
            for call, fresh, kept in _rows(s, pool, k):
                engine, visits = s.engine(pool, k, _key(s.calls[call])), size * s.visits[call] / pool["replicas"]
                busy += visits * (fresh * engine.visit(call, False).worker_s + kept * engine.visit(call, True).worker_s)
                source = s.calls[call].continues
                most = done.get(source.data, 0.0) * s.visits[source.data] / s.visits[call] if source else 0.0
                if kept > most + SLACK:
                    faults.error("check.placement", f"`{call}` continues more on `{pool['id']}` than was done there")
            if busy > s.plan["batch"]["phases_s"][k] * (1 + 10 * SLACK) + 1e-6:
                message = f"`{pool['id']}` is busy {busy:.6g} s in phase {k + 1}, which lasts less"
                faults.error("check.capacity", message)


def _check_order(s: Subject, faults: Diagnostics) -> None:
    """What a phase does, it or an earlier one has prepared; tools keep to their limits over all phases."""
    phases, size = s.plan["batch"]["phases_s"], s.plan["batch"]["size"]
    done = {call: [0.0] * len(phases) for call in s.calls}
    for row in s.plan["placements"]:
        for k in range(row["phase"] - 1, len(phases)):
            done[row["piece"].removesuffix(".run")][k] += row["share"]
    for a in s.calls:
        for b in _calls_after(s, a):
            if any(late > early + 10 * SLACK for early, late in zip(done[a], done[b], strict=True)):
                faults.error("check.order", f"`{b}` is done before `{a}`, which it waits for")
    for name, work in s.works.items():
        op = next(op for op in s.graph.nodes if isinstance(op, NodeOp) and op.sym_name.data == name)
        limit = op.attributes.get("concurrency")
        if limit is not None:
            seconds = size * s.visits[name] * work.latency.mean / limit.value.data  # pyright: ignore[reportAttributeAccessIssue]
            if seconds > sum(phases) * (1 + SLACK):
                faults.error("check.capacity", f"`{name}` takes {seconds:.6g} s at its concurrency, over all phases")
    cores = sum((s.devices[name].cores or 0) * n for name, n in s.hosts.items())
    cpu_s = sum(size * s.visits[name] * work.latency.mean * work.cpus for name, work in s.works.items())
    if cpu_s > cores * sum(phases) * (1 + SLACK):
        faults.error("check.capacity", f"the hosts are busy {cpu_s:.6g} core seconds, more than the phases have")


def _calls_after(s: Subject, node: str) -> set[str]:
    """Calls that wait for `node`, be it through tools."""
    found: set[str] = set()
    left = [node]
    while left:
        here = left.pop()
        for a, b, _ in s.edges:
            if a == here and b not in found:
                found.add(b)
                left.append(b)
    return found & set(s.calls)


def _check_makespan(s: Subject, faults: Diagnostics) -> None:
    """All phases, and the longest way of an instance in each; the deadline, the objective and its gap."""
    batch, objective = s.plan["batch"], s.plan["objective"]
    drain = sum(_longest(s, k) for k in range(len(batch["phases_s"])))
    makespan = sum(batch["phases_s"]) + drain
    if far(batch["drain_s"], drain, 1e-5, makespan * 1e3) or far(batch["makespan_s"], makespan, 1e-5):
        faults.error(
            "check.latency", f"the batch takes {makespan:.6g} s, and the plan says {batch['makespan_s']:.6g} s"
        )
    stated = s.graph.workload.data.get("deadline_s")
    deadline = None if stated is None else stated.value.data  # pyright: ignore[reportAttributeAccessIssue]
    if batch["deadline_s"] != deadline or s.graph.workload.data["batch_size"].value.data != batch["size"]:  # pyright: ignore[reportAttributeAccessIssue]
        faults.error("check.inputs", "the plan has another size or deadline than its graph")
    if deadline is not None and makespan > deadline * (1 + SLACK):
        faults.error("check.bound", f"the batch takes {makespan:.6g} s, over its deadline of {deadline:.6g} s")
    value = batch["makespan_s"] if objective["name"] == "latency" else s.plan["cost"]["usd"]
    gap = (value - objective["bound"]) / value if value else 0.0
    if far(objective["value"], value) or abs(objective["gap"] - gap) > 1e-6 or gap < -SLACK:
        faults.error("check.objective", f"the objective is {value:.6g} with a gap of {gap:.6g}")
    if (s.plan["status"] == "optimal") != (gap <= SLACK):
        faults.error("check.status", f"a gap of {gap:.6g} is called {s.plan['status']}")


def _longest(s: Subject, phase: int) -> float:
    """[s] of the longest way through the calls of a phase among full batches, with tools in the first."""
    parts = dict.fromkeys(s.calls, 0.0)
    seconds = dict.fromkeys(s.calls, 0.0)
    for pool in s.plan["pools"]:
        for call, fresh, kept in _rows(s, pool, phase):
            parts[call] += fresh + kept
            seconds[call] += (fresh + kept) * s.engine(pool, phase, _key(s.calls[call])).visit(call, False).visit_s
    took = {call: seconds[call] / parts[call] if parts[call] > 1e-6 else 0.0 for call in s.calls}
    took |= {name: work.latency.mean if phase == 0 else 0.0 for name, work in s.works.items()}
    ends: dict[str, float] = {}
    while len(ends) < len(took):
        for name in took:
            into = [a for a, b, _ in s.edges if b == name]
            if name not in ends and all(a in ends for a in into):
                ends[name] = took[name] + max((ends[a] for a in into), default=0.0)
    return max(ends.values())


def _check_cost(s: Subject, faults: Diagnostics) -> None:
    cost, hours, size = s.plan["cost"], s.plan["batch"]["makespan_s"] / 3600, s.plan["batch"]["size"]
    workers = sum(pool["devices"] * _usd_per_hour(s, pool["device"]) for pool in s.plan["pools"]) * hours
    hosts = sum(n * _usd_per_hour(s, name) for name, n in s.hosts.items()) * hours
    calls = size * sum(s.visits[name] * work.usd_per_call for name, work in s.works.items())
    tokens = size * sum(s.visits[name] * op.output_tokens.value.mean for name, op in s.calls.items())
    total = workers + hosts + calls
    derived = {"usd": total, "usd_per_request": total / size, "usd_per_1k_requests": total / size * 1e3}
    derived["usd_per_million_output_tokens"] = total / tokens * 1e6
    for name, usd in (*derived.items(), ("workers", workers), ("hosts", hosts), ("calls", calls)):
        stated = cost["parts"][name] if name in cost["parts"] else cost[name]
        if far(stated, usd, 1e-5, total * 1e-2):
            faults.error("check.cost", f"{name} is {usd:.6g} USD, and the plan says {stated:.6g}")


def _usd_per_hour(s: Subject, name: str) -> float:
    """[USD/h] of one device at full load."""
    spec = next(spec for spec in s.fleet.devices if spec.name == name)
    paid, device = money(spec.price, s.devices[name]), s.devices[name]
    mine = spec.max_count is not None and spec.owned >= max(spec.max_count, 1)
    usd = 0.0 if mine or paid is None else paid.total
    if mine or paid is None or not paid.rent or spec.price.energy_extra:
        usd += energy_usd_per_hour(device, 1.0, s.fleet.site.electricity_usd_per_kwh, s.fleet.site.pue)
    return usd
