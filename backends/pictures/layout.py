"""Places in layers, from top to bottom, groups as boxes around their own; after Sugiyama, Tagawa and Toda (1981).

Each group is laid out by itself and then counts as one box of its size. Arrows that skip layers pass through points
of no width between the boxes. Everything is decided by order, so equal pictures get equal places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .picture import Box, Group, Picture

CHARACTER, LINE, PADDING = 6.3, 14.0, 9.0
"""[px] width of a letter, height of a line, and what is around them"""
GAP, LAYER_GAP, HEADING = 18.0, 34.0, 20.0
"""[px] between neighbours, between layers, and for the name of a group"""
SWEEPS = 6
"""Passes that order layers by what their boxes are joined to, and as many that move them there."""


@dataclass
class Place:
    """A rectangle [px]: its middle at (x, y), `y` downwards."""

    width: float
    height: float
    x: float = 0.0
    y: float = 0.0


@dataclass
class Layout:
    """Where everything is."""

    places: dict[str, Place]
    """by the id of a box or group"""
    bends: dict[tuple[str, str], list[tuple[float, float]]]
    """Points that an arrow between two boxes passes, by its ends."""
    width: float = 0.0
    height: float = 0.0


@dataclass
class _Level:
    """One group's items, with the arrows between them (and the boxes inside them)."""

    names: list[str]
    places: dict[str, Place]
    joined: list[tuple[str, str]]
    rows: list[list[str]] = field(default_factory=list)
    above: dict[str, list[str]] = field(default_factory=dict)
    below: dict[str, list[str]] = field(default_factory=dict)


def lay_out(picture: Picture) -> Layout:
    """The places of all boxes and groups of `picture`."""
    layout = Layout({}, {})
    whole = _items(picture.items, [(arrow.source, arrow.target) for arrow in picture.arrows], layout)
    for place in layout.places.values():
        place.x += whole.width / 2
        place.y += whole.height / 2
    for points in layout.bends.values():
        points[:] = [(x + whole.width / 2, y + whole.height / 2) for x, y in points]
    layout.width, layout.height = whole.width, whole.height
    return layout


def _items(items: Sequence[Box | Group], arrows: list[tuple[str, str]], layout: Layout) -> Place:
    """Place `items` about the origin; the size that they take."""
    owner: dict[str, str] = {}
    for item in items:
        if isinstance(item, Box):
            lines = [line for line in (item.label, item.detail) if line]
            width = CHARACTER * max(map(len, lines), default=0) + 2 * PADDING
            layout.places[item.id] = Place(width, LINE * len(lines) + PADDING)
            owner[item.id] = item.id
        else:
            inner = _items(item.items, arrows, layout)
            width = max(inner.width, CHARACTER * len(item.label)) + 2 * PADDING
            layout.places[item.id] = Place(width, inner.height + HEADING + PADDING)
            owner |= dict.fromkeys(_ids(item), item.id)
    ends = [((a, b), (owner[a], owner[b])) for a, b in arrows if a in owner and b in owner and owner[a] != owner[b]]
    level = _Level([item.id for item in items], {}, list(dict.fromkeys(pair for _, pair in ends)))
    level.places = {name: layout.places[name] for name in level.names}
    chains = _layered(level)
    _order(level)
    size = _place(level)
    for item in items:
        if isinstance(item, Group):
            _shift(item, layout)
    for arrow, pair in ends:
        layout.bends[arrow] = [(level.places[name].x, level.places[name].y) for name in chains.get(pair, ())]
    return size


def _ids(group: Group) -> list[str]:
    found = []
    for item in group.items:
        found += [item.id, *(_ids(item) if isinstance(item, Group) else ())]
    return found


def _shift(group: Group, layout: Layout) -> None:
    """Move what is inside of `group`, laid out about the origin, to where the group is."""
    place = layout.places[group.id]
    down = place.y + (HEADING - PADDING) / 2
    inside = set(_ids(group))
    for name in inside:
        layout.places[name].x += place.x
        layout.places[name].y += down
    for ends, points in layout.bends.items():
        if inside.issuperset(ends):
            points[:] = [(x + place.x, y + down) for x, y in points]


def _layered(level: _Level) -> dict[tuple[str, str], list[str]]:
    """Fill `rows`, `above` and `below`; the points that each arrow passes, from its source to its target.

    A layer is the longest way from a start. Arrows that close a cycle are drawn, but order nothing.
    """
    forward = _without_cycles(level.names, level.joined)
    row_of = _longest_ways(level.names, forward)
    level.rows = [[] for _ in range(max(row_of.values(), default=-1) + 1)]
    for name in level.names:
        level.rows[row_of[name]].append(name)
    level.above, level.below = {name: [] for name in level.names}, {name: [] for name in level.names}
    chains: dict[tuple[str, str], list[str]] = {}
    for number, (source, target) in enumerate(forward):
        points = [f"{number}>{row}" for row in range(row_of[source] + 1, row_of[target])]
        for row, point in enumerate(points, row_of[source] + 1):
            level.places[point] = Place(0.0, 0.0)
            level.rows[row].append(point)
            level.above[point], level.below[point] = [], []
        chains[source, target] = points
        way = [source, *points, target]
        for a, b in pairwise(way):
            level.below[a].append(b)
            level.above[b].append(a)
    return chains


def _without_cycles(names: Sequence[str], joined: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The arrows but for those that lead back to a box on the way to their start, in a search from the first box on."""
    after: dict[str, list[str]] = {name: [] for name in names}
    for source, target in joined:
        after[source].append(target)
    state: dict[str, int] = {}
    back: set[tuple[str, str]] = set()
    for first in names:
        stack = [] if first in state else [(first, iter(after[first]))]
        state.setdefault(first, 1)
        while stack:
            name, rest = stack[-1]
            target = next(rest, None)
            if target is None:
                state[name] = 2
                stack.pop()
            elif state.get(target) == 1:
                back.add((name, target))
            elif target not in state:
                state[target] = 1
                stack.append((target, iter(after[target])))
    return [pair for pair in joined if pair not in back]


def _longest_ways(names: Sequence[str], joined: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Box -> arrows on the longest way to it."""
    after: dict[str, list[str]] = {name: [] for name in names}
    waiting = dict.fromkeys(names, 0)
    for source, target in joined:
        after[source].append(target)
        waiting[target] += 1
    row = dict.fromkeys(names, 0)
    ready = [name for name in names if not waiting[name]]
    for name in ready:
        for target in after[name]:
            row[target] = max(row[target], row[name] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return row


def _order(level: _Level) -> None:
    """Order each layer by the mean place of what its boxes are joined to, downwards and upwards in turn."""
    for sweep in range(SWEEPS):
        rows, joined = (level.rows, level.above) if sweep % 2 == 0 else (level.rows[::-1], level.below)
        at: dict[str, float] = {}
        for row in rows:
            mean = {n: _mean([at[o] for o in joined[n] if o in at], position) for position, n in enumerate(row)}
            row.sort(key=lambda name: mean[name])
            at |= {name: float(position) for position, name in enumerate(row)}


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else float(otherwise)


def _place(level: _Level) -> Place:
    """Give every box of the layers its place; the size of all, whose middle is the origin."""
    places, y = level.places, 0.0
    for row in level.rows:
        height, x = max(places[name].height for name in row), 0.0
        for name in row:
            places[name].x, places[name].y = x + places[name].width / 2, y + height / 2
            x += places[name].width + GAP
        y += height + LAYER_GAP
    for sweep in range(SWEEPS):
        rows, joined = (level.rows, level.above) if sweep % 2 == 0 else (level.rows[::-1], level.below)
        for row in rows:
            _pull(row, {n: _mean([places[o].x for o in joined[n]], places[n].x) for n in row}, places)
    left = min((p.x - p.width / 2 for p in places.values()), default=0.0)
    right = max((p.x + p.width / 2 for p in places.values()), default=0.0)
    height = max(y - LAYER_GAP, 0.0)
    for place in places.values():
        place.x -= (left + right) / 2
        place.y -= height / 2
    return Place(right - left, height)


def _pull(row: Sequence[str], wanted: Mapping[str, float], places: Mapping[str, Place]) -> None:
    """Move the boxes of one layer towards where they are wanted, their order and gaps kept.

    Once pushed from the left and once from the right, and the middle of both.
    """
    for_left, edge = [], float("-inf")
    for name in row:
        half = places[name].width / 2
        x = max(wanted[name], edge + half)
        for_left.append(x)
        edge = x + half + GAP
    for_right, edge = [], float("inf")
    for name in reversed(row):
        half = places[name].width / 2
        x = min(wanted[name], edge - half)
        for_right.append(x)
        edge = x - half - GAP
    for name, a, b in zip(row, for_left, reversed(for_right), strict=True):
        places[name].x = (a + b) / 2
