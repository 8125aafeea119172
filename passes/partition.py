"""`partition-pieces`: name what the planner places, one `plan.piece` for each part of each node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr, SymbolRefAttr
from xdsl.ir import Block, Region
from xdsl.passes import ModulePass

from ..ir.agent import GraphOp, LLMCallOp, NestedOp, NodeOp
from ..ir.diagnostics import Diagnostic, InputError
from ..ir.llm import node_and_part
from ..ir.plan import PieceOp, PlanOp, plan_of


@dataclass(frozen=True)
class PartitionPiecesPass(ModulePass):
    """
    Adds a `plan.plan` with the pieces of every graph of the module, after the graph.

    Promise: a piece's id depends on its node's name and part alone and pieces are sorted by id, so that the order
    of nodes in a file changes nothing; the graph is left as it is.
    """

    name: ClassVar[str] = "partition-pieces"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        partition_pieces(op)


def partition_pieces(module: ModuleOp) -> None:
    """Add the `plan.plan` of each `agent.graph` of `module`, with pieces and nothing placed yet.

    InputError where an `agent.llm_call` or a nested agent is not lowered yet, or where the module holds a plan already.
    """
    if plan_of(module) is not None:
        raise InputError([Diagnostic("pass", "`partition-pieces` met a module that has a plan already")])
    graphs = [op for op in module.ops if isinstance(op, GraphOp)]
    for graph in graphs:
        name = "plan" if len(graphs) == 1 else f"{graph.sym_name.data}.plan"
        plan = PlanOp(
            attributes={"sym_name": StringAttr(name), "graph": SymbolRefAttr(graph.sym_name)},
            regions=[Region(Block(pieces_of(graph)))],
        )
        plan.location = graph.location
        module.body.block.insert_ops_after([plan], graph)


def pieces_of(graph: GraphOp) -> list[PieceOp]:
    """The pieces of the nodes of `graph`, sorted by id."""
    pieces = [_piece(node) for node in graph.nodes if isinstance(node, NodeOp)]
    return sorted(pieces, key=lambda piece: piece.sym_name.data)


def _piece(op: NodeOp) -> PieceOp:
    if isinstance(op, LLMCallOp | NestedOp):
        first = "`lower-llm-call` must split" if isinstance(op, LLMCallOp) else "`inline-agents` must inline"
        message = f"`partition-pieces` met `{op.sym_name.data}`, which {first} first"
        raise InputError([Diagnostic("pass", message)])
    node, part = node_and_part(op)
    piece = PieceOp(
        attributes={
            "sym_name": StringAttr(f"{node}.{part}"),
            "op": SymbolRefAttr(op.sym_name),
            "node": StringAttr(node),
            "part": StringAttr(part),
        }
    )
    piece.location = op.location
    return piece
