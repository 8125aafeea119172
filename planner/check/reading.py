"""From plan.json to a `Subject`: the embedded inputs read again, the embedded catalogue in place of today's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...costmodel.embedded import Catalogue, read_catalogue
from ...costmodel.hardware import Device, resolve
from ...costmodel.models import LLM
from ...costmodel.networks import Network
from ...costmodel.work import Work, file_key, network_work
from ...ir.agent import graph_of
from ...ir.diagnostics import Diagnostics, DovetailError
from ...ir.digest import digest
from ...ir.fleet import FleetSpec
from ...passes.agent.inline_agents import inline_agents
from .classes import classes_in, keep_classes, kept_in, split_nodes
from .models import with_chosen_models
from .ranges import odd_figures
from .subject import Node, Subject, read_workflow

BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What code that trusts its inputs raises where they were tampered with in ways that no rule names."""


def check_hashes(plan: Mapping[str, Any], faults: Diagnostics) -> None:
    """Report `check.hash` where an embedded document is not the one that its SHA-256 names."""
    inputs = plan["inputs"]
    for name, stated in inputs["sha256"].items():
        if name not in inputs:
            faults.error("check.hash", f"the plan gives a hash of `{name}`, which is not embedded")
        elif digest(inputs[name]) != stated:
            faults.error("check.hash", f"the embedded {name} is not the one that its hash names")


def read_subject(plan: Mapping[str, Any], faults: Diagnostics) -> Subject | None:
    """The plan with its inputs read anew; None, with `check.inputs` faults, where they cannot be read."""
    from ...ir.read.fleet import parse_fleet
    from ...ir.read.graph import parse_graph

    inputs = plan["inputs"]
    try:
        module = parse_graph(inputs["graph"]).module
        inline_agents(module)
        fleet = parse_fleet(inputs["fleet"]).spec
        catalogue = read_catalogue(inputs["catalogue"])
        graph, nodes, hops = read_workflow(graph_of(module))
        nodes = with_chosen_models(nodes, plan)
        kept = kept_in(nodes, plan, faults)
        keep_classes(nodes, kept)
        llms = {name: model for name, model in catalogue.models.items() if isinstance(model, LLM)}
        odd = [*odd_figures(catalogue.devices, "devices"), *odd_figures(catalogue.models, "models")]
        for fault in (*odd, *odd_figures(catalogue.works, "models")):
            faults.error("check.inputs", f"the embedded catalogue is wrong: {fault}")
        if faults.errors:
            return None
        works = _works(split_nodes(nodes, classes_in(nodes)), catalogue)
        subject = Subject(dict(plan), graph, nodes, hops, fleet, _devices(fleet, catalogue), llms, works, kept)
        len(subject.ways)  # TooManyWays is a fault of the graph
    except DovetailError as error:
        for fault in error.diagnostics:
            faults.error("check.inputs", f"the embedded inputs are wrong: {fault.message}")
        return None
    except BROKEN as error:
        faults.error("check.inputs", f"the embedded inputs cannot be read: {type(error).__name__}: {error}")
        return None
    return subject


def _works(nodes: Mapping[str, Node], catalogue: Catalogue) -> dict[str, Work]:
    """Node -> what one visit of its network takes."""
    works = {}
    for node in nodes.values():
        model = catalogue.models.get(node.asks.get("model", ""))
        if node.kind == "model_call" and isinstance(model, Network):
            works[node.name] = network_work(model, node.asks.get("precision"), node.asks["inputs"])
        elif node.kind == "model_call" and "graph" in node.asks:
            key = file_key(node.asks["graph"], node.asks.get("precision"))
            if key in catalogue.works:
                works[node.name] = catalogue.works[key]
    return works


def _devices(fleet: FleetSpec, catalogue: Catalogue) -> dict[str, Device]:
    """Fleet name -> figures; what has none (a device that only profiles know, a hosted API) is left out."""
    owned = (spec for spec in fleet.devices if spec.kind != "api")
    found = {spec.name: resolve(spec, fleet.links, catalogue.find_device) for spec in owned}
    return {name: device for name, device in found.items() if isinstance(device, Device)}
