"""Memory of one device of a pool: what pieces share there, and the room for their state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..problem import Option, Piece


def held_once(piece: Piece, o: Option) -> Iterator[tuple[str, float]]:
    """(41) (key, bytes of one device) of what pieces in one pool share: weights, and an adapter on them."""
    yield o.weights_key or piece.memory_key or f"piece {piece.id}", o.weight_bytes
    if o.adapter_key:
        yield o.adapter_key, o.adapter_bytes


def shared_bytes(pieces: Mapping[str, Piece], inside: Iterable[Option]) -> float:
    """(41) Memory of one device for what these options of one pool share [bytes]."""
    held: dict[str, float] = {}
    for o in inside:
        for key, size in held_once(pieces[o.piece], o):
            held[key] = max(held.get(key, 0.0), size)
    return sum(held.values())


def memory_bytes(pieces: Mapping[str, Piece], options: Iterable[Option]) -> float:
    """Memory of one device of a pool for all these options of it: left of (3) [bytes]."""
    options, state = list(options), dict[str, float]()
    for o in options:
        key = pieces[o.piece].state_key or o.piece
        state[key] = max(state.get(key, 0.0), o.state_bytes)
    return shared_bytes(pieces, options) + sum(state.values())
