"""What a plan was made for, as part of its document: the graph with all sizes, the memories, the nests of tiled
operators. With it a plan can be checked by itself, and compared with the file that it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...ir.digest import digest
from .hierarchy.level import Level
from .problem import KINDS, Operator, ScratchpadProblem, Tensor
from .records import Malformed, read_as
from .tiling.nest import NEST_KINDS, Nest

Json = dict[str, Any]


@dataclass(frozen=True)
class NamedOperator:
    """An operator with tensors by name."""

    name: str
    type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nest: Nest | None = None
    """its loops, where it runs in tiles"""


@dataclass(frozen=True)
class Graph:
    """Operators in their default order, and tensors."""

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[NamedOperator, ...]


@dataclass(frozen=True)
class Digests:
    """SHA-256 of canonical JSON."""

    graph: str


@dataclass(frozen=True)
class Inputs:
    """Everything that a plan depends on."""

    graph: Graph
    size_bytes: int
    alignment_bytes: int
    parameters: bool
    """whether weights are among the tensors"""
    sha256: Digests
    levels: tuple[Level, ...] = ()
    """beyond the scratchpad, where the plan has more than one"""
    operator_s: tuple[float, ...] = ()
    """[s] each operator, in the graph's order, where there are levels"""

    @property
    def problem(self) -> ScratchpadProblem:
        """What the plan solves; Malformed where the graph is none."""
        number = {tensor.name: i for i, tensor in enumerate(self.graph.tensors)}
        _require_graph(self.graph, number)
        operators = tuple(
            Operator(op.name, tuple(number[t] for t in op.inputs), tuple(number[t] for t in op.outputs), op.type)
            for op in self.graph.operators
        )
        if self.size_bytes < 0 or self.alignment_bytes < 1:
            raise Malformed("inputs: the scratchpad has a negative size, or an alignment below 1 byte")
        graph = self.graph
        return ScratchpadProblem(graph.name, graph.tensors, operators, self.size_bytes, self.alignment_bytes)

    @property
    def nests(self) -> dict[str, Nest]:
        """The nests of operators that run in tiles, by name."""
        return {op.name: op.nest for op in self.graph.operators if op.nest is not None}


def inputs_of(
    problem: ScratchpadProblem,
    parameters: bool,
    nests: Mapping[str, Nest] | None = None,
    levels: Sequence[Level] = (),
    operator_s: Sequence[float] = (),
) -> Json:
    """The JSON of the inputs; `nests` are those of the operators that run in tiles."""
    graph = graph_of(problem, nests or {})
    found: Json = {"graph": graph, "size_bytes": problem.size_bytes, "alignment_bytes": problem.alignment_bytes}
    found |= {"parameters": parameters, "sha256": {"graph": digest(graph)}}
    if levels:
        found |= {"levels": [asdict(level) for level in levels], "operator_s": list(operator_s)}
    return found


def graph_of(problem: ScratchpadProblem, nests: Mapping[str, Nest]) -> Json:
    """The JSON of the graph."""
    names = [tensor.name for tensor in problem.tensors]
    operators = []
    for op in problem.operators:
        listed: Json = {"name": op.name, "type": op.type}
        listed |= {"inputs": [names[t] for t in op.inputs], "outputs": [names[t] for t in op.outputs]}
        if op.name in nests:
            listed["nest"] = _nest_json(nests[op.name])
        operators.append(listed)
    return {"name": problem.name, "tensors": [asdict(t) for t in problem.tensors], "operators": operators}


def _nest_json(nest: Nest) -> Json:
    operands = [{**asdict(o), "axes": [a if isinstance(a, str) else asdict(a) for a in o.axes]} for o in nest.operands]
    loops = [[loop, extent] for loop, extent in nest.loops]
    return {"kind": nest.kind, "loops": loops, "operands": operands, "whole": sorted(nest.whole)}


def read_inputs(value: object) -> Inputs:
    """The inputs in the document of a plan; Malformed where they are none, or not those of their digest."""
    found = read_as(Inputs, value, "inputs")
    assert isinstance(value, dict)
    if digest(value["graph"]) != found.sha256.graph:
        raise Malformed("inputs: the graph is not the one of its digest")
    return found


def _require_nest(name: str, nest: Nest, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Malformed unless the nest is of a known kind and its operands are the operator's, indexed by its loops."""
    sound = nest.kind in NEST_KINDS and all(extent >= 1 for _, extent in nest.loops)
    sound = sound and len(nest.extent) == len(nest.loops) and nest.whole <= nest.extent.keys()
    for operand in nest.operands:
        own = {"input": inputs, "output": outputs}.get(operand.role, (operand.tensor,))
        sound = sound and operand.tensor in own and operand.loops <= nest.extent.keys()
        sound = sound and operand.element_bytes >= 0 and operand.partial_bytes >= 0
    if not sound:
        raise Malformed(f"inputs: the loops of operator `{name}` do not fit its tensors, or are of no known kind")


def _require_graph(graph: Graph, number: Mapping[str, int]) -> None:
    """Malformed unless names are unique and known, sizes and kinds sound, and operators in a topological order."""
    if len(number) < len(graph.tensors) or len({op.name for op in graph.operators}) < len(graph.operators):
        raise Malformed("inputs: two tensors or two operators have one name")
    for tensor in graph.tensors:
        if tensor.bytes < 0 or tensor.kind not in KINDS:
            raise Malformed(f"inputs: tensor `{tensor.name}` has a negative size, or is of no known kind")
    known = {tensor.name for tensor in graph.tensors if tensor.is_loaded}
    for op in graph.operators:
        if not known.issuperset(op.inputs):
            raise Malformed(f"inputs: operator `{op.name}` reads what no input and no operator before it makes")
        if not number.keys() >= set(op.outputs) or known.intersection(op.outputs):
            raise Malformed(f"inputs: operator `{op.name}` makes what is unknown, or made already")
        known.update(op.outputs)
        if op.nest is not None:
            _require_nest(op.name, op.nest, op.inputs, op.outputs)
