"""graph.yaml to a module of the agent dialect, each op with the place it was written at."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..diagnostics import Diagnostic, Diagnostics, InputError
from ..ranges import Range
from ..source import Path as DocumentPath
from ..source import SourceMap, Span
from .fields import Reading
from .fleet import FleetDraft, FleetFile, draft_fleet, plain_document
from .nested import MOST_NODES, OF_THE_WHOLE, add_places, count_nodes, nested_drafts, prefixes_of
from .rules import check_graph
from .schema import GRAPH
from .yaml import Document, read_yaml

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.ir import Operation

    from ..agent import GraphOp

Op = TypeVar("Op", bound="Operation")
USUAL_NAME = "workflow"
FILE_NAME = "graph.yaml"


@dataclass(frozen=True)
class GraphFile:
    """A graph that was read: what it means, and what the user wrote."""

    module: ModuleOp
    """one `agent.graph`"""
    document: dict[str, Any]
    """plain values as the user wrote them without `fleet`, aliases expanded and samples embedded; `parse_graph`
    reads it again"""
    sources: SourceMap
    sha256: str
    fleet: Path | FleetFile | None
    """the fleet's file, the fleet where it is written in the graph, or None where none is named"""
    warnings: tuple[Diagnostic, ...] = ()
    ranges: tuple[Range, ...] = ()
    """Figures that are ranges, those of nested graphs among them; `module` has their worst ends."""


@dataclass
class GraphDraft:
    """A graph half read: faults are noted in `to`, and `plain` has what is right, in base units."""

    document: Document
    plain: dict[str, Any]
    to: Reading
    fleet: Path | FleetDraft | None

    def finish(self) -> GraphFile:
        """The graph; InputError with all faults, if there is one."""
        self.to.faults.raise_if_errors()
        fleet = self.fleet.finish() if isinstance(self.fleet, FleetDraft) else self.fleet
        written, sources = self.written(), self.places()
        module = _module(self.plain, self.to)
        warnings, ranges = self.to.faults.warnings, tuple(self.ranges())
        return GraphFile(module, written, sources, self.document.sha256, fleet, warnings, ranges)

    def ranges(self) -> Iterator[Range]:
        """Figures that are ranges, by their places in `written`."""
        yield from self.to.ranges
        for name, inner in nested_drafts(self.plain):
            for each in inner.ranges():
                if each.path[0] not in OF_THE_WHOLE:
                    yield each.inside(("nodes", name, "graph"))

    def written(self) -> dict[str, Any]:
        """The document without `fleet`, with what it names in other files put in its place."""
        written = copy.deepcopy({key: value for key, value in self.document.value.items() if key != "fleet"})
        for path, values in self.to.embedded.items():
            _put(written, path, values)
        for name, inner in nested_drafts(self.plain):
            _put(written, ("nodes", name, "graph"), inner.written())
        return written

    def places(self) -> SourceMap:
        """Where everything is written, nodes of nested graphs under the names that pieces give them."""
        for name, inner in nested_drafts(self.plain):
            for prefix in prefixes_of(name, self.plain["nodes"][name]):
                add_places(prefix, inner.places(), self.document.sources)
        return self.document.sources


def read_graph(path: Path) -> GraphFile:
    """The graph in the file at `path`, or in the graph.yaml of the folder `path`; InputError with every fault."""
    return draft_graph(graph_document(path), path_of_graph(path).parent).finish()


def parse_graph(document: Mapping[str, Any], name: str = "<graph>", base: Path | None = None) -> GraphFile:
    """The graph that `document` says, such as one embedded in a plan; `name` stands for the file in messages.

    Several graphs that share a fleet are one document (`joined.py`).

    Files that it names are looked for in the folder `base`; without one they need not exist. The module has their
    names as they are written, so that it is the same wherever it is read.
    """
    if "graphs" in document:
        from .joined import parse_joined

        return parse_joined(document, name, base)
    return draft_graph(plain_document(document, name), base).finish()


def path_of_graph(path: Path) -> Path:
    """The file that `path` means: a folder stands for the graph.yaml in it."""
    try:
        return path / FILE_NAME if path.is_dir() else path
    except OSError:  # no file can have that name: reading it says so
        return path


def graph_document(path: Path) -> Document:
    """The YAML document of the graph that `path` means; InputError where there is none."""
    file = path_of_graph(path)
    if file != path and not file.exists():
        raise InputError([Diagnostic("no-file", f"the folder `{path}` holds no {FILE_NAME}")])
    return read_yaml(file)


def draft_graph(document: Document, base: Path | None, within: Reading | None = None) -> GraphDraft:
    """The graph in `document`, with its faults noted and not raised; paths in it are relative to `base`.

    `within` reads the graph around it: their faults are noted together, and its fleet is that of both.
    """
    file = (base or Path()) / Path(document.sources.source.name).name
    if within is None:
        to = Reading(document.sources, Diagnostics(), base, chain=(file,))
    else:
        to = Reading(document.sources, within.faults, base, chain=(*within.chain, file), nested=within.nested)
    value, fleet = document.value, None
    if isinstance(value, dict) and within is not None:
        value = {key: item for key, item in value.items() if key != "fleet"}
    if isinstance(value, dict) and isinstance(value.get("fleet"), dict):
        fleet = draft_fleet(inner_document(document.sources, value["fleet"], ("fleet",)))
        value = {key: item for key, item in value.items() if key != "fleet"}
    plain = GRAPH.read(value, (), to) or {}
    if isinstance(value, dict):
        check_graph(value, plain, to)
    if within is None and count_nodes(plain) > MOST_NODES:
        message = f"the graph has more than {MOST_NODES} nodes, those of nested graphs and copies counted"
        to.fault(("nodes",), "too-large", message, key=True)
    if fleet is None and "fleet" in plain:
        fleet = (base or Path()) / plain["fleet"]
    return GraphDraft(document, plain, to, fleet)


def inner_document(outer: SourceMap, value: Mapping[str, Any], at: DocumentPath) -> Document:
    """`value`, which is written at the place `at`, as a document of its own whose places are in the same file."""
    inner = SourceMap(outer.source)
    for old, new in ((outer.keys, inner.keys), (outer.values, inner.values)):
        new.update({path[len(at) :]: span for path, span in old.items() if path[: len(at)] == at})
    plain = plain_document(value, outer.source.name)
    return Document(plain.value, inner, plain.sha256)


def _put(document: Any, path: DocumentPath, value: Any) -> None:
    for part in path[:-1]:
        document = document[part]
    document[path[-1]] = value


def _module(plain: Mapping[str, Any], to: Reading) -> ModuleOp:
    """The module of a graph without faults."""
    from xdsl.dialects.builtin import ModuleOp

    return placed(ModuleOp([graph_op(plain, to)]), to.sources.value(()))


def graph_op(plain: Mapping[str, Any], to: Reading) -> GraphOp:
    from xdsl.ir import Block, Region

    from ..agent import GraphOp

    ops: list[Operation] = []
    for name, node in plain["nodes"].items():
        ops.append(placed(_node_op(name, node), to.sources.key(("nodes", name))))
    for number, edge in enumerate(plain.get("edges", ())):
        ops.append(placed(_edge_op(edge, plain["nodes"]), to.sources.value(("edges", number))))
    graph = GraphOp(attributes=_graph_attributes(plain), regions=[Region(Block(ops))])
    return placed(graph, to.sources.value(()))


def _node_op(name: str, node: Mapping[str, Any]) -> Operation:
    from .nodes import nested_op, node_op

    if node["kind"] not in ("agent", "map"):
        return node_op(name, node)
    inner: GraphDraft = node["graph"]
    return nested_op(name, graph_op(inner.plain, inner.to), node.get("over"))


def placed(op: Op, span: Span) -> Op:
    """`op`, with the place that it was written at."""
    from xdsl.dialects.builtin import FileLineColLoc, IntAttr, StringAttr

    op.location = FileLineColLoc(StringAttr(span.source.name), IntAttr(span.line), IntAttr(span.col))
    return op


def _graph_attributes(plain: Mapping[str, Any]) -> dict[str, Any]:
    from xdsl.dialects.builtin import DictionaryAttr, StringAttr

    from .nodes import integer, kv_transfer_attr, number, profile_attr, slo_attr

    workload: dict[str, Any] = {"arrivals_cv": number(1.0)}
    if "rate" in plain.get("workload", {}):
        workload["rate"] = number(plain["workload"]["rate"])
    if "batch" in plain.get("workload", {}):
        batch = plain["workload"]["batch"]
        workload["batch_size"] = integer(batch["size"])
        if "deadline" in batch:
            workload["deadline_s"] = number(batch["deadline"])
    attributes = {
        "sym_name": StringAttr(plain.get("name", USUAL_NAME)),
        "objective": StringAttr(plain.get("objective", "cost")),
        "workload": DictionaryAttr(workload),
        "slo": slo_attr(plain.get("slo", {})),
    }
    if "priority" in plain:
        attributes["priority"] = integer(plain["priority"])
    if "profile" in plain:
        attributes["profile"] = profile_attr(plain["profile"])
    if "kv_transfer" in plain:
        attributes["kv_transfer"] = kv_transfer_attr(plain["kv_transfer"])
    return attributes


def _edge_op(edge: Mapping[str, Any], nodes: Mapping[str, Any]) -> Operation:
    """The edge; a node that streams makes its edges stream, unless an edge says otherwise."""
    from xdsl.dialects.builtin import SymbolRefAttr, UnitAttr

    from ..agent import EdgeOp
    from .nodes import integer, number

    attributes: dict[str, Any] = {end: SymbolRefAttr(edge[end]) for end in ("from", "to")}
    if "probability" in edge:
        attributes["probability"] = number(edge["probability"])
    if "max_visits" in edge:
        attributes["max_visits"] = integer(edge["max_visits"])
    if edge.get("stream", nodes[edge["from"]].get("stream", False)):
        attributes["stream"] = UnitAttr()
    return EdgeOp(attributes=attributes | {"bytes": number(edge.get("bytes", 0.0))})
