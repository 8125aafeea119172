"""Nodes whose traffic is split over pools: which requests go where, and what tells a router so.

By parts it is an HTTPRoute of the Kubernetes Gateway API, whose `backendRefs` have weights (gateway-api.sigs.k8s.io,
v1: an integer up to a million, shares being proportional). By length it is a ConfigMap of our own: routes there match
paths, headers and methods, not the length of a prompt, and a weight would send any prompt anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .dump import dump
from .names import dns_name, labels
from .objects import config_map
from .router import PORT, router
from .view import Json, PlanView, node_of, part_of

if TYPE_CHECKING:
    from ...ir.split import VisitClass

GATEWAY = "inference-gateway"
"""Stands for the user's own Gateway."""
NEEDS_ROUTER = "a router that counts the tokens of a request's first prompt and keeps its later visits where that went"
NEEDS_GATEWAY = "the Gateway in parentRefs; later visits of a request belong where its first one went"
Addresses = Mapping[tuple[str, str], str]
"""Piece and pool -> URL of the Service, or the ConfigMap of a hosted API."""


@dataclass(frozen=True)
class Route:
    """Requests of a node that go the same way."""

    classes: tuple[VisitClass, ...]
    pools: Mapping[str, str]
    """part of the node -> pool"""

    @property
    def share(self) -> float:
        """Of the node's requests."""
        return sum(each.share for each in self.classes)


def routes_of(plan: Json) -> dict[str, tuple[Route, ...]]:
    """Node -> its routes, of the nodes that have more than one."""
    splits = {node: said for node, said in (plan.get("splits") or {}).items() if said is not None}
    if not splits:
        return {}
    from ...ir.agent import graph_of
    from ...ir.llm import node_and_part
    from ...ir.read.graph import parse_graph
    from ...ir.split import classes_of
    from ...ir.split_choice import keep, kept_of
    from ...passes.agent.inline_agents import inline_agents

    module = parse_graph(plan["inputs"]["graph"]).module
    inline_agents(module)
    found = {}
    for op in graph_of(module).nodes:
        node, _ = node_and_part(op)
        if node in splits:
            keep(op, kept_of(op, splits[node]))
            routes = tuple(
                _routes(classes_of(op, node), [r for r in plan["placements"] if node_of(r["piece"]) == node])
            )
            found |= {node: routes} if len(routes) > 1 else {}
    return found


def _routes(classes: tuple[VisitClass, ...], rows: list[Json]) -> Iterator[Route]:
    """The classes of one node by the pools of their pieces."""
    from ...ir.split import is_when

    ways: dict[tuple[tuple[str, str], ...], list[VisitClass]] = {}
    for each in classes:
        pools = tuple((part_of(row["piece"]), row["pool"]) for row in rows if is_when(row["when"], each))
        ways.setdefault(pools, []).append(each)
    for pools, own in ways.items():
        yield Route(tuple(own), dict(pools))


def split_objects(
    view: PlanView, node: str, routes: tuple[Route, ...], addresses: Addresses
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The objects that route the requests of `node`, and its routes as `endpoints.yaml` lists them.

    A route with prefill and decode in two pools has a router of its own over those.
    """
    from ...ir.split import when_of

    objects, found = list[dict[str, Any]](), list[dict[str, Any]]()
    for number, route in enumerate(routes, 1):
        urls = {part: addresses[f"{node}.{part}", pool] for part, pool in route.pools.items()}
        url = next(iter(urls.values()))
        if len(set(urls.values())) > 1:
            name = dns_name(view.app, f"{node}#{number}")  # no node is called so
            objects += router(view.app, f"{node}#{number}", name, [urls["prefill"]], [urls["decode"]])
            url = f"http://{name}:{PORT}"
        found.append({"when": when_of(route.classes), "share": round(route.share, 9), "url": url})
    by_length = routes[0].classes[0].prompt is not None
    if by_length or not all(entry["url"].startswith("http://") for entry in found):
        needs = {"dovetail.dev/value-needed": NEEDS_ROUTER if by_length else "a router that draws by share"}
        data = {"routes.yaml": dump([{"node": node, "routes": found}])}
        objects.append(config_map(view.app, dns_name(node, "routes"), data, needs))
    else:
        objects.append(_http_route(view, node, routes, [entry["url"] for entry in found]))
    return objects, found


def _http_route(view: PlanView, node: str, routes: tuple[Route, ...], urls: list[str]) -> dict[str, Any]:
    """An HTTPRoute whose weights are numbers of parts."""
    component = dns_name(node, "routes")
    backends = []
    for route, url in zip(routes, urls, strict=True):
        name, _, port = url.removeprefix("http://").partition(":")
        backends.append({"name": name, "port": int(port), "weight": len(route.classes)})
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {
            "name": dns_name(view.app, component),
            "labels": labels(view.app, component),
            "annotations": {"dovetail.dev/value-needed": NEEDS_GATEWAY},
        },
        "spec": {"parentRefs": [{"name": GATEWAY}], "rules": [{"backendRefs": backends}]},
    }
