"""CPU hosts: tools, lookups, stores and other small work, side by side on the same machines."""

from __future__ import annotations

from collections.abc import Iterator

from ...costmodel.cpu import NodeWork, node_work
from ...costmodel.energy import energy_above_idle_j
from ...costmodel.hardware import Device
from ...costmodel.quality import quality_of
from ...ir.agent import ModelCallOp
from ...ir.llm import DecodeOp, PrefillOp
from ..placement.problem import Option, Pool, VisitTime
from .profiles import profile_of
from .setting import TIGHT, Setting, excluded_by

HOST_WAIT = TIGHT
"""Hosts have many cores and are cheap: one class of waiting, short."""


def host_candidates(setting: Setting) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """One pool for each CPU device type, with every node that is neither a language model nor a network."""
    ops = {node: op for node, op in setting.nodes.items() if not isinstance(op, (PrefillOp, DecodeOp, ModelCallOp))}
    for name, device in setting.devices.items():
        if device.kind == "cpu" and device.cores and setting.most_replicas(name) != 0:
            hosted = {node: node_work(op, device) for node, op in ops.items() if profile_of(setting, op) is None}
            if hosted:
                yield _pool(setting, name, device, device.cores, hosted)


def _pool(
    setting: Setting, name: str, device: Device, cores: int, hosted: dict[str, NodeWork]
) -> tuple[Pool, tuple[Option, ...]]:
    excluded = {node: excluded_by(setting.nodes[node], name) for node in hosted}
    # A visit that takes c of n cores for t seconds takes c t / n seconds of the host.
    load = {n: w.cpus / cores * w.latency.mean * setting.visits_per_request[n] for n, w in hosted.items()}
    welcome = [load[node] for node in hosted if not excluded[node]]
    pool = Pool(
        id=f"{name}/host",
        device=name,
        location=name,
        max_batch=cores,
        memory_bytes=device.memory_bytes,
        capacity=setting.capacities(HOST_WAIT, cores, welcome, setting.most_replicas(name)),
    )
    law = setting.wait(HOST_WAIT, max(w.cpus * w.latency.mean for w in hosted.values()))
    options = tuple(
        Option(
            f"{node}.run",
            pool.id,
            (VisitTime(work.latency, work.latency, law),) * len(setting.visits[node]),
            load[node],
            state_bytes=_memory(setting, node, work),
            usd_per_request=work.usd_per_call * setting.visits_per_request[node],
            energy_j_per_request=energy_above_idle_j(device, load[node]),
            quality=quality_of(device, setting.spec(name).price),
            excluded_by=excluded[node],
        )
        for node, work in hosted.items()
    )
    return pool, options


def _memory(setting: Setting, node: str, work: NodeWork) -> float:
    """Mean memory of the calls in flight (Little's law), and one at its peak [bytes]."""
    in_flight = max(1.0, (setting.rate_per_s or 0.0) * setting.visits_per_request[node] * work.latency.mean)
    return work.memory_mean_bytes * in_flight + work.memory_peak_bytes - work.memory_mean_bytes
