"""Equations (16) and (17) of `docs/math/placement.md`: money, power, and what is minimised."""

from __future__ import annotations

import pulp

from ...ir.units import HOUR_S
from .laws import mean
from .problem import DeviceType, Option, PlacementProblem
from .variables import Expr, PlacementVars


def constrain_limits(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(16) cost <= limit;  sum_d idle_w[d] D[d] + rate sum energy[p,g] x[p,g] <= limit; in shares of the limit."""
    if p.rate_per_s is None:
        return
    for name, limit in p.limits:
        whole = cost(p, v) if name == "usd_per_hour" else power(p, v)
        unit = max(limit, 1e-12)
        m.addConstraint(whole * (1 / unit) <= limit / unit + 1e-9, v.name("limit", name))


def minimise(m: pulp.LpProblem, p: PlacementProblem, v: PlacementVars) -> None:
    """(17) min cost, in units of `cost_unit`, or min mean end to end, in units of `time_scale`."""
    m.setObjective(Expr(v.mean) if v.mean is not None else cost(p, v) * (1 / cost_unit(p, v)))


def second_objective(p: PlacementProblem, v: PlacementVars) -> Expr:
    """Among plans of equal value: the cheapest (objective latency) or the one whose pieces' mean times add up
    to least (objective cost); then the one that comes first in the problem's order."""
    if v.mean is not None:
        first = cost(p, v) * (1 / cost_unit(p, v))
    else:
        first = Expr([(v.x[key], sum(_mean(o)) / v.time_scale) for key, o in v.options.items()])
    count = len(v.x) or 1
    return first + Expr([(x, 1e-3 * i / count / len(v.pieces)) for i, x in enumerate(v.x.values())])


def _mean(o: Option) -> list[float]:
    return [mean(t.wait) + mean(t.total) for t in o.visits]


def cost(p: PlacementProblem, v: PlacementVars) -> Expr:
    """Cost of a plan [USD/h], or without a rate [USD/request].

    sum_d (price[d] P[d] + idle[d] D[d]) + 3600 rate (sum usd[p,g] x[p,g] + sum usd[e,l,l'] y[e,l,l'])
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
    return whole


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


def cost_unit(p: PlacementProblem, v: PlacementVars) -> float:
    """The largest coefficient of the cost: what the objective is divided by, to stay near 1."""
    return max((abs(a) for a in cost(p, v).values()), default=0.0) or 1.0
