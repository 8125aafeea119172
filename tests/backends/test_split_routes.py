"""Manifests of plans that split a node's traffic: by parts a route with weights, by length thresholds for a router."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

import dovetail
from dovetail.backends.manifests.check import check_manifests
from dovetail.backends.manifests.emit import emit_manifests
from dovetail.driver import plan_files
from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph

EXAMPLE = Path(__file__).parents[2] / "examples" / "long_prompts"
PARTS = {
    "version": 1,
    "nodes": {
        "a": {
            "kind": "llm",
            "model": "llama-3.1-8b",
            "prompt_tokens": 1000,
            "output_tokens": 200,
            "parallel": {"tp": 1},
            "split": {"parts": 4},
        }
    },
    "workload": {"rate": "30 req/s"},
    "slo": {"ttft": "900 ms", "tbt": "60 ms"},
}
PIECES = ("a.prefill", "a.decode")
FLEET = {
    "devices": {
        "old": {"model": "l40s", "owned": 2},
        "new": {"model": "h100-sxm", "count": "0..4", "price": {"rent": "2.50 USD/h"}},
    }
}


def made(plan: dict[str, Any]) -> list[dict[str, Any]]:
    found = [doc for file in emit_manifests(plan) for doc in yaml.safe_load_all(file.content)]
    return [doc for doc in found if doc["kind"] != "Kustomization"]


def services(documents: list[dict[str, Any]]) -> set[tuple[str, int]]:
    found = [doc for doc in documents if doc["kind"] == "Service"]
    return {(doc["metadata"]["name"], port["port"]) for doc in found for port in doc["spec"]["ports"]}


@pytest.fixture(scope="module")
def by_length() -> dict[str, Any]:
    return dovetail.plan(EXAMPLE).document


@pytest.fixture(scope="module")
def by_parts() -> dict[str, Any]:
    return plan_files(parse_graph(PARTS), parse_fleet(FLEET), Path()).document


def test_each_length_has_its_own_url(by_length: dict[str, Any]) -> None:
    documents = made(by_length)
    assert check_manifests(by_length, documents) == []
    (config,) = (doc for doc in documents if "routes.yaml" in doc.get("data", {}))
    routes = yaml.safe_load(config["data"]["routes.yaml"])
    assert routes["node"] == "answer"
    assert [entry["when"] for entry in routes["routes"]] == ["prompt_tokens <= 8000", "prompt_tokens > 8000"]
    assert sum(entry["share"] for entry in routes["routes"]) == pytest.approx(1)
    ends = {tuple(entry["url"].removeprefix("http://").split(":")) for entry in routes["routes"]}
    assert len(ends) == 2
    assert {(name, int(port)) for name, port in ends} <= services(documents)
    assert "prompt" in config["metadata"]["annotations"]["dovetail.dev/value-needed"]
    assert not [doc for doc in documents if doc["kind"] == "HTTPRoute"]


def test_prompts_of_a_length_are_read_where_the_plan_says(by_length: dict[str, Any]) -> None:
    """No router sends a class to the prefill of another."""
    documents = made(by_length)
    routers = [doc for doc in documents if doc["kind"] == "Deployment" and "router" in doc["metadata"]["name"]]
    arguments = [doc["spec"]["template"]["spec"]["containers"][0]["args"] for doc in routers]
    apart = {row["when"] for row in by_length["placements"] if row["piece"].startswith("answer.")} - {None}
    assert 0 < len(routers) <= 2 == len(apart)
    for own in arguments:
        assert (own.count("--prefill"), own.count("--decode")) == (1, 1)
    for document in documents:
        kubernetes_validate.validate(document, "1.34", strict=True)


def test_parts_are_weights(by_parts: dict[str, Any]) -> None:
    documents = made(by_parts)
    assert check_manifests(by_parts, documents) == []
    (route,) = (doc for doc in documents if doc["kind"] == "HTTPRoute")
    backends = route["spec"]["rules"][0]["backendRefs"]
    shares = {tuple(sorted(row["share"] for row in by_parts["placements"] if row["piece"] == p)) for p in PIECES}
    assert tuple(sorted(backend["weight"] / 4 for backend in backends)) in shares - {(1.0,)}
    assert {(backend["name"], backend["port"]) for backend in backends} <= services(documents)


def test_what_is_not_split_has_no_routes(by_parts: dict[str, Any]) -> None:
    whole = plan_files(parse_graph(PARTS | {"workload": {"rate": "1 req/s"}}), parse_fleet(FLEET), Path()).document
    assert whole["splits"] == {"a": None}
    assert not [doc for doc in made(whole) if doc["kind"] == "HTTPRoute" or "routes.yaml" in doc.get("data", {})]
