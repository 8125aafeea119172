"""The check of manifests finds each fault that the schemas of Kubernetes let through."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from dovetail.backends.manifests.check import check_manifests
from dovetail.backends.manifests.emit import emit_manifests

Json = dict[str, Any]
Objects = dict[tuple[str, str], Json]


def objects_of(plan: Json) -> Objects:
    """The plan's objects by kind and name."""
    found = [doc for file in emit_manifests(plan) for doc in yaml.safe_load_all(file.content)]
    return {(doc["kind"], doc["metadata"]["name"]): doc for doc in found if doc["kind"] != "Kustomization"}


def prefill(objects: Objects) -> Json:
    """The Deployment of the prefill pool."""
    return objects["Deployment", "voice-agent-p2"]


def container(objects: Objects) -> Json:
    """Its container."""
    return prefill(objects)["spec"]["template"]["spec"]["containers"][0]


def service(objects: Objects) -> Json:
    """Its Service."""
    return objects["Service", "voice-agent-think-prefill"]


TAMPERINGS: dict[str, tuple[Callable[[Objects], object], str]] = {
    "selector": (
        lambda o: prefill(o)["spec"]["selector"]["matchLabels"].update({"app.kubernetes.io/name": "other"}),
        "the selector does not match the labels of its pods",
    ),
    "empty selector": (lambda o: prefill(o)["spec"]["selector"]["matchLabels"].clear(), "the selector does not match"),
    "name": (lambda o: prefill(o)["metadata"].update(name="Voice_Agent"), "the name is no DNS-1123 label"),
    "long name": (lambda o: prefill(o)["metadata"].update(name="a" * 64), "the name is no DNS-1123 label"),
    "same name": (lambda o: prefill(o)["metadata"].update(name="voice-agent-p3"), "the name stands 2 times"),
    "label": (lambda o: prefill(o)["metadata"]["labels"].update(note="a b"), "label note has the value `a b`"),
    "container name": (lambda o: container(o).update(name="a.b"), "container a.b: the name is no DNS-1123 label"),
    "secret": (
        lambda o: container(o)["env"].append({"name": "API_KEY", "value": "hunter2"}),
        "API_KEY has its value in the manifest",
    ),
    "secret object": (
        lambda o: o.update({("Secret", "s"): {"kind": "Secret", "metadata": {"name": "s"}}}),
        "manifests hold no secrets",
    ),
    "quantity": (
        lambda o: container(o)["resources"]["limits"].update(memory="1 GB"),
        "memory has the quantity `1 GB`",
    ),
    "request": (
        lambda o: container(o)["resources"]["requests"].update({"nvidia.com/gpu": "1"}),
        "the request of nvidia.com/gpu is not its limit",
    ),
    "no request": (lambda o: container(o)["resources"]["requests"].clear(), "the request of nvidia.com/gpu"),
    "port name": (lambda o: container(o)["ports"][0].pop("name"), "a port has no name"),
    "long port name": (lambda o: container(o)["ports"][0].update(name="a" * 16), "over 15 characters"),
    "port number": (lambda o: container(o)["ports"][0].update(containerPort=5600), "port number 5600 stands twice"),
    "service port name": (lambda o: service(o)["spec"]["ports"][0].pop("name"), "a port has no name"),
    "target port": (
        lambda o: service(o)["spec"]["ports"][0].update(targetPort="grpc"),
        "no container has the port `grpc`",
    ),
    "service selector": (
        lambda o: service(o)["spec"]["selector"].update({"app.kubernetes.io/component": "p9"}),
        "selects 0 kinds of pods",
    ),
    "wide service selector": (
        lambda o: service(o)["spec"].update(selector={"app.kubernetes.io/name": "voice-agent"}),
        "selects 6 kinds of pods",
    ),
    "replicas": (lambda o: prefill(o)["spec"].update(replicas=3), "3 replicas where the plan has 2"),
    "devices": (
        lambda o: [container(o)["resources"][k].update({"nvidia.com/gpu": "4"}) for k in ("limits", "requests")],
        "2 x 4 devices where the plan has 4",
    ),
    "missing pool": (lambda o: o.pop(("Deployment", "voice-agent-p2")), "pool p2 has 0 manifests"),
    "foreign pool": (
        lambda o: prefill(o)["metadata"]["annotations"].update({"dovetail.dev/pool": "p9"}),
        "the plan has no pool p9",
    ),
    "claim": (
        lambda o: container(o)["resources"].update(claims=[{"name": "devices"}]),
        "the pod has no claim devices",
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampered_manifest_is_rejected(name: str, split_plan: Json) -> None:
    objects = objects_of(split_plan)
    assert check_manifests(split_plan, objects.values()) == []
    tamper, fault = TAMPERINGS[name]
    tamper(objects)
    faults = check_manifests(split_plan, objects.values())
    assert any(fault in found for found in faults), faults


def test_claim_without_its_template_is_rejected(aggregated_plan: Json) -> None:
    objects = objects_of(aggregated_plan)
    del objects["ResourceClaimTemplate", "voice-agent-p1"]
    faults = check_manifests(aggregated_plan, objects.values())
    assert any("there is no ResourceClaimTemplate voice-agent-p1" in fault for fault in faults), faults


def test_claim_of_other_devices_than_planned_is_rejected(aggregated_plan: Json) -> None:
    objects = copy.deepcopy(objects_of(aggregated_plan))
    template = objects["ResourceClaimTemplate", "voice-agent-p1"]
    template["spec"]["spec"]["devices"]["requests"][0]["exactly"]["count"] = 1
    faults = check_manifests(aggregated_plan, objects.values())
    assert any("2 x 1 devices where the plan has 4" in fault for fault in faults), faults
