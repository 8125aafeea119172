"""From the lowered module, the resolved fleet and the cost model to a `PlacementProblem`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain

from xdsl.dialects.builtin import DictionaryAttr, StringAttr
from xdsl.ir import Operation

from ...costmodel.work import Work
from ...ir.llm import node_and_part, weights_name
from ..candidates.apis import api_candidates
from ..candidates.hosts import host_candidates
from ..candidates.idle import Candidate, with_idle
from ..candidates.llm.pools import llm_candidates
from ..candidates.networks import network_candidates
from ..candidates.profiles import profile_candidates
from ..candidates.setting import Setting
from ..candidates.transfers import transfers
from ..placement.problem import Piece, PlacementProblem, Rack
from ..placement.search.clock import NO_LIMIT, Clock
from .bounds import bounds, quality_bounds
from .device_time import with_device_time
from .device_types import device_type


def to_problem(
    setting: Setting, works: Mapping[str, Work], objective: str, clock: Clock = NO_LIMIT
) -> PlacementProblem:
    """The placement problem of a graph on a fleet; `works` gives the work of `model` nodes by node.

    TimeUp where the clock is over before that.
    """
    works = works_of_classes(setting, works)
    found = chain(
        profile_candidates(setting),
        llm_candidates(setting),
        network_candidates(setting, works),
        host_candidates(setting, works),
        api_candidates(setting),
    )
    return with_candidates(frame(setting, works, objective), setting, _in_time(found, clock))


def _in_time(found: Iterable[Candidate], clock: Clock) -> Iterator[Candidate]:
    for candidate in found:
        clock.check()
        yield candidate


def with_candidates(bare: PlacementProblem, setting: Setting, found: Iterable[Candidate]) -> PlacementProblem:
    """The problem of a frame that has these pools and no others, those that go down when idle beside them."""
    candidates = list(with_idle(setting, found))
    pools = tuple(setting.surviving(pool) for pool, _ in candidates)
    options = tuple(option for _, found in candidates for option in found)
    options = with_device_time(options, pools, bare.devices) if bare.rate_per_s is None else options
    moved = tuple(transfers(setting, pools, {q.node for q in bare.pieces}))
    return replace(bare, pools=pools, options=options, transfers=moved)


def frame(setting: Setting, works: Mapping[str, Work], objective: str) -> PlacementProblem:
    """The problem but for its pools; `works` is by class of visits."""
    return PlacementProblem(
        pieces=tuple(_pieces(setting, works)),
        pools=(),
        options=(),
        devices=tuple(device_type(setting, spec) for spec in setting.fleet.devices),
        transfers=(),
        scenarios=setting.scenarios,
        bounds=tuple(bounds(setting)),
        quality_bounds=tuple(quality_bounds(setting)),
        rate_per_s=setting.rate_per_s,
        objective=objective,
        together=tuple(_pairs(setting, "with")),
        apart=tuple(_pairs(setting, "apart")),
        limits=tuple(setting.fleet.limits.items()),
        racks=tuple(Rack(rack.name, rack.power_w, rack.exceed) for rack in setting.fleet.racks),
        alike=tuple(_alike(setting)),
    )


def works_of_classes(setting: Setting, works: Mapping[str, Work]) -> dict[str, Work]:
    """The work of networks by node, of those whose traffic is split by class."""
    return {name: work for node, work in works.items() for name in setting.placed(node)}


def _alike(setting: Setting) -> Iterator[tuple[str, ...]]:
    """The first pieces of the parts of each node that is split so: nothing tells them apart."""
    for node, classes in setting.classes.items():
        if classes[0].prompt is None:
            part = setting.flow.pieces[node][0].rpartition(".")[2]
            yield tuple(f"{each.name}.{part}" for each in classes)


def _pieces(setting: Setting, works: Mapping[str, Work]) -> Iterator[Piece]:
    for op in setting.nodes.values():
        node, part = node_and_part(op)
        key, of, priority = memory_key(op, works), setting.class_of.get(node), setting.priorities[node]
        # A slot holds one visit, of whichever node; work that has no slots, such as tools, is there side by side.
        state_key = part if key else ""
        yield Piece(f"{node}.{part}", node, part, setting.visits_per_request[node], key, priority, of, state_key)


def memory_key(op: Operation, works: Mapping[str, Work], chosen: str | None = None) -> str:
    """What the node of `op` loads: pieces of the same key share it in one pool; empty for what loads nothing.

    Of several models it is `chosen`.
    """
    node, _ = node_and_part(op)
    if node in works:
        return works[node].key
    model, precision = op.attributes.get("model"), op.attributes.get("precision")
    if not isinstance(model, StringAttr):
        return ""
    return weights_name(chosen or model.data, precision if isinstance(precision, StringAttr) else None)


def _pairs(setting: Setting, relation: str) -> Iterator[tuple[str, str]]:
    """Pieces of nodes that `place: {with: ...}` or `{apart: ...}` joins; the first piece stands for a node."""
    for op in setting.nodes.values():
        place = op.attributes.get("place")
        other = place.data.get(relation) if isinstance(place, DictionaryAttr) else None
        if isinstance(other, StringAttr):
            node, part = node_and_part(op)
            last = len(setting.placed(other.data)) if relation == "with" else None
            for piece in setting.pieces(other.data)[:last]:
                yield f"{node}.{part}", piece
