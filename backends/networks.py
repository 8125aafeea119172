"""The networks of a plan that are given as files, each lowered for the device that it was placed on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .fleet_devices import kind_of, known_device, scratchpad_bytes
from .nested import flat_nodes

if TYPE_CHECKING:
    from ..ir.nn import NnModule
    from ..passes.nn.set_precision import Reduced
    from . import EmitContext, OutputFile
    from .placed.executors import Target


@dataclass(frozen=True)
class PlacedNetwork:
    """The network of one node."""

    node: str
    target: Target
    network: NnModule
    """as its file has it"""
    reduced: Reduced
    """lowered for the target, in the precision of the node"""

    @property
    def lowered(self) -> NnModule:
        """What the target computes."""
        return self.reduced.network


def emit_networks(
    plan: Mapping[str, Any],
    context: EmitContext,
    folder: str,
    emit: Callable[[PlacedNetwork], Sequence[OutputFile]],
) -> list[OutputFile]:
    """
    What `emit` makes of each network of `plan` that has no code in `folder` yet, once for each device that it is on.

    Raises `InputError` as `placed_networks`, and for what `emit` refuses.
    """
    found: list[OutputFile] = []
    for node, device in _placed_files(plan):
        if not context.has_code(f"{folder}/{node}"):
            found += context.once((folder, node, device), lambda node=node: emit(_placed(plan, context, node)))
    return found


def placed_networks(plan: Mapping[str, Any], context: EmitContext) -> Iterator[PlacedNetwork]:
    """Every node whose `graph` is a file of a network, in order of node; nothing where the plan places nothing.

    Each file is read once, and lowered once for each device and precision. Raises `InputError` for a file that cannot
    be read; a config.json is read with seeded weights.
    """
    return (_placed(plan, context, node) for node, _ in _placed_files(plan))


def _placed_files(plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(node, its device) of those nodes."""
    from ..ir.read.networks import SUFFIXES

    devices = device_of(plan)
    for name, node in sorted(flat_nodes(plan["inputs"]["graph"]).items()):
        graph = node.get("graph")
        if name in devices and node["kind"] == "model" and isinstance(graph, str) and graph.endswith(SUFFIXES):
            yield name, devices[name]


def _placed(plan: Mapping[str, Any], context: EmitContext, name: str) -> PlacedNetwork:
    from ..ir.read.networks import SIZES

    node, target = flat_nodes(plan["inputs"]["graph"])[name], target_of(plan, name)
    sizes = {key: node[key] for key in SIZES if key in node}
    device, precision = target.device.id if target.device else None, node.get("precision")
    network = context.networks.runnable(context.base_dir / node["graph"], sizes)
    return PlacedNetwork(name, target, network, context.networks.lowered(network, target.kind, device, precision))


def target_of(plan: Mapping[str, Any], node: str) -> Target:
    """The device that `node` was placed on, as code is emitted for it."""
    from .placed.executors import Target

    name, inputs = device_of(plan)[node], plan["inputs"]
    kind = kind_of(inputs, name) or "cpu"
    return Target(name, kind, known_device(inputs, name), scratchpad_bytes(inputs, name) if kind == "npu" else None)


def device_of(plan: Mapping[str, Any]) -> dict[str, str]:
    """Node -> the device of its last piece."""
    return {p["piece"].rpartition(".")[0]: p["device"] for p in plan.get("placements") or ()}
