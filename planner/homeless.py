"""Why a node runs nowhere: what it needs, and the most that a device of the fleet offers."""

from __future__ import annotations

from ..costmodel import serving
from ..costmodel.hardware import Device
from ..costmodel.models import LLM
from ..ir.diagnostics import Diagnostic, Label
from ..ir.llm import PrefillOp
from ..ir.source import SourceMap
from .candidates.llm import DEGREES
from .candidates.setting import Setting, allowed

GB = 1e9
LOWER = ("fp8", "int8", "fp4", "int4")


def homeless_diagnostic(setting: Setting, node: str, graph: SourceMap, fleet: SourceMap) -> Diagnostic:
    """The error for a node that no device of the fleet can run, however many there are."""
    op = setting.nodes.get(f"{node}.prefill")
    span = graph.key(("nodes", node))
    usable = {name: device for name, device in setting.devices.items() if setting.most_replicas(name) != 0}
    if not isinstance(op, PrefillOp):
        return Diagnostic("nowhere", f"no device of the fleet can run `{node}`", (Label(span),), _kind_help(usable))
    hosts = {name: d for name, d in usable.items() if d.kind != "cpu" and allowed(op, name)}
    llm = setting.llms.get(op.model.data)
    if not hosts or llm is None:
        message = f"no device of the fleet can run `{node}`: it has no GPU and no NPU that may"
        help = "add a GPU, an NPU, or an API that serves the model"
        return Diagnostic("nowhere", message, (Label(span),), help)
    precision = op.precision.data if op.precision is not None else llm.precision
    asked = op.tp.value.data if op.tp is not None else None
    name, offered = max(((n, room(setting, n, d, llm, asked)) for n, d in hosts.items()), key=lambda pair: pair[1])
    needed = llm.weight_bytes(precision)
    labels = (
        Label(graph.value(("nodes", node, "model")), f"needs {needed / GB:.3g} GB in {precision}, and its caches"),
        Label(fleet.key(("devices", name)), f"offers {offered / GB:.3g} GB, the most of all", primary=False),
    )
    smaller = next((p for p in LOWER if llm.weight_bytes(p) < 0.8 * offered), None)
    help = f"`precision: {smaller}` takes {llm.weight_bytes(smaller) / GB:.3g} GB" if smaller else None
    return Diagnostic("memory", f"no device of the fleet can hold `{node}`", labels, help)


def room(setting: Setting, name: str, device: Device, llm: LLM, tp: int | None) -> float:
    """Memory of the largest replica that a device's chassis and count allow [bytes]."""
    most = setting.most_replicas(name)
    degrees = [
        degree
        for degree in ([tp] if tp else DEGREES)
        if degree <= device.chassis
        and (most is None or degree <= most)
        and serving.fits_shape(llm, serving.Parallel(degree, 1))
    ]
    return device.memory_bytes * max(degrees, default=1)


def _kind_help(usable: dict[str, Device]) -> str | None:
    if not any(device.kind == "cpu" for device in usable.values()):
        return "add a CPU host: tools, lookups, stores and other small work run there"
    return None
