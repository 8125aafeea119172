"""Why a node runs nowhere: what it needs, and the most that a device of the fleet offers."""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.ir import Operation

from ...costmodel.hardware import Device
from ...costmodel.models import LLM
from ...costmodel.work import Work
from ...ir.agent import ModelCallOp
from ...ir.alternatives import models_of
from ...ir.diagnostics import Diagnostic, Label
from ...ir.llm import PrefillOp, node_and_part
from ...ir.source import SourceMap
from ..candidates.llm.degrees import Pins, families, pins_of, stands
from ..candidates.setting import Setting, excluded_by

GB = 1e9
LOWER = ("fp8", "int8", "fp4", "int4")


def unplaceable_diagnostic(
    setting: Setting, works: Mapping[str, Work], node: str, graph: SourceMap, fleet: SourceMap
) -> Diagnostic:
    """The error for a node that no device of the fleet can run, however many there are; `works` is of networks."""
    op = next(op for op in setting.written.values() if node_and_part(op)[0] == node)
    usable = {name: device for name, device in setting.devices.items() if setting.most_replicas(name) != 0}
    may = {name: device for name, device in usable.items() if not excluded_by(op, name)}
    which = "no device of the fleet" if len(may) == len(usable) else f"no device that `place` of `{node}` admits"
    if isinstance(op, PrefillOp):
        hosts = {name: device for name, device in may.items() if device.kind != "cpu"}
        known = [setting.llms[name] for name in models_of(op) if name in setting.llms]
        llm = min(known, key=lambda each: each.parameters, default=None)
        if hosts and llm is not None:
            return _too_large(setting, op, llm, hosts, which, graph, fleet)
    if node in works:
        too_large = _too_large_network(works[node], node, may, which, graph, fleet)
        if too_large is not None:
            return too_large
    place = ("nodes", node, "place", "on")
    span = graph.value(place) if len(may) < len(usable) and place in graph.values else graph.key(("nodes", node))
    return Diagnostic("nowhere", f"{which} can run `{node}`", (Label(span),), _help(op, may, len(may) < len(usable)))


def _help(op: Operation, may: dict[str, Device], is_placed: bool) -> str | None:
    if is_placed:
        return "name more devices under `place.on`"
    if isinstance(op, PrefillOp):
        return "language models run on GPUs, NPUs and APIs that serve them: add one"
    if isinstance(op, ModelCallOp):
        return "networks run on GPUs, NPUs and CPUs: add one with memory for it"
    if not any(device.kind == "cpu" for device in may.values()):
        return "add a CPU host: tools, lookups, stores and other small work run there"
    return None


def _too_large_network(
    work: Work, node: str, may: dict[str, Device], which: str, graph: SourceMap, fleet: SourceMap
) -> Diagnostic | None:
    """The error for a network that is larger than every device that computes in its precision, if it is that."""
    computing = {name: device for name, device in may.items() if work.runs_on(device)}
    needed = work.weight_bytes + work.activation_bytes
    name, offered = max(((n, d.memory_bytes) for n, d in computing.items()), key=lambda p: p[1], default=("", needed))
    if needed <= offered:
        return None
    sizes = f"it needs {_size(needed)}, and the largest, `{name}`, has {_size(offered)}"
    written = next((("nodes", node, key) for key in ("graph", "model") if ("nodes", node, key) in graph.values), None)
    labels = (
        Label(graph.value(written) if written else graph.key(("nodes", node))),
        Label(fleet.key(("devices", name)), "the largest", primary=False),
    )
    return Diagnostic("memory", f"{which} can hold `{node}`: {sizes}", labels)


def _size(bytes: float) -> str:
    return f"{bytes / GB:.3g} GB" if bytes < 1000 * GB else f"{bytes / GB:,.0f} GB"


def _too_large(
    setting: Setting,
    op: PrefillOp,
    llm: LLM,
    hosts: dict[str, Device],
    which: str,
    graph: SourceMap,
    fleet: SourceMap,
) -> Diagnostic:
    """The error for a language model that fits no device: what it takes, and what the largest replica offers."""
    node = op.node.data
    precision = op.precision.data if op.precision is not None else llm.precision
    asked = pins_of(op)
    name, offered = max(((n, room(setting, n, d, llm, asked)) for n, d in hosts.items()), key=lambda pair: pair[1])
    needed = llm.weight_bytes(precision)
    labels = (
        Label(graph.value(("nodes", node, "model")), f"needs {needed / GB:.3g} GB in {precision}, and its caches"),
        Label(fleet.key(("devices", name)), f"offers {offered / GB:.3g} GB, the most of all", primary=False),
    )
    smaller = next((p for p in LOWER if llm.weight_bytes(p) < 0.8 * offered), None)
    help = f"`precision: {smaller}` takes {llm.weight_bytes(smaller) / GB:.3g} GB" if smaller else None
    return Diagnostic("memory", f"{which} can hold `{node}`", labels, help)


def room(setting: Setting, name: str, device: Device, llm: LLM, pins: Pins) -> float:
    """Memory of the largest replica that a device's chassis, links and count allow [bytes]."""
    cuts = (cut for family in families(llm, pins) for cut in family if stands(device, cut))
    fitting = (cut.devices for cut in cuts if setting.most_replicas(name, cut.devices) != 0)
    return device.memory_bytes * max(fitting, default=1)
