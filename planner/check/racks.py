"""Power limits of racks: how often the plan's devices, each replica busy or not by itself, draw more together."""

from __future__ import annotations

from collections.abc import Mapping
from math import comb

import numpy as np

from ...ir.diagnostics import Diagnostics
from ...ir.fleet import RackSpec
from .close import far
from .load import Load
from .structure import devices_taken
from .subject import Subject

STEPS = 200_000
"""Parts of a rack's greatest power that are told apart."""
SLACK = 2e-3
"""Share of the time by which the plan's own arithmetic may differ, for it rounds powers upwards."""


def check_racks(subject: Subject, loads: Mapping[str, Load], faults: Diagnostics) -> None:
    """Report `check.rack` where a rack is over its limit too often, or the plan misstates how often."""
    stated = subject.plan.get("racks", {})
    due = {rack.name: rack for rack in subject.fleet.racks} if subject.rate is not None else {}
    for name in sorted(stated.keys() ^ due.keys()):
        faults.error("check.rack", f"the plan is to speak of each rack of the fleet and of no other: `{name}`")
    for name, rack in due.items():
        mean_w, over = rack_power(subject, loads, rack)
        if over > rack.exceed + SLACK:
            message = f"the rack `{name}` draws over {rack.power_w:g} W {over:.3%} of the time, not {rack.exceed:.3%}"
            faults.error("check.rack", message)
        if name in stated:
            said = stated[name]
            if far(said["mean_w"], mean_w) or abs(said["exceeded"] - over) > SLACK:
                message = f"the plan states {said['mean_w']:.6g} W and {said['exceeded']:.4g} over for rack `{name}`"
                faults.error("check.rack", f"{message}; derived {mean_w:.6g} W and {over:.4g}")


def rack_power(subject: Subject, loads: Mapping[str, Load], rack: RackSpec) -> tuple[float, float]:
    """Mean power of a rack [W], and the share of the time that it is over its limit (all at peak where none may be)."""
    here = {spec.name for spec in subject.specs.values() if spec.rack == rack.name and spec.name in subject.devices}
    taken = devices_taken(subject)
    mean_w = idle_w = sum(taken[name] * subject.devices[name].idle_w for name in here)
    rows: list[tuple[int, float, float]] = []
    for pool in subject.pools.values():
        if pool.device in here:
            device, busy = subject.devices[pool.device], loads[pool.id].working
            step_w = pool.devices_per_replica * max(0.0, device.tdp_w - device.idle_w)
            rows.append((pool.replicas, min(1.0, busy), step_w))
            mean_w += pool.replicas * busy * step_w
    peak_w = idle_w + sum(n * step_w for n, _, step_w in rows)
    if not rack.exceed:
        return mean_w, float(peak_w > rack.power_w * (1 + 1e-6))
    if peak_w <= rack.power_w:
        return mean_w, 0.0
    return mean_w, _share_over(rows, rack.power_w - idle_w, (peak_w - idle_w) / STEPS)


def _share_over(rows: list[tuple[int, float, float]], limit_w: float, unit_w: float) -> float:
    """P(sum of steps of busy replicas > limit), powers rounded to the nearest unit."""
    law = np.array([1.0])
    for n, busy, step_w in rows:
        at = [round(k * step_w / unit_w) for k in range(n + 1)]
        more = np.zeros(len(law) + at[-1])
        for k, place in enumerate(at):
            more[place : place + len(law)] += law * (comb(n, k) * busy**k * (1 - busy) ** (n - k))
        law = more
    first = int(np.floor(limit_w / unit_w + 1e-6)) + 1
    return float(np.sum(law[max(0, first) :]))
