"""Split traffic, derived for the validator: each class of a node's visits is a node of its own to all other rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

from ...ir.diagnostics import Diagnostics
from ...ir.split import VisitClass, classes_of, is_when
from ...ir.split_choice import Kept, boundaries, keep, kept_of
from .ways import MAX_VISITS, MAX_WAYS, Hop, TooManyWays, Way

if TYPE_CHECKING:
    from .subject import Node, Subject

SHARE_ROUNDING = 1e-8
"""Plans state shares to nine digits."""
Classes = Mapping[str, tuple[VisitClass, ...]]


def classes_in(nodes: Mapping[str, Node]) -> dict[str, tuple[VisitClass, ...]]:
    """Node -> the classes of its visits, where its traffic is split."""
    found = {name: classes_of(node.op, name) for name, node in nodes.items()}
    return {name: classes for name, classes in found.items() if classes}


def kept_in(nodes: Mapping[str, Node], plan: Mapping[str, Any], faults: Diagnostics) -> Kept:
    """Of each node that `splits` names, the boundaries between classes that the plan keeps; it may keep any or none."""
    kept = {}
    for name, said in plan.get("splits", {}).items():
        if name not in nodes or not boundaries(nodes[name].op):
            faults.error("check.placement", f"the plan says how `{name}` is split, and the graph does not allow that")
            continue
        try:
            kept[name] = kept_of(nodes[name].op, said)
        except ValueError as reason:
            faults.error("check.placement", f"`{name}` is split otherwise than the graph allows: {reason}")
    return kept


def keep_classes(nodes: Mapping[str, Node], kept: Kept) -> None:
    """Leave out the other boundaries, in the nodes' own ops."""
    for name, own in kept.items():
        keep(nodes[name].op, own)


def split_nodes(nodes: Mapping[str, Node], classes: Classes) -> dict[str, Node]:
    """The nodes with one for each class in place of those that are split."""
    found: dict[str, Node] = {}
    for name, node in nodes.items():
        for each in classes.get(name, ()):
            asks: dict[str, Any] = dict(node.asks)
            if each.prompt is not None:
                cached = min(asks["cached_prefix_tokens"], each.prompt.mean)
                asks |= {"prompt_tokens": each.prompt, "cached_prefix_tokens": cached}
            found[each.name] = replace(node, name=each.name, asks=asks, visit_class=each)
        if name not in classes:
            found[name] = node
    return found


def split_hops(hops: Sequence[Hop], classes: Classes) -> tuple[Hop, ...]:
    """The edges from every class of their source to every class of their target."""
    return tuple(
        replace(hop, source=source, target=target)
        for hop in hops
        for source, target in product(_names(hop.source, classes), _names(hop.target, classes))
    )


def split_ways(ways: Sequence[Way], classes: Classes) -> list[Way]:
    """Each way once for every choice of its classes: a request is of one class at a node, whatever it is at others."""
    found: list[Way] = []
    for way in ways:
        visited = list(dict.fromkeys(visit.node for visit in way.visits if visit.node in classes))
        for choice in product(*(classes[node] for node in visited)):
            found.append(_of_classes(way, {each.node: each for each in choice}))
            if len(found) > MAX_WAYS or len(found) * len(way.visits) > MAX_VISITS * 4:
                raise TooManyWays(f"more than {MAX_WAYS} ways lead through the graph and its classes")
    return found


def _of_classes(way: Way, choice: Mapping[str, VisitClass]) -> Way:
    def named(node: str) -> str:
        return choice[node].name if node in choice else node

    probability = way.probability
    for each in choice.values():
        probability *= each.share
    visits = tuple(
        replace(
            visit,
            node=named(visit.node),
            after=tuple(
                (at, replace(hop, source=named(hop.source), target=named(hop.target))) for at, hop in visit.after
            ),
        )
        for visit in way.visits
    )
    return replace(way, probability=probability, visits=visits)


def _names(node: str, classes: Classes) -> list[str]:
    return [each.name for each in classes.get(node, ())] or [node]


def pieces_of_row(subject: Subject, piece: str, when: str | None) -> list[str]:
    """The pieces that a row of the plan speaks of, one for each class; none where it speaks of none.

    ValueError where `when` is no condition on that node.
    """
    node, _, part = piece.rpartition(".")
    classes = subject.classes.get(node)
    if classes is None:
        if when is not None:
            raise ValueError(f"`{piece}` is placed on a condition, but its traffic is not split")
        return [piece]
    return [f"{each.name}.{part}" for each in classes if is_when(when, each)]


def pairs_of_row(subject: Subject, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The pieces between which a row of `transfers` says that something moves."""
    when = row.get("when", {})
    ends = [(row[end], when.get(row[end].rpartition(".")[0])) for end in ("from", "to")]
    before, after = (pieces_of_row(subject, piece, condition) for piece, condition in ends)
    same = ends[0][0].rpartition(".")[0] == ends[1][0].rpartition(".")[0]
    for a, b in product(before, after):
        if not same or a.rpartition(".")[0] == b.rpartition(".")[0]:
            yield a, b


def check_shares(subject: Subject, row: Mapping[str, Any], pieces: Sequence[str], faults: Diagnostics) -> None:
    """Report `check.placement` where a row states another share than its classes have."""
    nodes = [subject.nodes[piece.rpartition(".")[0]] for piece in pieces]
    share = sum(1.0 if node.visit_class is None else node.visit_class.share for node in nodes)
    if not pieces:
        faults.error("check.placement", f"`{row['piece']}` is placed when `{row['when']}`, which is no class of it")
    elif abs(share - row["share"]) > SHARE_ROUNDING:
        message = f"`{row['piece']}` has a share of {row['share']:.9g} in pool `{row['pool']}`; derived {share:.9g}"
        faults.error("check.placement", message)
