"""What a plan costs and how busy it is, computed from the problem alone: no model, no rounding of a solver's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...ir.units import HOUR_S
from .model.migration import usd_per_hour
from .model.objective import down
from .model.variables import fewest_replicas
from .problem import DeviceType, Option, PlacementProblem, Pool, Route, Transfer
from .result import COST_PARTS, UsedTransfer


@dataclass(frozen=True)
class Account:
    """Sizes and cost of one plan."""

    replicas: dict[str, int]
    devices: dict[str, int]
    cost: dict[str, float]
    """By `COST_PARTS` [USD/h, or USD/request without a rate]."""
    transfers: tuple[UsedTransfer, ...]
    utilisation: dict[str, float]
    energy_j: float = 0.0
    """Energy of one request, drawn from the grid [J]; 0 without a rate."""
    carbon_g: float = 0.0
    """Carbon of that energy [gCO2]."""
    migration_usd_per_hour: float = 0.0
    """(52) What changing the replicas that run already costs, spread over time [USD/h]."""

    def worth(self, objective: str) -> float:
        """What `cost`, `energy` or `carbon` asks to be least."""
        return {"cost": self.total + self.migration_usd_per_hour, "energy": self.energy_j, "carbon": self.carbon_g}[
            objective
        ]

    @property
    def total(self) -> float:
        """The whole cost [USD/h, or USD/request without a rate]."""
        return sum(self.cost.values())


class Books:
    """The sets of a problem by key, to account for any number of its plans."""

    def __init__(self, p: PlacementProblem) -> None:
        self.p = p
        self.options = {(o.piece, o.pool): o for o in p.options}
        self.pools = {g.id: g for g in p.pools}

    def account(self, placements: dict[str, str], replicas: dict[str, int] | None = None) -> Account:
        """Sizes and cost of a plan that keeps all constraints of the fleet, of so many `replicas` where given."""
        chosen = [self.options[q, g] for q, g in placements.items()]
        transfers = tuple(self._used(t, placements) for t in self.p.transfers)
        moved = tuple(t for t in transfers if t is not None)
        replicas = self._replicas(chosen) if replicas is None else replicas
        devices = self._devices(replicas)
        cost: dict[str, float] = dict.fromkeys([*COST_PARTS], 0.0)
        scale = 1.0 if self.p.rate_per_s is None else HOUR_S * self.p.rate_per_s
        cost["calls"] += scale * sum(o.usd_per_request for o in chosen)
        cost["transfer"] += scale * sum(t.usd_per_request for t in moved)
        if self.p.rate_per_s is not None:
            cost["energy"] += scale * sum(o.energy_j_per_request * self._device(o).usd_per_joule for o in chosen)
        idle = self.given_back(replicas)
        for d in self.p.devices:
            taken, back = devices.get(d.name, 0), idle.get(d.name, 0.0)
            cost["energy"] += (taken - back) * d.idle_usd_per_hour
            for part, usd in d.usd_per_hour:
                cost[part] += (max(0, taken - d.owned) - back) * usd
        up = {name: taken - idle.get(name, 0.0) for name, taken in devices.items()}
        joules = self._drawn_j(chosen, up) if self.p.rate_per_s is not None else {}
        carbon_g = sum(joules.get(d.name, 0.0) * d.g_per_joule for d in self.p.devices)
        utilisation = self._utilisation(chosen, replicas)
        migration = usd_per_hour(self.p, placements, replicas)
        return Account(replicas, devices, cost, moved, utilisation, sum(joules.values()), carbon_g, migration)

    def given_back(self, replicas: Mapping[str, int]) -> dict[str, float]:
        """(44) Devices by name that are down with their pools, on average over the time."""
        found: dict[str, float] = {}
        for id, n in replicas.items():
            g = self.pools[id]
            if g.goes_down:
                found[g.device] = found.get(g.device, 0.0) + down(g, n)
        return found

    def _drawn_j(self, chosen: list[Option], devices: Mapping[str, float]) -> dict[str, float]:
        """(22) Energy of one request by device, drawn from the grid [J]."""
        assert self.p.rate_per_s is not None
        found = {d.name: devices.get(d.name, 0) * d.drawn_idle_w / self.p.rate_per_s for d in self.p.devices}
        for o in chosen:
            d = self._device(o)
            found[d.name] += o.energy_j_per_request * d.drawn_per_joule
        return found

    def sizes(self, chosen: list[Option]) -> tuple[dict[str, int], dict[str, int]]:
        """Replicas by pool and devices by name that these options take, of some pieces or of all."""
        replicas = self._replicas(chosen)
        return replicas, self._devices(replicas)

    def route(self, t: Transfer, placements: dict[str, str]) -> Route | None:
        """The route that a transfer takes; None within one location."""
        here = self.pools[placements[t.from_piece]].location
        there = self.pools[placements[t.to_piece]].location
        if here == there:
            return None
        return next(r for r in t.routes if (r.from_location, r.to_location) == (here, there))

    def _device(self, o: Option) -> DeviceType:
        return next(d for d in self.p.devices if d.name == self.pools[o.pool].device)

    def _used(self, t: Transfer, placements: dict[str, str]) -> UsedTransfer | None:
        r = self.route(t, placements)
        return None if r is None else _used_transfer(t, r)

    def _load(self, g: Pool, chosen: list[Option]) -> float:
        return (self.p.rate_per_s or 0.0) * sum(o.load for o in chosen if o.pool == g.id)

    def _counted(self, chosen: list[Option]) -> list[Pool]:
        used = {o.pool for o in chosen}
        return [g for g in self.p.pools if self.p.rate_per_s is not None and g.capacity and g.id in used]

    def _replicas(self, chosen: list[Option]) -> dict[str, int]:
        return {g.id: fewest_replicas(g, self._load(g, chosen)) or 0 for g in self._counted(chosen)}

    def _devices(self, replicas: dict[str, int]) -> dict[str, int]:
        taken: dict[str, int] = {}
        for d in self.p.devices if self.p.rate_per_s is not None else ():
            used = sum(
                n * self.pools[g].devices_per_replica for g, n in replicas.items() if self.pools[g].device == d.name
            )
            if used or d.min_count:
                taken[d.name] = -(-max(used, d.min_count) // d.chassis) * d.chassis
        return taken

    def _utilisation(self, chosen: list[Option], replicas: dict[str, int]) -> dict[str, float]:
        rate = self.p.rate_per_s or 0.0
        return {
            g.id: rate * g.load_of(o for o in chosen if o.pool == g.id) / replicas[g.id] for g in self._counted(chosen)
        }


def _used_transfer(t: Transfer, r: Route) -> UsedTransfer:
    size = t.bytes if r.bytes is None else r.bytes
    return UsedTransfer(t.from_piece, t.to_piece, size, r.latency_s, r.usd_per_request)
