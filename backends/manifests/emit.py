"""Kubernetes manifests of a plan: a Deployment for each pool, Services, the graph, and a kustomization."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...ir.diagnostics import Diagnostic, InputError
from .. import EmitContext, OutputFile
from ..nested import flat_edges
from .check import check_manifests, containers_of
from .dump import dump
from .idle import scaled_object
from .names import dns_name
from .objects import (
    claim_template,
    config_map,
    deployment,
    kustomization,
    leader_worker_set,
    service,
    shares_devices,
)
from .router import PORT as ROUTER_PORT
from .router import router
from .servers import Server, disaggregated, servers_of
from .split_routes import Addresses, routes_of, split_objects
from .view import Json, PlanView, PoolView, node_of, part_of, read_plan

FOLDER = "manifests"

Files = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class ManifestsBackend:
    """Writes `manifests/`."""

    name: str = "manifests"

    def emit(self, plan: Mapping[str, Any], context: EmitContext) -> list[OutputFile]:
        """See `emit_manifests`."""
        return emit_manifests(plan)


def emit_manifests(plan: Mapping[str, Any]) -> list[OutputFile]:
    """
    The manifests of `plan`, the document of plan.json; none where the plan places nothing.

    Raises `InputError` for what they cannot express: different models on the same devices of a vendor without a driver
    for resource claims, or on the same several hosts.
    """
    if not plan.get("pools") or not plan.get("placements"):
        return []
    view = read_plan(plan)
    servers = {pool.id: servers_of(pool, view) for pool in view.pools if pool.kind != "api"}
    services = _service_names(view, servers)
    files: Files = {}
    for pool in view.pools:
        documents = _api_objects(pool, view) if pool.kind == "api" else _pool_objects(pool, view, servers, services)
        if documents:
            files[f"{dns_name('pool', dns_name(pool.id))}.yaml"] = documents
    addresses, routes = dict(_addresses(view, servers, services)), routes_of(plan)
    endpoints = _endpoints(view, addresses)
    for node, own in routes.items():
        files[f"{dns_name('routes', node)}.yaml"], endpoints[node]["routes"] = split_objects(view, node, own, addresses)
    for node in (node for node in disaggregated(view) if node not in routes):
        urls = endpoints[node]
        name = dns_name(view.app, node)
        files[f"{dns_name('router', node)}.yaml"] = router(view.app, node, name, urls["prefill"], urls["decode"])
        urls["url"] = f"http://{name}:{ROUTER_PORT}"
    files["graph.yaml"] = [_graph(view, endpoints)]
    faults = check_manifests(plan, [doc for documents in files.values() for doc in documents])
    if faults:
        raise AssertionError("the manifests fail their own check: " + "; ".join(faults))
    files["kustomization.yaml"] = [kustomization(files, _images(files))]
    return [OutputFile(f"{FOLDER}/{path}", dump(documents)) for path, documents in sorted(files.items())]


def _service_names(view: PlanView, servers: Mapping[str, tuple[Server, ...]]) -> dict[tuple[str, str], str]:
    """(pool id, server name) -> Service name, the plain name where no other server or router claims it."""
    claims = [dns_name(view.app, node) for node in disaggregated(view)]
    claims += [dns_name(view.app, server.name) for group in servers.values() for server in group]
    names = {}
    for pool, group in servers.items():
        for server in group:
            plain = dns_name(view.app, server.name)
            # A slash is no part of a name, so a hash stands for it, and no node's name can be the same.
            names[pool, server.name] = plain if claims.count(plain) == 1 else dns_name(f"{plain}/{pool}")
    return names


def _pool_objects(
    pool: PoolView,
    view: PlanView,
    servers: Mapping[str, tuple[Server, ...]],
    services: Mapping[tuple[str, str], str],
) -> list[dict[str, Any]]:
    group = servers[pool.id]
    objects = [(deployment if pool.hosts == 1 else leader_worker_set)(view.app, pool, group)]
    for server in group:
        name = services[pool.id, server.name]
        objects.append(service(view.app, dns_name(pool.id), name, server.port, server.port_name))
    if pool.keep_alive_s is not None:
        objects.append(scaled_object(view.app, pool))
    if shares_devices(pool, group):
        if not pool.offer.device_class or pool.hosts > 1:
            message = f"pool `{pool.id}` holds several models on one `{pool.device}`, which manifests cannot express"
            help = f"give the nodes devices of their own: `apart` under `place` of {pool.pieces[0].split('.')[0]}"
            raise InputError([Diagnostic("manifests", message, help=help)])
        objects.append(claim_template(view.app, pool))
    return objects


def _api_objects(pool: PoolView, view: PlanView) -> list[dict[str, Any]]:
    """A hosted API runs nowhere here: where it is and which Secret holds its key, never the key.

    Once for all of its pools, of which each serves one model where nodes may choose.
    """
    component = dns_name("api", pool.device)
    alike = [each for each in view.pools if each.device == pool.device]
    if pool is not alike[0]:
        return []
    models = sorted({str(view.node(piece).get("model")) for each in alike for piece in each.pieces})
    data = {
        "device": pool.device,
        "models": "\n".join(models),
        "secretName": dns_name(view.app, component),
        "secretKey": "api-key",
        "baseUrl": "",
    }
    notes = {"dovetail.dev/pool": pool.id, "dovetail.dev/value-needed": "baseUrl, and the Secret that is named here"}
    return [config_map(view.app, component, data, notes)]


def _addresses(
    view: PlanView, servers: Mapping[str, tuple[Server, ...]], services: Mapping[tuple[str, str], str]
) -> Iterator[tuple[tuple[str, str], str]]:
    """(piece, pool) and the URL of the Service that holds it; a hosted API is named by its ConfigMap."""
    for pool in view.pools:
        for piece in pool.pieces if pool.kind == "api" else ():
            yield (piece, pool.id), f"configmap/{dns_name(view.app, dns_name('api', pool.device))}"
        for server in servers.get(pool.id, ()):
            url = f"http://{services[pool.id, server.name]}:{server.port}"
            yield from (((piece, pool.id), url) for piece in server.pieces)


def _endpoints(view: PlanView, addresses: Addresses) -> dict[str, dict[str, Any]]:
    """Node -> part -> URLs of what holds it."""
    endpoints: dict[str, dict[str, Any]] = {name: {} for name in sorted(view.nodes)}
    for (piece, _), url in addresses.items():
        endpoints[node_of(piece)].setdefault(part_of(piece), []).append(url)
    return endpoints


def _graph(view: PlanView, endpoints: Mapping[str, Json]) -> dict[str, Any]:
    shares = [{key: placement.get(key) for key in ("piece", "pool", "share", "when")} for placement in view.placements]
    data = {
        "graph.yaml": dump([view.graph]),
        "edges.yaml": dump([{"edges": flat_edges(view.graph)}]),
        "endpoints.yaml": dump([{"nodes": endpoints}]),
        "placements.yaml": dump([{"placements": shares}]),
    }
    return config_map(view.app, "graph", data)


def _images(files: Files) -> list[str]:
    documents = [document for documents in files.values() for document in documents]
    return [container["image"] for document in documents for container in containers_of(document)]
