"""The networks of a plan that are given as files, each lowered for the kind of device that it was placed on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .nested import flat_nodes

if TYPE_CHECKING:
    from ..ir.nn import NnModule
    from . import EmitContext


def placed_networks(plan: Mapping[str, Any], context: EmitContext) -> Iterator[tuple[str, str, NnModule]]:
    """(node, kind of its device, network) for every node whose `graph` is a file of a network, in order of node.

    Nothing where the plan places nothing. Raises `InputError` for a file that cannot be read; a config.json is read
    with seeded weights.
    """
    from ..ir.read.networks import SIZES, SUFFIXES, read_network, with_weights
    from ..passes.target import lower_for_target

    devices = {p["piece"].rpartition(".")[0]: p["device"] for p in plan.get("placements") or ()}
    for name, node in sorted(flat_nodes(plan["inputs"]["graph"]).items()):
        graph = node.get("graph")
        if name in devices and node["kind"] == "model" and isinstance(graph, str) and graph.endswith(SUFFIXES):
            kind, device = kind_of(plan, devices[name]), catalogue_id(plan, devices[name])
            network = read_network(context.base_dir / graph, {key: node[key] for key in SIZES if key in node})
            yield name, kind, lower_for_target(with_weights(network), kind, device)


def kind_of(plan: Mapping[str, Any], device: str) -> str:
    """`gpu`, `npu` or `cpu`: the kind of a device of the plan's fleet, by its own `kind` or its catalogue entry."""
    from ..costmodel.embedded import read_catalogue

    written = plan["inputs"]["fleet"]["devices"].get(device) or {}
    known = read_catalogue(plan["inputs"]["catalogue"]).find_device(str(written.get("model")))
    return written.get("kind") or (known.kind if known else "cpu")


def catalogue_id(plan: Mapping[str, Any], device: str) -> str | None:
    """The catalogue's id of a device of the plan's fleet; None where the fleet alone describes it."""
    from ..costmodel.hardware import entry_named

    written = plan["inputs"]["fleet"]["devices"].get(device) or {}
    found = entry_named(str(written.get("model")), plan["inputs"]["catalogue"]["devices"])
    return found[0] if found else None
