"""`fuse-epilogue`: bias, activation, residual and scale after a product are done before its result is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.ir import Operation

from ...costmodel.rules import elements
from ...ir import nn
from .draft import Draft, location_of
from .groups import MOST_STEPS, SCALARS, Group, grow_groups
from .nn_pass import NnPass
from .profit import Target

PRODUCTS = (nn.MatmulOp, nn.GemmOp, nn.ConvOp, nn.ConvTransposeOp)
TILES = ((128, 128, 64), (64, 64, 32))
"""rows, columns and depth of the tile of a product that one block computes: usual choices, the best first"""
STAGES = 2
"""tiles of both operands that are on the chip at once, one to compute with and one to come"""


@dataclass(frozen=True)
class FuseEpiloguePass(NnPass):
    """
    Puts the elementwise ops that follow a matrix product or a convolution into one `nn.fusion` with it.

    before: %p = "nn.matmul"(%x, %w);  %s = "nn.add"(%p, %b);  %y = "nn.gelu"(%s)
    after:  %y = "nn.fusion"(%x, %w, %b) ({ matmul, add, gelu })

    Promise: `main` computes the same by the same ops in the same order; nothing is computed twice; the fusion has the
    locations of all that went into it.
    """

    name: ClassVar[str] = "fuse-epilogue"

    def rewrite(self, draft: Draft) -> None:
        def joins(op: Operation, group: Group) -> bool:
            legal = can_join(op, group) and should_join(op, group, draft.target)
            if legal and isinstance(op, PRODUCTS):
                group.product = op
            return legal

        for group in grow_groups(draft, joins, lambda op: isinstance(op, SCALARS)):
            if group.product is None:
                continue
            made = nn.FusionOp.around(group.in_order, location_of(group.in_order))
            if should_fuse(group, made, draft.target):
                draft.fired["epilogue"] += 1
                draft.replace(group.last, draft.put(group.last, made, at=group.in_order).results)
            else:
                made.drop_all_references()


def can_join(op: Operation, group: Group) -> bool:
    """
    Whether one kernel can do `op` and then `group`, in which all its users are.

    (L1) Nothing else uses the result of `op`; the walk gives no other group. (L2) A product has the shape of the last
    result, so that each of its elements is needed once, and there is one in a group. (L3) What the product itself uses
    is not worked out inside: each element of it is needed many times.
    """
    if isinstance(op, PRODUCTS):
        return group.product is None and nn.shape_of(op.results[0]) == nn.shape_of(group.last.results[0])
    if not isinstance(op, SCALARS):
        return False
    return group.product is None or not any(use.operation is group.product for r in op.results for use in r.uses)


def should_join(op: Operation, group: Group, target: Target) -> bool:
    """Whether no value is worked out twice, and the tiles that one block needs fit on the chip."""
    if elements(op.results[0]) != elements(group.last.results[0]) or len(group.ops) >= MOST_STEPS:
        return False
    product = op if isinstance(op, PRODUCTS) else group.product
    return product is None or any(target.holds(tile_bytes(product, group, op, tile)) for tile in TILES)


def tile_bytes(product: Operation, group: Group, op: Operation, tile: tuple[int, int, int]) -> int:
    """[bytes] on the chip: tiles of both operands, and of each tensor of full size that is read after the product."""
    rows, columns, depth = tile
    size = (nn.bits_of(nn.tensor_type(product.results[0]).element_type) + 7) // 8
    full = elements(product.results[0])
    used = (group.inputs.keys() | set(op.operands)) - set(op.results) - set(product.operands) - set(product.results)
    beside = sum(1 for value in used if elements(value) == full)
    return size * (STAGES * depth * (rows + columns) + beside * rows * columns)


def should_fuse(group: Group, made: nn.FusionOp, target: Target) -> bool:
    """Whether the one op takes less time than all of the group."""
    return target.pays(group.ops, [made])
