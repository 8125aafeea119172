"""Several graphs that share one fleet, as one graph whose nodes are called `graph/node`.

Plans embed them as `{version, name, graphs: {name: graph.yaml, ...}}`, each graph with its own rate, bounds and
figures; `workload: {rate}` there, where it is written, is the rate of all together, of which each keeps its share.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ..diagnostics import Diagnostic, InputError, Label
from ..digest import digest
from ..source import Path as DocumentPath
from ..source import SourceFile, SourceMap, Span
from ..units import parse
from .fleet import plain_document
from .graph import FILE_NAME, USUAL_NAME, GraphDraft, GraphFile, draft_graph, graph_op, placed
from .nested import rebase

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

LONGEST_NAME = 40


@dataclass(frozen=True)
class Joined:
    """Graphs half read, by name, in the order given."""

    drafts: Mapping[str, GraphDraft]
    rate_per_s: float | None = None
    """Of all together; None: the sum of their own."""
    base: Path = Path()
    """The folder that paths in them are relative to."""

    @property
    def name(self) -> str:
        """What the whole is called."""
        name = "-and-".join(self.drafts)
        return name if len(name) <= LONGEST_NAME else f"{len(self.drafts)}-graphs"

    def finish(self) -> GraphFile:
        """The joined graph, of drafts without faults that `faults_of` finds nothing in."""
        document: dict[str, Any] = {
            "version": 1,
            "name": self.name,
            "graphs": {name: draft.written() for name, draft in self.drafts.items()},
        }
        warnings = tuple(warning for draft in self.drafts.values() for warning in draft.to.faults.warnings)
        return GraphFile(self._module(), document, self._places(), digest(document), None, warnings)

    def _places(self) -> SourceMap:
        """Where everything is written: `("nodes", graph, ...)` leads to what stands in that graph's file."""
        first = next(iter(self.drafts.values())).places()
        joined = SourceMap(first.source)
        for name, draft in self.drafts.items():
            places = draft.places()
            for old, new in ((places.keys, joined.keys), (places.values, joined.values)):
                for path, span in old.items():
                    new["nodes", name, *path] = span
                    if path[:1] == ("nodes",) and len(path) > 1:
                        new["nodes", f"{name}/{path[1]}", *path[2:]] = span
                    elif path in (("objective",), ("workload", "rate")):
                        new.setdefault(path, span)
        return joined

    def _module(self) -> ModuleOp:
        from xdsl.dialects.builtin import DictionaryAttr, ModuleOp, StringAttr
        from xdsl.ir import Block, Region

        from ..agent import GraphOp
        from .nodes import nested_op, number

        rates = self.rates()
        total = sum(rates.values()) or float(len(rates))
        workload = {"arrivals_cv": number(1.0)}
        if rates:
            workload["rate"] = number(total if self.rate_per_s is None else self.rate_per_s)
        asks, ops = {}, []
        for name, draft in self.drafts.items():
            inner = graph_op(draft.plain, draft.to)
            share = rates[name] / total if rates else 1 / len(self.drafts)
            rows = {key: inner.attributes[key] for key in ("kv_transfer", "priority") if key in inner.attributes}
            asks[name] = DictionaryAttr({"share": number(share), "slo": inner.slo, **rows})
            ops.append(placed(nested_op(name, inner, None), draft.to.sources.value(())))
        goals = [draft.plain["objective"] for draft in self.drafts.values() if "objective" in draft.plain]
        attributes = {
            "sym_name": StringAttr(self.name),
            "objective": StringAttr(goals[0] if goals else "cost"),
            "workload": DictionaryAttr(workload),
            "slo": DictionaryAttr({}),
            "graphs": DictionaryAttr(asks),
        }
        graph = GraphOp(attributes=attributes, regions=[Region(Block(ops))])
        return ModuleOp([placed(graph, Span(SourceFile(str(self.base / FILE_NAME), ""), 1, 1))])

    def rates(self) -> dict[str, float]:
        """The rate of each graph [req/s]; empty where they have none."""
        found = ((name, (draft.plain.get("workload") or {}).get("rate")) for name, draft in self.drafts.items())
        return {name: rate for name, rate in found if rate is not None}


def parse_joined(document: Mapping[str, Any], name: str, base: Path | None) -> GraphFile:
    """The joined graph that a plan embeds; InputError with every fault."""
    drafts, faults = {}, list[Diagnostic]()
    graphs = document["graphs"]
    if not isinstance(graphs, Mapping) or not all(isinstance(graph, Mapping) for graph in graphs.values()):
        raise InputError([Diagnostic("type", f"`graphs` of {name} must be a mapping of graphs")])
    for own, graph in graphs.items():
        try:
            drafts[str(own)] = draft_graph(plain_document(graph, f"{name}: {own}"), base)
            drafts[str(own)].to.faults.raise_if_errors()
        except InputError as error:
            faults.extend(error.diagnostics)
    faults += [
        Diagnostic("name", f"{name} calls the graph `{_name(draft)}` `{own}`")
        for own, draft in drafts.items()
        if own != _name(draft)
    ]
    if not graphs:
        faults.append(Diagnostic("empty-graph", f"{name} joins no graph"))
    rate = (document.get("workload") or {}).get("rate")
    joined = Joined(drafts, None if rate is None else parse(rate, "rate"), base or Path())
    faults = faults or list(faults_of(list(drafts.values())))
    if faults:
        raise InputError(faults)
    return joined.finish()


def join(drafts: Sequence[GraphDraft], files: Sequence[Path]) -> Joined:
    """The graphs of these files as one; their paths become relative to the folder that holds all files."""
    folders = [Path(os.path.abspath(file)).parent for file in files]
    base = Path(os.path.commonpath(folders))
    for draft, folder in zip(drafts, folders, strict=True):
        rebase(draft, PurePosixPath(folder.relative_to(base).as_posix()))
    return Joined({_name(draft): draft for draft in drafts}, base=base)


def faults_of(drafts: Sequence[GraphDraft]) -> Iterator[Diagnostic]:
    """What keeps the graphs from sharing a fleet, each at its line."""
    for number, draft in enumerate(drafts):
        other = next((each for each in drafts[:number] if _name(each) == _name(draft)), None)
        if other is not None:
            message = f"two graphs are called `{_name(draft)}`"
            help = "give each a `name` of its own: pieces are called `name/node`"
            yield _at(draft, ("name",), "name", message, help, (other, ("name",)))
        workload = draft.plain.get("workload") or {}
        for key in workload:
            if key not in ("rate", "arrivals"):
                message = f"`workload.{key}` of a graph that shares its fleet is not supported yet"
                yield _at(draft, ("workload", key), "unsupported", message, "give its `rate`, or plan it alone")
        for each in draft.ranges():
            message = f"`{each.name}`: a range in a graph that shares its fleet is not supported yet"
            yield _at(draft, each.path, "unsupported", message, "give one value, or plan it alone")
    yield from _differing_objectives(drafts)
    with_rate = [draft for draft in drafts if "rate" in (draft.plain.get("workload") or {})]
    for draft in drafts if with_rate else ():
        if draft not in with_rate and "batch" not in (draft.plain.get("workload") or {}):
            message = f"`{_name(draft)}` has no rate, and `{_name(with_rate[0])}` has one"
            help = "add `workload: {rate: 2 req/s}`: devices that are shared are counted for all graphs or for none"
            yield _at(draft, ("workload",), "rate", message, help, (with_rate[0], ("workload", "rate")))


def _differing_objectives(drafts: Sequence[GraphDraft]) -> Iterator[Diagnostic]:
    stated = [draft for draft in drafts if "objective" in draft.plain]
    for draft in stated[1:]:
        first, own = stated[0].plain["objective"], draft.plain["objective"]
        if own != first:
            message = f"the graphs share one plan, and ask for `{first}` and `{own}` to be best"
            help = "ask for one objective in both"
            yield _at(draft, ("objective",), "objective", message, help, (stated[0], ("objective",)))


def _name(draft: GraphDraft) -> str:
    return draft.plain.get("name", USUAL_NAME)


def _at(
    draft: GraphDraft,
    path: DocumentPath,
    id: str,
    message: str,
    help: str,
    other: tuple[GraphDraft, DocumentPath] | None = None,
) -> Diagnostic:
    """An error at a place of one graph, and where it clashes with another."""
    labels = [Label(_span(draft, path))]
    if other is not None:
        labels.append(Label(_span(*other), primary=False))
    return Diagnostic(id, message, tuple(labels), help)


def _span(draft: GraphDraft, path: DocumentPath) -> Span:
    return draft.to.sources.value(path)
