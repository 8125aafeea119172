"""Plans written by hand, as plan.json gives them, and networks built from ops."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dovetail.costmodel.embedded import embed
from dovetail.costmodel.models import find_model

if TYPE_CHECKING:
    from operator_cases import Build

    from dovetail.ir.nn import NnModule

sys.path.insert(0, str(Path(__file__).parent))  # `operator_cases` here

Json = dict[str, Any]

MODEL = find_model("llama-3.1-70b")
assert MODEL is not None


def pool(id: str, device: str, replicas: int, per_replica: int = 1, max_batch: int = 8) -> Json:
    """One pool of plan.json; tensor parallel over the devices of a replica."""
    return {
        "id": id, "device": device, "replicas": replicas, "devices_per_replica": per_replica,
        "devices": replicas * per_replica, "parallel": {"tp": per_replica, "pp": 1, "ep": 1, "dp": 1},
        "max_batch": max_batch, "memory_bytes_per_device": 7.1e10, "utilisation": 0.5,
    }  # fmt: skip


def placement(piece: str, pool: Json, share: float = 1.0) -> Json:
    """One placement of plan.json."""
    return {
        "piece": piece, "pool": pool["id"], "device": pool["device"], "share": share, "when": None,
        "latency_s": 0.1,
    }  # fmt: skip


DEVICES = ("a100-sxm", "h100-sxm", "l40s", "mi300x", "gaudi3", "tpu-v5e", "epyc-9554")
CATALOGUE: Json = embed(DEVICES, {"llama-3.1-70b": MODEL}, {})

FLEET: Json = {
    "devices": {
        "a100": {"model": "a100-sxm"}, "h100": {"model": "h100-sxm"}, "l40s": {"model": "l40s"},
        "mi300x": {"model": "mi300x"}, "gaudi": {"model": "gaudi3"}, "tpu": {"model": "tpu-v5e"},
        "host": {"model": "epyc-9554", "cold_start": "40 s"}, "api": {"kind": "api", "models": ["llama-3.1-70b"]},
        "npu0": {"kind": "npu", "memory": "16 GB"},
    }
}  # fmt: skip

GRAPH: Json = {
    "version": 1,
    "name": "voice-agent",
    "nodes": {
        "hear": {"kind": "model", "model": "whisper-large-v3", "audio": "10 s"},
        "think": {
            "kind": "llm", "model": "llama-3.1-70b", "precision": "fp8", "prompt_tokens": 1000,
            "output_tokens": 500, "prompt_growth": 400, "stream": True,
        },
        "search": {
            "kind": "tool", "latency": {"mean": "300 ms", "p95": "900 ms"}, "cpus": 0.5,
            "memory": {"mean": "200 MiB", "peak": "1 GiB"}, "concurrency": 20, "timeout": "5 s",
        },
        "say": {"kind": "model", "model": "speecht5-tts", "characters": 100},
    },
    "edges": [
        "hear -> think",
        {"from": "think", "to": "search", "probability": 0.4, "max_visits": 3},
        "search -> think",
        "think -> say",
    ],
    "workload": {"rate": "2 req/s"},
    "slo": {"ttft": "250 ms", "tbt": "20 ms", "first_output": "2 s", "end_to_end": "12 s", "percentile": 95},
}  # fmt: skip


def make_plan(pools: list[Json], placements: list[Json], graph: Json = GRAPH) -> Json:
    """plan.json with those pools and placements, and figures that are plausible and no more."""
    cost = {"usd_per_hour": 12.3, "usd_per_request": 0.00171, "usd_per_1k_requests": 1.71, "usd_per_year": 107748.0}
    parts = {"capex": 0.0, "interest": 0.0, "rent": 11.3, "energy": 0.8, "calls": 0.2, "transfer": 0.0}
    return {
        "format": 1, "dovetail": "0.1.0", "status": "optimal",
        "inputs": {
            "graph": deepcopy(graph), "fleet": FLEET, "catalogue": CATALOGUE,
            "sha256": {"graph": "a" * 64, "fleet": "b" * 64, "catalogue": "c" * 64},
        },
        "objective": {"name": "cost", "value": 12.3, "unit": "USD/h", "bound": 12.3, "gap": 0.0},
        "cost": cost | {"usd_per_million_output_tokens": 3.4, "parts": parts},
        "latency_s": {
            "ttft": {"think": 0.21}, "tbt": {"think": 0.018},
            "first_output": {"mean": 0.9, "p50": 0.8, "p95": 1.5, "p99": 1.9},
            "end_to_end": {"mean": 4.1, "p50": 3.9, "p95": 7.2, "p99": 9.0},
        },
        "energy_j_per_request": 812.0, "gco2_per_request": 0.09, "pools": pools, "placements": placements,
        "transfers": [{"from": "think.prefill", "to": "think.decode", "bytes": 327680000, "latency_s": 0.011}],
        "fleet": {p["device"]: {"devices": p["devices"], "usd_per_year": 9000.0 * p["devices"]} for p in pools},
        "binding": ["slo.tbt[think]", "count[h100]"], "conflict": [], "warnings": ["links that are not listed"],
        "quality": {"measured": 0.1, "fitted": 0.6, "data_sheet": 0.3, "guess": 0.0},
        "binding_complete": True,
        "solve": {"seconds": 0.21, "pieces": 6, "variables": 220, "solver": "highs"},
    }  # fmt: skip


def _voice(decode: Json) -> Json:
    hear, prefill, host, say = (
        pool("p1", "a100", 1),
        pool("p2", "h100", 2, 2),
        pool("p4", "host", 2),
        pool("p5", "l40s", 1),
    )
    placements = [
        placement("hear.run", hear), placement("think.prefill", prefill), placement("think.decode", decode),
        placement("search.run", host), placement("say.run", say),
    ]  # fmt: skip
    return make_plan([hear, prefill, decode, host, say], placements)


@pytest.fixture
def mixed_plan() -> Json:
    """Prefill on NVIDIA, decode on AMD."""
    return _voice(pool("p3", "mi300x", 3))


@pytest.fixture
def split_plan() -> Json:
    """Prefill and decode in two pools of the same vendor."""
    return _voice(pool("p3", "h100", 1, 4))


@pytest.fixture
def aggregated_plan() -> Json:
    """Prefill and decode in one pool, whose devices also run `hear`."""
    both, host = pool("p1", "h100", 2, 2), pool("p2", "host", 1)
    pieces = ["hear.run", "think.decode", "think.prefill"]
    placements = [placement(piece, both) for piece in pieces]
    return make_plan([both, host], [*placements, placement("search.run", host), placement("say.run", host)])


@pytest.fixture
def api_plan() -> Json:
    """The language model is a hosted API."""
    api, host = pool("p1", "api", 0, 1), pool("p2", "host", 1)
    placements = [placement("think.prefill", api), placement("think.decode", api)]
    return make_plan([api, host], placements + [placement(f"{n}.run", host) for n in ("hear", "search", "say")])


@pytest.fixture(params=["mixed_plan", "split_plan", "aggregated_plan", "api_plan"])
def any_plan(request: pytest.FixtureRequest) -> Json:
    """Each of the plans above."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Callable[..., Any]]:
    """`imported(place)`: the one network in a written folder, imported from there as a user would, with its weights."""

    def load(place: Path) -> Callable[..., Any]:
        (weights,) = place.glob("*.safetensors")
        monkeypatch.syspath_prepend(place)
        for name in (weights.stem, "weights_file"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        module = import_module(weights.stem)
        return partial(getattr(module, weights.stem), module.load_weights())

    return load


@pytest.fixture
def make_network() -> Callable[[Build, Sequence[tuple[int, ...]]], NnModule]:
    """`make_network(build, shapes)`: the network of `build(add, *inputs)`, which gives its result or a list of them."""
    from operator_cases import network_of

    return network_of
