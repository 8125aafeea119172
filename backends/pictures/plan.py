"""The picture of a plan: pieces in the pools that hold them, and what leads and moves from one to the next."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp

from ...ir.agent import graph_of, symbol_of
from ...ir.plan import PieceOp, PlaceOp, PlanOp, PoolOp, TransferOp, plan_of
from ...ir.wording import data, share, time
from .picture import Arrow, Box, Group, Picture
from .workflow import arrows_of, kind_of

DEGREES = ("tp", "pp", "ep", "dp")


def plan_picture(module: ModuleOp) -> Picture:
    """A group for each pool with the pieces placed in it; a piece in several pools has a box in each.

    ValueError where the module has no plan.
    """
    plan, graph = plan_of(module), graph_of(module)
    if plan is None:
        raise ValueError("the module has no plan")
    nodes = {symbol_of(op): op for op in graph.nodes}
    pieces = {piece.sym_name.data: piece for piece in plan.of_type(PieceOp)}
    groups = []
    for pool in plan.of_type(PoolOp):
        name = pool.sym_name.data
        placed = [place for place in plan.of_type(PlaceOp) if place.pool.string_value() == name]
        boxes = (_box(place, kind_of(nodes[_piece(place, pieces).op.string_value()])) for place in placed)
        groups.append(Group(f"pool {name}", _pool_text(pool), tuple(boxes), "pool"))
    return Picture(plan.graph.string_value(), tuple(group for group in groups if group.items), _arrows(module, plan))


def _piece(place: PlaceOp, pieces: dict[str, PieceOp]) -> PieceOp:
    return pieces[place.piece.string_value()]


def _box(place: PlaceOp, kind: str) -> Box:
    part = place.share.value.data
    details = [f"{share(part)} of it"] if part < 1 else []
    details += [time(place.latency_s.value.data)] if place.latency_s is not None else []
    return Box(_id(place), place.piece.string_value(), ", ".join(details), kind)


def _id(place: PlaceOp) -> str:
    return f"{place.piece.string_value()} in {place.pool.string_value()}"


def _pool_text(pool: PoolOp) -> str:
    replicas = f"{pool.replicas.value.data} \u00d7 " if pool.replicas.value.data else ""
    degrees = [(name, getattr(pool, name)) for name in DEGREES]
    split = [f"{name} {value.value.data}" for name, value in degrees if value is not None and value.value.data > 1]
    return ", ".join([f"{pool.sym_name.data}: {replicas}{pool.device.data}", *split])


def _arrows(module: ModuleOp, plan: PlanOp) -> tuple[Arrow, ...]:
    """The workflow's edges between pieces, with what the plan says of the data that moves along them."""
    boxes: dict[str, list[str]] = {}
    for place in plan.of_type(PlaceOp):
        boxes.setdefault(place.piece.string_value(), []).append(_id(place))
    piece_of = {piece.op.string_value(): piece.sym_name.data for piece in plan.of_type(PieceOp)}
    moved = {(t.source.string_value(), t.target.string_value()): t for t in plan.of_type(TransferOp)}
    found: list[Arrow] = []
    for arrow in arrows_of(graph_of(module)):
        ends = piece_of[arrow.source], piece_of[arrow.target]
        label = _transfer_text(moved.pop(ends)) if ends in moved else arrow.label
        found += [Arrow(a, b, label, arrow.dashed) for a in boxes[ends[0]] for b in boxes[ends[1]]]
    for (source, target), transfer in moved.items():
        found += [Arrow(a, b, _transfer_text(transfer), True) for a in boxes[source] for b in boxes[target]]
    return tuple(found)


def _transfer_text(transfer: TransferOp) -> str:
    return f"{data(transfer.bytes.value.data)}, {time(transfer.latency_s.value.data)}"
