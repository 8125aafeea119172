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
    from ..ir.read.networks import SIZES, SUFFIXES, read_network, with_weights
    from ..passes.target import lower_for_target

    devices = {p["piece"].rpartition(".")[0]: p["device"] for p in plan.get("placements") or ()}
    for name, node in sorted(flat_nodes(plan["inputs"]["graph"]).items()):
        graph = node.get("graph")
        if name in devices and node["kind"] == "model" and isinstance(graph, str) and graph.endswith(SUFFIXES):
            inputs = plan["inputs"]
            kind, known = kind_of(inputs, devices[name]) or "cpu", known_device(inputs, devices[name])
            network = read_network(context.base_dir / graph, {key: node[key] for key in SIZES if key in node})
            yield name, kind, lower_for_target(with_weights(network), kind, known.id if known else None)
