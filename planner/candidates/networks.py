"""Networks that run once per visit: each device runs one visit at a time, from first layer to last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...costmodel.energy import energy_above_idle_j
from ...costmodel.hardware import Device
from ...costmodel.quality import quality_of
from ...costmodel.work import Work
from ...ir.distribution import Distribution
from ..placement.problem import Option, Pool, VisitTime
from .setting import Setting, WaitClass, excluded_by


def network_candidates(setting: Setting, works: Mapping[str, Work]) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """A pool for each network and device, with the nodes that run it; `works` is by node."""
    nodes: dict[str, list[str]] = {}
    for node, work in works.items():
        nodes.setdefault(work.key, []).append(node)
    for key, sharing in nodes.items():
        for name, device in setting.devices.items():
            hosted = {n: works[n].seconds(device) for n in sharing}
            needed = max(works[n].weight_bytes + works[n].activation_bytes for n in hosted)
            if needed <= device.memory_bytes and setting.most_replicas(name) != 0:
                for wait in setting.wait_classes:
                    yield _pool(setting, key, name, device, wait, hosted, works)


def _pool(
    setting: Setting,
    key: str,
    name: str,
    device: Device,
    wait: WaitClass,
    seconds: Mapping[str, float],
    works: Mapping[str, Work],
) -> tuple[Pool, tuple[Option, ...]]:
    load = {node: s * setting.visits_per_request[node] for node, s in seconds.items()}
    excluded = {node: excluded_by(setting.nodes[node], name) for node in seconds}
    welcome = [load[node] for node in seconds if not excluded[node]]
    pool = Pool(
        id=f"{name}/{key}/{wait.name}",
        device=name,
        location=name,
        memory_bytes=device.memory_bytes,
        capacity=setting.capacities(wait, 1, welcome, setting.most_replicas(name)),
    )
    law = setting.wait(wait, max(seconds.values()))
    options = tuple(
        Option(
            f"{node}.run",
            pool.id,
            (VisitTime(Distribution.point(s), Distribution.point(s), law),) * len(setting.visits[node]),
            load[node],
            works[node].weight_bytes,
            works[node].activation_bytes,
            energy_j_per_request=energy_above_idle_j(device, load[node]),
            quality=quality_of(device, setting.spec(name).price),
            excluded_by=excluded[node],
        )
        for node, s in seconds.items()
    )
    return pool, options
