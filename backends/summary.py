"""What a plan says, as sentences and rows of words: the terminal's text and the report lay out the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..ir.units import parse
from ..ir.wording import data, dollar_column, dollars, number, share, time
from .nested import flat_nodes, served_nodes
from .wording import COST_PARTS, LATENCY_KINDS, QUALITIES, constraint

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows of words under a title; columns named in `numeric` are set to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[str] = frozenset()
    note: str = ""
    """what the columns mean, where their names do not say it"""


def is_solved(plan: Json) -> bool:
    """Whether `plan` places anything; otherwise it only says what was asked and what stands against it."""
    return plan["status"] in ("optimal", "feasible")


def title(plan: Json) -> str:
    """The workflow's name."""
    return str(plan["inputs"]["graph"].get("name") or "workflow")


def headline(plan: Json) -> str:
    """One sentence: what the plan costs (or how fast it is), and how far that is proved."""
    if plan["status"] == "infeasible":
        return f"{title(plan)}: no plan can meet what is asked"
    if not is_solved(plan):
        return f"{title(plan)}: no plan was found in the time given, and none is ruled out"
    cost, objective = plan["cost"], plan["objective"]
    price = f"{dollars(cost['usd_per_request'])} USD a request"
    if cost["usd_per_hour"] is not None:
        price = f"{dollars(cost['usd_per_hour'])} USD/h ({dollars(cost['usd_per_year'])} USD a year)"
    if objective["name"] in BEST:
        price = f"{best(objective['value'], objective['unit'])} {BEST[objective['name']]}, for {price}"
    return f"{title(plan)}: {price}, {proof(plan)}"


def proof(plan: Json) -> str:
    """How far the plan is proved to be the best."""
    objective = plan["objective"]
    if plan["status"] == "optimal" and "frontier" in plan:
        return f"a point of the frontier of {listed(plan['frontier']['objectives'])}, proved"
    if plan["status"] == "optimal":
        return "proved optimal"
    if objective.get("gap") is None or objective.get("bound") is None:
        return "not proved optimal: time ran out before any bound was found"
    side = "over" if objective["name"] in ("throughput", "tokens_per_usd") else "under"
    bound = best(objective["bound"], objective["unit"])
    return f"not proved optimal: at most {share(objective['gap'])} better is possible (nothing {side} {bound})"


BEST = {
    "latency": "end to end on average",
    "energy": "from the grid",
    "carbon": "of carbon",
    "throughput": "at most",
    "tokens_per_usd": "of output",
}
"""What the value of an objective other than cost is of."""


def best(value: float, unit: str) -> str:
    """The value of an objective in words."""
    if unit == "s":
        return time(value)
    return f"{dollars(value)} {unit}" if unit.startswith("USD") else f"{number(value)} {unit}"


def key_figures(plan: Json) -> list[str]:
    """The other figures that a reader looks for first, one phrase each."""
    cost = plan["cost"]
    found = [f"{dollars(cost['usd_per_1k_requests'])} USD per 1,000 requests"]
    if cost.get("usd_per_million_output_tokens") is not None:
        found.append(f"{dollars(cost['usd_per_million_output_tokens'])} USD per million output tokens")
    if plan.get("energy_j_per_request"):
        found.append(f"{number(plan['energy_j_per_request'])} J a request")
    if plan.get("gco2_per_request"):
        found.append(f"{number(plan['gco2_per_request'])} g CO2 a request")
    return found


def is_sized(plan: Json) -> bool:
    """Whether the graph gives a rate, so that devices are counted."""
    return plan["cost"]["usd_per_hour"] is not None


def load(plan: Json) -> str:
    """The load that the plan is made for."""
    if not is_sized(plan):
        return "The graph gives no rate of requests, so devices are chosen but not counted."
    rate = (plan["inputs"]["graph"].get("workload") or {}).get("rate")
    if plan["objective"]["name"] == "throughput":
        return f"Made for {number(plan['objective']['value'])} req/s, the most that the fleet can serve."
    if rate is None and "graphs" in plan:
        rates = [f"{number(entry['rate_per_s'])} req/s of {name}" for name, entry in plan["graphs"].items()]
        return f"Made for {listed(rates)}."
    return f"Made for {rate}." if rate is not None else ""


def placements(plan: Json) -> Table:
    """Where each piece runs."""
    pools = {pool["id"]: pool for pool in plan["pools"]}
    rows = []
    places = {node: place for place, node in enumerate(flat_nodes(plan["inputs"]["graph"]))}
    for placement in sorted(plan["placements"], key=lambda placement: _place_in_graph(placement["piece"], places)):
        pool = pools[placement["pool"]]
        hosted = _is_hosted(pool, plan)
        part = placement.get("share", 1.0)
        piece = placement["piece"] + (f", {share(part)}" if part < 1 else "")
        piece += f", when {placement['when']}" if placement.get("when") else ""
        figures = ("", "") if hosted else (str(pool["max_batch"]), _busy(pool))
        served = pool.get("model", "") if placement["piece"].endswith((".prefill", ".decode")) else ""
        rows.append(
            (piece, served, _on(pool, hosted, is_sized(plan)), pool["id"], *figures, time(placement["latency_s"]))
        )
    columns = ("piece", "model", "runs on", "pool", "batch", "busy", "a visit takes")
    meanings = ["batch: visits that one replica serves at once", "busy: share of its capacity in use"]
    known = [meaning for column, meaning in enumerate(meanings, 4) if any(row[column] for row in rows)]
    note = "; ".join([*known, "a visit takes: mean time, waiting apart"])
    return _without_empty_columns(Table("Where each piece runs", columns, tuple(rows), frozenset(columns[4:]), note))


def _without_empty_columns(table: Table) -> Table:
    kept = [index for index in range(len(table.columns)) if any(row[index] for row in table.rows)]
    columns = tuple(table.columns[index] for index in kept)
    rows = tuple(tuple(row[index] for index in kept) for row in table.rows)
    return replace(table, columns=columns, rows=rows)


def _place_in_graph(piece: str, places: Mapping[str, int]) -> tuple[int, bool, str]:
    """Orders pieces as the graph lists their nodes, and prefill before decode."""
    node, _, part = piece.rpartition(".")
    return places.get(node, len(places)), part == "decode", piece


def pools(plan: Json) -> Table:
    """How each pool of devices of one's own is set up."""
    own = [pool for pool in plan["pools"] if not _is_hosted(pool, plan)]
    rows = [
        (
            pool["id"],
            pool["device"],
            str(pool["replicas"]) if is_sized(plan) else "",
            str(pool["devices_per_replica"]),
            *(str(degree) if degree > 1 else "" for degree in pool["parallel"].values()),
            str(pool["max_batch"]),
            data(pool["memory_bytes_per_device"]),
            _busy(pool),
            str(pool.get("spare", "")),
            ", ".join(f"{n} in {zone}" for zone, n in pool.get("zones", {}).items() if n),
            f"{100 * pool['availability']:.2f} %" if "availability" in pool else "",
            str(pool.get("adapters", "")),
            time(pool["scale"]["keep_alive_s"]) if "scale" in pool else "",
            share(pool["scale"]["billed"]) if "scale" in pool else "",
            share(pool["scale"]["cold"]) if "scale" in pool else "",
        )
        for pool in own
    ]
    degrees = tuple(own[0]["parallel"]) if own else ()
    numeric = (
        "replicas",
        "devices each",
        *degrees,
        "batch",
        "memory of a device",
        "busy",
        "to spare",
        "zones",
        "up",
        "adapters",
    )
    numeric = (*numeric, "down after", "paid", "visits that wait for a start")
    numbers = frozenset(numeric) - {"zones"}
    return _without_empty_columns(Table("Pools", ("pool", "device", *numeric), tuple(rows), numbers))


def _is_hosted(pool: Json, plan: Json) -> bool:
    device = (plan["inputs"]["fleet"].get("devices") or {}).get(pool["device"]) or {}
    return device.get("kind") == "api"


def _busy(pool: Json) -> str:
    return "" if pool.get("utilisation") is None else share(pool["utilisation"])


def _on(pool: Json, hosted: bool, sized: bool) -> str:
    """`4 x h100, 2 replicas of 2 (tp 2)`."""
    if hosted:
        return f"{pool['device']}, a hosted API"
    each = pool["devices_per_replica"]
    ways = [f"{key} {n}" for key, n in pool["parallel"].items() if n > 1]
    ways += [f"prefill on {share(pool['split']['prefill'])} of each, decode on the rest"] if "split" in pool else []
    ways += [f"{data(pool['tier']['bytes_per_device'])} of each in {pool['tier']['name']}"] if "tier" in pool else []
    split = f" ({', '.join(ways)})" if ways else ""
    if not sized:
        return f"{each} x {pool['device']} a replica{split}" if each > 1 else pool["device"] + split
    whole = f"{pool['devices']} x {pool['device']}"
    return (
        f"{whole}, {pool['replicas']} replica{'s' if pool['replicas'] > 1 else ''} of {each}{split}"
        if each > 1
        else whole + split
    )


def devices(plan: Json) -> Table:
    """What is taken of the fleet, and what that costs."""
    rows = []
    for name, entry in plan["fleet"].items():
        yearly = entry.get("usd_per_year")
        rows.append((name, str(entry["devices"]), "" if yearly is None else dollars(yearly)))
    rows = rows if is_sized(plan) else []
    return Table("Devices taken", ("device", "count", "USD a year"), tuple(rows), frozenset(("count", "USD a year")))


def racks(plan: Json) -> Table:
    """The power limits of racks, and how often they are passed."""
    rows = [
        (name, f"{number(entry['limit_w'])} W", f"{number(entry['mean_w'])} W", share(entry["exceeded"]))
        for name, entry in plan.get("racks", {}).items()
    ]
    columns = ("rack", "limit", "mean power", "over the limit")
    return Table("Power of racks", columns, tuple(rows), frozenset(columns[1:]))


def graphs(plan: Json) -> Table:
    """What each graph's requests are and cost, where several share the fleet."""
    rows = [
        (
            name,
            "" if entry["rate_per_s"] is None else f"{number(entry['rate_per_s'])} req/s",
            dollars(1000 * entry["usd_per_request"]),
        )
        for name, entry in plan.get("graphs", {}).items()
    ]
    columns, note = ("graph", "rate", "USD per 1,000 requests"), "devices are shared out by how long each keeps them"
    return _without_empty_columns(Table("Graphs", columns, tuple(rows), frozenset(columns[1:]), note))


def qualities(plan: Json) -> Table:
    """How good the answers of the chosen models are, beside the bounds on that."""
    found, slo = plan.get("model_quality"), slo_of(plan).get("quality")
    nodes, rows = served_nodes(plan), []
    for node, value in found["nodes"].items() if found else ():
        least = (nodes[node].get("slo") or {}).get("quality")
        rows.append((node, str(nodes[node]["model"]), number(value), "" if least is None else number(least)))
    if found and (len(rows) > 1 or slo is not None):
        rows.append(("mean over visits", "", number(found["mean"]), "" if slo is None else number(slo)))
    columns = ("node", "model", "quality", "at least")
    return _without_empty_columns(Table("Quality of answers", columns, tuple(rows), frozenset(columns[2:])))


def latencies(plan: Json) -> Table:
    """Every latency of the plan, beside its bound where there is one."""
    rows = (*_over_requests(plan["latency_s"], slo_of(plan)), *_of_nodes(plan))
    if "graphs" in plan:
        own = (_over_requests(entry["latency_s"], slo_of(plan, name), name) for name, entry in plan["graphs"].items())
        rows = (*(row for each in own for row in each), *_of_nodes(plan))
    columns = ("measure", "plan", "bound", "to spare")
    has_nodes = bool(plan["latency_s"].get("ttft"))
    waits = ", waits included" if is_sized(plan) else ""
    note = f"first output and end to end: over requests; of a node: its slowest visit{waits}" if has_nodes else ""
    return Table("Latency", columns, rows, frozenset(columns[1:]), note)


def _over_requests(latency_s: Json, slo: Json, graph: str = "") -> Iterator[tuple[str, ...]]:
    bounded, of = _statistic(slo), f" of {graph}" if graph else ""
    for kind in ("end_to_end", "first_output"):
        spread, limit = latency_s.get(kind) or {}, slo.get(kind)
        if limit is not None and bounded not in spread:
            yield f"{LATENCY_KINDS[kind]}{of}, {bounded}", "", time(_seconds(limit)), "kept"
        for statistic, value_s in spread.items():
            yield _against(f"{LATENCY_KINDS[kind]}{of}, {statistic}", value_s, limit if statistic == bounded else None)


def _of_nodes(plan: Json) -> Iterator[tuple[str, ...]]:
    nodes = flat_nodes(plan["inputs"]["graph"])
    for kind in ("ttft", "tbt"):
        for node, value_s in (plan["latency_s"].get(kind) or {}).items():
            slo = {**slo_of(plan, node), **((nodes.get(node) or {}).get("slo") or {})}
            limit, name = slo.get(kind), f"{LATENCY_KINDS[kind]}, {node}"
            # A percentile is of the time to first token alone: the time between tokens is a mean over one visit.
            if kind == "ttft" and limit is not None and slo.get("percentile") is not None:
                name += f", {_statistic(slo)}"
            yield _against(name, value_s, limit)


def slo_of(plan: Json, name: str = "") -> Json:
    """The bounds of the graph that a node is of, or that has that name; of the one graph where there is one."""
    graph = plan["inputs"]["graph"]
    return (graph["graphs"][name.partition("/")[0]] if name and "graphs" in graph else graph).get("slo") or {}


def _statistic(slo: Json) -> str:
    """What a bound on requests holds for: `p95`, or `mean` where no percentile is given."""
    return "mean" if slo.get("percentile") is None else f"p{slo['percentile']:g}"


def _against(name: str, value_s: float, limit: object) -> tuple[str, str, str, str]:
    if limit is None:
        return name, time(value_s), "", ""
    limit_s = _seconds(limit)
    spare = share(max(0.0, 1 - value_s / limit_s)) if value_s <= limit_s * (1 + 1e-6) else "missed"
    return name, time(value_s), time(limit_s), spare


def _seconds(written: object) -> float:
    return parse(written, "time")


def transfers(plan: Json) -> Table:
    """What moves between pools, and of split nodes when; what is the same for several classes of visits stands once."""
    times: dict[tuple[str, ...], list[str]] = {}
    for t in plan["transfers"]:
        moved = (t["from"], t["to"], data(t["bytes"]) if t["bytes"] else "", time(t["latency_s"]))
        times.setdefault(moved, []).append(_when(t))
    rows = tuple((*row[:2], " or ".join(filter(None, dict.fromkeys(when))), *row[2:]) for row, when in times.items())
    columns = ("from", "to", "when", "data", "longest visit takes")
    return _without_empty_columns(Table("Moved between pools", columns, rows, frozenset(columns[3:])))


def _when(moved: Json) -> str:
    """The conditions of the nodes at its ends, with their names where there are two."""
    said = moved.get("when") or {}
    return ", ".join(said.values() if len(said) == 1 else (f"{node}: {when}" for node, when in said.items()))


def cost_parts(plan: Json) -> list[tuple[str, float, float]]:
    """(part in words, USD an hour or a request, share of the whole) of every part that is not 0, as plan.json lists."""
    parts = {name: usd for name, usd in plan["cost"]["parts"].items() if usd}
    total = sum(parts.values())
    return [(COST_PARTS[name], usd, usd / total) for name, usd in parts.items()]


def cost_unit(plan: Json) -> str:
    """What the parts of the cost are in."""
    return "USD/h" if is_sized(plan) else "USD a request"


def costs(plan: Json) -> Table:
    """The parts of the cost."""
    unit, parts = cost_unit(plan), cost_parts(plan)
    sums = dollar_column([usd for _, usd, _ in parts])
    rows = tuple((name, usd, share(part)) for (name, _, part), usd in zip(parts, sums, strict=True))
    return Table("Cost", ("part", unit, "share"), rows, frozenset((unit, "share")))


def binding(plan: Json) -> list[str]:
    """What keeps a better plan from being possible, one phrase each."""
    found = [constraint(name) for name in plan.get("binding") or ()]
    if plan["status"] != "optimal":
        return found
    if plan.get("binding_complete"):
        return found or ["no bound and no limit"]
    return [*found, "what else does was not looked for" if found else "not looked for: `dovetail explain` does"]


def conflict(plan: Json) -> list[str]:
    """What cannot hold together, one phrase each."""
    return [constraint(name) for name in plan.get("conflict") or ()]


def quality(plan: Json) -> str:
    """How well the numbers behind the cost are known."""
    shares = plan.get("quality") or {}
    known = [f"{share(shares[mark])} {words}" for mark, words in QUALITIES.items() if shares.get(mark)]
    return f"How well the numbers are known, by share of the cost: {listed(known)}." if known else ""


def listed(phrases: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(phrases[:-1]), phrases[-1]] if len(phrases) > 1 else phrases)
