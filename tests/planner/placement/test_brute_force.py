"""The planner against all plans, one by one: same feasibility, same optimum."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from dovetail.ir.distribution import Distribution
from dovetail.planner.placement.problem import Bound, Kind, Option, PlacementProblem, Pool, Rack, Scenario, VisitTime
from dovetail.planner.placement.search.solve import solve

Plan = dict[str, Option]
BATCHES = 12
PROBLEMS_PER_BATCH = 30


def values(d: Distribution) -> tuple[np.ndarray, np.ndarray]:
    """Values and probabilities of a constant, of samples, or of repeats as far as they matter."""
    if d.kind == "repeats":
        chance, each = d.params
        tries = np.arange(math.ceil(math.log(1e-9) / math.log(chance)))
        return tries * each, (1 - chance) * chance**tries
    at = np.array(d.params) + d.shift
    return at, np.full(len(at), 1 / len(at))


def visit_values(time: VisitTime, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Values and probabilities of a part of a visit; what is lost to interruptions counts to the wait."""
    at, weight = values(getattr(time, part))
    for lost in time.lost if part == "wait" else ():
        more, chance = values(lost)
        at, weight = np.add.outer(at, more).ravel(), np.multiply.outer(weight, chance).ravel()
    return at, weight


class Times:
    """All joint outcomes of one scenario under one plan, as arrays."""

    def __init__(self, s: Scenario, plan: Plan) -> None:
        keys = [(step.id, q, part) for step in s.steps for q in step.pieces for part in ("wait", "first", "total")]
        visits = {step.id: step.visit for step in s.steps}
        # What is first and total in one is one variable: it has the values of its total, and is not drawn twice.
        one = [key for key in keys if key[2] == "first" and plan[key[1]].visits[visits[key[0]] - 1].outputs_at_end]
        keys = [key for key in keys if key not in one]
        laws = [visit_values(plan[q].visits[visits[step] - 1], part) for step, q, part in keys]
        grids = np.meshgrid(*(np.arange(len(at)) for at, _ in laws), indexing="ij")
        self.of = {key: at[grid.ravel()] for key, (at, _), grid in zip(keys, laws, grids, strict=True)}
        self.of |= {key: self.of[*key[:2], "total"] for key in one}
        self.weight = np.prod([p[grid.ravel()] for (_, p), grid in zip(laws, grids, strict=True)], axis=0)


def moments(p: PlacementProblem, s: Scenario, plan: Plan) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """End, first output and probability of each joint outcome."""
    times, out, end = Times(s, plan), {}, {}
    last = {step.id: step.pieces[-1] for step in s.steps}
    for step in s.steps:
        start = np.zeros_like(times.weight)
        for before, streams in step.after:
            ready = out[before] if streams else end[before]
            start = np.maximum(start, ready + move(p, last[before], step.pieces[0], plan))
        now = start
        for i, q in enumerate(step.pieces):
            now = now + times.of[step.id, q, "wait"]
            if i == 0:
                out[step.id] = now + times.of[step.id, q, "first"]
            now = now + times.of[step.id, q, "total"]
            if i + 1 < len(step.pieces):
                now = now + move(p, q, step.pieces[i + 1], plan)
        for before, streams in step.after:
            if streams:
                now = np.maximum(now, end[before])
        end[step.id] = now
    ends = np.max([end[i] for i in s.sinks], axis=0)
    return ends, np.min([out[i] for i in s.sinks], axis=0), times.weight


def location(p: PlacementProblem, o: Option) -> str:
    return next(g.location for g in p.pools if g.id == o.pool)


def move(p: PlacementProblem, a: str, b: str, plan: Plan) -> float:
    """Latency of the transfer from piece a to piece b; infinite where it is forbidden."""
    here, there = location(p, plan[a]), location(p, plan[b])
    for t in p.transfers:
        if (t.from_piece, t.to_piece) == (a, b) and here != there:
            found = [r.latency_s for r in t.routes if (r.from_location, r.to_location) == (here, there)]
            return found[0] if found else math.inf
    return 0.0


def keeps(p: PlacementProblem, b: Bound, plan: Plan) -> bool:
    """Whether a plan keeps a latency bound."""
    if b.kind == "tbt":
        return all(
            gap + sum(move(p, t.from_piece, o.piece, plan) / t.token_gaps for t in p.transfers if t.to_piece == o.piece)
            <= b.limit_s
            for o in plan.values()
            for gap in o.tbt_s
            if o.piece.startswith(f"{b.node}.")
        )
    if b.kind == "ttft":
        visited = {(s.pieces[0], s.visit) for way in p.scenarios for s in way.steps}
        return all(first_in_time(plan[q], k, b) for q, k in visited if q.startswith(f"{b.node}."))
    which = 0 if b.kind == "end_to_end" else 1
    kept = average = 0.0
    for s in p.scenarios:
        found = moments(p, s, plan)
        kept += s.probability * float(np.sum(found[2][found[which] <= b.limit_s]))
        average += s.probability * float(np.sum(found[2] * found[which]))
    return average <= b.limit_s if b.percentile is None else kept >= b.percentile - 1e-9


def first_in_time(o: Option, visit: int, b: Bound) -> bool:
    (wait, p), (first, q) = (visit_values(o.visits[visit - 1], part) for part in ("wait", "first"))
    both, weight = np.add.outer(wait, first), np.multiply.outer(p, q)
    if b.percentile is None:
        return float(np.sum(both * weight)) <= b.limit_s
    return float(np.sum(weight[both <= b.limit_s])) >= b.percentile - 1e-9


def placeable(p: PlacementProblem, plan: Plan) -> bool:
    """Whether a plan keeps what has nothing to do with numbers of replicas or with bounds."""
    at = {q: location(p, o) for q, o in plan.items()}
    if any(o.excluded_by for o in plan.values()):
        return False
    if any(at[a] != at[b] for a, b in p.together) or any(at[a] == at[b] for a, b in p.apart):
        return False
    if any(math.isinf(move(p, t.from_piece, t.to_piece, plan)) for t in p.transfers):
        return False
    for g in p.pools:
        here = [q for q in p.pieces if plan[q.id].pool == g.id]
        if g.billed < 1 and here and len(here) < sum(o.pool == g.id for o in p.options):
            return False
        if g.whole_nodes and any(q not in here for q in p.pieces if q.node in {h.node for h in here}):
            return False
        shared: dict[str, float] = {}
        for q in here:
            key = q.memory_key or q.id
            shared[key] = max(shared.get(key, 0.0), plan[q.id].weight_bytes)
        if sum(shared.values()) + sum(plan[q.id].state_bytes for q in here) > g.memory_bytes:
            return False
    return True


def calls(p: PlacementProblem, plan: Plan) -> float:
    """Calls and transfers of one request [USD]."""
    usd = sum(o.usd_per_request for o in plan.values())
    for t in p.transfers:
        ends = location(p, plan[t.from_piece]), location(p, plan[t.to_piece])
        usd += sum(r.usd_per_request for r in t.routes if (r.from_location, r.to_location) == ends)
    return usd


def carries(g: Pool, n: int) -> float:
    """What n replicas carry in the worst case that the pool is to survive: dealt to its zones in turn, lost at will."""
    zones = sorted(len(range(zone, n, g.zones)) for zone in range(g.zones))
    left = sum(zones[: max(0, g.zones - g.lost_zones)]) - g.spare
    return g.capacity[min(left, len(g.capacity)) - 1] if left > 0 else -1.0


def costs(p: PlacementProblem, plan: Plan) -> Iterator[float]:
    """Cost of the plan with every number of replicas that carries the load and keeps the limits."""
    if p.rate_per_s is None:
        yield calls(p, plan)
        return
    fewest: tuple[int, ...] | None = None
    counted = [g for g in p.pools if g.capacity and any(o.pool == g.id for o in plan.values())]
    for numbers in itertools.product(*(range(1, g.zones * (g.spare + len(g.capacity)) + 1) for g in counted)):
        carried = all(
            p.rate_per_s * sum(o.load for o in plan.values() if o.pool == g.id) <= carries(g, n)
            for g, n in zip(counted, numbers, strict=True)
        )
        # A plan takes the fewest replicas that carry its load: where racks have limits more could even draw less.
        if not carried or (p.racks and numbers != (fewest := fewest or numbers)):
            continue
        usd, watts, fits, taken_of = 3600 * p.rate_per_s * calls(p, plan), 0.0, True, dict[str, int]()
        for o in plan.values():
            device = next(g.device for g in p.pools if g.id == o.pool)
            per_joule = next(d.usd_per_joule for d in p.devices if d.name == device)
            usd += 3600 * p.rate_per_s * o.energy_j_per_request * per_joule
            watts += p.rate_per_s * o.energy_j_per_request
        for d in p.devices:
            used = sum(n * g.devices_per_replica for g, n in zip(counted, numbers, strict=True) if g.device == d.name)
            taken = math.ceil(max(used, d.min_count) / d.chassis) * d.chassis
            fits, taken_of[d.name] = fits and taken <= d.max_count, taken
            down = sum(
                (1 - g.billed) * n * g.devices_per_replica
                for g, n in zip(counted, numbers, strict=True)
                if g.device == d.name
            )
            usd += (max(0, taken - d.owned) - down) * sum(x for _, x in d.usd_per_hour)
            usd += (taken - down) * d.idle_usd_per_hour
            watts += taken * d.idle_w
        limits = dict(p.limits)
        sizes = {g.id: n for g, n in zip(counted, numbers, strict=True)}
        fits = fits and all(share_over(p, rack, plan, sizes, taken_of) <= rack.exceed + 1e-9 for rack in p.racks)
        if fits and usd <= limits.get("usd_per_hour", math.inf) and watts <= limits.get("power_w", math.inf):
            yield usd + migration(p, plan, sizes)


def migration(p: PlacementProblem, plan: Plan, sizes: dict[str, int]) -> float:
    """USD/h for what is brought up in place of what runs: every order in which replicas may start in its place."""
    if p.previous is None:
        return 0.0
    pieces, start_s, usd = {q.id: q for q in p.pieces}, p.previous.start_s, 0.0
    new: dict[Kind, int] = {}
    for g in p.pools:
        inside = [pieces[q] for q, o in plan.items() if o.pool == g.id] if g.id in sizes else []
        for role, key in {("both" if g.whole_nodes else q.part, q.memory_key) for q in inside}:
            kind = Kind(g.device, key, role, g.devices_per_replica, g.tp, g.pp, g.ep, g.dp)
            new[kind] = new.get(kind, 0) + sizes[g.id]
    more = {kind: max(0, n - dict(p.previous.running).get(kind, 0)) for kind, n in new.items()}
    for d in p.devices:
        each = d.idle_usd_per_hour + (sum(x for _, x in d.usd_per_hour) if d.max_count > d.owned else 0.0)
        rows = [(start_s[k], n * k.devices) for k, n in more.items() if k.device == d.name and start_s[k]]
        usd += each * sum(s * n for s, n in rows) / 3600
        up = dict(p.previous.devices).get(d.name, 0)
        if up and rows:
            short = sum(n for _, n in rows) - max(0, d.max_count - up)
            waits = (in_turn(order, short) for order in itertools.permutations(rows))
            usd += min(waits) * (p.rate_per_s or 0.0) / up * p.previous.usd_per_request
    return usd * 3600 / p.previous.over_s


def in_turn(order: tuple[tuple[float, int], ...], short: int) -> float:
    """Device-seconds without service where the first of `order` start in place of others, `short` devices in all."""
    waited = 0.0
    for seconds, devices in order:
        waited += seconds * max(0, min(devices, short))
        short -= devices
    return waited


def share_over(p: PlacementProblem, rack: Rack, plan: Plan, sizes: dict[str, int], taken: dict[str, int]) -> float:
    """Share of the time that a rack is over its limit: every joint state of its replicas; 1 for more than needed."""
    devices = {d.name: d for d in p.devices if d.rack == rack.name}
    idle, rows = sum(devices[name].idle_w * n for name, n in taken.items() if name in devices), []
    for g in p.pools:
        if g.id in sizes and g.device in devices:
            n, d, inside = sizes[g.id], devices[g.device], [o for o in plan.values() if o.pool == g.id]
            step = (d.peak_w - d.idle_w) * g.devices_per_replica
            busy = min(1.0, (p.rate_per_s or 0.0) * sum(o.energy_j_per_request for o in inside) / (n * step))
            rows.append([(k * step, math.comb(n, k) * busy**k * (1 - busy) ** (n - k)) for k in range(n + 1)])
    if not rack.exceed:
        return float(idle + sum(row[-1][0] for row in rows) > rack.power_w + 1e-6)
    over = (state for state in itertools.product(*rows) if idle + sum(w for w, _ in state) > rack.power_w + 1e-6)
    return sum(math.prod(chance for _, chance in state) for state in over)


def best(p: PlacementProblem) -> float | None:
    """The optimum over all plans; None where there is none."""
    rows = [[o for o in p.options if o.piece == q.id] for q in p.pieces]
    found = []
    for choice in itertools.product(*rows):
        plan = {o.piece: o for o in choice}
        if placeable(p, plan):
            usd = min(costs(p, plan), default=None)
            if usd is not None and all(keeps(p, b, plan) for b in p.bounds):
                late = (s.probability * float(np.sum(np.multiply(*moments(p, s, plan)[::2]))) for s in p.scenarios)
                found.append(usd if p.objective == "cost" else sum(late))
    return min(found, default=None)


def agrees(p: PlacementProblem, solver: str) -> bool:
    """Whether planner and brute force agree; True in the result where there is a plan."""
    expected, result = best(p), solve(p, solver=solver)
    if expected is None:
        assert result.status == "infeasible"
        return False
    assert result.status == "optimal", result.conflict
    assert result.objective == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert result.bound == pytest.approx(expected, rel=2e-6, abs=1e-12)
    return True


@pytest.mark.parametrize("batch", range(BATCHES))
def test_highs_finds_what_trying_everything_finds(
    batch: int, random_problem: Callable[[int], PlacementProblem]
) -> None:
    seeds = range(batch * PROBLEMS_PER_BATCH, (batch + 1) * PROBLEMS_PER_BATCH)
    feasible = []
    for seed in seeds:
        try:
            feasible.append(agrees(random_problem(seed), "highs"))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    assert 0 < sum(feasible) < len(feasible)


def test_cbc_finds_what_trying_everything_finds(random_problem: Callable[[int], PlacementProblem]) -> None:
    assert sum(agrees(random_problem(seed), "cbc") for seed in range(30)) > 0
