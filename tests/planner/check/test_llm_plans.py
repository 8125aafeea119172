"""A language model with prefill and decode apart: KV transfer, memory, times and the rules of where it may run."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from dovetail.costmodel import serving
from dovetail.costmodel.embedded import embed
from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.models import LLM, find_model
from dovetail.ir.digest import digest
from dovetail.planner.check import check_plan

Json = dict[str, Any]

GRAPH: Json = {
    "version": 1,
    "name": "chat",
    "nodes": {"chat": {"kind": "llm", "model": "llama-3.1-8b", "prompt_tokens": 1000, "output_tokens": 101}},
    "slo": {"ttft": "1 s", "tbt": "50 ms"},
}
FLEET: Json = {
    "devices": {
        "h100": {"model": "h100-sxm", "count": 8, "price": {"rent": "0 USD/h"}},
        "host": {"model": "epyc-9554", "count": 1},
    },
    "site": {"network": {"bandwidth": "25 Gbit/s", "latency": "100 us"}},
}
ONE = serving.Parallel()
SLOTS = 4


@pytest.fixture
def apart() -> Json:
    """Prefill on one H100, decode of four at once on another, nothing sized: no cost and no waits.

    KV cache: 2 x 32 layers x 8 heads x 128 x 2 bytes = 131,072 bytes a token, 1000 tokens at 3.125 GB/s and 100 us.
    """
    llm, device = find_model("llama-3.1-8b"), find_device("h100-sxm")
    assert isinstance(llm, LLM)
    assert device is not None
    transfer_s = 131_072_000 / 3.125e9 + 100e-6
    replica = serving.Replica(llm, device)
    prefill_s = float(serving.prefill_s(replica, 1000.0))
    gap_s = float(serving.decode_step_s(replica, SLOTS, 1050.5))
    whole_s = prefill_s + transfer_s + 100 * gap_s
    documents = {
        "graph": GRAPH,
        "fleet": FLEET,
        "catalogue": embed(["h100-sxm", "epyc-9554"], {"llama-3.1-8b": llm}, {}),
    }
    nothing = dict.fromkeys(("usd_per_request", "usd_per_1k_requests", "usd_per_million_output_tokens"), 0.0)
    parts = dict.fromkeys(("capex", "interest", "rent", "energy", "calls", "transfer"), 0.0)
    return {
        "format": 1,
        "dovetail": "0.1.0",
        "status": "optimal",
        "inputs": copy.deepcopy(documents) | {"sha256": {name: digest(each) for name, each in documents.items()}},
        "objective": {"name": "cost", "value": 0.0, "unit": "USD/request", "bound": 0.0, "gap": 0.0},
        "cost": nothing | {"usd_per_hour": None, "usd_per_year": None, "parts": parts},
        "latency_s": {
            "ttft": {"chat": prefill_s},
            "tbt": {"chat": gap_s + transfer_s / 100},
            "first_output": dict.fromkeys(("mean", "p50", "p95", "p99"), prefill_s),
            "end_to_end": dict.fromkeys(("mean", "p50", "p95", "p99"), whole_s),
        },
        "energy_j_per_request": None,
        "gco2_per_request": None,
        "pools": [_pool("p1", 1, _memory_bytes(llm, 1)), _pool("p2", SLOTS, _memory_bytes(llm, SLOTS))],
        "placements": [_placed("chat.prefill", "p1", prefill_s), _placed("chat.decode", "p2", 100 * gap_s)],
        "transfers": [{"from": "chat.prefill", "to": "chat.decode", "bytes": 131_072_000.0, "latency_s": transfer_s}],
        "fleet": {"h100": {"devices": 2, "usd_per_year": None}},
        "binding": [],
        "conflict": [],
        "warnings": [],
        "quality": {"measured": 0.0, "fitted": 0.0, "data_sheet": 1.0, "guess": 0.0},
        "solve": {},
    }


def _memory_bytes(llm: LLM, slots: int) -> float:
    """Weights, and for each slot 1101 tokens of cache, with the activations of a step."""
    return llm.weight_bytes() + slots * 1101 * 131_072 + serving.activation_bytes_per_device(llm, ONE, slots, 1101)


def _pool(id: str, slots: int, memory_bytes: float) -> Json:
    return {
        "id": id,
        "device": "h100",
        "replicas": 1,
        "devices_per_replica": 1,
        "devices": 1,
        "parallel": {"tp": 1, "pp": 1, "ep": 1, "dp": 1},
        "max_batch": slots,
        "memory_bytes_per_device": memory_bytes,
        "utilisation": None,
    }


def _placed(piece: str, pool: str, latency_s: float) -> Json:
    return {"piece": piece, "pool": pool, "device": "h100", "share": 1.0, "when": None, "latency_s": latency_s}


def faults(plan: Json) -> dict[str, str]:
    """Messages of the faults that the validator finds, one for each id; hashes are made to fit."""
    inputs = plan["inputs"]
    inputs["sha256"] = {name: digest(inputs[name]) for name in ("graph", "fleet", "catalogue")}
    return {fault.id: fault.message for fault in check_plan(plan)}


def test_plan_with_prefill_and_decode_apart_passes(apart: Json) -> None:
    assert check_plan(apart) == []


@pytest.mark.parametrize(
    ("id", "field", "value"),
    [
        ("check.transfer", "bytes", 65_536_000.0),
        ("check.transfer", "latency_s", 0.0),
        ("check.transfer", "to", "chat.prefill"),
    ],
)
def test_transfer_misstated_is_rejected(apart: Json, id: str, field: str, value: Any) -> None:
    apart["transfers"][0][field] = value
    assert set(faults(apart)) == {id}


def test_transfer_left_out_is_rejected(apart: Json) -> None:
    apart["transfers"] = []
    assert faults(apart) == {"check.transfer": "the transfer chat.prefill to chat.decode is missing"}


def test_decode_gap_without_its_share_of_the_transfer_is_rejected(apart: Json) -> None:
    apart["latency_s"]["tbt"]["chat"] *= 0.9
    assert set(faults(apart)) == {"check.latency"}


def test_batch_that_the_figures_do_not_go_with_is_rejected(apart: Json) -> None:
    apart["pools"][1]["max_batch"] = 64
    assert {"check.memory", "check.latency"} <= set(faults(apart))


def test_batch_that_does_not_fit_is_rejected(apart: Json) -> None:
    apart["pools"][1]["max_batch"] = 1024
    fits = [fault.message for fault in check_plan(apart) if fault.id == "check.memory"]
    assert any("on a device of 8.552e+10" in message for message in fits)


def test_memory_misstated_is_rejected(apart: Json) -> None:
    apart["pools"][0]["memory_bytes_per_device"] *= 0.98
    assert set(faults(apart)) == {"check.memory"}


def test_pieces_moved_into_one_pool_are_rejected(apart: Json) -> None:
    """In one server nothing moves, and decode stops for the prefills of others."""
    apart["placements"][0]["pool"] = "p2"
    apart["pools"] = apart["pools"][1:]
    apart["fleet"]["h100"]["devices"] = 1
    found = faults(apart)
    assert {"check.latency", "check.transfer"} <= set(found)
    assert found["check.transfer"].startswith("nothing moves from `chat.prefill` to `chat.decode`")


def test_language_model_on_a_host_is_rejected(apart: Json) -> None:
    apart["pools"][0]["device"] = apart["placements"][0]["device"] = "host"
    apart["fleet"] = {name: {"devices": 1, "usd_per_year": None} for name in ("h100", "host")}
    assert faults(apart) == {"check.placement": "`chat` cannot run on `host`"}


def test_replica_wider_than_a_chassis_is_rejected(apart: Json) -> None:
    apart["pools"][1] |= {"devices": 16, "devices_per_replica": 16, "parallel": {"tp": 16, "pp": 1, "ep": 1, "dp": 1}}
    apart["fleet"]["h100"]["devices"] = 17
    found = faults(apart)
    assert found["check.placement"] == "pool `p2` has tp 16, but a chassis of `h100` holds 8"
    assert found["check.count"] == "the plan takes 16 devices of `h100`, and the fleet has 8"


def test_degree_that_was_not_asked_for_is_rejected(apart: Json) -> None:
    apart["inputs"]["graph"]["nodes"]["chat"]["parallel"] = {"tp": 2}
    assert faults(apart) == {"check.constraint": "`chat` asks for tp 2, but pool `p2` has 1"}


def test_figures_come_from_the_embedded_catalogue(apart: Json) -> None:
    """With a slower device embedded, the times that the plan states no longer follow."""
    for group in apart["inputs"]["catalogue"]["devices"]["h100-sxm"]["figures"]:
        if "bandwidth" in group:
            group["bandwidth"] = "1 TB/s"
    assert "check.latency" in faults(apart)


def test_bound_that_the_plan_breaks_is_rejected(apart: Json) -> None:
    apart["inputs"]["graph"]["slo"]["ttft"] = "1 ms"
    assert set(faults(apart)) == {"check.bound"}
