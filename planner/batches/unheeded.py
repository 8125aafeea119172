"""Keys of a graph and a fleet that mean something to a stream of requests, and that no batch heeds: errors at each."""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.dialects.builtin import DictionaryAttr

from ...ir.agent import GraphOp, NodeOp
from ...ir.diagnostics import Diagnostic, Label
from ...ir.fleet import DeviceSpec, FleetSpec
from ...ir.source import Path, SourceMap

NODE_KEYS = {
    "slo": ("a bound on one node", "a batch has a `deadline`"),
    "priority": ("a priority", "leave it out"),
}
PLACES = {"with": "nodes that are placed together", "apart": "nodes that are placed apart"}
DEGREES = ("tp", "pp", "ep", "dp")


def unheeded(graph: GraphOp, fleet: FleetSpec, graph_places: SourceMap, fleet_places: SourceMap) -> list[Diagnostic]:
    """An error for each of them; `graph` has nested agents inlined."""
    asked = [*_of_graph(graph), *(each for op in graph.nodes if isinstance(op, NodeOp) for each in _of_node(op))]
    known = [*_of_fleet(fleet), *(each for spec in fleet.devices for each in _of_device(spec))]
    found = [(_span_of(graph_places, each[0]), each) for each in asked]
    found += [(_span_of(fleet_places, each[0]), each) for each in known]
    return [
        Diagnostic("unsupported", f"{what} in a batch is not supported yet", labels, help)
        for labels, (_, what, help) in found
    ]


def _span_of(places: SourceMap, path: Path) -> tuple[Label, ...]:
    return (Label(places.key(path)),)


Unheeded = tuple[Path, str, str]
"""Where it stands, what it is, and what to do."""


def _of_graph(graph: GraphOp) -> Iterator[Unheeded]:
    if graph.priority is not None:
        yield ("priority",), *NODE_KEYS["priority"]


def _of_node(op: NodeOp) -> Iterator[Unheeded]:
    path = ("nodes", op.sym_name.data)
    for key, said in NODE_KEYS.items():
        if key in op.attributes:
            yield (*path, key), *said
    place = op.attributes.get("place")
    for key, what in PLACES.items():
        if isinstance(place, DictionaryAttr) and key in place.data:
            yield (*path, "place", key), what, "name devices: `place: {on: [...]}`"
    if any(key in op.attributes for key in DEGREES):
        yield (*path, "parallel"), "a stated degree of parallelism", "leave it to the plan"


def _of_fleet(fleet: FleetSpec) -> Iterator[Unheeded]:
    if fleet.spare_replicas or fleet.lost_zones:
        yield ("survive",), "the loss of replicas or zones", "leave `survive` out"
    if fleet.limits:
        yield ("limits",), "a limit of the fleet", "bound the `count` of devices"
    if fleet.racks:
        yield ("racks",), "a power limit of a rack", "bound the `count` of devices"
    if fleet.sites:
        yield ("sites",), "a choice of regions", "plan once for each of them"


def _of_device(spec: DeviceSpec) -> Iterator[Unheeded]:
    path = ("devices", spec.name)
    if not spec.scale.min_replicas:
        yield (*path, "scale"), "a pool that goes down when it is idle", "leave `scale` out"
    if spec.splits:
        yield (*path, "split"), "a split of a device", "leave it out"
    if spec.tiers:
        yield (*path, "tiers"), "memory beyond the device's own", "leave `tiers` out"
    if spec.sold_by_chassis:
        yield (*path, "sold_by"), "a device that is sold by the chassis", "leave `sold_by` out"
    if spec.price.is_spot or spec.price.interruptions_per_hour:
        yield (*path, "price"), "a device that is taken back", "give a price without interruptions"
