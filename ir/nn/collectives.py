"""
What the ranks of an SPMD program say to each other: every rank runs the same ops on tensors of its own.

Ranks stand on a mesh of named axes; a collective joins the ranks that differ along its axis alone, its group. `ranks`
is the size of the group, and a rank's place in it is its coordinate on that axis. `ir/spmd.py` runs such programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from xdsl.dialects.builtin import DenseArrayBase, IntegerAttr, StringAttr, i64
from xdsl.irdl import attr_def, irdl_op_definition, operand_def, result_def

from .base import AttributeLike, Shape, Tensor, TensorOp, integer, ints, require, shape_of, tensor, with_shape

ALL_REDUCTIONS = ("sum", "max", "min")


class CollectiveOp(TensorOp):
    """
    An op whose meaning depends on the ranks of a group.

    (C1) The mesh axis has a name, and the group at least one rank.
    """

    mesh = attr_def(StringAttr)
    """the mesh axis"""
    ranks = attr_def(IntegerAttr)

    @property
    def group(self) -> int:
        """Number of ranks of a group, after checking (C1)."""
        ranks = integer(self.ranks)
        require(bool(self.mesh.data) and ranks >= 1, f"(C1) {self.name} needs a named mesh axis of at least 1 rank")
        return ranks

    def inside(self, axis: int) -> int:
        """`axis`, after checking (C2)."""
        rank = len(shape_of(self.operands[0]))
        require(0 <= axis < rank, f"(C2) axis {axis} is outside rank {rank}")
        return axis

    def divided(self, shape: Shape, axis: int) -> int:
        """The share of one rank of axis `axis`, after checking (C3)."""
        require(shape[axis] % self.group == 0, f"(C3) {self.group} ranks do not divide axis {axis} of {shape}")
        return shape[axis] // self.group


class PartOp(CollectiveOp):
    """
    An op that leaves each rank its own part along `axis` of a tensor.

    (C1) The mesh axis has a name, and the group at least one rank. (C2) 0 <= axis < rank.
    (C3) The ranks divide that axis.
    """

    x = operand_def()
    axis = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        shape, axis = shape_of(self.x), self.inside(integer(self.axis))
        return with_shape(self.x, _resized(shape, axis, self.divided(shape, axis)))


@irdl_op_definition
class AllReduceOp(CollectiveOp):
    """
    The sum, max or min of what all ranks of the group hold, on each of them.

        %y = "nn.all_reduce"(%x) {kind = "sum", mesh = "tp", ranks = 4 : i64} : (tensor<2x8xf32>) -> tensor<2x8xf32>

    (C1) The mesh axis has a name, and the group at least one rank. (C2) `kind` is sum, max or min.
    """

    name = "nn.all_reduce"
    DEFAULTS: ClassVar[Mapping[str, AttributeLike]] = {"kind": "sum"}
    x = operand_def()
    kind = attr_def(StringAttr)
    result = result_def()

    def infer(self) -> Tensor:
        require(self.group >= 1 and self.kind.data in ALL_REDUCTIONS, f"(C2) `{self.kind.data}` is no reduction")
        return with_shape(self.x, shape_of(self.x))


@irdl_op_definition
class AllGatherOp(CollectiveOp):
    """
    What the ranks of the group hold, one after another along `axis`, on each of them.

        %y = "nn.all_gather"(%x) {axis = 1 : i64, mesh = "tp", ranks = 4 : i64} : (tensor<2x2xf32>) -> tensor<2x8xf32>

    (C1) The mesh axis has a name, and the group at least one rank. (C2) 0 <= axis < rank.
    """

    name = "nn.all_gather"
    x = operand_def()
    axis = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        shape, axis = shape_of(self.x), self.inside(integer(self.axis))
        return with_shape(self.x, _resized(shape, axis, shape[axis] * self.group))


@irdl_op_definition
class ReduceScatterOp(PartOp):
    """
    The sum of what all ranks of the group hold; each keeps its own part along `axis`.

        %y = "nn.reduce_scatter"(%x) {axis = 1 : i64, mesh = "tp", ranks = 4 : i64} : (...) -> tensor<2x2xf32>

    (C1) The mesh axis has a name, and the group at least one rank. (C2) 0 <= axis < rank.
    (C3) The ranks divide that axis.
    """

    name = "nn.reduce_scatter"


@irdl_op_definition
class AllToAllOp(CollectiveOp):
    """
    Each rank cuts its tensor along `split_axis`, sends part i to rank i, and joins what it got along `concat_axis`.

        %y = "nn.all_to_all"(%x) {split_axis = 1 : i64, concat_axis = 0 : i64, mesh = "tp", ranks = 4 : i64} : (...)

    (C1) The mesh axis has a name, and the group at least one rank. (C2) Both axes are within the rank.
    (C3) The ranks divide `split_axis`.
    """

    name = "nn.all_to_all"
    x = operand_def()
    split_axis = attr_def(IntegerAttr)
    concat_axis = attr_def(IntegerAttr)
    result = result_def()

    def infer(self) -> Tensor:
        shape, split = shape_of(self.x), self.inside(integer(self.split_axis))
        concat = self.inside(integer(self.concat_axis))
        shape = _resized(shape, split, self.divided(shape, split))
        return with_shape(self.x, _resized(shape, concat, shape[concat] * self.group))


@irdl_op_definition
class PermuteOp(CollectiveOp):
    """
    Rank `sources[i]` of the group sends its tensor to rank `targets[i]`; who gets none has zeros.

        %y = "nn.permute"(%x) {sources = array<i64: 0, 1>, targets = array<i64: 1, 0>, mesh = "pp", ranks = 2 : i64}

    (C1) The mesh axis has a name, and the group at least one rank. (C2) There are as many sources as targets, all
    within the group. (C3) No rank sends twice or gets twice.
    """

    name = "nn.permute"
    x = operand_def()
    sources = attr_def(DenseArrayBase)
    targets = attr_def(DenseArrayBase)
    result = result_def()

    def infer(self) -> Tensor:
        sources, targets = ints(self.sources), ints(self.targets)
        within = len(sources) == len(targets) and all(0 <= r < self.group for r in (*sources, *targets))
        require(within, f"(C2) {sources} to {targets} are no pairs of {self.group} ranks")
        once = len(set(sources)) == len(sources) and len(set(targets)) == len(targets)
        require(once, f"(C3) a rank stands twice in {sources} or in {targets}")
        return with_shape(self.x, shape_of(self.x))


@irdl_op_definition
class ShardOp(PartOp):
    """
    A rank's own part along `axis` of a tensor that all ranks of the group hold alike; nothing is sent.

        %y = "nn.shard"(%x) {axis = 0 : i64, mesh = "tp", ranks = 4 : i64} : (tensor<8x3xf32>) -> tensor<2x3xf32>

    (C1) The mesh axis has a name, and the group at least one rank. (C2) 0 <= axis < rank.
    (C3) The ranks divide that axis.
    """

    name = "nn.shard"


@irdl_op_definition
class RankOp(CollectiveOp):
    """
    A rank's place in its group, from 0.

        %r = "nn.rank"() {mesh = "tp", ranks = 4 : i64} : () -> tensor<i64>

    (C1) The mesh axis has a name, and the group at least one rank.
    """

    name = "nn.rank"
    result = result_def()

    def infer(self) -> Tensor:
        require(self.group >= 1, "(C1) a group has at least one rank")
        return tensor(i64, ())


def _resized(shape: Shape, axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])


OPS = (AllReduceOp, AllGatherOp, ReduceScatterOp, AllToAllOp, PermuteOp, ShardOp, RankOp)
