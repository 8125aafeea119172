"""The Kubernetes objects, as dicts: what holds a pool, Services, ConfigMaps, claims of devices, the kustomization."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .hardware import IMAGE_NEEDED, node_selector
from .names import dns_name, labels, selector
from .servers import Server
from .view import PoolView
from .vllm import FOLLOWER

Object = dict[str, Any]

_PROBE_PERIOD_S = 10
_MODEL_START_S = 1800.0
"""Patience for loading weights where the fleet gives no cold start."""
_TOOL_START_S = 300.0
_CLAIM = "devices"
ZONE = "topology.kubernetes.io/zone"
"""Label of the zone that clouds and administrators give each node."""
_WHOLE_HOST = "dovetail.dev/whole-host"
"""Label of pods that the plan gives a host of their own."""


def deployment(app: str, pool: PoolView, servers: Sequence[Server]) -> Object:
    """The Deployment of `pool`: a pod is a replica, and no more devices are taken during an update than planned."""
    component = dns_name(pool.id)
    annotations = _annotations(pool, servers)
    template = {
        "metadata": {"labels": labels(app, component) | _host_label(pool), "annotations": annotations},
        "spec": _pod(app, pool, servers),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": dns_name(app, component),
            "labels": labels(app, component),
            "annotations": annotations,
        },
        "spec": {
            "replicas": pool.replicas,
            "selector": {"matchLabels": selector(app, component)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "template": template,
        },
    }


def leader_worker_set(app: str, pool: PoolView, servers: Sequence[Server]) -> Object:
    """The LeaderWorkerSet of `pool`, whose replicas take several hosts each: a group of pods is a replica.

    The leader alone answers requests, so Services select no other pod. Source: lws.sigs.k8s.io, API v1.
    """
    component = dns_name(pool.id)
    annotations = _annotations(pool, servers)
    followers = [replace(s, arguments=(*s.arguments, FOLLOWER)) for s in servers]
    leader = {
        "metadata": {"labels": labels(app, component), "annotations": annotations},
        "spec": _pod(app, pool, servers),
    }
    worker = {
        "metadata": {"labels": labels(app, dns_name(component, "worker")), "annotations": annotations},
        "spec": _without_ports(_pod(app, pool, followers)),
    }
    return {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": {"name": dns_name(app, component), "labels": labels(app, component), "annotations": annotations},
        "spec": {
            "replicas": pool.replicas,
            "rolloutStrategy": {
                "type": "RollingUpdate",
                "rollingUpdateConfiguration": {"maxSurge": 0, "maxUnavailable": 1},
            },
            "leaderWorkerTemplate": {
                "size": pool.hosts,
                # A replica that has lost a host is no replica: all of its processes start anew.
                "restartPolicy": "RecreateGroupOnPodRestart",
                "leaderTemplate": leader,
                "workerTemplate": worker,
            },
        },
    }


def _without_ports(pod: Object) -> Object:
    """A pod that answers no requests has nothing to probe, and may stand anywhere: its leader is spread over zones."""
    unheard = ("ports", "startupProbe", "readinessProbe")
    containers = [{key: value for key, value in c.items() if key not in unheard} for c in pod["containers"]]
    return {key: value for key, value in pod.items() if key != "topologySpreadConstraints"} | {"containers": containers}


def _annotations(pool: PoolView, servers: Sequence[Server]) -> dict[str, str]:
    notes = {"dovetail.dev/pool": pool.id, "dovetail.dev/device": pool.device}
    notes["dovetail.dev/pieces"] = ", ".join(piece for server in servers for piece in server.pieces)
    needed = [server.name for server in servers if server.image.startswith(IMAGE_NEEDED)]
    if needed:
        notes["dovetail.dev/image-needed"] = ", ".join(needed)
    if not pool.sized:
        notes["dovetail.dev/replicas"] = "not planned: the graph gives no rate"
    if pool.offer.resource.startswith("dovetail.dev/"):
        notes["dovetail.dev/resource-needed"] = f"advertise {pool.offer.resource} on the nodes that hold it"
    for server in servers:
        notes.update(server.notes)
    return notes


def _pod(app: str, pool: PoolView, servers: Sequence[Server]) -> Object:
    shared = shares_devices(pool, servers)
    pod: Object = {"containers": [_container(server, pool, shared) for server in servers]}
    # Else each Service adds variables by its name, and an app called `vllm` would set what vLLM takes for options.
    pod["enableServiceLinks"] = False
    pod["nodeSelector"] = node_selector(pool.offer, pool.model, dns_name(pool.device), pool.devices_per_host)
    if pool.offer.resource:
        taint = {"key": pool.offer.resource, "operator": "Exists", "effect": "NoSchedule"}
        pod["tolerations"] = [taint]
    else:
        pod["affinity"] = _one_on_each_host(app)
    if pool.zones:
        pod["affinity"] = pod.get("affinity", {}) | _in_zones(pool.zones)
        pod["topologySpreadConstraints"] = [_evenly_over_zones(app, pool)]
    if shared:
        claim = {"name": _CLAIM, "resourceClaimTemplateName": dns_name(app, dns_name(pool.id))}
        pod["resourceClaims"] = [claim]
    if any(server.is_llm for server in servers):
        # Tensor-parallel workers talk through shared memory, and a container's own /dev/shm is 64 MiB.
        pod["volumes"] = [{"name": "shm", "emptyDir": {"medium": "Memory"}}]
    return pod


def _host_label(pool: PoolView) -> dict[str, str]:
    return {} if pool.offer.resource else {_WHOLE_HOST: "true"}


def _one_on_each_host(app: str) -> Object:
    """The plan counts whole hosts, so no two replicas share one, be they of one pool or of two."""
    term = {
        "labelSelector": {"matchLabels": {"app.kubernetes.io/name": app, _WHOLE_HOST: "true"}},
        "topologyKey": "kubernetes.io/hostname",
    }
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def _in_zones(zones: Sequence[str]) -> Object:
    expression = {"key": ZONE, "operator": "In", "values": list(zones)}
    terms = [{"matchExpressions": [expression]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def _evenly_over_zones(app: str, pool: PoolView) -> Object:
    """No zone has two replicas more than another, so that the loss of one takes no more than the plan counts with."""
    return {
        "maxSkew": 1,
        "topologyKey": ZONE,
        "whenUnsatisfiable": "DoNotSchedule",
        "minDomains": len(pool.zones),
        "labelSelector": {"matchLabels": selector(app, dns_name(pool.id))},
    }


def shares_devices(pool: PoolView, servers: Sequence[Server]) -> bool:
    """Whether several servers run on the same devices, which takes a resource claim."""
    return bool(pool.offer.resource) and len(servers) > 1


def _container(server: Server, pool: PoolView, shared: bool) -> Object:
    ports = [{"name": server.port_name, "containerPort": server.port}]
    if server.side_channel_port is not None:
        ports.append({"name": f"nixl-{server.index}", "containerPort": server.side_channel_port})
    container: Object = {"name": server.name, "image": server.image, "ports": ports, "env": list(server.environment)}
    if server.command:
        container |= {"command": list(server.command), "args": list(server.arguments)}
    resources: Object = {"requests": dict(server.requests), "limits": dict(server.limits)}
    resources = {key: value for key, value in resources.items() if value}
    if shared:
        resources["claims"] = [{"name": _CLAIM}]
    if resources:
        container["resources"] = resources
    if server.is_llm:
        container["volumeMounts"] = [{"name": "shm", "mountPath": "/dev/shm"}]
    return container | _probes(server, pool)


def _probes(server: Server, pool: PoolView) -> Object:
    """Ready when it answers; until then the startup probe waits, twice as long as the fleet's cold start."""
    check: Object = {"tcpSocket": {"port": server.port_name}}
    if server.health_path:
        check = {"httpGet": {"path": server.health_path, "port": server.port_name}}
    usual_s = _MODEL_START_S if pool.offer.resource or server.is_llm else _TOOL_START_S
    patience_s = max(usual_s, 2 * pool.cold_start_s)
    check["periodSeconds"] = _PROBE_PERIOD_S
    return {
        "startupProbe": check | {"failureThreshold": math.ceil(patience_s / _PROBE_PERIOD_S)},
        "readinessProbe": check | {"failureThreshold": 3},
    }


def claim_template(app: str, pool: PoolView) -> Object:
    """The devices of one pod, to be shared by its containers (Kubernetes 1.34 and later)."""
    component = dns_name(pool.id)
    request = {
        "name": _CLAIM,
        "exactly": {
            "deviceClassName": pool.offer.device_class,
            "allocationMode": "ExactCount",
            "count": pool.devices_per_replica,
        },
    }
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": dns_name(app, component), "labels": labels(app, component)},
        "spec": {"spec": {"devices": {"requests": [request]}}},
    }


def service(app: str, component: str, name: str, port: int, target: str) -> Object:
    """A Service `name` on `port` for the port called `target` of the pods of `component`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": labels(app, component)},
        "spec": {
            "selector": selector(app, component),
            "ports": [{"name": "http", "port": port, "targetPort": target}],
        },
    }


def config_map(app: str, component: str, data: Mapping[str, str], annotations: Mapping[str, str] = {}) -> Object:
    """A ConfigMap with text `data`."""
    metadata: Object = {"name": dns_name(app, component), "labels": labels(app, component)}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def kustomization(resources: Iterable[str], images: Iterable[str]) -> Object:
    """The list of files, and the one place where container images are set."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(resources),
        "images": [_image(image) for image in sorted(set(images))],
    }


def _image(image: str) -> Object:
    name, _, tag = image.partition(":")
    return {"name": name, "newName": name, "newTag": tag or "latest"}
