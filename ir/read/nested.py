"""A graph inside a graph, of a node of kind `agent` or `map`, read where it is named, its faults noted in its file.

The file lies in the folder of the outermost graph or below it. A plan embeds what was read in place of the file's name,
with the paths in it made relative to the outermost graph, so that it means the same without the files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ..diagnostics import InputError
from ..source import Path as DocumentPath
from ..source import SourceMap
from ..units import shorten
from .fields import Reading, name_of, shown

if TYPE_CHECKING:
    from .graph import GraphDraft

DEEPEST = 8
"""Graphs around a graph: names of pieces grow with each."""
MOST_NESTED = 200
"""Graphs nested in one graph, one that is nested twice counted twice."""
MOST_COPIES = 64
"""Copies of a graph that one `map` runs: each is placed."""
MOST_NODES = 1000
"""Nodes of all graphs together, those of copies counted for each."""
OF_THE_WHOLE = ("workload", "objective", "fleet")
"""What only the outermost graph decides: a graph that can be planned alone may say it and be nested all the same."""
NOT_INSIDE = {
    "slo": "bound the nodes inside, or the graph around them",
    "priority": "write it at the nodes inside",
    "profile": "write `profile` at the nodes inside, or in the graph around them",
    "kv_transfer": "write it in the outermost graph",
}


@dataclass(frozen=True)
class Nested:
    """The path of a graph.yaml, or the graph itself, as a plan embeds it."""

    def read(self, value: Any, path: DocumentPath, to: Reading) -> GraphDraft | None:
        """The graph half read, its faults noted among those of `to`."""
        if isinstance(value, dict):
            return _inline(value, path, to)
        if not isinstance(value, str) or not value.strip():
            to.fault(path, "type", f"{name_of(path)} must be the path of a graph.yaml, not {shown(value)}")
            return None
        file = _file(value, path, to)
        return None if file is None else _draft(file, value, to)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, {"$ref": "#"}]}


def nested_drafts(plain: dict[str, Any]) -> Iterator[tuple[str, GraphDraft]]:
    """Node and graph of each agent and each map that was understood."""
    for name, node in (plain.get("nodes") or {}).items():
        if node is not None and node.get("kind") in ("agent", "map") and "graph" in node:
            yield name, node["graph"]


def prefixes_of(name: str, node: dict[str, Any]) -> list[str]:
    """What the names of the nodes inside of `name` begin with: one for an agent, one for each copy of a map."""
    return [f"{name}/{copy + 1}/" for copy in range(node["over"])] if "over" in node else [f"{name}/"]


def count_nodes(plain: dict[str, Any]) -> int:
    """Nodes of the graph, those inside of others in their place."""
    nodes = plain.get("nodes") or {}
    inside = [len(prefixes_of(name, nodes[name])) * count_nodes(inner.plain) for name, inner in nested_drafts(plain)]
    return len(nodes) - len(inside) + sum(inside)


def add_places(prefix: str, inner: SourceMap, outer: SourceMap) -> None:
    """Let `outer` know where nested nodes are written, by their names in pieces, which begin with `prefix`."""
    for old, new in ((inner.keys, outer.keys), (inner.values, outer.values)):
        new |= {("nodes", f"{prefix}{path[1]}", *path[2:]): span for path, span in old.items() if _is_in_node(path)}


def _is_in_node(path: DocumentPath) -> bool:
    return len(path) > 1 and path[0] == "nodes"


def _file(value: str, path: DocumentPath, to: Reading) -> Path | None:
    """The file that `value` names; None with a fault noted where it may not be read."""
    where = name_of(path)
    if to.base is None:
        to.fault(path, "no-file", f"{where} names a file, and this document stands in no folder")
        return None
    file, root = to.base / value, to.chain[0].parent
    if not _is_inside(file, root):
        message = f"{where}: {shown(value)} is not in the folder of the outermost graph"
        to.fault(path, "no-file", message, "put it there, or in a folder below")
    elif not file.is_file():
        help = "a path is relative to the file that names it"
        to.fault(path, "no-file", f"there is no file `{shorten(str(file), 200)}`", help)
    elif any(outer.is_file() and file.samefile(outer) for outer in to.chain):
        names = " -> ".join(f"`{each}`" for each in (*to.chain, file))
        to.fault(path, "nested", f"a graph nests itself: {names}", "repeat it by a cycle with `max_visits` instead")
    elif len(to.chain) > DEEPEST:
        to.fault(path, "nested", f"more than {DEEPEST} graphs are nested in each other")
    elif len(to.nested) >= MOST_NESTED:
        to.fault(path, "too-large", f"more than {MOST_NESTED} graphs are nested")
    else:
        to.nested.append(file)
        return file
    return None


def _is_inside(file: Path, root: Path) -> bool:
    """Whether `file` lies in `root` or below, links followed; no where nothing can have that name."""
    try:
        file.is_file()
        return file.resolve().is_relative_to(root.resolve())
    except (OSError, ValueError):
        return False


def _draft(file: Path, written: str, to: Reading) -> GraphDraft | None:
    from .graph import draft_graph
    from .yaml import read_yaml

    try:
        document = read_yaml(file)
    except InputError as error:
        to.faults.found.extend(error.diagnostics)
        return None
    draft = draft_graph(document, file.parent, to)
    _check(draft)
    rebase(draft, PurePosixPath(written).parent)
    return draft


def _inline(value: dict[str, Any], path: DocumentPath, to: Reading) -> GraphDraft:
    from .graph import draft_graph, inner_document

    draft = draft_graph(inner_document(to.sources, value, path), to.base, to)
    _check(draft)
    return draft


def _check(draft: GraphDraft) -> None:
    """Refuse what would mean something else inside another graph; say what is not read."""
    to, written = draft.to, draft.document.value
    if not isinstance(written, dict):
        return
    for key, help in NOT_INSIDE.items():
        if key in written:
            to.later((key,), f"`{key}` of a nested graph", help, key=True)
    for key in OF_THE_WHOLE:
        if key in written:
            span = to.sources.key((key,))
            to.faults.warning(
                "nested", f"`{key}` in `{span.source.name}` is not read: that of the whole graph holds", span
            )


def rebase(draft: GraphDraft, folder: PurePosixPath) -> None:
    """Let the paths in a graph start at the folder of the graph around it, of which `folder` is a part."""
    for name, node in (draft.plain.get("nodes") or {}).items():
        key = "model" if node is not None and node["kind"] == "llm" else "graph"
        if node is None:
            continue
        if isinstance(node.get(key), list):
            _rebase_alternatives(name, node, draft, folder)
        elif str(node.get(key)).endswith((".json", ".onnx")):
            node[key] = draft.to.embedded["nodes", name, key] = str(folder / node[key])
    for _, inner in nested_drafts(draft.plain):
        rebase(inner, folder)


def _rebase_alternatives(name: str, node: dict[str, Any], draft: GraphDraft, folder: PurePosixPath) -> None:
    """The same of a list of models, and of the qualities that go by their names."""
    moved = {model: str(folder / model) if model.endswith(".json") else model for model in node["model"]}
    node["model"] = draft.to.embedded["nodes", name, "model"] = list(moved.values())
    if "quality" in node:
        stated = {moved.get(model, model): value for model, value in node["quality"].items()}
        node["quality"] = draft.to.embedded["nodes", name, "quality"] = stated
