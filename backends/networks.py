"""The networks of a plan that are given as files, each lowered for the kind of device that it was placed on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .fleet_devices import kind_of, known_device
from .nested import flat_nodes

if TYPE_CHECKING:
    from ..ir.nn import NnModule
    from . import EmitContext


def placed_networks(plan: Mapping[str, Any], context: EmitContext) -> Iterator[tuple[str, str, NnModule]]:
    """(node, kind of its device, network) for every node whose `graph` is a file of a network, in order of node.

    Nothing where the plan places nothing. Raises `InputError` for a file that cannot be read; a config.json is read
    with seeded weights.
    """
    from ..passes.nn.precisions import read_precisions
    from ..passes.target import lower_at_precision

    nodes = flat_nodes(plan["inputs"]["graph"])
    for name, kind, network in read_placed(plan, context):
        known, precision = known_device(plan["inputs"], device_of(plan)[name]), nodes[name].get("precision")
        wanted = None if precision is None else read_precisions(precision)
        yield name, kind, lower_at_precision(network, kind, known.id if known else None, wanted).network


def read_placed(plan: Mapping[str, Any], context: EmitContext) -> Iterator[tuple[str, str, NnModule]]:
    """As `placed_networks`, of networks as their files have them."""
    from ..ir.read.networks import SIZES, SUFFIXES, read_network, with_weights

    devices = device_of(plan)
    for name, node in sorted(flat_nodes(plan["inputs"]["graph"]).items()):
        graph = node.get("graph")
        if name in devices and node["kind"] == "model" and isinstance(graph, str) and graph.endswith(SUFFIXES):
            kind = kind_of(plan["inputs"], devices[name]) or "cpu"
            network = read_network(context.base_dir / graph, {key: node[key] for key in SIZES if key in node})
            yield name, kind, with_weights(network)


def device_of(plan: Mapping[str, Any]) -> dict[str, str]:
    """Node -> the device of its last piece."""
    return {p["piece"].rpartition(".")[0]: p["device"] for p in plan.get("placements") or ()}
