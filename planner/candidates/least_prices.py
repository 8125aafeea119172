"""What one more device costs at least, and the energy of its work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...ir.units import HOUR_S
from ..placement.problem import DeviceType
from ..placement.search.least_costs import device_cost
from .idle import Candidate
from .setting import Setting
from .survey import Row

Candidates = Sequence[Candidate]


@dataclass(frozen=True)
class LeastPrices:
    """Of the devices of a fleet."""

    devices: Mapping[str, DeviceType]
    setting: Setting

    def device_usd(self, name: str) -> float:
        """[USD/h] of one more device: nothing where some are paid for anyway, or it is given back when idle."""
        d, spec = self.devices[name], self.setting.spec(name)
        if d.min_count or spec.scale.keep_alive_s:
            return 0.0
        return device_cost(d)

    def joule_usd(self, name: str) -> float:
        """[USD/J] above idle."""
        return self.devices[name].usd_per_joule

    def elsewhere(self, rows: Candidates, columns: Mapping[str, int], rate_per_s: float) -> dict[str, Row]:
        """(61) By role: the least cost of each tenant, a node in `columns`, in these pools [USD/h]."""
        found: dict[str, Row] = {}
        for pool, options in rows:
            each = self.device_usd(pool.device) * pool.devices_per_replica if pool.capacity else 0.0
            for o in options:
                node, _, part = o.piece.rpartition(".")
                if node in columns and not o.excluded_by:
                    calls = o.usd_per_request + o.energy_j_per_request * self.joule_usd(pool.device)
                    least = found.setdefault(part, np.full(len(columns), np.inf))
                    usd = rate_per_s * (HOUR_S * calls + o.load * each)
                    least[columns[node]] = min(least[columns[node]], usd)
        return found


def of_nodes(rows: Candidates, nodes: Iterable[str]) -> Candidates:
    """What of these pools is for some of the nodes."""
    nodes = set(nodes)
    own = ((pool, tuple(o for o in options if o.piece.rpartition(".")[0] in nodes)) for pool, options in rows)
    return tuple((pool, options) for pool, options in own if options)
