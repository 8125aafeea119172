"""What a plan says of each graph that shares its fleet: its rate, its latencies, and its part of the cost."""

from __future__ import annotations

from typing import Any

from ...ir.units import HOUR_S
from .plan import device_usd_per_hour, rounded
from .solved import Solved

Json = dict[str, Any]


def members_document(solved: Solved) -> Json:
    """`graphs` of plan.json, by name; empty where one graph has the fleet alone."""
    shares = dict[str, float]()
    for scenario in solved.problem.scenarios:
        shares[scenario.graph] = shares.get(scenario.graph, 0.0) + scenario.probability
    shares.pop("", None)
    rate = solved.problem.rate_per_s
    return rounded(
        {
            graph: {
                "share": share,
                "rate_per_s": None if rate is None else rate * share,
                "usd_per_request": usd_per_request(solved, graph, share),
                "latency_s": solved.latency.graphs[graph],
            }
            for graph, share in shares.items()
        }
    )


def usd_per_request(solved: Solved, graph: str, share: float) -> float:
    """(47) Cost of a request of `graph`: its own calls and transfers, and its part of the devices that it uses.

    usd[i] = (usd[p,g] and usd[e,l,l'] of its pieces + sum over d of cost[d] / (3600 R) w[i,d] / w[d]) / share[i], w
    being load times devices of a replica. Devices that nothing runs on go by the shares of the requests.
    """
    own = [option for option in solved.chosen.values() if option.piece.startswith(f"{graph}/")]
    moved = (t.usd_per_request for t in solved.result.transfers if t.from_piece.startswith(f"{graph}/"))
    usd = sum(option.usd_per_request for option in own) + sum(moved)
    rate = solved.problem.rate_per_s
    for name, count in solved.result.devices.items() if rate is not None else ():
        if count:
            held = {piece: seconds for piece, seconds in _device_seconds(solved, name).items() if seconds}
            mine = sum(seconds for piece, seconds in held.items() if piece.startswith(f"{graph}/"))
            part = mine / sum(held.values()) if held else share
            usd += device_usd_per_hour(solved, name, count) / (HOUR_S * (rate or 1.0)) * part
    return usd / share


def _device_seconds(solved: Solved, device: str) -> dict[str, float]:
    """Piece -> seconds of devices of one kind that a request of the whole keeps for it."""
    pools = {pool.id: pool for pool in solved.pools.values() if pool.device == device}
    inside = (option for option in solved.chosen.values() if option.pool in pools)
    return {option.piece: option.load * pools[option.pool].devices_per_replica for option in inside}
