"""What the schemas of Kubernetes do not say; shares no code with what writes the manifests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

_DNS_1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|Ki|[MGTPE]i?)?")
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL")
_POOL = "dovetail.dev/pool"
_WORKLOADS = ("Deployment", "LeaderWorkerSet")


def check_manifests(plan: Json, documents: Iterable[Json]) -> list[str]:
    """The faults of `documents`, the manifests of `plan`, each as a sentence; empty where there is none."""
    documents = list(documents)
    workloads = [d for d in documents if d["kind"] in _WORKLOADS]
    faults = [*_names(documents), *_secrets(documents), *_services(documents, workloads), *_counts(plan, documents)]
    for workload in workloads:
        name = f"{workload['kind']} {workload['metadata']['name']}"
        faults += [f"{name}: {fault}" for fault in _selector(workload)]
        faults += [f"{name}: {fault}" for pod in _pods(workload) for fault in _containers(pod)]
        faults += [f"{name}: {fault}" for fault in _claims(workload, documents)]
        faults += [f"{name}: {fault}" for fault in _scale(plan, workload, documents)]
    return faults


def _pods(workload: Json) -> Sequence[Json]:
    """The templates of the pods of a workload, the one that answers requests first."""
    if workload["kind"] == "LeaderWorkerSet":
        group = workload["spec"]["leaderWorkerTemplate"]
        return (group["leaderTemplate"], group["workerTemplate"])
    return (workload["spec"]["template"],) if workload["kind"] in _WORKLOADS else ()


def _names(documents: Sequence[Json]) -> Iterator[str]:
    seen = Counter((d["kind"], d["metadata"]["name"]) for d in documents)
    for (kind, name), count in seen.items():
        if not _is_dns_name(name):
            yield f"{kind} {name}: the name is no DNS-1123 label"
        if count > 1:
            yield f"{kind} {name}: the name stands {count} times"
    for document in documents:
        for key, value in (document["metadata"].get("labels") or {}).items():
            if len(value) > 63 or not _LABEL_VALUE.fullmatch(value):
                yield f"{document['kind']} {document['metadata']['name']}: label {key} has the value `{value}`"


def _is_dns_name(name: str) -> bool:
    return len(name) <= 63 and bool(_DNS_1123.fullmatch(name))


def _secrets(documents: Sequence[Json]) -> Iterator[str]:
    for document in documents:
        if document["kind"] == "Secret":
            yield f"Secret {document['metadata']['name']}: manifests hold no secrets"
        for container in containers_of(document):
            for variable in container.get("env") or ():
                if _SECRET_NAME.search(variable["name"].upper()) and "value" in variable:
                    yield f"container {container['name']}: {variable['name']} has its value in the manifest"


def _selector(workload: Json) -> Iterator[str]:
    if workload["kind"] != "Deployment":
        return
    wanted = workload["spec"]["selector"]["matchLabels"]
    have = workload["spec"]["template"]["metadata"].get("labels") or {}
    if not wanted or not wanted.items() <= have.items():
        yield "the selector does not match the labels of its pods"


def _containers(pod: Json) -> Iterator[str]:
    containers = pod["spec"]["containers"]
    names = Counter(c["name"] for c in containers)
    ports = Counter(p.get("name") for c in containers for p in c.get("ports") or ())
    numbers = Counter(p["containerPort"] for c in containers for p in c.get("ports") or ())
    yield from (f"container {name}: the name is no DNS-1123 label" for name in names if not _is_dns_name(name))
    yield from (f"container {name}: the name stands twice" for name, count in names.items() if count > 1)
    yield from ("a port has no name" for name in ports if not name)
    yield from (f"port {name}: the name stands twice" for name, count in ports.items() if name and count > 1)
    yield from (f"port {name}: over 15 characters" for name in ports if name and len(name) > 15)
    yield from (f"port number {number} stands twice" for number, count in numbers.items() if count > 1)
    for container in containers:
        yield from _resources(container)


def _resources(container: Json) -> Iterator[str]:
    resources = container.get("resources") or {}
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for name, quantity in (*requests.items(), *limits.items()):
        if not isinstance(quantity, str) or not _QUANTITY.fullmatch(quantity):
            yield f"container {container['name']}: {name} has the quantity `{quantity}`"
    for name in {n for n in (*requests, *limits) if "/" in n}:
        if requests.get(name) != limits.get(name):
            yield f"container {container['name']}: the request of {name} is not its limit"


def _services(documents: Sequence[Json], workloads: Sequence[Json]) -> Iterator[str]:
    for document in documents:
        if document["kind"] != "Service":
            continue
        name, spec = document["metadata"]["name"], document["spec"]
        pods = [pod for workload in workloads for pod in _pods(workload)]
        labels = [pod["metadata"].get("labels") or {} for pod in pods]
        found = [pod for pod, have in zip(pods, labels, strict=True) if spec["selector"].items() <= have.items()]
        if len(found) != 1:
            yield f"Service {name}: selects {len(found)} kinds of pods"
        open_ports = {p.get("name") for pod in found for c in pod["spec"]["containers"] for p in c.get("ports") or ()}
        for port in spec["ports"]:
            if not port.get("name"):
                yield f"Service {name}: a port has no name"
            if found and port["targetPort"] not in open_ports:
                yield f"Service {name}: no container has the port `{port['targetPort']}`"


def _claims(workload: Json, documents: Sequence[Json]) -> Iterator[str]:
    templates = {d["metadata"]["name"] for d in documents if d["kind"] == "ResourceClaimTemplate"}
    spec = _pods(workload)[0]["spec"]
    names = {claim["name"] for claim in spec.get("resourceClaims") or ()}
    for claim in spec.get("resourceClaims") or ():
        if claim["resourceClaimTemplateName"] not in templates:
            yield f"there is no ResourceClaimTemplate {claim['resourceClaimTemplateName']}"
    for container in spec["containers"]:
        for claim in (container.get("resources") or {}).get("claims") or ():
            if claim["name"] not in names:
                yield f"container {container['name']}: the pod has no claim {claim['name']}"


def _counts(plan: Json, documents: Sequence[Json]) -> Iterator[str]:
    """Every pool that holds something stands once, with the plan's replicas and devices."""
    by_pool: dict[str, list[Json]] = {}
    for document in documents:
        pool = (document["metadata"].get("annotations") or {}).get(_POOL)
        if pool is not None:
            by_pool.setdefault(pool, []).append(document)
    used = {placement["pool"] for placement in plan["placements"]}
    for pool in plan["pools"]:
        if pool["id"] not in used:
            continue
        found = by_pool.pop(pool["id"], [])
        if len(found) != 1:
            yield f"pool {pool['id']} has {len(found)} manifests"
        elif found[0]["kind"] in _WORKLOADS and pool.get("replicas"):
            yield from _pool_counts(pool, found[0], documents)
    yield from (f"the plan has no pool {pool}" for pool in by_pool)


def _pool_counts(pool: Json, workload: Json, documents: Sequence[Json]) -> Iterator[str]:
    replicas, each = workload["spec"]["replicas"], _devices_of_a_replica(workload, documents)
    if replicas != pool["replicas"]:
        yield f"pool {pool['id']} has {replicas} replicas where the plan has {pool['replicas']}"
    yield from _zones(pool, _pods(workload)[0]["spec"])
    # A pod of a CPU pool asks for no device: it is the one pod of its host.
    each = 1 if each is None else each
    if each != pool["devices_per_replica"] or replicas * each != pool["devices"]:
        yield f"pool {pool['id']} has {replicas} x {each} devices where the plan has {pool['devices']}"


def _zones(pool: Json, pod: Json) -> Iterator[str]:
    """Replicas that the plan spreads over zones are to be spread, and to stay in those zones."""
    key, zones = "topology.kubernetes.io/zone", list(pool.get("zones") or ())
    spread = [c for c in pod.get("topologySpreadConstraints") or () if c["topologyKey"] == key and c["maxSkew"] == 1]
    terms = (pod.get("affinity") or {}).get("nodeAffinity") or {}
    terms = (terms.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or ()
    kept = [e["values"] for term in terms for e in term["matchExpressions"] if e["key"] == key]
    if kept != ([zones] if zones else []) or len(spread) != bool(zones):
        yield f"pool {pool['id']} is not spread evenly over the zones {', '.join(zones) or 'of nothing'}"


def _scale(plan: Json, deployment: Json, documents: Sequence[Json]) -> Iterator[str]:
    """A pool that goes down in the plan has a ScaledObject that starts all its replicas or none; others have none."""
    pool = (deployment["metadata"].get("annotations") or {}).get(_POOL)
    scale = next((p.get("scale") for p in plan["pools"] if p["id"] == pool), None)
    name, replicas = deployment["metadata"]["name"], deployment["spec"]["replicas"]
    objects = (d["spec"] for d in documents if d["kind"] == "ScaledObject")
    found = [spec for spec in objects if spec["scaleTargetRef"]["name"] == name]
    if len(found) != (scale is not None):
        yield f"it has {len(found)} ScaledObjects"
    for spec in found:
        counts = [spec[key] for key in ("idleReplicaCount", "minReplicaCount", "maxReplicaCount")]
        keep_alive_s = (scale or {}).get("keep_alive_s", 0.0)
        if counts != [0, replicas, replicas] or abs(spec["cooldownPeriod"] - keep_alive_s) >= 1:
            yield "its ScaledObject is not what the plan says"


def _devices_of_a_replica(workload: Json, documents: Sequence[Json]) -> int | None:
    """Devices of all its pods, by extended resources and by claims; None where it asks for none."""
    asked = [_devices_of_a_pod(pod["spec"], documents) for pod in _pods(workload)]
    if workload["kind"] == "LeaderWorkerSet":
        leader, worker = asked
        return (leader or 0) + (worker or 0) * (workload["spec"]["leaderWorkerTemplate"]["size"] - 1)
    return asked[0]


def _devices_of_a_pod(spec: Json, documents: Sequence[Json]) -> int | None:
    asked = [
        int(quantity)
        for container in spec["containers"]
        for name, quantity in ((container.get("resources") or {}).get("limits") or {}).items()
        if "/" in name
    ]
    wanted = {claim["resourceClaimTemplateName"] for claim in spec.get("resourceClaims") or ()}
    for document in documents:
        if document["kind"] == "ResourceClaimTemplate" and document["metadata"]["name"] in wanted:
            asked += [request["exactly"]["count"] for request in document["spec"]["spec"]["devices"]["requests"]]
    return sum(asked) if asked else None


def containers_of(document: Json) -> Sequence[Json]:
    """The containers of all pods that a manifest makes."""
    return [container for pod in _pods(document) for container in pod["spec"]["containers"]]
