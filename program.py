"""The compile driver: a network becomes a plan, readable source, and something that runs here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .driver import Plan, Where, plan_files
from .ir.diagnostics import Diagnostic, InputError
from .ir.given import require

if TYPE_CHECKING:
    from .backends import EmitContext
    from .backends.placed.placement import Placement
    from .backends.placed.program import PlacedProgram
    from .backends.triton.autotune import Autotune, Tuner
    from .ir.nn import NnModule
    from .ir.read.jaxpr.signature import Signature
    from .ir.read.models import Model, Source
    from .passes.nn.precisions import Precisions


NODE = "network"
"""The name of the one node, and of the emitted network."""
HERE = "here"
"""The fleet's name of this machine's CPU."""
GFLOP_PER_S_PER_CORE = 50
"""fp32 rate of one core that a fleet for this machine states: a guess, 16 FLOP a cycle at 3 GHz"""
BANDWIDTH_GB_PER_S = 20
"""memory bandwidth that a fleet for this machine states: a guess, two channels of DDR4"""


@dataclass(frozen=True)
class Program:
    """A compiled network: call it as the function that it was, or with its inputs, in graph order or by name."""

    plan: Plan | None
    """where it was placed; None where the caller said it for each op"""
    network: PlacedProgram
    """what runs it here"""
    source: Source | None = field(default=None, repr=False)
    """the network as it was given; what was no file before goes with the program"""
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """plan.json where there is no plan: pieces, their devices, and what passes between them"""
    context: EmitContext | None = field(default=None, repr=False)
    """of the plan: the network as it was read and lowered for it"""

    def __repr__(self) -> str:
        ends = f"{', '.join(self.network.inputs)} -> {', '.join(self.network.outputs)}"
        return f"<Program {ends}; {', '.join(f'{piece} by {way}' for piece, way in self.trace)}>"

    def __call__(self, /, *inputs: Any, **named: Any) -> Any:
        """The outputs in graph order, as arrays; of a JAX function what it gives, dicts and tuples as it has them.

        InputError for inputs of another number, name, shape or kind, and for trees unlike those of the example.
        """
        if self.signature is None:
            return self.network(*inputs, **named)
        return self.signature.output(self.network(**self.signature.inputs(inputs, named)))

    @property
    def signature(self) -> Signature | None:
        """How the JAX function is called that this was made of; None of other networks."""
        return None if self.source is None else self.source.signature

    @property
    def trace(self) -> list[tuple[str, str]]:
        """(piece, what executes it here): `triton (interpreter)`, `scratchpad machine of N bytes` or `jax on cpu`.

        Where JAX runs what was placed on a GPU or an NPU, the reason is there too: the operator, and its place.
        """
        return self.network.trace

    @property
    def tiles(self) -> dict[str, Any] | None:
        """Of each piece in Triton and each launch that differs: its tile, the cost model's, and all times [ms].

        None where nothing was timed.
        """
        return self.network.tiles

    def verify(self, *inputs: Any, seed: int = 0) -> dict[str, Any]:
        """How far each piece, and the whole, is from its meaning in float64, on these inputs or on random ones.

        Inputs stand as in a call, or are one mapping by name.

        `holds` says whether all are within the tolerance of their precision; docs/numerics.md explains the rest.
        InputError for inputs that are missing, unknown, or of another shape or kind.
        """
        from .backends.inputs import bind_inputs
        from .backends.placed.verify import verify

        if inputs:
            args, named = self._given(inputs)
            inputs = tuple(bind_inputs(self.network.name, self.network.inputs, args, named).values())
        return verify(self.network, inputs, seed)

    def _given(self, inputs: Sequence[Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Inputs of the network in order and by name, for what `verify` is given."""
        named = inputs[0] if len(inputs) == 1 and isinstance(inputs[0], Mapping) else None
        if self.signature is None:
            return (inputs, {}) if named is None else ((), named)
        if named is None or not self.signature.are_names(named):
            return (), self.signature.inputs(inputs, {})
        return (), self.signature.inputs((), named)

    def save(
        self,
        folder: Where,
        force: bool = False,
        exports: Sequence[str] = (),
        verified: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write sources, weights, manifests, plan.json and `run.py` to `folder`, which appears whole or not at all.

        `run.py` runs each piece as this program does, without Dovetail. `exports` are platforms, of cpu, cuda, rocm and
        tpu, that pieces in JAX are also exported for by `jax.export`, as `<piece>.<platform>.jax_export`; what `verify`
        found is written as verify.json, and what was timed of tiles as autotune.json. InputError for a folder that is
        not ours, unless `force`, and for a platform that is none.
        """
        from .backends import OutputFile
        from .backends.writer import write_folder

        require("Program.save", folder=folder)
        files = self.network.files(exports)
        if self.tiles is not None:
            files.append(OutputFile("autotune.json", _json(self.tiles)))
        if verified is not None:
            files.append(OutputFile("verify.json", _json(verified)))
        if self.plan is not None and self.context is not None:
            return self.plan.write(folder, force, replace(self.context, code=files))
        return write_folder([OutputFile("plan.json", _json(self.document)), *files], Path(folder), force)


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def compile(
    model: Model,
    fleet: Where | None = None,
    example_inputs: Sequence[Any] = (),
    sizes: Mapping[str, int] | None = None,
    allow_python: Sequence[str] = (),
    placement: Placement | None = None,
    precision: str | Mapping[str, str] | None = None,
    autotune: bool | Autotune = False,
) -> Program:
    """The network `model`, placed on `fleet` (or this machine's CPU) and made to run here.

    `model` is a file, a JAX function or an IR module: an .onnx; a config.json of Hugging Face, which gets seeded
    weights; an .mlir with its weights beside it; a function, traced for `example_inputs`, what it closes over becoming
    weights, whose program takes and gives the dicts, lists and tuples that it does; `module:function`, which is
    imported in a process of its own if it is among `allow_python` and returns such a function and example inputs; or an
    `NnModule`. `sizes` gives numbers to its open sizes, as `{"tokens": 512}`.

    It is lowered for the kind of device it was placed on, and runs as it would there: on a GPU as Triton kernels, in
    Triton's interpreter; on a TPU as Pallas kernels, interpreted; on another NPU into whose scratchpad it fits as a
    scratchpad program, on a machine that checks every address; else in JAX, on the device that JAX prefers on this
    machine. `trace` says which, and why.

    With a `placement` nothing is planned: it is a plan of `partition --over`, as plain data, or a device for each op in
    file order, by its name in the fleet, or without one in the catalogue. The network is cut into a piece for each
    stretch of ops on one device, and values pass between pieces. With a plan of `partition --devices` all of so many
    devices share it, by JAX's sharding, on those that JAX has here.

    `precision` says what it computes in, and what its weights are kept in: `"bf16"`, `"matmul=bf16,weights=int4"`, or
    `{"default": "bf16", "norm": "fp32"}`, by kinds of ops or by the place of one. Norms, softmax and reductions stay in
    fp32 unless they are named. `verify` says what that costs in accuracy.

    With `autotune` the tiles of Triton kernels are those that run fastest on this machine's GPU, which must be of the
    type that they are for, of the eight that the cost model ranks first; an `Autotune` brings a clock of its own.
    `Program.tiles` has what was measured.

    `example_inputs`, arrays in graph order, must have the shapes that the model states.

    InputError for an argument of another kind, where examples do not, where the model cannot be read, where code cannot
    be emitted for it, and where tiles cannot be timed; Infeasible where the fleet cannot hold it.
    """
    from .ir.read.models import source_of

    given = {"fleet": fleet, "example_inputs": example_inputs, "sizes": sizes, "allow_python": allow_python}
    require("compile", **given, placement=placement, precision=precision, autotune=autotune)
    tuner = _tuner(autotune)
    wanted = None if precision is None else _precisions(precision)
    said = precision if precision is None or isinstance(precision, str) else _spelt(precision)
    source = source_of(model, example_inputs, sizes or {}, allow_python, NODE)
    if placement is None:
        shown = str(model) if isinstance(model, str | os.PathLike) else "the network"
        plan, program, context = _planned(source.path, shown, fleet, wanted, said, tuner)
        made = Program(plan, program, source, context=context)
    else:
        program, pieces = _as_placed(source.path, fleet, placement, wanted, tuner)
        made = Program(None, program, source, pieces)
    if source.signature is None:  # else they are what it was traced for
        _check_examples(made.network, example_inputs)
    return made


def _tuner(autotune: bool | Autotune) -> Tuner | None:
    """What times tiles; InputError where nothing here could."""
    if autotune is False:
        return None
    from .backends.triton.autotune import Autotune, Tuner

    return Tuner(Autotune() if autotune is True else autotune)


def _planned(
    path: Path, shown: str, fleet: Where | None, wanted: Precisions | None, said: str | None, tuner: Tuner | None
) -> tuple[Plan, PlacedProgram, EmitContext]:
    """The network in a file where the plan has it that is cheapest in the precisions `wanted`, which are `said`.

    `shown` is what its caller named, for places of errors.
    """
    from .backends import EmitContext
    from .backends.networks import placed_networks
    from .backends.placed.executors import require_formats
    from .backends.placed.program import build_whole
    from .ir.read.fleet import parse_fleet, read_fleet
    from .ir.read.graph import parse_graph

    node = {"kind": "model", "graph": path.name, **({"precision": said} if said is not None else {})}
    document = {"version": 1, "name": NODE, "nodes": {NODE: node}}
    fleet_file = parse_fleet(machine_fleet(), "this machine") if fleet is None else read_fleet(Path(fleet))
    context = EmitContext(path.parent)
    graph_file = parse_graph(document, shown, path.parent)
    plan = plan_files(graph_file, fleet_file, path.parent, networks=context.networks)
    (placed,) = placed_networks(plan.document, context)
    if wanted is not None:
        require_formats(wanted, placed.target)
    return plan, build_whole(placed.network, NODE, placed.target, placed.reduced, tuner), context


def _as_placed(
    path: Path, fleet: Where | None, placement: Placement, wanted: Precisions | None, tuner: Tuner | None
) -> tuple[PlacedProgram, Mapping[str, Any]]:
    """The network in a file where its caller has it, and plan.json of that."""
    if not (isinstance(placement, Mapping) and "decision" in placement):
        return _in_pieces(path, fleet, placement, wanted, tuner)
    if wanted is not None:
        message = "a network that devices share computes as its file says: give no precision"
        raise InputError([Diagnostic("precision", message)])
    return _shared(path, placement)


def _shared(path: Path, plan: Mapping[str, Any]) -> tuple[PlacedProgram, Mapping[str, Any]]:
    """The network in a file as the devices share it that `plan` says, and plan.json of it."""
    from .backends.placed.program import build_shared
    from .ir.read.networks import read_network, with_weights

    return build_shared(with_weights(read_network(path)), plan["decision"], NODE), plan


def _precisions(precision: str | Mapping[str, str]) -> Precisions:
    from .passes.nn.precisions import read_precisions

    return read_precisions(precision)


def _spelt(precision: Mapping[str, str]) -> str:
    """A mapping as it is written in one line."""
    return ",".join(value if key == "default" else f"{key}={value}" for key, value in precision.items())


def _require_places(wanted: Precisions | None, network: NnModule) -> None:
    from .ir.nn import body_of
    from .passes.nn.precisions import require_places

    if wanted is not None:
        require_places(wanted, body_of(network.module))


def _in_pieces(
    path: Path, fleet: Where | None, placement: Placement, wanted: Precisions | None, tuner: Tuner | None
) -> tuple[PlacedProgram, Mapping[str, Any]]:
    """The network in a file as pieces on devices that the caller names, and plan.json of it."""
    from .backends.placed.placement import placed_pieces, placement_document, target_named
    from .backends.placed.program import build_pieces
    from .ir.read.fleet import read_fleet
    from .ir.read.networks import read_network, with_weights
    from .passes.pieces.prepare import prepare

    read = read_network(path)
    prepared = prepare(read)
    network = replace(prepared, weights={**with_weights(read).weights, **prepared.weights})
    _require_places(wanted, network)
    pieces, names = placed_pieces(network, placement)
    specs = None if fleet is None else read_fleet(Path(fleet)).spec.devices
    targets = [target_named(name, specs) for name in names]
    program = build_pieces(network, pieces, targets, NODE, wanted, tuner)
    return program, placement_document(pieces, targets, program.trace)


def _check_examples(program: PlacedProgram, example_inputs: Sequence[Any]) -> None:
    import numpy as np

    for given, (name, (shape, _)) in zip(example_inputs, program.inputs.items(), strict=False):
        if np.shape(given) != shape:
            message = f"the example for input `{name}` has the shape {np.shape(given)}, the file says {shape}"
            raise InputError([Diagnostic("program-input", message)])


def machine_fleet() -> dict[str, Any]:
    """A fleet of this machine's CPU alone, as a document; rates are guesses, memory and cores are read."""
    cores = os.cpu_count() or 1
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    device = {
        "kind": "cpu",
        "cores": cores,
        "memory": f"{memory_bytes / 2**30:.6g} GiB",
        "bandwidth": f"{BANDWIDTH_GB_PER_S} GB/s",
        "flops": {"fp32": f"{cores * GFLOP_PER_S_PER_CORE} GFLOP/s"},
        "price": {"rent": "0 USD/h"},
    }
    return {"devices": {HERE: device}}
