"""The validator accepts plans whose figures were worked out by hand, and rejects them with any one thing changed."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from dovetail.costmodel.hardware import load_devices
from dovetail.costmodel.models import LLM, LayerGroup, load_models
from dovetail.costmodel.models.attention import Attention
from dovetail.costmodel.models.feed_forward import Dense
from dovetail.ir.digest import digest
from dovetail.planner.check import check_plan, plan_schema
from dovetail.planner.check.ranges import odd_figures

Json = dict[str, Any]
MISSING = object()


def changed(plan: Json, *path: str | int, to: Any) -> Json:
    """A copy of `plan` with the value at `path` replaced, or removed where `to` is MISSING."""
    copied = copy.deepcopy(plan)
    place: Any = copied
    for step in path[:-1]:
        place = place[step]
    if to is MISSING:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return copied


def ids(plan: Json) -> set[str]:
    """Ids of the faults that the validator finds."""
    return {fault.id for fault in check_plan(plan)}


def rehashed(plan: Json) -> Json:
    """`plan` with the hashes that its inputs have now."""
    inputs = plan["inputs"]
    inputs["sha256"] = {name: digest(inputs[name]) for name in ("graph", "fleet", "catalogue")}
    return plan


def test_plan_worked_by_hand_passes(table3: Json, ocr: Json) -> None:
    assert check_plan(table3) == []
    assert check_plan(ocr) == []


TABLE3_CHANGES: list[tuple[str, tuple[str | int, ...], Any]] = [
    ("check.shape", ("cost", "usd_per_request"), math.nan),
    ("check.shape", ("cost", "usd_per_request"), "0.095"),
    ("check.shape", ("cost", "parts", "calls"), -0.09),
    ("check.shape", ("latency_s", "end_to_end", "p99"), math.inf),
    ("check.shape", ("pools",), MISSING),
    ("check.shape", ("pools", 0, "parallel", "tp"), 0),
    ("check.shape", ("placements", 0, "share"), 1.5),
    ("check.shape", ("placements", 0, "piece"), "think"),
    ("check.shape", ("status",), "perfect"),
    ("check.shape", ("format",), 2),
    ("check.hash", ("inputs", "graph", "slo", "end_to_end"), "130 ms"),
    ("check.hash", ("inputs", "fleet", "devices", "HP", "count"), 2),
    ("check.hash", ("inputs", "sha256", "catalogue"), "0" * 64),
    ("check.inputs", ("inputs", "graph", "nodes"), {}),
    ("check.inputs", ("inputs", "graph", "nodes", "think", "kind"), "llama"),
    ("check.inputs", ("inputs", "catalogue", "devices"), {"h100": {"kind": "gpu"}}),
    ("check.placement", ("placements", 0, "piece"), "think.run"),
    ("check.placement", ("placements", 0), MISSING),
    ("check.placement", ("placements", 0, "share"), 0.5),
    ("check.placement", ("placements", 0, "pool"), "p9"),
    ("check.placement", ("placements", 0, "pool"), "p2"),
    ("check.placement", ("placements", 0, "device"), "HP"),
    ("check.placement", ("pools", 0, "device"), "HP"),
    ("check.placement", ("pools", 0, "device"), "B200"),
    ("check.placement", ("pools", 0, "id"), "p2"),
    ("check.count", ("pools", 0, "replicas"), 2),
    ("check.count", ("pools", 0, "devices"), 2),
    ("check.count", ("pools", 0, "devices_per_replica"), 2),
    ("check.count", ("pools", 0, "parallel", "tp"), 2),
    ("check.count", ("fleet", "CO", "devices"), 3),
    ("check.count", ("fleet", "CO"), MISSING),
    ("check.utilisation", ("pools", 0, "utilisation"), 0.5),
    ("check.memory", ("pools", 0, "memory_bytes_per_device"), 1e9),
    ("check.transfer", ("transfers", 0, "latency_s"), 0.02),
    ("check.transfer", ("transfers", 0, "bytes"), 1e6),
    ("check.transfer", ("transfers", 0, "to"), "think.prefill"),
    ("check.transfer", ("transfers",), []),
    ("check.latency", ("placements", 0, "latency_s"), 0.02),
    ("check.latency", ("latency_s", "ttft", "think"), 0.09),
    ("check.latency", ("latency_s", "ttft"), {}),
    ("check.latency", ("latency_s", "tbt", "think"), 0.03 / 499),
    ("check.latency", ("latency_s", "first_output", "p50"), 0.09),
    ("check.latency", ("latency_s", "end_to_end", "mean"), 0.11),
    ("check.latency", ("latency_s", "end_to_end", "p95"), 0.115),
    ("check.bound", ("latency_s", "end_to_end", "mean"), 0.1203),
    ("check.cost", ("cost", "usd_per_request"), 0.094),
    ("check.cost", ("cost", "usd_per_hour"), 0.095),
    ("check.cost", ("cost", "usd_per_1k_requests"), 90.0),
    ("check.cost", ("cost", "usd_per_million_output_tokens"), None),
    ("check.cost", ("cost", "parts", "energy"), 0.01),
    ("check.sum", ("cost", "parts", "transfer"), 0.004),
    ("check.energy", ("energy_j_per_request",), 12.0),
    ("check.objective", ("objective", "value"), 0.09),
    ("check.objective", ("objective", "bound"), 0.1),
    ("check.objective", ("objective", "unit"), "USD/h"),
    ("check.objective", ("objective", "name"), "latency"),
    ("check.status", ("objective", "gap"), 0.01),
    ("check.status", ("objective", "bound"), None),
    ("check.status", ("conflict",), ["slo.end_to_end"]),
    ("check.status", ("binding",), ["slo.ttft[think]"]),
    ("check.status", ("binding",), ["slo.end_to_end", "slo.end_to_end"]),
    ("check.quality", ("quality", "guess"), 0.5),
    ("check.shape", ("pools", 0, "replicas"), 10**30),
    ("check.shape", ("pools", 0, "memory_bytes_per_device"), 10**400),
    ("check.shape", ("cost", "usd_per_request"), 1e308),
    ("check.shape", ("warnings",), "none"),
    ("check.shape", ("warnings",), [1]),
    ("check.shape", ("solve", "cuts"), "none"),
    ("check.placement", ("placements", 0, "when"), "a long prompt"),
    ("check.cost", ("cost", "usd_per_1k_requests"), 95.0 * (1 + 3e-6)),
    ("check.latency", ("latency_s", "end_to_end", "p95"), 0.12 * (1 + 3e-6)),
]


@pytest.mark.parametrize(("id", "path", "to"), TABLE3_CHANGES)
def test_one_change_to_table3_is_rejected(table3: Json, id: str, path: tuple[str | int, ...], to: Any) -> None:
    assert id in ids(changed(table3, *path, to=to))


OCR_CHANGES: list[tuple[str, tuple[str | int, ...], Any]] = [
    ("check.cost", ("cost", "parts", "capex"), 0.9),
    ("check.cost", ("cost", "parts", "interest"), 0.1),
    ("check.cost", ("cost", "parts", "energy"), 0.03),
    ("check.cost", ("cost", "usd_per_hour"), None),
    ("check.cost", ("cost", "usd_per_year"), 70_000.0),
    ("check.cost", ("fleet", "gpu", "usd_per_year"), 8760.0),
    ("check.energy", ("energy_j_per_request",), 110.0),
    ("check.energy", ("gco2_per_request",), None),
    ("check.utilisation", ("pools", 0, "utilisation"), 0.41),
    ("check.wait", ("pools", 0, "wait", "probability"), 0.38),
    ("check.wait", ("pools", 0, "wait", "mean_s"), 0.3),
    ("check.latency", ("latency_s", "end_to_end", "p50"), 0.21),
    ("check.latency", ("latency_s", "end_to_end", "p95"), 0.83),
    ("check.latency", ("latency_s", "end_to_end", "p99"), 1.3),
    ("check.bound", ("latency_s", "end_to_end", "p95"), 0.91),
    ("check.limit", ("inputs", "fleet", "limits", "power"), "200 W"),
    ("check.limit", ("inputs", "fleet", "limits", "usd_per_hour"), 8),
    ("check.bound", ("inputs", "graph", "slo", "end_to_end"), "850 ms"),
    ("check.capacity", ("inputs", "graph", "workload", "rate"), "6 req/s"),
    ("check.count", ("inputs", "fleet", "devices", "gpu", "count"), "2..4"),
    ("check.constraint", ("inputs", "graph", "nodes", "ocr", "place"), {"on": "other"}),
]


@pytest.mark.parametrize(("id", "path", "to"), OCR_CHANGES)
def test_one_change_to_a_sized_plan_is_rejected(ocr: Json, id: str, path: tuple[str | int, ...], to: Any) -> None:
    plan = changed(ocr, *path, to=to)
    if path[:3] == ("inputs", "graph", "nodes"):
        plan["inputs"]["fleet"]["devices"]["other"] = {"count": 1}
    assert id in ids(rehashed(plan))


def test_count_over_the_fleet_is_rejected(ocr: Json) -> None:
    pool = ocr["pools"][0] | {"replicas": 5, "devices": 5}
    plan = ocr | {"pools": [pool], "fleet": {"gpu": {"devices": 5, "usd_per_year": 0.0}}}
    assert "the plan takes 5 devices of `gpu`, and the fleet has 4" in [f.message for f in check_plan(plan)]


def test_pool_that_serves_nothing_is_rejected(table3: Json) -> None:
    table3["pools"].append(table3["pools"][0] | {"id": "p3"})
    assert "pool `p3` serves nothing" in [fault.message for fault in check_plan(table3)]


def test_piece_placed_twice_is_rejected(table3: Json) -> None:
    table3["placements"].append(dict(table3["placements"][0]))
    assert "the shares of `think.decode` sum to 2, and not 1" in [fault.message for fault in check_plan(table3)]


def test_pair_that_the_profile_does_not_list_is_rejected(table3: Json) -> None:
    """Prefill on CO and decode on HP: the profile lists HP to CO alone."""
    decode, prefill = table3["placements"]
    table3["placements"] = [
        decode | {"pool": "p2", "device": "HP", "latency_s": 0.025},
        prefill | {"pool": "p1", "device": "CO", "latency_s": 0.13},
    ]
    faults = [fault for fault in check_plan(table3) if fault.id == "check.transfer"]
    assert faults[0].message == "the profile, or the links between regions, allow no transfer from `CO` to `HP`"


def test_plan_that_breaks_its_bound_is_rejected(table3: Json) -> None:
    """All on CO: 160 ms, over 120; every other figure is right."""
    decode, prefill = table3["placements"]
    cost = table3["cost"] | {
        "usd_per_request": 0.06,
        "usd_per_1k_requests": 60.0,
        "usd_per_million_output_tokens": 120.0,
        "parts": table3["cost"]["parts"] | {"calls": 0.06, "transfer": 0.0},
    }
    times = {name: dict.fromkeys(("mean", "p50", "p95", "p99"), s) for name, s in TIMES_ON_CO.items()}
    plan = table3 | {
        "placements": [decode, prefill | {"pool": "p1", "device": "CO", "latency_s": 0.13}],
        "pools": table3["pools"][:1],
        "fleet": {"CO": {"devices": 1, "usd_per_year": None}},
        "transfers": [],
        "cost": cost,
        "objective": table3["objective"] | {"value": 0.06, "bound": 0.06},
        "latency_s": {"ttft": {"think": 0.13}, "tbt": {"think": 0.03 / 499}, **times},
    }
    assert ids(plan) == {"check.bound"}


TIMES_ON_CO = {"first_output": 0.13, "end_to_end": 0.16}


def test_infeasible_plan_needs_only_its_inputs(table3: Json) -> None:
    plan = {key: table3[key] for key in ("format", "dovetail", "inputs")} | {
        "status": "infeasible",
        "conflict": ["slo.end_to_end"],
    }
    assert check_plan(plan) == []
    assert ids(changed(plan, "inputs", "sha256", "graph", to="f" * 64)) == {"check.hash"}
    assert ids(changed(plan, "conflict", to=MISSING)) == {"check.shape"}


@pytest.mark.parametrize("spoil", [lambda plan: [], lambda plan: None, lambda plan: {}])
def test_what_is_no_plan_is_rejected(table3: Json, spoil: Callable[[Json], Any]) -> None:
    assert ids(spoil(table3)) == {"check.shape"}


def test_every_value_replaced_by_nonsense_is_rejected_without_a_traceback(table3: Json) -> None:
    required = set(plan_schema()["else"]["required"])
    for name in required - {"dovetail", "solve", "binding", "warnings"}:
        for nonsense in (None, [], {}, 7, "x"):
            if nonsense != table3[name]:
                assert ids(changed(table3, name, to=nonsense)), f"{name} = {nonsense!r} passed"


def test_inputs_that_pass_for_a_graph_but_give_no_figures_are_one_fault(
    ocr: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the deriving code raises on inputs that it trusts is told, and goes no further."""
    from dovetail.planner.check import service

    def fails(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(service.Services, "_serve", fails)
    assert ids(ocr) == {"check.underived"}


DEEP = 200_000


def test_plan_nested_without_end_is_rejected(table3: Json) -> None:
    nested: Any = []
    for _ in range(DEEP):
        nested = [nested]
    assert ids(changed_shallow(table3, nested)) == {"check.shape"}


def changed_shallow(plan: Json, nested: Any) -> Json:
    return plan | {"inputs": plan["inputs"] | {"graph": {"nodes": nested}}}


@pytest.mark.parametrize("value", [-64, 1e308, math.nan, True, "x", None, [1]])
def test_catalogue_figure_that_cannot_be_is_rejected(value: Any) -> None:
    layers = LayerGroup(value, Attention(1, 1, 1, 1), Dense(1, 1), 2)
    model = LLM("m", hidden=1, vocab=1, groups=(layers,))
    assert list(odd_figures({"m": model}, "models"))


def test_every_catalogue_entry_is_in_range() -> None:
    assert not list(odd_figures(load_models(), "models"))
    assert not list(odd_figures(load_devices(), "devices"))


def test_plan_read_back_from_json_passes(table3: Json) -> None:
    assert check_plan(json.loads(json.dumps(table3))) == []
