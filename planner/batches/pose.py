"""From a graph and a fleet that were read to a batch problem; faults of what a batch cannot have yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...costmodel import serving
from ...costmodel.cpu import node_work
from ...costmodel.energy import energy_usd_per_hour
from ...costmodel.hardware import Device
from ...costmodel.models import LLM
from ...costmodel.roofline import can_compute
from ...costmodel.tco import money
from ...ir.agent import EdgeOp, GraphOp, LLMCallOp, ModelCallOp, NodeOp
from ...ir.diagnostics import Diagnostics
from ...ir.fleet import DeviceSpec, FleetSpec
from ...ir.source import SourceMap, Span
from ..placement.problem import UNLIMITED
from .problem import BatchProblem, Call, Tool, Workers
from .rates import Engine, alone_s, setups, without_prefixes

DEGREES = (1, 2, 4, 8)


@dataclass(frozen=True)
class BatchSetting:
    """What a batch problem is made from: the graph with nested agents inlined, and the fleet resolved."""

    graph: GraphOp
    fleet: FleetSpec
    devices: Mapping[str, Device]
    """fleet name -> device"""
    llms: Mapping[str, LLM]
    """by the model's name in the graph"""

    @property
    def size(self) -> int:
        """Instances."""
        return int(self.graph.workload.data["batch_size"].value.data)  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def deadline_s(self) -> float | None:
        """[s] from the start, None where there is none."""
        stated = self.graph.workload.data.get("deadline_s")
        return None if stated is None else stated.value.data  # pyright: ignore[reportAttributeAccessIssue]

    def spec(self, device: str) -> DeviceSpec:
        """The fleet's entry of that name."""
        return next(spec for spec in self.fleet.devices if spec.name == device)

    def count(self, device: str) -> int:
        """Devices there are of that name at most."""
        most = self.spec(device).max_count
        return UNLIMITED if most is None else max(most, self.spec(device).owned)

    def hosts(self) -> dict[str, int]:
        """CPU hosts that are taken: all that are owned or that the fleet must have, else one of each type."""
        cpus = [name for name, device in self.devices.items() if device.kind == "cpu" and self.count(name)]
        return {name: max(self.spec(name).owned, self.spec(name).min_count, 1) for name in cpus}


def setting_faults(setting: BatchSetting, places: SourceMap) -> Diagnostics:
    """What stands in the graph that a batch cannot have yet, and what its hosts lack."""
    faults = Diagnostics()
    for op in setting.graph.nodes:
        if not isinstance(op, NodeOp):
            continue
        name = op.sym_name.data
        if isinstance(op, ModelCallOp):
            help = "plan it with a `rate`: size over deadline"
            faults.error("unsupported", "a network in a batch is not supported yet", _key(places, name), help=help)
        if op.profile is not None or (isinstance(op, LLMCallOp) and op.model.data not in setting.llms):
            message = f"`{name}` goes by a profile or a hosted API, which a batch cannot have yet"
            faults.error("unsupported", message, _key(places, name), help="name a model of the catalogue")
        if isinstance(op, LLMCallOp) and op.continues is not None:
            _check_continued(setting.graph, op, places, faults)
    if any(edge.max_visits is not None for edge in setting.graph.edges):
        help = "write each visit as a node"
        faults.error("unsupported", "a loop in a batch is not supported yet", places.key(("edges",)), help=help)
    if not setting.hosts() and any(not isinstance(op, LLMCallOp) for op in setting.graph.nodes):
        help = "add one, such as `host: {model: epyc-9554, count: 1}`"
        faults.error("no-host", "the fleet has no CPU host for the nodes that are no llm", help=help)
    return faults


def _key(places: SourceMap, node: str) -> Span:
    return places.key(("nodes", node))


def _check_continued(graph: GraphOp, op: LLMCallOp, places: SourceMap, faults: Diagnostics) -> None:
    """What a call continues is a call of the same model that has ended before it."""
    assert op.continues is not None
    name, before = op.sym_name.data, op.continues.data
    span = places.value(("nodes", name, "continues"))
    calls = {each.sym_name.data: each for each in graph.nodes if isinstance(each, LLMCallOp)}
    if before not in calls:
        faults.error("continues", f"`{before}` is no llm node of the graph", span)
        return
    formats = ("model", "precision", "kv_precision")
    if any(calls[before].attributes.get(key) != op.attributes.get(key) for key in formats):
        message = f"`{name}` cannot continue `{before}`, which another model or number format answers"
        faults.error("continues", message, span, help="a cache is of use to the model that wrote it")
    elif before not in _ancestors(graph, name):
        faults.error("continues", f"`{before}` does not come before `{name}`", span)
    elif calls[before].prompt_tokens.value.mean + calls[before].output_tokens.value.mean > op.prompt_tokens.value.mean:
        message = f"the prompt of `{name}` is shorter than what `{before}` reads and writes"
        faults.error("range", message, places.value(("nodes", name, "prompt_tokens")))


def _ancestors(graph: GraphOp, node: str) -> set[str]:
    found, left = set[str](), [node]
    while left:
        after = left.pop()
        for edge in graph.edges:
            if edge.ends[1] == after and edge.ends[0] not in found:
                found.add(edge.ends[0])
                left.append(edge.ends[0])
    return found


def pose_batch(setting: BatchSetting, prefixes: bool = True) -> Iterator[BatchProblem]:
    """
    The problem with each choice of how many devices make a worker of each type; none where nothing fits.

    Without `prefixes` every prompt is read whole.
    """
    calls = tuple(_calls(setting) if prefixes else without_prefixes(tuple(_calls(setting))))
    hosts = setting.hosts()
    tools = tuple(_tools(setting, setting.devices[next(iter(hosts))])) if hosts else ()
    edges = tuple(dict.fromkeys(edge.ends for edge in setting.graph.edges))
    marked = ((edge.ends, edge.probability) for edge in setting.graph.edges)
    odds = {ends: probability.value.data for ends, probability in marked if probability is not None}
    cores = float(sum((setting.devices[name].cores or 0) * n for name, n in hosts.items()))
    usd = sum(usd_per_hour(setting, name) * n for name, n in hosts.items()) if tools else 0.0
    for workers in _kinds(setting, calls):
        alone = _alone(setting, calls, workers)
        if len(alone) == len(calls):
            end = setting.deadline_s
            yield BatchProblem(setting.size, calls, tools, edges, workers, cores, usd, end, alone, odds=odds)


def model_key(op: LLMCallOp) -> str:
    """The model with its number formats."""
    formats = [str(each.data) for each in (op.precision, op.kv_precision) if each is not None]
    return "/".join([op.model.data, *formats])


def _calls(setting: BatchSetting) -> Iterator[Call]:
    visits = visits_per_instance(setting.graph)
    for op in setting.graph.nodes:
        if isinstance(op, LLMCallOp):
            yield Call(
                op.sym_name.data,
                model_key(op),
                op.prompt_tokens.value,
                op.output_tokens.value,
                op.cached_prefix_tokens.value.data,
                op.continues.data if op.continues is not None else None,
                visits[op.sym_name.data],
            )


def _tools(setting: BatchSetting, host: Device) -> Iterator[Tool]:
    visits = visits_per_instance(setting.graph)
    for op in setting.graph.nodes:
        if not isinstance(op, LLMCallOp) and isinstance(op, NodeOp):
            work, limit = node_work(op, host), op.attributes.get("concurrency")
            name = op.sym_name.data
            most = None if limit is None else int(limit.value.data)  # pyright: ignore[reportAttributeAccessIssue]
            yield Tool(name, work.latency, work.cpus, most, visits[name], work.usd_per_call)


def visits_per_instance(graph: GraphOp) -> dict[str, float]:
    """Node -> visits of one instance, on average; the graph has no loops. Equation (16).

    A node that several ways join is visited as often as the one that most often leads to it: joins wait for all ways.
    """
    edges = list(graph.edges)
    found: dict[str, float] = {}
    names = [op.sym_name.data for op in graph.nodes if isinstance(op, NodeOp)]
    while len(found) < len(names):
        for name in names:
            into = [edge for edge in edges if edge.ends[1] == name]
            if name not in found and all(edge.ends[0] in found for edge in into):
                ways = [found[edge.ends[0]] * _share(edge, edges) for edge in into]
                marked = any(edge.probability is not None for edge in into)
                found[name] = 1.0 if not ways else min(1.0, sum(ways)) if marked else max(ways)
    return found


def _share(edge: EdgeOp, edges: list[EdgeOp]) -> float:
    """The probability of an edge: its own, or what the marked ones beside it leave."""
    if edge.probability is not None:
        return edge.probability.value.data
    beside = (e.probability.value.data for e in edges if e.ends[0] == edge.ends[0] and e.probability is not None)
    return 1.0 - sum(beside)


def engines(setting: BatchSetting, calls: tuple[Call, ...], device: str, tp: int) -> list[Engine]:
    """The models that a worker of `tp` such devices may run."""
    found = []
    ops = {model_key(op): op for op in setting.graph.nodes if isinstance(op, LLMCallOp)}
    for model, op in ops.items():
        llm, parallel = setting.llms[op.model.data], serving.Parallel(tp=tp)
        precision = op.precision.data if op.precision else llm.precision
        kv_precision = op.kv_precision.data if op.kv_precision else "bf16"
        resolved = setting.devices[device]
        asked = tuple(call for call in calls if call.model == model and _may_run(setting, call.name, device))
        if asked and can_compute(resolved, precision) and serving.fits_shape(llm, parallel):
            found.append(Engine(model, serving.Replica(llm, resolved, parallel, precision, kv_precision), asked))
    return found


def _may_run(setting: BatchSetting, node: str, device: str) -> bool:
    """Whether `place.on` of the node allows the device."""
    op = next(op for op in setting.graph.nodes if isinstance(op, NodeOp) and op.sym_name.data == node)
    on = op.place.data.get("on") if op.place is not None else None
    return on is None or any(each.data == device for each in on)  # pyright: ignore[reportGeneralTypeIssues,reportAttributeAccessIssue]


def _kinds(setting: BatchSetting, calls: tuple[Call, ...]) -> Iterator[tuple[Workers, ...]]:
    """Every choice of the degree of each device type, the lowest first; types that hold no model are left out."""
    chosen: list[tuple[Workers, ...]] = [()]
    for name, device in setting.devices.items():
        if device.kind == "cpu" or not setting.count(name):
            continue
        kinds = [k for tp in DEGREES if (k := _workers(setting, calls, name, tp)) is not None]
        if kinds:
            chosen = [(*before, kind) for kind in kinds for before in chosen]
    yield from (each for each in chosen if each)


def _workers(setting: BatchSetting, calls: tuple[Call, ...], name: str, tp: int) -> Workers | None:
    device = setting.devices[name]
    if tp > device.chassis or setting.count(name) < tp:
        return None
    found = engines(setting, calls, name, tp)
    made = setups(found, setting.size)
    if len(made) == 1:
        return None
    start = {engine.model: engine.start_s() for engine in found}
    load = {engine.model: engine.load_s() for engine in found}
    steps = {engine.model: engine.steps() for engine in found}
    usd = tp * usd_per_hour(setting, name)
    most = min(setting.count(name) // tp, setting.size * len(calls))
    return Workers(name, tp, most, made, start, load, usd, steps)


def _alone(setting: BatchSetting, calls: tuple[Call, ...], workers: tuple[Workers, ...]) -> dict[str, float]:
    """Call -> [s] on the fastest worker that holds its model."""
    best: dict[str, float] = {}
    for kind in workers:
        held = {call for setup in kind.setups for call in setup.rates}
        for engine in engines(setting, calls, kind.device, kind.tp):
            for call in (call for call in engine.calls if call.name in held):
                seconds = alone_s(engine, call)
                best[call.name] = min(seconds, best.get(call.name, seconds))
    return best


def usd_per_hour(setting: BatchSetting, name: str) -> float:
    """[USD/h] of one device while the batch runs: its price where it is not owned, and energy at full load."""
    spec, device, site = setting.spec(name), setting.devices[name], setting.fleet.site
    paid = money(spec.price, device)
    rented = paid is not None and paid.rent > 0
    owned = spec.owned >= setting.count(name) > 0
    usd = 0.0 if owned or paid is None else paid.total
    if not rented or spec.price.energy_extra or owned:
        usd += energy_usd_per_hour(device, 1.0, site.electricity_usd_per_kwh, site.pue)
    return usd
