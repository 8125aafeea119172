"""Plans made by hand: every figure of theirs is worked out in the comment above it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from dovetail.ir.digest import digest

Json = dict[str, Any]

TABLE3_GRAPH: Json = {
    "version": 1,
    "name": "table-3",
    "nodes": {"think": {"kind": "llm", "model": "some-model", "prompt_tokens": 1000, "output_tokens": 500}},
    "profile": {
        "HP": {
            "prefill": {"latency": "80 ms", "usd_per_token": 0.00008},
            "decode": {"latency": "25 ms", "usd_per_token": 0.00006},
        },
        "CO": {
            "prefill": {"latency": "130 ms", "usd_per_token": 0.00005},
            "decode": {"latency": "30 ms", "usd_per_token": 0.00002},
        },
    },
    "kv_transfer": [{"from": "HP", "to": "CO", "latency": "10 ms", "usd_per_prompt_token": 0.000005}],
    "slo": {"end_to_end": "120 ms"},
    "objective": "cost",
}
TABLE3_FLEET: Json = {"devices": {"HP": {"count": 1}, "CO": {"count": 1}}}

OCR_GRAPH: Json = {
    "version": 1,
    "name": "ocr",
    "nodes": {
        "ocr": {
            "kind": "model",
            "model": "some-network",
            "profile": {"gpu": {"run": {"latency": "200 ms", "usd_per_call": 0.001}}},
        }
    },
    "workload": {"rate": "2 req/s"},
    "slo": {"end_to_end": "900 ms", "percentile": 95},
    "objective": "cost",
}
OCR_FLEET: Json = {
    "devices": {
        "gpu": {
            "kind": "gpu",
            "memory": "80 GB",
            "bandwidth": "2 TB/s",
            "flops": {"bf16": "100 TFLOP/s"},
            "tdp": "400 W",
            "idle": "100 W",
            "count": 4,
            "price": {"capex": "35040 USD", "life": "4 years", "interest": "0 %"},
        }
    },
    "site": {"electricity": "0.10 USD/kWh", "pue": 1.5, "carbon": "400 gCO2/kWh"},
    "limits": {"power": "1 kW", "usd_per_hour": 100},
}


def inputs_of(graph: Json, fleet: Json) -> Json:
    """`inputs` of a plan, with its hashes."""
    documents = {"graph": graph, "fleet": fleet, "catalogue": {"devices": {}, "models": {}}}
    return copy.deepcopy(documents) | {"sha256": {name: digest(document) for name, document in documents.items()}}


def pool_of(id: str, device: str, utilisation: float | None, wait: Json | None = None) -> Json:
    """A pool of one replica of one device, of which profiles say all."""
    return {
        "id": id,
        "device": device,
        "replicas": 1,
        "devices_per_replica": 1,
        "devices": 1,
        "parallel": {"tp": 1, "pp": 1, "ep": 1, "dp": 1},
        "max_batch": 1,
        "memory_bytes_per_device": 0.0,
        "utilisation": utilisation,
        "wait": wait,
    }


def placed(piece: str, pool: str, device: str, latency_s: float) -> Json:
    """A placement of a whole piece."""
    return {"piece": piece, "pool": pool, "device": device, "share": 1.0, "when": None, "latency_s": latency_s}


def same(value: float) -> Json:
    """A time that is the same for every request [s]."""
    return dict.fromkeys(("mean", "p50", "p95", "p99"), value)


def plan_of(parts: Json) -> Json:
    """A plan with `parts` over what all plans here have in common."""
    usual = {
        "format": 1,
        "dovetail": "0.1.0",
        "status": "optimal",
        "binding": [],
        "conflict": [],
        "warnings": [],
        "quality": {"measured": 1.0, "fitted": 0.0, "data_sheet": 0.0, "guess": 0.0},
        "solve": {},
    }
    return usual | parts


@pytest.fixture
def table3() -> Json:
    """Table 3 of arXiv 2507.19635 at its optimum: prefill on HP, decode on CO.

    1000 x 0.00008 + 500 x 0.00002 = 0.09 USD for the tokens, 1000 x 0.000005 = 0.005 USD for the transfer;
    80 + 10 + 30 = 120 ms; gap between tokens (30 + 10) / 499 ms.
    """
    parts = dict.fromkeys(("capex", "interest", "rent", "energy"), 0.0) | {"calls": 0.09, "transfer": 0.005}
    return plan_of(
        {
            "inputs": inputs_of(TABLE3_GRAPH, TABLE3_FLEET),
            "objective": {"name": "cost", "value": 0.095, "unit": "USD/request", "bound": 0.095, "gap": 0.0},
            "cost": {
                "usd_per_hour": None,
                "usd_per_request": 0.095,
                "usd_per_1k_requests": 95.0,
                "usd_per_year": None,
                "usd_per_million_output_tokens": 190.0,
                "parts": parts,
            },
            "latency_s": {
                "ttft": {"think": 0.08},
                "tbt": {"think": 0.04 / 499},
                "first_output": same(0.08),
                "end_to_end": same(0.12),
            },
            "energy_j_per_request": None,
            "gco2_per_request": None,
            "pools": [pool_of("p1", "CO", None), pool_of("p2", "HP", None)],
            "placements": [placed("think.decode", "p1", "CO", 0.03), placed("think.prefill", "p2", "HP", 0.08)],
            "transfers": [{"from": "think.prefill", "to": "think.decode", "bytes": 0.0, "latency_s": 0.01}],
            "fleet": {name: {"devices": 1, "usd_per_year": None} for name in ("CO", "HP")},
        }
    )


@pytest.fixture
def ocr() -> Json:
    """One network of 200 ms on one GPU at 2 requests a second: M/M/1 at utilisation 0.4.

    P(W > t) = 0.4 exp(-3 t): mean 0.4/3, p50 0, p95 ln(8)/3, p99 ln(40)/3, each after it the 0.2 s of service.
    Capital 35,040 / (4 x 8760) = 1 USD/h. Power (100 + 0.4 x 300) x 1.5 = 330 W, at 0.10 USD/kWh 0.033 USD/h,
    165 J a request and 165 / 3.6e6 x 400 = 0.018333 g. Calls 0.001 x 7200 = 7.2 USD/h.
    """
    total = 1.0 + 0.033 + 7.2
    spread = {"mean": 0.2 + 0.4 / 3, "p50": 0.2, "p95": 0.893147, "p99": 1.429626}
    return plan_of(
        {
            "inputs": inputs_of(OCR_GRAPH, OCR_FLEET),
            "objective": {"name": "cost", "value": total, "unit": "USD/h", "bound": total, "gap": 0.0},
            "cost": {
                "usd_per_hour": total,
                "usd_per_request": total / 7200,
                "usd_per_1k_requests": total / 7.2,
                "usd_per_year": total * 8760,
                "usd_per_million_output_tokens": None,
                "parts": {"capex": 1.0, "interest": 0.0, "rent": 0.0, "energy": 0.033, "calls": 7.2, "transfer": 0.0},
            },
            "latency_s": {"ttft": {}, "tbt": {}, "first_output": dict(spread), "end_to_end": dict(spread)},
            "energy_j_per_request": 165.0,
            "gco2_per_request": 165.0 / 3.6e6 * 400,
            "pools": [pool_of("p1", "gpu", 0.4, {"probability": 0.4, "mean_s": 1 / 3})],
            "placements": [placed("ocr.run", "p1", "gpu", 0.2)],
            "transfers": [],
            "fleet": {"gpu": {"devices": 1, "usd_per_year": 1.033 * 8760}},
        }
    )
