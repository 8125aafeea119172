"""The router in front of prefill and decode pools: it decides who prefills, and hands the KV cache's address on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .names import dns_name, labels, selector
from .objects import service

PORT = 8000
IMAGE = "vllm/vllm-router:latest"
"""Published by github.com/vllm-project/router, whose command line (docs/model-routing/pd-disaggregation.md) is used."""


def router(app: str, node: str, name: str, prefill: Sequence[str], decode: Sequence[str]) -> list[dict[str, Any]]:
    """Deployment and Service `name` of the router of `node` over the URLs of its prefill and decode servers."""
    component = dns_name(node, "router")
    arguments = ["--vllm-pd-disaggregation", "--policy", "round_robin", "--host", "0.0.0.0", "--port", str(PORT)]
    for flag, urls in (("--prefill", prefill), ("--decode", decode)):
        for url in urls:
            arguments += [flag, url]
    container = {
        "name": "router",
        "image": IMAGE,
        "command": ["vllm-router"],
        "args": arguments,
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 5},
    }
    annotations: Mapping[str, str] = {
        "dovetail.dev/router": f"sends each request of `{node}` to a prefill server, then to a decode server",
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": dns_name(app, component),
            "labels": labels(app, component),
            "annotations": annotations,
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": selector(app, component)},
            "template": {
                "metadata": {"labels": labels(app, component)},
                "spec": {"containers": [container], "enableServiceLinks": False},
            },
        },
    }
    return [deployment, service(app, component, name, PORT, "http")]
