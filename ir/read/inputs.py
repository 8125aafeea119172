"""A graph and its fleet together: all faults of both in one error, and the names that one takes from the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..diagnostics import Diagnostic, InputError, Label
from ..source import Path as DocumentPath
from ..source import Span
from ..units import shorten
from .fields import name_of
from .files import RELATIVE, is_there
from .fleet import FleetDraft, FleetFile, draft_fleet
from .graph import GraphDraft, GraphFile, draft_graph, graph_document, path_of_graph
from .joined import faults_of, join
from .nested import nested_drafts
from .rules import known
from .yaml import read_yaml


def read_inputs(graph: Path, fleet: Path | None = None) -> tuple[GraphFile, FleetFile]:
    """The graph at `graph` and its fleet: the one at `fleet`, or else the one that the graph names or holds.

    InputError with every fault of both.
    """
    faults: list[Diagnostic] = []
    graph_draft = _draft_graph(graph, faults)
    if graph_draft and fleet:
        graph_draft.fleet = fleet
    fleet_draft = _draft_fleet(graph_draft, fleet, faults)
    if graph_draft and fleet_draft and fleet_draft.devices:
        _check_devices(graph_draft, fleet_draft)
    for draft in (graph_draft, fleet_draft):
        if draft:
            faults.extend(sorted(draft.to.faults.errors, key=_place))
    if faults or graph_draft is None or fleet_draft is None:
        raise InputError(faults)
    return graph_draft.finish(), fleet_draft.finish()


def read_several(graphs: Sequence[Path], fleet: Path | None = None) -> tuple[GraphFile, FleetFile, Path]:
    """Graphs that share a fleet as one graph, the fleet, and the folder that paths are relative to.

    The fleet is the one at `fleet`, or else the one that the graphs name or one of them holds. InputError with every
    fault of all.
    """
    faults: list[Diagnostic] = []
    found = [(path_of_graph(path), _draft_graph(path, faults)) for path in graphs]
    read = [(path, draft) for path, draft in found if draft is not None]
    drafts = [draft for _, draft in read]
    fleet_draft = _shared_fleet(drafts, fleet, faults)
    for draft in drafts:
        if fleet_draft and fleet_draft.devices:
            _check_devices(draft, fleet_draft)
        faults.extend(sorted(draft.to.faults.errors, key=_place))
    if fleet_draft:
        faults.extend(sorted(fleet_draft.to.faults.errors, key=_place))
    faults.extend(faults_of(drafts))
    if faults or fleet_draft is None:
        raise InputError(faults)
    joined = join(drafts, [path for path, _ in read])
    return joined.finish(), fleet_draft.finish(), joined.base


def _shared_fleet(drafts: Sequence[GraphDraft], path: Path | None, faults: list[Diagnostic]) -> FleetDraft | None:
    """As `_draft_fleet`, of graphs that may each name a fleet: it has to be one."""
    naming = [draft for draft in drafts if draft.fleet is not None]
    if path is None and naming:
        first = naming[0]
        for draft in naming[1:]:
            if isinstance(draft.fleet, FleetDraft) or isinstance(first.fleet, FleetDraft) or not _are_one(first, draft):
                labels = (Label(_fleet_span(draft)), Label(_fleet_span(first), primary=False))
                message = "the graphs have different fleets, and share one"
                faults.append(Diagnostic("fleet", message, labels, "name the one they share with `--fleet`"))
                return None
        return _draft_fleet(first, None, faults)
    return _draft_fleet(drafts[0] if drafts else None, path, faults)


def _are_one(a: GraphDraft, b: GraphDraft) -> bool:
    """Whether two graphs name one file."""
    return isinstance(a.fleet, Path) and isinstance(b.fleet, Path) and a.fleet.resolve() == b.fleet.resolve()


def _fleet_span(draft: GraphDraft) -> Span:
    return draft.to.sources.key(("fleet",))


def _place(fault: Diagnostic) -> tuple[str, int, int]:
    """File, line and column, so that faults come in the order of the file."""
    spans = (label.span for label in fault.labels)
    return min(((span.source.name, span.line, span.col) for span in spans), default=("", 0, 0))


def _draft_graph(path: Path, faults: list[Diagnostic]) -> GraphDraft | None:
    try:
        return draft_graph(graph_document(path), path_of_graph(path).parent)
    except InputError as error:
        faults.extend(error.diagnostics)
        return None


def _draft_fleet(graph: GraphDraft | None, path: Path | None, faults: list[Diagnostic]) -> FleetDraft | None:
    """The fleet half read; None where a fault was noted, or where nobody can say which fleet is meant."""
    if path is None:
        if graph is None:
            return None
        if isinstance(graph.fleet, FleetDraft):
            return graph.fleet
        path = graph.fleet
        if path is None:
            if not _is_fleet_written(graph):
                message = "no fleet is given"
                help = "name one with `--fleet fleet.yaml`, or write `fleet: fleet.yaml` in the graph"
                faults.append(Diagnostic("no-fleet", message, (), help))
            return None
        if not is_there(path):
            graph.to.fault(("fleet",), "no-file", f"there is no file `{shorten(str(path), 200)}`", RELATIVE)
            return None
    try:
        return draft_fleet(read_yaml(path))
    except InputError as error:
        faults.extend(error.diagnostics)
        return None


def _is_fleet_written(graph: GraphDraft) -> bool:
    """Whether the graph has a key `fleet`, if with a value that was refused; or is no mapping at all."""
    return not isinstance(graph.document.value, dict) or "fleet" in graph.document.value


def _check_devices(graph: GraphDraft, fleet: FleetDraft) -> None:
    """Every device that the graph names stands in the fleet."""
    for path, device, key in _devices_named(graph.plain):
        if device not in fleet.devices:
            message = f"{name_of(path)} names `{device}`, which is no device of the fleet"
            graph.to.fault(path, "unknown-device", message, known(device, "devices", fleet.devices), key=key)
    regions = [device["region"] for device in fleet.plain.get("devices", {}).values() if device and "region" in device]
    for name, node in (graph.plain.get("nodes") or {}).items():
        region, path = (node or {}).get("place", {}).get("region"), ("nodes", name, "place", "region")
        if region is not None and region not in regions:
            message = f"{name_of(path)} names `{region}`, and no device of the fleet stands there"
            names = list(dict.fromkeys(regions))
            help = known(region, "regions", names) if names else "write `region:` under devices"
            graph.to.fault(path, "unknown-region", message, help)
    for _, inner in nested_drafts(graph.plain):
        _check_devices(inner, fleet)


def _devices_named(plain: Mapping[str, Any]) -> Iterator[tuple[DocumentPath, str, bool]]:
    """Where the graph names a device, the device, and whether it is the key there."""
    for name, node in (plain.get("nodes") or {}).items():
        for number, device in enumerate((node or {}).get("place", {}).get("on", ())):
            yield ("nodes", name, "place", "on", number), device, False
        for device in (node or {}).get("profile", {}):
            yield ("nodes", name, "profile", device), device, True
    for device in plain.get("profile", {}):
        yield ("profile", device), device, True
    for number, row in enumerate(plain.get("kv_transfer", ())):
        for end in ("from", "to"):
            if end in row:
                yield ("kv_transfer", number, end), row[end], False
