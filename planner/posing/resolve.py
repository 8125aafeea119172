"""What names in the graph and the fleet stand for: devices and models of the catalogue, and networks in files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from xdsl.dialects.builtin import DictionaryAttr, FloatAttr

from ...costmodel.hardware import Device, Unresolved, find_device, resolve
from ...costmodel.interruptions import interruptions_per_hour
from ...costmodel.models import LLM, find_model, load_models, read_hf_config
from ...costmodel.networks import Network
from ...costmodel.serving import missing_target
from ...costmodel.tco import money
from ...costmodel.work import Work, file_key, network_work
from ...ir.adapters import adapter_of, served_name
from ...ir.agent import GraphOp, LLMCallOp, ModelCallOp, NodeOp
from ...ir.alternatives import models_of
from ...ir.diagnostics import Diagnostics, InputError, Label, did_you_mean
from ...ir.fleet import DeviceSpec, FleetSpec
from ...ir.source import Path as DocumentPath
from ...ir.source import SourceMap
from ...passes.networks import Networks
from ..candidates.llm.degrees import cut_fault, pins_of


@dataclass(frozen=True)
class Resolved:
    """The meanings of a graph's and a fleet's names."""

    devices: Mapping[str, Device]
    """Fleet name -> device; hosted APIs and devices that only profiles speak of are absent."""
    models: Mapping[str, LLM | Network]
    """By the name in the graph; models that only profiles and APIs know are absent."""
    works: Mapping[str, Work]
    """Node -> what one visit of a `model` node takes."""
    files: Mapping[str, Work]
    """Path in the graph, with the precision asked for -> work of the network in that file."""

    @property
    def llms(self) -> dict[str, LLM]:
        """The language models among `models`."""
        return {name: model for name, model in self.models.items() if isinstance(model, LLM)}


@dataclass(frozen=True)
class Asked:
    """The graph and the fleet as they were read, with the places of their keys for faults."""

    graph: GraphOp
    """before the lowering of LLM calls"""
    fleet: FleetSpec
    graph_places: SourceMap
    fleet_places: SourceMap
    base_dir: Path
    """folder that paths in the graph are relative to"""
    networks: Networks = field(default_factory=Networks)
    """those in files, for who emits them too"""

    @property
    def is_sized(self) -> bool:
        """Whether there is a rate, so that devices are counted and paid for."""
        return "rate" in self.graph.workload.data

    def profiled(self, op: NodeOp) -> frozenset[str]:
        """Devices that the node's own profile or the graph's speaks of."""
        profiles = [owner.attributes.get("profile") for owner in (op, self.graph)]
        return frozenset(name for profile in profiles if isinstance(profile, DictionaryAttr) for name in profile.data)


def resolve_names(asked: Asked) -> Resolved:
    """Look up every device, model and file; InputError with all that are not to be had."""
    faults = Diagnostics()
    nodes = [op for op in asked.graph.nodes if isinstance(op, NodeOp)]
    devices = dict(_devices(asked, nodes, faults))
    models: dict[str, LLM | Network] = {}
    works: dict[str, Work] = {}
    files: dict[str, Work] = {}
    for op in nodes:
        if isinstance(op, LLMCallOp):
            for name, path in _named(op):
                model = _language_model(asked, op, name, path, faults)
                if model is not None:
                    models[name] = model
                    _check_adapter(asked, op, model, faults)
        elif isinstance(op, ModelCallOp) and not asked.profiled(op):
            work = _network(asked, op, {device.kind for device in devices.values()}, models, files, faults)
            if work is not None:
                works[op.sym_name.data] = work
                _check_needs(asked, op, work, devices.values(), faults)
    faults.raise_if_errors()
    return Resolved(devices, models, works, files)


def _devices(asked: Asked, nodes: list[NodeOp], faults: Diagnostics) -> Iterator[tuple[str, Device]]:
    profiled = frozenset().union(*(asked.profiled(op) for op in nodes))
    for spec in asked.fleet.devices:
        if spec.kind == "api" or (spec.name in profiled and _is_bare(spec)):
            continue
        found = resolve(spec, asked.fleet.links, find_device)
        if isinstance(found, Unresolved):
            _report(found, asked.fleet_places, faults)
            continue
        if _sells_no_chassis(spec, found):
            message = f"a chassis of `{spec.name}` holds {found.chassis}, and `count` allows {spec.max_count}"
            help = f"allow at least {found.chassis}, or leave out `sold_by: chassis`"
            faults.error("chassis", message, asked.fleet_places.value(("devices", spec.name, "count")), help=help)
        if (asked.is_sized or spec.price.is_spot) and spec.max_count != spec.owned and money(spec.price, found) is None:
            message = f"`{spec.name}` has no price, and the catalogue knows none for it"
            if spec.price.is_spot:
                message = f"the catalogue knows no spot price of `{spec.model}`"
            help = "give one: `price: {rent: 1.50 USD/h}` or `price: {capex: 9000 USD}`"
            faults.error("price", message, asked.fleet_places.key(("devices", spec.name)), help=help)
        if interruptions_per_hour(spec, found) is None:
            message = f"the catalogue does not know how often a `{spec.model}` is taken back"
            help = "say it: `price: {rent: spot, interruptions: 0.05 per hour}`"
            faults.error("price", message, asked.fleet_places.value(("devices", spec.name, "price")), help=help)
        yield spec.name, found


def _is_bare(spec: DeviceSpec) -> bool:
    """Whether the fleet says nothing of what the device is: a profile does."""
    return spec.model is None and spec.kind is None and not spec.flops_per_s


def _sells_no_chassis(spec: DeviceSpec, device: Device) -> bool:
    """Whether devices are sold by the chassis and the count allows none beyond those owned."""
    most = spec.max_count
    return spec.sold_by_chassis and most is not None and spec.owned < most < device.chassis


def _report(fault: Unresolved, places: SourceMap, faults: Diagnostics) -> None:
    path = ("devices", fault.device) if fault.key is None else ("devices", fault.device, fault.key)
    span = places.key(path) if fault.key is None else places.value(path)
    faults.error(fault.id, fault.message, span, help=fault.help)


def _named(op: LLMCallOp) -> Iterator[tuple[str, DocumentPath]]:
    """The models that an `llm` node names, each with where it is written."""
    path: DocumentPath = ("nodes", op.sym_name.data, "model")
    names = models_of(op)
    yield from ((name, (*path, number) if len(names) > 1 else path) for number, name in enumerate(names))


def _check_adapter(asked: Asked, op: LLMCallOp, model: LLM, faults: Diagnostics) -> None:
    """Note a projection that an adapter is to update and the model does not have."""
    adapter = adapter_of(op)
    missing = missing_target(model, adapter.targets) if adapter is not None else None
    if missing is not None:
        message = f"`{model.id}` has no `{missing}` that an adapter could update"
        help = "adapters are known of attention and of networks that every token passes: name others as `targets`"
        span = asked.graph_places.value(("nodes", op.sym_name.data, "adapter"))
        faults.error("adapter", message, span, help=help)


def _language_model(asked: Asked, op: LLMCallOp, name: str, path: DocumentPath, faults: Diagnostics) -> LLM | None:
    """A model of an `llm` node; None where a profile or a hosted API speaks for it, or with a fault noted."""
    span = asked.graph_places.value(path)
    if name.endswith(".json"):
        try:
            return read_hf_config(asked.base_dir / name, id=Path(name).stem)
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else error
            faults.error("model", f"cannot use the config `{name}`: {reason}", span)
            return None
    model = find_model(name)
    if isinstance(model, LLM):
        fault = None if asked.profiled(op) else cut_fault(model, pins_of(op))
        if fault is not None:
            key, message = fault
            faults.error(
                "parallel",
                message,
                asked.graph_places.value(("nodes", op.sym_name.data, "parallel", key)),
                help="leave out what the planner may choose",
            )
        return model
    if asked.profiled(op) or any(served_name(op, name) in spec.api_models for spec in asked.fleet.devices):
        return None
    if model is None:
        known = (id for id, each in load_models().items() if isinstance(each, LLM))
        help = did_you_mean(name, known) or "`dovetail models` lists the models; a path to a config.json works too"
        faults.error("unknown-model", f"`{name}` is no model of the catalogue", span, help=help)
    else:
        faults.error("model", f"`{name}` is no language model", span, help="use it in a node of kind `model`")
    return None


def _network(
    asked: Asked,
    op: ModelCallOp,
    kinds: Iterable[str],
    models: dict[str, LLM | Network],
    files: dict[str, Work],
    faults: Diagnostics,
) -> Work | None:
    """The work of a `model` node on `kinds` of devices, of the catalogue or in a file; None with a fault noted."""
    node = op.sym_name.data
    if op.graph is not None:
        return _network_in_file(asked, op, kinds, files, faults)
    assert op.model is not None
    name, span = op.model.data, asked.graph_places.value(("nodes", node, "model"))
    network = find_model(name)
    if not isinstance(network, Network):
        known = (id for id, each in load_models().items() if isinstance(each, Network))
        message = f"`{name}` is no {'model' if network is None else 'network that runs once per visit'}"
        help = did_you_mean(name, known) or "`dovetail models` lists the models; `graph: file.onnx` works too"
        faults.error("unknown-model", f"{message} of the catalogue", span, help=help)
        return None
    models[name] = network
    precision = op.precision.data if op.precision else None
    try:
        return network_work(network, precision, _sizes(op))
    except ValueError as error:
        faults.error("model", f"`{node}`: {error}", asked.graph_places.key(("nodes", node)))
        return None


def _network_in_file(
    asked: Asked, op: ModelCallOp, kinds: Iterable[str], files: dict[str, Work], faults: Diagnostics
) -> Work | None:
    """The work of a node whose `graph` is a file; None with faults noted."""
    assert op.graph is not None
    node, path = op.sym_name.data, op.graph.data
    precision = op.precision.data if op.precision else None
    key = file_key(path, precision)
    if key in files and not path.endswith(".json"):
        return files[key]
    try:
        alone = len(asked.fleet.devices) == 1
        work = file_work(asked.base_dir / path, key, _sizes(op), kinds, precision, asked.networks, alone)
    except InputError as error:
        labels = (Label(asked.graph_places.value(("nodes", node, "precision"))),) if precision else ()
        faults.found.extend(replace(d, labels=labels) if d.id == "precision" else d for d in error.diagnostics)
        return None
    if files.setdefault(key, work) != work:
        message = f"`{path}` at several sizes in one graph is not supported yet"
        span = asked.graph_places.value(("nodes", node, "graph"))
        faults.error("unsupported", message, span, help="copy the file, and name the copy here")
    return work


def _check_needs(asked: Asked, op: ModelCallOp, work: Work, devices: Iterable[Device], faults: Diagnostics) -> None:
    """A fault for each precision that a network needs and no device has."""
    node = op.sym_name.data
    for each in work.needs:
        if not any(device.flops_per_s.get(each) for device in devices):
            span = asked.graph_places.value(("nodes", node, "precision"))
            message = f"`{node}` asks for {each}, which no device of the fleet has"
            faults.error("precision", message, span, help="weights in int8 are kept on every device")


def _sizes(op: ModelCallOp) -> dict[str, float]:
    return {key: value.value.data for key, value in op.inputs.data.items() if isinstance(value, FloatAttr)}


def file_work(
    path: Path, key: str, sizes: Mapping[str, float], kinds: Iterable[str] = (), precision: str | None = None,
    networks: Networks | None = None, alone: bool = False,
) -> Work:  # fmt: skip
    """
    The work of the network in a file, as written and after the passes for each of `kinds` of devices, at `precision`
    (as of `dovetail compile --precision`) or its own.

    Memory is that of the network as it was written, which the passes never raise. `networks` holds what was read, and
    of a network that has one device `alone` to run on what was lowered: of others that takes their weights in memory
    for each kind. InputError where it cannot be read, and for a precision that is none.
    """
    from ...costmodel.tensor_graph import activation_bytes, computed_in, total, weight_bytes
    from ...costmodel.tensor_graph import precision as precision_of
    from ...ir import nn
    from ...passes.nn.precisions import read_precisions, require_places
    from ...passes.target import at_precision, lower_at_precision

    networks = networks or Networks()
    network = networks.read(path, sizes)
    written, computes, needs, wanted = network, precision_of(network), (), None
    if precision is not None:
        wanted = read_precisions(precision)
        require_places(wanted, nn.body_of(network.module))
        written = at_precision(network, wanted, by_type=True).network
        computes, needs = computed_in(written), ("fp8",) if "fp8" in wanted.formats else ()

    def lowered_for(kind: str) -> nn.NnModule:
        if alone and wanted is None:
            return networks.lowered(network, kind).network
        return lower_at_precision(network, kind, None, wanted, by_type=True).network

    lowered = {kind: ((total(lowered_for(kind)), 1.0),) for kind in sorted(kinds)}
    held = (weight_bytes(written), activation_bytes(written))
    return Work(key, computes, *held, ((total(written), 1.0),), lowered, needs)
