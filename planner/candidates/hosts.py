"""CPU hosts: tools, lookups, stores and other small work, side by side on the same machines, and networks with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...costmodel.cpu import node_work
from ...costmodel.energy import energy_above_idle_j
from ...costmodel.hardware import Device
from ...costmodel.interruptions import NEVER, Interruptions
from ...costmodel.quality import quality_of
from ...costmodel.roofline import can_compute
from ...costmodel.work import Work
from ...ir.agent import ModelCallOp
from ...ir.distribution import Distribution
from ...ir.llm import DecodeOp, PrefillOp
from ..placement.problem import Option, Pool, VisitTime
from .classes import TenantSet, loads_by_node, priorities_by_node, tenant_sets
from .profiles import profile_of
from .setting import Setting, excluded_by
from .sizing import Sizing, sizings


@dataclass(frozen=True)
class Guest:
    """What one visit of a node takes of a host."""

    latency: Distribution
    """[s]"""
    busy_s: float
    """seconds of the whole host: c of its n cores for t seconds are c t / n"""
    state_bytes: float
    weight_bytes: float = 0.0
    usd_per_call: float = 0.0
    interruptions: Interruptions = NEVER

    @property
    def kept_s(self) -> float:
        """[s] of a replica's time, repeats and down time among it."""
        return self.interruptions.capacity_s(self.worked_s)

    @property
    def worked_s(self) -> float:
        """[s] that a replica works for a visit and its repeats."""
        latency = self.latency.mean
        return self.busy_s * (self.interruptions.repeated_s(latency, latency) / latency if latency else 1.0)

    def visit(self, sizing: Sizing) -> VisitTime:
        """The times of a visit to a pool of that size."""
        lost = sizing.lost(self.interruptions.lost(self.latency.mean, self.latency.mean))
        return VisitTime(self.latency, self.latency, sizing.law, lost)


def host_candidates(setting: Setting, works: Mapping[str, Work]) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """Pools of each CPU device type for the nodes that are neither language models nor profiled.

    Where no network is among its guests a host serves as many visits at once as it has cores. A network takes all
    cores, so beside one everything waits in one line.
    """
    for name, device in hosts_of(setting):
        small, most = small_guests(setting, name, device), setting.most_replicas(name)
        for together in tenant_sets(list(small), str, setting.class_of, setting.priorities) if small else ():
            yield from host_pools(setting, name, device.cores or 1, small, together, most)
        networks = {
            node: Guest(
                Distribution.point(s),
                s,
                work.activation_bytes,
                work.weight_bytes,
                interruptions=setting.interruptions(name),
            )
            for node, work in works.items()
            if can_compute(device, work.precision)
            for s in (work.seconds(device),)
        }
        if small and networks:
            yield from host_pools(setting, name, 1, {**small, **networks}, TenantSet((*small, *networks)), most)


def hosts_of(setting: Setting) -> Iterator[tuple[str, Device]]:
    """Name in the fleet and device, of all kinds of host that it has."""
    for name, device in setting.devices.items():
        if device.kind == "cpu" and device.cores and setting.most_replicas(name) != 0:
            yield name, device


def small_nodes(setting: Setting) -> tuple[str, ...]:
    """The nodes that are neither language models nor networks nor profiled."""
    ops = setting.nodes.items()
    large = (PrefillOp, DecodeOp, ModelCallOp)
    return tuple(node for node, op in ops if not isinstance(op, large) and profile_of(setting, op) is None)


def small_guests(setting: Setting, name: str, device: Device) -> dict[str, Guest]:
    """What each of `small_nodes` takes of a kind of host."""
    found: dict[str, Guest] = {}
    for node in small_nodes(setting):
        op = setting.nodes[node]
        visits_per_s = (setting.rate_per_s or 0.0) * setting.visits_per_request[node]
        work = node_work(op, device, visits_per_s)
        state = work.held_bytes(visits_per_s)
        busy_s = work.cpus / (device.cores or 1) * work.busy_s
        found[node] = Guest(work.latency, busy_s, state, 0.0, work.usd_per_call, setting.interruptions(name))
    return found


def host_pools(
    setting: Setting,
    name: str,
    slots: int,
    known: Mapping[str, Guest],
    together: TenantSet[str],
    most: int | None,
) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """The pools of one kind of host for these nodes, by their sizes up to `most` replicas; None: any number."""
    guests = {node: known[node] for node in together.tenants}
    device, visits = setting.devices[name], setting.visits_per_request
    excluded = {node: excluded_by(setting.nodes[node], name) for node in guests}
    welcome = [node for node in guests if not excluded[node]] or list(guests)
    load = {node: guest.kept_s * visits[node] for node, guest in guests.items()}
    longest = max(guests[node].kept_s for node in welcome) * slots
    loads = loads_by_node({node: load[node] for node in welcome}, together.share)
    taken_back = setting.interruptions(name)
    priorities = priorities_by_node(setting.priorities, welcome)
    for sizing in sizings(setting.rate_per_s, slots, loads, longest, most, taken_back, priorities):
        pool = Pool(
            id=f"{name}/host/{'+'.join(guests)}{together.label}/{sizing.label}",
            device=name,
            location=name,
            max_batch=slots,
            memory_bytes=device.memory_bytes,
            capacity=sizing.capacity,
            availability=taken_back.availability,
            down_s=taken_back.down_s,
        )
        options = tuple(
            Option(
                f"{node}.run",
                pool.id,
                (guest.visit(sizing.of(setting.priorities[node])),) * len(setting.visits[node]),
                load[node],
                guest.weight_bytes,
                guest.state_bytes,
                guest.usd_per_call * visits[node],
                energy_above_idle_j(device, guest.worked_s * visits[node]),
                quality=quality_of(device, setting.spec(name).price),
                excluded_by=excluded[node],
            )
            for node, guest in guests.items()
        )
        yield pool, options
