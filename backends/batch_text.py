"""The plan of a batch in plain words, for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]
WIDTH = 100
DAY_S, HOUR_S, MINUTE_S = 86400, 3600, 60


def batch_text(plan: Json) -> str:
    """`plan`, the document of plan.json of a batch: time and cost, what each pool holds and does, what is known of it.

    The first line alone says how long the batch takes and what it costs. Ends with a newline.
    """
    batch, objective = plan["batch"], plan["objective"]
    devices = ", ".join(f"{row['devices']} {name}" for name, row in plan["fleet"].items())
    head = f"{batch['size']:,} instances in {span(batch['makespan_s'])} for {usd(plan['cost']['usd'])} on {devices}"
    proof = f"At most {objective['gap'] * 100:.3g} % from the best possible" if objective["gap"] else "Proved optimal"
    lines = [f"{head}.", *_wrapped(f"{proof}. {_times(plan)}"), ""]
    lines += [*_table(["pool", "devices", "phase", "holds", "at once"], _pools(plan)), ""]
    lines += [*_table(["call", *_columns(plan)], _shares(plan)), ""]
    for warning in plan["warnings"]:
        lines += _wrapped(f"Warning: {warning}.")
    return "\n".join(lines).rstrip() + "\n"


def _times(plan: Json) -> str:
    batch, phases = plan["batch"], plan["batch"]["phases_s"]
    each = " + ".join(span(seconds) for seconds in phases)
    several = "phases" if len(phases) > 1 else "one phase"
    found = f"Engines start and work for {each} ({several}), and the last instances take {span(batch['drain_s'])}."
    if batch["simulated_s"] is not None:
        found += f" Simulated: {span(batch['simulated_s'])}."
    if batch["deadline_s"] is not None:
        found += f" The deadline is {span(batch['deadline_s'])}."
    each_usd = plan["cost"]["usd_per_1k_requests"]
    return f"{found} A thousand instances cost {usd(each_usd)}."


def _pools(plan: Json) -> list[list[str]]:
    rows = []
    for pool in plan["pools"]:
        name = f"{pool['replicas']} x {pool['devices_per_replica']} {pool['device']}"
        for number, phase in enumerate(pool["phases"], 1):
            held = phase["max_batch"]
            at_once = ", ".join(str(n) for n in held.values())
            rows.append([pool["id"], name, str(number), ", ".join(held) or "nothing", at_once])
    return rows


def _columns(plan: Json) -> list[str]:
    several = len(plan["batch"]["phases_s"]) > 1
    phases = range(1, len(plan["batch"]["phases_s"]) + 1)
    return [f"{pool['id']}/{k}" if several else pool["id"] for k in phases for pool in plan["pools"]]


def _shares(plan: Json) -> list[list[str]]:
    """Percent of each call's visits by phase and pool; those that continue from a cache after a `+`."""
    pools, phases = [pool["id"] for pool in plan["pools"]], range(1, len(plan["batch"]["phases_s"]) + 1)
    rows: dict[str, dict[tuple[int, str], str]] = {}
    for row in plan["placements"]:
        kept = f" (+{row['continued'] * 100:.0f} %)" if row["continued"] > 1e-6 else ""
        cell = f"{row['share'] * 100:.0f} %{kept}"
        rows.setdefault(row["piece"].removesuffix(".run"), {})[row["phase"], row["pool"]] = cell
    return [[call, *(cells.get((k, p), "") for k in phases for p in pools)] for call, cells in rows.items()]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [columns, *rows]
    widths = [max(len(line[n]) for line in lines) for n in range(len(columns))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def span(seconds: float) -> str:
    """Such as `8 min 55 s`."""
    whole = round(seconds)
    if whole >= DAY_S:
        return f"{whole // DAY_S} d {whole % DAY_S // HOUR_S} h"
    if whole >= HOUR_S:
        return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"
    if whole >= MINUTE_S:
        return f"{whole // MINUTE_S} min {whole % MINUTE_S} s"
    return f"{seconds:.3g} s"


def usd(value: float) -> str:
    """Such as `1.52 USD`."""
    return f"{value:,.2f} USD" if value >= 1 else f"{value:.3g} USD"
