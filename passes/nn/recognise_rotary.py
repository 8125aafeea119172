"""`recognise-rotary`: rotary position embedding, spelled out in halves, products and a concat, becomes one op."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from xdsl.ir import Operation, SSAValue

from ...ir import nn
from .draft import Draft, Patterns, Replacement, location_of, sweep
from .match import array_of, only_for
from .nn_pass import NnPass


@dataclass(frozen=True)
class Part:
    """A run of elements of the last axis of `x`."""

    x: SSAValue
    start: int
    limit: int


def rotated_by_halves(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %r = concat(-x[..., h:], x[..., :h]);  %y = x * cos + %r * sin       tables (s, 2 h), halves equal
    after:  %y = "nn.rotary"(%x, cos[..., :h], sin[..., :h])

    (L1) x has four axes, and both halves of each table are equal: they are one tensor twice, or their values say so.
    (L2) Nothing else uses what is in between.
    """
    if not isinstance(op.lhs.owner, nn.MulOp) or not isinstance(op.rhs.owner, nn.MulOp):
        return None
    for straight, turned in ((op.lhs.owner, op.rhs.owner), (op.rhs.owner, op.lhs.owner)):
        for x, cos in ((straight.lhs, straight.rhs), (straight.rhs, straight.lhs)):
            for halves, sin in ((turned.lhs, turned.rhs), (turned.rhs, turned.lhs)):
                ops = _turned_halves(halves, x)
                if ops is not None:
                    return _with_tables(op, x, cos, sin, [straight, turned, *ops], draft)
    return None


def _turned_halves(value: SSAValue, x: SSAValue) -> list[Operation] | None:
    """The ops that make concat(-x[..., h:], x[..., :h])."""
    concat = value.owner
    width = nn.shape_of(x)[-1] if len(nn.shape_of(x)) == 4 else 1
    if not isinstance(concat, nn.ConcatOp) or len(concat.operands) != 2 or nn.integer(concat.axis) != 3:
        return None
    minus = concat.operands[0].owner
    if not isinstance(minus, nn.NegOp) or isinstance(width, nn.Size) or width % 2:
        return None
    second, first = part_of(minus.x), part_of(concat.operands[1])
    if second != Part(x, width // 2, width) or first != Part(x, 0, width // 2):
        return None
    cuts = {minus.x.owner, concat.operands[1].owner}
    return [*(cut for cut in cuts if isinstance(cut, Operation)), minus, concat]


def _with_tables(
    op: nn.BinaryOp, x: SSAValue, cos: SSAValue, sin: SSAValue, ops: list[Operation], draft: Draft
) -> Replacement:
    half = nn.shape_of(x)[3] // 2
    if op.type != x.type or not only_for(op, ops):
        return None
    tables = [_first_half(table, half, draft) for table in (cos, sin)]
    shapes = [_table_shape(table, x, 2 * half) for table in (cos, sin)]
    if None in tables or None in shapes or shapes[0] != shapes[1]:
        return None
    operands = []
    for (source, cut), shape in zip(tables, shapes, strict=True):  # type: ignore[misc]
        if cut:
            rank = len(nn.shape_of(source))
            limits = (*[nn.END] * (rank - 1), half)
            source = draft.emit(op, nn.SliceOp, source, starts=[0] * rank, limits=limits)
        wanted = nn.with_shape(source, (*shape[:-1], half))  # type: ignore[index]
        operands.append(source if source.type == wanted else draft.emit(op, nn.ReshapeOp, source, type=wanted))
    return _emit(op, draft, x, operands, ops)


def _emit(op: Operation, draft: Draft, x: SSAValue, tables: list[SSAValue], ops: list[Operation]) -> Replacement:
    made = nn.RotaryOp.make(x, *tables)
    if not should_replace(draft, [*ops, op], made):
        made.drop_all_references()
        for helper in reversed(draft.fresh):
            draft.erase(helper)
        return None
    draft.put(op, made)
    made.location = location_of([*ops, op])
    return [made.result]


def _first_half(table: SSAValue, half: int, draft: Draft) -> tuple[SSAValue, bool] | None:
    """A value whose rows begin with the first half of those of `table`; whether they must be cut."""
    array = array_of(table, draft)
    if array is not None:
        same = array.ndim >= 1 and array.shape[-1] == 2 * half and np.array_equal(array[..., :half], array[..., half:])
        return (table, True) if same else None
    return (table, True) if _is_doubled(table) else None


def _is_doubled(table: SSAValue) -> bool:
    """Whether `table` is a function of a tensor that was put twice beside itself along the last axis."""
    for _ in range(8):
        op = table.owner
        match op:
            case nn.ConcatOp():
                twice = len(op.operands) == 2 and op.operands[0] is op.operands[1]
                return twice and nn.integer(op.axis) == len(nn.shape_of(table)) - 1
            case nn.UnaryOp() | nn.CastOp():
                table = op.x
            case nn.ReshapeOp() if nn.shape_of(op.x)[-1:] == nn.shape_of(table)[-1:]:
                table = op.x
            case nn.MulOp() if not nn.shape_of(op.rhs):
                table = op.lhs
            case _:
                return False
    return False


def _table_shape(table: SSAValue, x: SSAValue, width: int) -> nn.Shape | None:
    """(s, width) or (b, s, width), where that is what `table` is but for axes of size 1."""
    batch, _, tokens, _ = nn.shape_of(x)
    shape = (1,) * (4 - len(nn.shape_of(table))) + nn.shape_of(table)
    if shape == (1, 1, tokens, width):
        return (tokens, width)
    return (batch, tokens, width) if shape == (batch, 1, tokens, width) else None


def rotated_in_parts(op: nn.ConcatOp, draft: Draft) -> Replacement:
    """
    before: %a, %b = halves of x;  %y = concat(a cos - b sin, b cos + a sin)     tables (s, h)
    after:  %y = "nn.rotary"(%x, cos, sin)

    (L1) x has four axes, the halves are the whole of the last one. (L2) Nothing else uses what is in between.
    """
    if len(op.operands) != 2 or nn.integer(op.axis) != 3 or len(nn.shape_of(op.result)) != 4:
        return None
    sub, add = (operand.owner for operand in op.operands)
    if not isinstance(sub, nn.SubOp) or not isinstance(add, nn.AddOp):
        return None
    products = [value.owner for value in (sub.lhs, sub.rhs, add.lhs, add.rhs)]
    if not all(isinstance(each, nn.MulOp) for each in products):
        return None
    found = _angles(products)  # type: ignore[arg-type]
    if found is None:
        return None
    first, second, cos, sin = found
    width = nn.shape_of(op.result)[3]
    a, b = part_of(first), part_of(second)
    if a is None or b is None or a != Part(b.x, 0, width // 2) or b != Part(a.x, width // 2, width):
        return None
    shape = _table_shape(cos, a.x, width // 2) if a.x.type == op.result.type else None
    ops = [*dict.fromkeys([first.owner, second.owner, *products, sub, add])]
    if shape is None or shape != _table_shape(sin, a.x, width // 2) or not only_for(op, ops):  # type: ignore[arg-type]
        return None
    tables = [
        t if nn.shape_of(t) == shape else draft.emit(op, nn.ReshapeOp, t, type=nn.with_shape(t, shape))
        for t in (cos, sin)
    ]
    return _emit(op, draft, a.x, tables, ops)  # type: ignore[arg-type]


def _angles(products: list[nn.BinaryOp]) -> tuple[SSAValue, SSAValue, SSAValue, SSAValue] | None:
    """(a, b, cos, sin) where the products are a cos, b sin, b cos and a sin, the last two in either order."""
    one, two, three, four = products
    for a, cos in ((one.lhs, one.rhs), (one.rhs, one.lhs)):
        for b, sin in ((two.lhs, two.rhs), (two.rhs, two.lhs)):
            pairs = [{three.lhs, three.rhs}, {four.lhs, four.rhs}]
            if pairs in ([{b, cos}, {a, sin}], [{a, sin}, {b, cos}]):
                return a, b, cos, sin
    return None


def part_of(value: SSAValue) -> Part | None:
    """The run of the last axis that `value` is, by a slice or a split."""
    op = value.owner
    if isinstance(op, nn.SplitOp):
        shape = nn.shape_of(op.x)
        if nn.integer(op.axis) != len(shape) - 1:
            return None
        at = op.results.index(value)  # type: ignore[arg-type]
        sizes = nn.ints(op.sizes)
        return Part(op.x, sum(sizes[:at]), sum(sizes[: at + 1]))
    if not isinstance(op, nn.SliceOp):
        return None
    *others, (start, limit, step) = op.bounds()
    whole = all(b == (0, size, 1) for b, size in zip(others, nn.shape_of(op.x), strict=False))
    return Part(op.x, start, limit) if whole and step == 1 and not isinstance(limit, nn.Size) else None


def should_replace(draft: Draft, before: list[Operation], made: nn.RotaryOp) -> bool:
    """Whether one kernel, which moves the tensor once, takes less time."""
    return draft.target.pays(before, [made])


PATTERNS: Patterns = {
    nn.AddOp: [("rotary-halves", rotated_by_halves)],
    nn.ConcatOp: [("rotary-parts", rotated_in_parts)],
}


@dataclass(frozen=True)
class RecogniseRotaryPass(NnPass):
    """
    Finds rotary position embedding in two spellings and puts one op in its place; run `canonicalise` first.

    Promise: `main` computes the same but for rounding. The op has the locations of all that it stands for.
    """

    name: ClassVar[str] = "recognise-rotary"

    def rewrite(self, draft: Draft) -> None:
        sweep(draft, PATTERNS)
