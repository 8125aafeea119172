"""The `plan` dialect: what is placed, the pools it is placed in, and what moves between them.

One `plan.plan` stands beside the `agent.graph` that it plans. Before the planner runs it holds the pieces alone;
`passes.apply_plan` adds pools, placements and transfers, so that a plan prints, reads and verifies as IR.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import TypeVar

from xdsl.dialects.builtin import (
    DictionaryAttr,
    FlatSymbolRefAttr,
    FloatAttr,
    IntegerAttr,
    StringAttr,
    SymbolRefAttr,
)
from xdsl.ir import Dialect, Operation
from xdsl.irdl import (
    IRDLOperation,
    attr_def,
    irdl_op_definition,
    opt_attr_def,
    region_def,
    traits_def,
)
from xdsl.traits import HasParent, NoTerminator, SymbolOpInterface, SymbolTable
from xdsl.utils.exceptions import VerifyException

from .agent import GraphOp, NodeOp
from .llm import node_and_part
from .symbols import named_op

PIECE_ID = re.compile(r"([a-z][a-z0-9-]{0,39}/(\d+/)?)*[a-z][a-z0-9-]{0,39}(@\d+(-\d+)?)?\.[a-z]+")
"""`node.part`; `agent/node.part` for a node of a nested graph, `map/3/node.part` for one of a copy of it, and
`node@2.part` for a visit of an unrolled loop."""

SHARE_TOLERANCE = 1e-6
"""What the shares of one piece may miss 1 by: solvers give them in floating point."""

Op = TypeVar("Op", bound=Operation)


@irdl_op_definition
class PlanOp(IRDLOperation):
    """
    A plan of one graph: pieces, pools, placements, transfers.

        "plan.plan"() ({ ... }) {sym_name = "plan", graph = @"voice-agent"} : () -> ()

    (C1) `graph` is an `agent.graph` beside the plan.
    (C2) Every node of that graph has a piece.
    (C3) Where anything is placed, every piece is, and its shares sum to 1.
    """

    name = "plan.plan"
    sym_name = attr_def(StringAttr)
    graph = attr_def(FlatSymbolRefAttr)
    body = region_def("single_block")
    traits = traits_def(NoTerminator(), SymbolTable(), SymbolOpInterface())

    def of_type(self, kind: type[Op]) -> Iterator[Op]:
        """The ops of the body that are of `kind`, in order."""
        return (op for op in self.body.block.ops if isinstance(op, kind))

    def verify_(self) -> None:
        parent = self.parent_op()
        if parent is not None:
            graph = named_op(parent, self.graph)
            if not isinstance(graph, GraphOp):
                raise VerifyException(f"(C1) there is no `agent.graph` called `{self.graph.string_value()}`")
            self._verify_cover(graph)
        self._verify_shares()

    def _verify_cover(self, graph: GraphOp) -> None:
        pieces = {piece.op.string_value() for piece in self.of_type(PieceOp)}
        for node in graph.nodes:
            if isinstance(node, NodeOp) and node.sym_name.data not in pieces:
                raise VerifyException(f"(C2) node `{node.sym_name.data}` has no piece")

    def _verify_shares(self) -> None:
        placed: defaultdict[str, float] = defaultdict(float)
        for place in self.of_type(PlaceOp):
            placed[place.piece.string_value()] += place.share.value.data
        for piece in self.of_type(PieceOp):
            share = placed[piece.sym_name.data] if placed else 1.0
            if abs(share - 1) > SHARE_TOLERANCE:
                raise VerifyException(f"(C3) the shares of `{piece.sym_name.data}` sum to {share:.6g}, not 1")


@irdl_op_definition
class PieceOp(IRDLOperation):
    """
    What is placed as a whole: one part of one node.

        "plan.piece"() {sym_name = "think.prefill", op = @think.prefill, node = "think", part = "prefill"} : () -> ()

    (C1) `sym_name`, the piece's id, is `node.part`.
    (C2) `op` is the op of the graph that is that part of that node.
    """

    name = "plan.piece"
    sym_name = attr_def(StringAttr)
    op = attr_def(FlatSymbolRefAttr)
    node = attr_def(StringAttr)
    part = attr_def(StringAttr)
    """`prefill`, `decode` or `run`"""
    traits = traits_def(SymbolOpInterface(), HasParent(PlanOp))

    def verify_(self) -> None:
        expected = f"{self.node.data}.{self.part.data}"
        if self.sym_name.data != expected or not PIECE_ID.fullmatch(expected):
            raise VerifyException(f"(C1) `{self.sym_name.data}` is not the id of a piece of `{self.node.data}`")
        graph = _graph_of(self)
        if graph is None:
            return
        op = named_op(graph, self.op)
        if not isinstance(op, NodeOp) or node_and_part(op) != (self.node.data, self.part.data):
            raise VerifyException(f"(C2) `{self.op.string_value()}` is not the op of `{expected}`")


@irdl_op_definition
class PoolOp(IRDLOperation):
    """
    Replicas of one device type in one configuration.

        "plan.pool"() {sym_name = "p1", device = "h100", replicas = 2 : i64, tp = 2 : i64, ...} : () -> ()

    (C1) `replicas` is not negative; `tp`, `pp`, `ep`, `dp` and `max_batch` are at least 1.
    """

    name = "plan.pool"
    sym_name = attr_def(StringAttr)
    device = attr_def(StringAttr)
    """the fleet's name of the device"""
    replicas = attr_def(IntegerAttr)
    """0 for hosted APIs, which are not counted"""
    tp = opt_attr_def(IntegerAttr)
    pp = opt_attr_def(IntegerAttr)
    ep = opt_attr_def(IntegerAttr)
    dp = opt_attr_def(IntegerAttr)
    max_batch = opt_attr_def(IntegerAttr)
    """requests that a replica serves at once"""
    traits = traits_def(SymbolOpInterface(), HasParent(PlanOp))

    def verify_(self) -> None:
        if self.replicas.value.data < 0:
            raise VerifyException(f"(C1) `replicas` of `{self.sym_name.data}` is negative")
        for name in ("tp", "pp", "ep", "dp", "max_batch"):
            value = self.attributes.get(name)
            if isinstance(value, IntegerAttr) and value.value.data < 1:
                raise VerifyException(f"(C1) `{name}` of `{self.sym_name.data}` is under 1")


@irdl_op_definition
class PlaceOp(IRDLOperation):
    """
    A share of a piece's visits in a pool.

        "plan.place"() {piece = @think.prefill, pool = @p1, share = 1.0} : () -> ()

    (C1) `piece` and `pool` are of this plan. (C2) `share` is over 0 and at most 1.
    """

    name = "plan.place"
    piece = attr_def(FlatSymbolRefAttr)
    pool = attr_def(FlatSymbolRefAttr)
    share = attr_def(FloatAttr)
    when = opt_attr_def(StringAttr)
    """which visits these are, where the traffic is split: `prompt_tokens <= 4000`, `part <= 3`"""
    latency_s = opt_attr_def(FloatAttr)
    """[s] mean of one visit"""
    traits = traits_def(HasParent(PlanOp))

    def verify_(self) -> None:
        _verify_names(self, self.piece, PieceOp)
        _verify_names(self, self.pool, PoolOp)
        if not 0 < self.share.value.data <= 1 + SHARE_TOLERANCE:
            raise VerifyException(f"(C2) the share of `{self.piece.string_value()}` must be over 0 and at most 1")


@irdl_op_definition
class TransferOp(IRDLOperation):
    """
    Bytes that move from one piece to another on each visit.

        "plan.transfer"() {from = @think.prefill, to = @think.decode, bytes = 3.2768e+08, latency_s = 0.011} : () -> ()

    (C1) `from` and `to` are pieces of this plan. (C2) `bytes` and `latency_s` are not negative.
    """

    name = "plan.transfer"
    source = attr_def(FlatSymbolRefAttr, attr_name="from")
    target = attr_def(FlatSymbolRefAttr, attr_name="to")
    bytes = attr_def(FloatAttr)
    """[bytes]"""
    latency_s = attr_def(FloatAttr)
    """[s]"""
    when = opt_attr_def(DictionaryAttr)
    """node -> which of its visits these are, of nodes whose traffic is split"""
    traits = traits_def(HasParent(PlanOp))

    def verify_(self) -> None:
        _verify_names(self, self.source, PieceOp)
        _verify_names(self, self.target, PieceOp)
        for name, value in (("bytes", self.bytes), ("latency_s", self.latency_s)):
            if value.value.data < 0:
                raise VerifyException(f"(C2) `{name}` must not be negative")


def _graph_of(op: Operation) -> GraphOp | None:
    """The graph that the plan around `op` plans; None while the plan is not whole."""
    plan = op.parent_op()
    module = plan.parent_op() if isinstance(plan, PlanOp) else None
    graph = named_op(module, plan.graph) if isinstance(plan, PlanOp) and module else None
    return graph if isinstance(graph, GraphOp) else None


def _verify_names(op: Operation, name: SymbolRefAttr, kind: type[IRDLOperation]) -> None:
    """(C1) of placements and transfers."""
    plan = op.parent_op()
    if plan is not None and not isinstance(named_op(plan, name), kind):
        raise VerifyException(f"(C1) there is no `{kind.name}` called `{name.string_value()}` in this plan")


def plan_of(module: Operation) -> PlanOp | None:
    """The `plan.plan` of `module`, if there is one."""
    return next((op for op in module.walk() if isinstance(op, PlanOp)), None)


Plan = Dialect("plan", [PlanOp, PieceOp, PoolOp, PlaceOp, TransferOp], [])
