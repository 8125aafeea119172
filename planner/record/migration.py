"""`migration` of plan.json: what becomes of the replicas that ran before, and what that costs."""

from __future__ import annotations

from typing import Any

from ...ir.units import HOUR_S
from ..placement.model.migration import moves
from ..placement.problem import Kind, PlacementProblem
from ..placement.result import PlacementResult

Json = dict[str, Any]


def migration(problem: PlacementProblem, result: PlacementResult) -> Json:
    """Replicas kept, started and stopped by kind, with bytes, seconds and USD; nothing where none ran before."""
    previous = problem.previous
    if previous is None:
        return {}
    found, was = moves(problem, previous, result.placements, result.replicas), dict(previous.running)
    bytes_of, start_s = {kind: size for kind, size, _ in previous.starts}, previous.start_s
    rows = []
    for kind in sorted({*found.now, *was}, key=_order):
        n, before, started = found.now.get(kind, 0), was.get(kind, 0), found.started.get(kind, 0)
        rows.append(
            {
                "device": kind.device,
                "model": kind.model,
                "role": kind.role,
                "parallel": {"tp": kind.tp, "pp": kind.pp, "ep": kind.ep, "dp": kind.dp},
                "devices_per_replica": kind.devices,
                "kept": min(n, before),
                "started": started,
                "stopped": found.stopped.get(kind, 0),
                "bytes": started * bytes_of.get(kind, 0.0),
                "seconds": start_s[kind] if started else 0.0,
                "usd": found.usd.get(kind, 0.0),
            }
        )
    counts = {name: sum(row[name] for row in rows) for name in ("kept", "started", "stopped", "bytes")}
    figures = {
        "seconds": max((row["seconds"] for row in rows), default=0.0),
        "requests_late": found.requests_late,
        "usd": found.total_usd,
        "over_s": previous.over_s,
        "usd_per_hour": found.total_usd * HOUR_S / previous.over_s,
    }
    return {"migration": {**counts, **figures, "replicas": rows}}


def _order(kind: Kind) -> tuple[object, ...]:
    return kind.device, kind.model, kind.role, kind.devices, kind.tp, kind.pp, kind.ep, kind.dp
