"""The plan in words on the terminal."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from dovetail.backends.summary import Table
from dovetail.backends.text import MOST_ROWS, plan_text, table_text

Json = dict[str, Any]


def without_rate(plan: Json) -> Json:
    """`plan` as it is where the graph gives no rate: one replica of each pool, and a price for each request."""
    plan = copy.deepcopy(plan)
    del plan["inputs"]["graph"]["workload"]
    plan["objective"] |= {"value": 0.1175, "bound": 0.1175, "unit": "USD/request"}
    parts = dict.fromkeys(plan["cost"]["parts"], 0.0) | {"calls": 0.1125, "transfer": 0.005}
    cost = {"usd_per_hour": None, "usd_per_year": None, "usd_per_request": 0.1175, "usd_per_1k_requests": 117.5}
    plan["cost"] |= cost | {"parts": parts}
    plan["energy_j_per_request"] = plan["gco2_per_request"] = None
    for pool in plan["pools"]:
        pool |= {"replicas": 1, "devices": pool["devices_per_replica"], "utilisation": None}
    plan["fleet"] = {name: entry | {"usd_per_year": None} for name, entry in plan["fleet"].items()}
    return plan


def row(text: str, start: str) -> list[str]:
    """The words of the one line that starts with `start`, spaces aside."""
    (line,) = [line for line in text.splitlines() if line.strip().startswith(start)]
    return line.split()


def test_whole_text(mixed_plan: Json, golden: Callable[[str, str], None]) -> None:
    golden("plan-text/sized.txt", plan_text(mixed_plan))


def test_whole_text_without_a_rate(split_plan: Json, golden: Callable[[str, str], None]) -> None:
    golden("plan-text/not-sized.txt", plan_text(without_rate(split_plan)))


def test_first_line_says_cost_and_proof(mixed_plan: Json) -> None:
    first = plan_text(mixed_plan).splitlines()[0]
    assert first == "voice-agent: 12.30 USD/h (107,748 USD a year), proved optimal"


def test_unproved_plan_says_how_much_better_another_may_be(mixed_plan: Json) -> None:
    mixed_plan["status"] = "feasible"
    mixed_plan["objective"] |= {"bound": 11.9, "gap": 0.0325}
    first = plan_text(mixed_plan).splitlines()[0]
    assert first.endswith("not proved optimal: at most 3 % better is possible (nothing under 11.90 USD/h)")
    mixed_plan["objective"] |= {"bound": None, "gap": None}
    first = plan_text(mixed_plan).splitlines()[0]
    assert first.endswith("not proved optimal: time ran out before any bound was found")


def test_latency_objective_comes_first(mixed_plan: Json) -> None:
    mixed_plan["objective"] = {"name": "latency", "value": 4.1, "unit": "s", "bound": 4.1, "gap": 0.0}
    first = plan_text(mixed_plan).splitlines()[0]
    assert first == ("voice-agent: 4.1 s end to end on average, for 12.30 USD/h (107,748 USD a year), proved optimal")


def test_without_a_rate_the_price_is_that_of_a_request_and_nothing_is_counted(split_plan: Json) -> None:
    text = plan_text(without_rate(split_plan))
    assert text.splitlines()[0] == "voice-agent: 0.1175 USD a request, proved optimal"
    assert "no rate" in text
    assert "Devices taken" not in text
    assert row(text, "hear.run") == ["hear.run", "a100", "p1", "8", "100", "ms"]


def test_infeasible_plan_names_what_cannot_hold_together(mixed_plan: Json) -> None:
    conflict = ["slo.tbt[think]", "count[h100]"]
    plan = {
        "format": 1, "dovetail": "0.1.0", "status": "infeasible", "inputs": mixed_plan["inputs"],
        "conflict": conflict,
    }  # fmt: skip
    assert plan_text(plan) == (
        "voice-agent: no plan can meet what is asked\n\n"
        "These cannot all hold\n"
        "  - the bound on time between tokens of think (slo.tbt[think])\n"
        "  - how many h100 there are (count[h100])\n"
    )


def test_unknown_status_claims_nothing(mixed_plan: Json) -> None:
    plan = {"format": 1, "dovetail": "0.1.0", "status": "unknown", "inputs": mixed_plan["inputs"], "conflict": []}
    assert plan_text(plan) == "voice-agent: no plan was found in the time given, and none is ruled out\n"


@pytest.mark.parametrize(
    ("percentile", "bounded"), [(95, "end to end, p95"), (99, "end to end, p99"), (None, "end to end, mean")]
)
def test_bound_stands_beside_the_figure_that_it_limits(percentile: int | None, bounded: str, mixed_plan: Json) -> None:
    mixed_plan["inputs"]["graph"]["slo"]["percentile"] = percentile
    lines = [line.strip() for line in plan_text(mixed_plan).splitlines() if line.strip().startswith("end to end")]
    assert [line.split("  ")[0] for line in lines if "12 s" in line] == [bounded]


def test_bound_on_a_percentile_that_the_plan_does_not_give(mixed_plan: Json) -> None:
    mixed_plan["inputs"]["graph"]["slo"]["percentile"] = 90
    assert row(plan_text(mixed_plan), "end to end, p90")[-3:] == ["12", "s", "kept"]


def test_bound_of_a_node_takes_the_place_of_the_graphs(mixed_plan: Json) -> None:
    mixed_plan["inputs"]["graph"]["nodes"]["think"]["slo"] = {"ttft": "420 ms"}
    assert row(plan_text(mixed_plan), "time to first token, think, p95")[-6:] == ["210", "ms", "420", "ms", "50", "%"]


def test_missed_bound_is_not_hidden(mixed_plan: Json) -> None:
    mixed_plan["latency_s"]["tbt"]["think"] = 0.021
    assert row(plan_text(mixed_plan), "time between tokens, think")[-1] == "missed"


def test_hosted_api_has_no_devices(api_plan: Json) -> None:
    words = ["think.decode", "api,", "a", "hosted", "API", "p1", "100", "ms"]
    assert row(plan_text(api_plan), "think.decode") == words


def test_one_replica_is_no_plural(split_plan: Json) -> None:
    assert "4 x h100, 1 replica of 4 (tp 4)" in plan_text(split_plan)
    assert "4 x h100, 2 replicas of 2 (tp 2)" in plan_text(split_plan)


def test_plan_that_nothing_binds_says_so(mixed_plan: Json) -> None:
    mixed_plan["binding"] = []
    assert "What keeps it from being better\n  - no bound and no limit\n" in plan_text(mixed_plan)
    mixed_plan["status"] = "feasible"
    assert "What keeps it from being better" not in plan_text(mixed_plan)


def test_numbers_stay_with_their_units(mixed_plan: Json) -> None:
    mixed_plan["warnings"] = [f"{'x' * n} needs 40 GB" for n in range(70, 95)]
    text = plan_text(mixed_plan)
    assert text.count("40 GB") == 25
    assert not any(line.endswith("40") for line in text.splitlines())


def test_text_does_not_depend_on_how_long_the_solver_took(mixed_plan: Json) -> None:
    before = plan_text(mixed_plan)
    mixed_plan["solve"] = {"seconds": 99.0}
    assert plan_text(mixed_plan) == before


def test_what_moves_alike_for_several_parts_of_a_node_stands_once(mixed_plan: Json) -> None:
    plan = copy.deepcopy(mixed_plan)
    ends = {"from": "think.prefill", "to": "think.decode"}
    plan["transfers"] = [
        ends | {"bytes": 2e8, "latency_s": 0.01, "when": {"think": "part <= 1"}},
        ends | {"bytes": 2e8, "latency_s": 0.01, "when": {"think": "part > 2"}},
        ends | {"bytes": 2e8, "latency_s": 0.03, "when": {"think": "1 < part <= 2", "hear": "part > 2"}},
    ]
    moved = plan_text(plan).partition("Moved between pools")[2].partition("\n\n")[0]
    assert [line.split("  ") for line in re.sub("  +", "  ", moved).splitlines() if line] == [
        ["", "from", "to", "when", "data", "longest visit takes"],
        ["", *ends.values(), "part <= 1 or part > 2", "200 MB", "10 ms"],
        ["", *ends.values(), "think: 1 < part <= 2, hear: part > 2", "200 MB", "30 ms"],
    ]


def test_long_tables_are_cut_short_and_say_so() -> None:
    rows = tuple((f"n{k}", "1 s") for k in range(MOST_ROWS + 1240))
    lines = table_text(Table("Latency", ("node", "p95"), rows)).splitlines()
    assert len(lines) == MOST_ROWS + 3
    assert lines[-2].startswith(f"  n{MOST_ROWS - 1}")
    assert lines[-1] == "  and 1,240 more, which plan.json and the report have"
    assert len(table_text(Table("Latency", ("node", "p95"), rows[:MOST_ROWS])).splitlines()) == MOST_ROWS + 2
