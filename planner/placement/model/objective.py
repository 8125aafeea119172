"""Equations (16), (17), (22) and (23) of `docs/math/placement.md`: money, power, carbon, and what is minimised."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import pulp

from ....ir.units import HOUR_S
from ..problem import DeviceType, Option, PlacementProblem, Pool
from ..times.laws import mean
from .variables import Expr, PlacementVars


def constrain_limits(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(16) cost, power, energy or carbon of a request <= limit; in shares of the limit."""
    for name, limit in p.limits:
        if p.rate_per_s is None and name != "usd_per_request":
            continue
        whole = LIMITED[name](p, v)
        share = max(limit, 1e-12)
        m.addConstraint(whole * (1 / share) <= limit / share + 1e-9, v.name("limit", name))


def minimise(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(17) min cost, (22) energy or (23) carbon, in units of `unit`; or mean end to end, of `time_scale`."""
    m.setObjective(Expr(v.mean) if v.mean is not None else AMOUNTS[p.objective](p, v) * (1 / unit(p, v)))


def second_objective(p: PlacementProblem, v: PlacementVars, order: Sequence[Option]) -> Expr:
    """Among plans of equal value: the one whose pieces' mean times add up to least (objective cost) or the cheapest
    (any other objective); then the one that comes first in `order`, that of all options of the problem."""
    first = mean_times(v) if p.objective == "cost" else cost(p, v) * (1 / _largest(cost(p, v)))
    place, count = {(o.piece, o.pool): i for i, o in enumerate(order)}, len(order) or 1
    return first + Expr([(x, 1e-3 * place[key] / count / len(v.pieces)) for key, x in v.x.items()])


def mean_times(v: PlacementVars) -> Expr:
    """What the mean times of all visits of all pieces add up to [time_scale]."""
    return Expr([(v.x[key], sum(mean_visits(o)) / v.time_scale) for key, o in v.options.items()])


def mean_visits(o: Option) -> list[float]:
    """Mean time of each visit, with waits and what is lost [s]."""
    return [mean(t.wait) + sum(map(mean, t.lost)) + mean(t.total) for t in o.visits]


def cost(p: PlacementProblem, v: PlacementVars) -> Expr:
    """Cost of a plan [USD/h], or without a rate [USD/request].

    sum_d (price[d] P[d] + idle[d] D[d]) + 3600 rate (sum usd[p,g] x[p,g] + sum usd[e,l,l'] y[e,l,l']), less
    (price[d] + idle[d]) (1 - billed[g]) n size[g] z[g,n] for pools that go down.
    """
    per_request = Expr([(v.x[key], usd_per_request(p, v, o)) for key, o in v.options.items()])
    for (a, b, here, there), y in v.y.items():
        route = v.routes[a, b].get((here, there))
        if here != there and route is not None and route.usd_per_request:
            per_request.addterm(y, route.usd_per_request)
    if p.rate_per_s is None:
        return per_request
    whole = per_request * (HOUR_S * p.rate_per_s)
    for name, taken in v.taken.items():
        d = v.devices[name]
        whole += v.paid[name] * price(d)
        whole += taken * d.idle_usd_per_hour
    for (g, n), z in v.z.items():
        if v.pools[g].goes_down:
            d = v.devices[v.pools[g].device]
            whole.addterm(z, -down(v.pools[g], n) * (price(d) + d.idle_usd_per_hour))
    return whole


def cost_of_pieces(p: PlacementProblem, v: PlacementVars, pieces: Collection[str]) -> Expr:
    """(63) What some pieces cost that share no counted pool with others, if nothing is free [USD/h]."""
    calls = Expr([(x, usd_per_request(p, v, v.options[q, g])) for (q, g), x in v.x.items() if q in pieces])
    whole = calls * (HOUR_S * (p.rate_per_s or 0.0))
    for (g, n), z in v.z.items():
        if v.pieces_of[g][0] in pieces:
            d = v.devices[v.pools[g].device]
            whole.addterm(z, n * v.pools[g].devices_per_replica * (price(d) + d.idle_usd_per_hour))
    return whole


def down(g: Pool, n: int) -> float:
    """(44) Devices of n replicas that are given back, on average over the time."""
    return (1 - g.billed) * n * g.devices_per_replica


def price(d: DeviceType) -> float:
    """Capital, interest and rent of one device [USD/h]."""
    return sum(usd for _, usd in d.usd_per_hour)


def usd_per_request(p: PlacementProblem, v: PlacementVars, o: Option) -> float:
    """What a request costs on one option beside devices taken by the hour [USD].

    Without a rate nothing is sized, and calls are all that is paid for.
    """
    if p.rate_per_s is None:
        return o.usd_per_request
    return o.usd_per_request + o.energy_j_per_request * v.devices[v.pools[o.pool].device].usd_per_joule


def power(p: PlacementProblem, v: PlacementVars) -> Expr:
    """Power of the fleet, PUE not included [W]."""
    rate = p.rate_per_s or 0.0
    whole = Expr([(v.x[key], rate * o.energy_j_per_request) for key, o in v.options.items()])
    for name, taken in v.taken.items():
        whole += taken * v.devices[name].idle_w
    return whole


def energy(p: PlacementProblem, v: PlacementVars) -> Expr:
    """(22) Energy of a request, drawn from the grid, PUE included [J].

    sum_d drawn_idle_w[d] D[d] / rate + sum drawn_per_joule[d] energy[p,g] x[p,g]
    """
    return _drawn(p, v, {d.name: 1.0 for d in p.devices})


def carbon(p: PlacementProblem, v: PlacementVars) -> Expr:
    """(23) Carbon of a request: (22) with each device's energy times its gCO2/J [gCO2]."""
    return _drawn(p, v, {d.name: d.g_per_joule for d in p.devices})


def _drawn(p: PlacementProblem, v: PlacementVars, weights: Mapping[str, float]) -> Expr:
    whole = Expr()
    for key, o in v.options.items():
        d = v.devices[v.pools[o.pool].device]
        whole.addterm(v.x[key], weights[d.name] * d.drawn_per_joule * o.energy_j_per_request)
    for name, taken in v.taken.items():
        whole += taken * (weights[name] * v.devices[name].drawn_idle_w / (p.rate_per_s or 1.0))
    for (g, n), z in v.z.items():
        if v.pools[g].goes_down:
            d = v.devices[v.pools[g].device]
            whole.addterm(z, -down(v.pools[g], n) * weights[d.name] * d.drawn_idle_w / (p.rate_per_s or 1.0))
    return whole


def worth(p: PlacementProblem, v: PlacementVars) -> Expr:
    """(52) What the objective `cost` asks to be least: (17), and what replicas brought up cost [USD/h or /request]."""
    return cost(p, v) + v.migration


AMOUNTS: Mapping[str, Callable[[PlacementProblem, PlacementVars], Expr]] = {
    "cost": worth,
    "energy": energy,
    "carbon": carbon,
}
"""What is least, by objective; `latency` is a variable of its own."""
LIMITED: Mapping[str, Callable[[PlacementProblem, PlacementVars], Expr]] = {
    "usd_per_hour": cost,
    "usd_per_request": cost,
    "power_w": power,
    "energy_j_per_request": energy,
    "gco2_per_request": carbon,
}
"""What a limit bounds; USD a request only without a rate, where the fleet gives no such limit but a frontier does."""


def unit(p: PlacementProblem, v: PlacementVars) -> float:
    """The largest coefficient of what is least: what the objective is divided by, to stay near 1."""
    return _largest(AMOUNTS[p.objective](p, v))


def _largest(whole: Expr) -> float:
    return max((abs(a) for a in whole.values()), default=0.0) or 1.0
