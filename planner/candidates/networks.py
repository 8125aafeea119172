"""Networks that run once per visit: each device runs one visit at a time, from first layer to last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...costmodel.energy import energy_above_idle_j
from ...costmodel.hardware import Device
from ...costmodel.quality import quality_of
from ...costmodel.work import Work
from ...ir.distribution import Distribution
from ..placement.problem import Option, Pool, VisitTime
from .classes import TenantSet, loads_by_node, priorities_by_node, tenant_sets
from .setting import Setting, excluded_by
from .sizing import sizings


def network_candidates(setting: Setting, works: Mapping[str, Work]) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """A pool for each network and device, with the nodes that run it; `works` is by node."""
    nodes: dict[str, list[str]] = {}
    for node, work in works.items():
        nodes.setdefault(work.key, []).append(node)
    for key, sharing in nodes.items():
        for name, device in setting.devices.items():
            if not all(works[n].runs_on(device) for n in sharing):
                continue
            needed = max(works[n].weight_bytes + works[n].activation_bytes for n in sharing)
            if needed <= device.memory_bytes and setting.most_replicas(name) != 0:
                for together in tenant_sets(sharing, str, setting.class_of, setting.priorities):
                    yield from _sized(setting, key, name, device, together, works)


def _sized(
    setting: Setting,
    key: str,
    name: str,
    device: Device,
    together: TenantSet[str],
    works: Mapping[str, Work],
) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """The pools of one network on one device for these nodes, by their sizes."""
    seconds = {node: works[node].seconds(device) for node in together.tenants}
    taken_back = setting.interruptions(name, max(works[node].weight_bytes for node in seconds))
    worked = {node: taken_back.repeated_s(s, s) for node, s in seconds.items()}
    kept = {node: taken_back.capacity_s(s) for node, s in worked.items()}
    load = {node: s * setting.visits_per_request[node] for node, s in kept.items()}
    excluded = {node: excluded_by(setting.nodes[node], name) for node in seconds}
    welcome = [node for node in seconds if not excluded[node]] or list(seconds)
    longest = max(kept[node] for node in welcome)
    loads = loads_by_node({node: load[node] for node in welcome}, together.share)
    priorities, most = priorities_by_node(setting.priorities, welcome), setting.most_replicas(name)
    for sizing in sizings(setting.rate_per_s, 1, loads, longest, most, taken_back, priorities):
        pool = Pool(
            id=f"{name}/{key}/{'+'.join(seconds)}{together.label}/{sizing.label}",
            device=name,
            location=name,
            memory_bytes=device.memory_bytes,
            capacity=sizing.capacity,
            availability=taken_back.availability,
            down_s=taken_back.down_s,
        )
        options = tuple(
            Option(
                f"{node}.run",
                pool.id,
                (
                    VisitTime(
                        time := Distribution.point(s),
                        time,
                        sizing.of(setting.priorities[node]).law,
                        sizing.lost(taken_back.lost(s, s)),
                    ),
                )
                * len(setting.visits[node]),
                load[node],
                works[node].weight_bytes,
                works[node].activation_bytes,
                energy_j_per_request=energy_above_idle_j(device, worked[node] * setting.visits_per_request[node]),
                quality=quality_of(device, setting.spec(name).price),
                excluded_by=excluded[node],
            )
            for node, s in seconds.items()
        )
        yield pool, options
