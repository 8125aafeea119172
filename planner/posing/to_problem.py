"""From the lowered module, the resolved fleet and the cost model to a `PlacementProblem`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from xdsl.dialects.builtin import DictionaryAttr, StringAttr
from xdsl.ir import Operation

from ...costmodel.energy import carbon_g, energy_usd_per_hour, usd_per_joule
from ...costmodel.hardware import Device
from ...costmodel.tco import Money, is_rented, money
from ...costmodel.work import Work
from ...ir.fleet import DeviceSpec
from ...ir.llm import DecodeOp, node_and_part, weights_name
from ...ir.members import member_with
from ..candidates.apis import api_candidates
from ..candidates.hosts import host_candidates
from ..candidates.idle import with_idle
from ..candidates.llm.pools import llm_candidates
from ..candidates.networks import network_candidates
from ..candidates.profiles import profile_candidates
from ..candidates.setting import Setting, number
from ..candidates.transfers import transfers
from ..placement.problem import UNLIMITED, Bound, DeviceType, Piece, PlacementProblem, QualityBound, Rack
from .device_time import with_device_time


def to_problem(setting: Setting, works: Mapping[str, Work], objective: str) -> PlacementProblem:
    """The placement problem of a graph on a fleet; `works` gives the work of `model` nodes by node."""
    works = works_of_classes(setting, works)
    kinds = (
        profile_candidates(setting),
        llm_candidates(setting),
        network_candidates(setting, works),
        host_candidates(setting, works),
        api_candidates(setting),
    )
    candidates = list(with_idle(setting, chain.from_iterable(kinds)))
    pools = tuple(setting.surviving(pool) for pool, _ in candidates)
    options = tuple(option for _, found in candidates for option in found)
    devices = tuple(_device_type(setting, spec) for spec in setting.fleet.devices)
    return PlacementProblem(
        pieces=tuple(_pieces(setting, works)),
        pools=pools,
        options=with_device_time(options, pools, devices) if setting.rate_per_s is None else options,
        devices=devices,
        transfers=tuple(transfers(setting, pools)),
        scenarios=setting.scenarios,
        bounds=tuple(_bounds(setting)),
        quality_bounds=tuple(_quality_bounds(setting)),
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
        # A slot holds a visit of any class; work that has no slots, such as tools, is there side by side.
        state_key = "" if of is None or not key else f"{of.node}.{part}"
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


def _device_type(setting: Setting, spec: DeviceSpec) -> DeviceType:
    """What one device costs by the hour; hosted APIs are paid by token and not counted."""
    if spec.kind == "api":
        return DeviceType(spec.name, 0, 0)
    device, site = setting.devices.get(spec.name), setting.fleet.site_of(spec)
    price = money(spec.price, device) or Money()
    per_joule = idle_usd_per_hour = 0.0
    if device and not energy_in_rent(spec, device):
        if spec.price.accounting == "interest_only":
            # Table 5 of the paper takes the full power all the time, and no PUE: nothing is left to pay by load.
            idle_usd_per_hour = energy_usd_per_hour(device, 1.0, site.electricity_usd_per_kwh)
        else:
            per_joule = usd_per_joule(site.electricity_usd_per_kwh, site.pue)
            idle_usd_per_hour = energy_usd_per_hour(device, 0.0, site.electricity_usd_per_kwh, site.pue)
    return DeviceType(
        spec.name,
        spec.min_count,
        UNLIMITED if spec.max_count is None else max(spec.max_count, spec.owned),
        device.chassis if device and spec.sold_by_chassis and not _is_all_owned(spec) else 1,
        spec.owned,
        price.parts,
        idle_usd_per_hour,
        per_joule,
        device.idle_w if device else 0.0,
        device.tdp_w if device else 0.0,
        spec.rack or "",
        *_drawn(setting, spec, device),
    )


def _drawn(setting: Setting, spec: DeviceSpec, device: Device | None) -> tuple[float, float, float]:
    """Power drawn from the grid by a device that is taken [W], energy for each joule above idle, gCO2 for each joule.

    Where only interest is paid, full power without PUE (Table 5 of arXiv 2507.19635).
    """
    if device is None:
        return 0.0, 0.0, 0.0
    site = setting.fleet.site_of(spec)
    g_per_joule = carbon_g(1.0, site.carbon_g_per_kwh or 0.0)
    if spec.price.accounting == "interest_only":
        return device.tdp_w, 0.0, g_per_joule
    return device.idle_w * site.pue, site.pue, g_per_joule


def energy_in_rent(spec: DeviceSpec, device: Device) -> bool:
    """Whether the rent pays for energy; devices that are all owned have no rent to pay it with."""
    return is_rented(spec.price, device) and not spec.price.energy_extra and not _is_all_owned(spec)


def _is_all_owned(spec: DeviceSpec) -> bool:
    """Whether the fleet has no more devices of this kind than are paid for."""
    return spec.max_count is not None and 0 < spec.max_count <= spec.owned


def _bounds(setting: Setting) -> Iterator[Bound]:
    """The graphs' bounds, then those of single nodes, which take the place of the graph's for that node."""
    for member in setting.members:
        of = f"[{member.name}]" if member.name else ""
        for kind in ("first_output", "end_to_end"):
            limit = number(member.slo, f"{kind}_s")
            if limit is not None:
                percentile = _fraction(number(member.slo, "percentile"))
                yield Bound(f"slo.{kind}{of}", kind, limit, percentile, graph=member.name)
    for op in setting.written.values():
        if not isinstance(op, DecodeOp):
            continue
        own = op.attributes.get("slo")
        own = own if isinstance(own, DictionaryAttr) else None
        whole = member_with(setting.members, op.node.data).slo
        percentile = number(own, "percentile") or number(whole, "percentile")
        for kind in ("ttft", "tbt"):
            limit = number(own, f"{kind}_s") or number(whole, f"{kind}_s")
            if limit is not None:
                node = op.node.data
                yield Bound(f"slo.{kind}[{node}]", kind, limit, _fraction(percentile), node)


def _quality_bounds(setting: Setting) -> Iterator[QualityBound]:
    """The graphs' bounds on their mean quality, then those of single nodes."""
    for member in setting.members:
        least = number(member.slo, "quality")
        if least is not None:
            of = f"[{member.name}]" if member.name else ""
            yield QualityBound(f"slo.quality{of}", least, graph=member.name)
    for node, prefill, _, _ in setting.llm_nodes:
        least = number(prefill.slo, "quality")
        if least is not None:
            yield QualityBound(f"slo.quality[{node}]", least, node)


def _fraction(percentile: float | None) -> float | None:
    return None if percentile is None else percentile / 100


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
