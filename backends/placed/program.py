"""A network in pieces as one callable: each piece takes values by name, and gives others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from xdsl.dialects.func import CallOp, ReturnOp
from xdsl.ir import SSAValue

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ...passes.nn.precisions import Precisions
from ...passes.nn.set_precision import Reduced
from ...passes.pieces.emit import Pieces, piece_module
from ...passes.target import lower_at_precision
from .. import OutputFile
from ..dtypes import dtype_of, require_types
from ..inputs import Ends, bind_inputs
from .equal_pieces import EqualPieces
from .executors import Executor, Target, executor_for, require_formats

if TYPE_CHECKING:
    from ..triton.autotune import Tuner
    from ..triton.interpreter import Interpreter

Means = tuple[Callable[[], "Interpreter"], "Tuner | None"]
"""what interprets Triton kernels here, and what times their tiles"""
Ties = tuple[tuple[str, ...], tuple[str, ...]]
"""the values that a piece takes, and those that it gives"""


@dataclass(frozen=True)
class Step:
    """One piece at work."""

    name: str
    executor: Executor
    takes: tuple[str, ...]
    """the values that it is given, in order"""
    gives: tuple[str, ...]
    target: Target
    network: nn.NnModule
    """what it is to compute: the piece before it was lowered"""
    lowered: Reduced
    """what it does compute, in the precisions that were asked for"""


@dataclass(frozen=True)
class PlacedProgram:
    """A network, ready to run; its steps stand in an order in which they can run."""

    name: str
    steps: tuple[Step, ...]
    inputs: Ends
    outputs: Mapping[str, str]
    """the value of each output, in graph order"""
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    """values that are weights as they are"""

    @property
    def trace(self) -> list[tuple[str, str]]:
        """(piece, what executes it here, and why not its device's own executor if so)."""
        return [(f"{step.name}.run", step.executor.trace) for step in self.steps]

    @property
    def notes(self) -> tuple[Diagnostic, ...]:
        """A warning for each piece whose device's own executor leaves it, or some of its operators, to JAX."""
        return tuple(step.executor.note for step in self.steps if step.executor.note)

    @property
    def tiles(self) -> dict[str, Any] | None:
        """The pieces whose tiles were measured, and for each of their launches what was; None without any."""
        pieces = [
            {"piece": step.name, "device": step.target.name, "launches": list(step.executor.tiles)}
            for step in self.steps
            if step.executor.tiles is not None
        ]
        return {"format": 1, "pieces": pieces} if pieces else None

    def __call__(self, /, *args: Any, **named: Any) -> tuple[np.ndarray, ...]:
        """The outputs in graph order; InputError for inputs that are missing, unknown, or of another shape or kind."""
        values: dict[str, np.ndarray] = {**self.constants, **bind_inputs(self.name, self.inputs, args, named)}
        for step in self.steps:
            made = step.executor.run(*(values[name] for name in step.takes))
            values.update(zip(step.gives, made, strict=True))
        return tuple(values[value] for value in self.outputs.values())

    def files(self, exports: Sequence[str] = ()) -> list[OutputFile]:
        """
        A folder for each piece, `triton/<piece>/`, `pallas/..`, `scratchpad/..` or `jax/..`, and `run.py`.

        Pieces that differ in their weights alone are in the folder of the first, each with a file of weights.

        `exports` are platforms that pieces in JAX are exported for; InputError where there is none of either.
        """
        from .script import script

        pieces = {file.path: file for step in self.steps for file in step.executor.files(step.executor.folder)}
        return [*pieces.values(), *self._exported(exports), *script(self)]

    def _exported(self, platforms: Sequence[str]) -> list[OutputFile]:
        from ..jax.export import checked_platforms, exported_files
        from ..jax.program import JaxProgram

        platforms = checked_platforms(platforms)
        executors = [step.executor for step in self.steps]
        found = {each.folder: each.run for each in executors if isinstance(each.run, JaxProgram)}
        if platforms and not found:
            raise InputError([Diagnostic("export", f"no piece of `{self.name}` runs in JAX, so nothing is exported")])
        return [file for folder, run in found.items() for file in exported_files(run, folder, platforms)]


def build_whole(
    network: nn.NnModule, name: str, target: Target, lowered: Reduced | None = None, tuner: Tuner | None = None
) -> PlacedProgram:
    """The program of `network`, in one piece, `lowered` for `target`, or else lowered here as the file has it.

    InputError as for `executor_for`, and for a target that `tuner` refuses.
    """
    if tuner is not None:
        tuner.require(target)
    values = {output: _value(f"{name}.{i}", network) for i, output in enumerate(network.output_names)}
    lowered = lowered or _lowered(network, target)
    ends = (network.input_names, tuple(values.values()))
    step = _step(network, lowered, name, target, (_interpreter, tuner), ends)
    return PlacedProgram(name, (step,), ends_of(network), values)


def build_shared(network: nn.NnModule, decision: Mapping[str, Any], name: str) -> PlacedProgram:
    """
    The program of `network` shared among devices as the `decision` of `dovetail partition --devices` says.

    Raises `InputError` for a decision that does not fit it, where JAX code cannot be emitted, and for too few devices.
    """
    from ...passes.shard.apply import apply_decision
    from ...passes.shard.decision import read_decision
    from ..jax.program import build_sharded

    try:
        shared = apply_decision(network, read_decision(decision))
    except (ValueError, KeyError, TypeError) as error:
        help = "`dovetail partition MODEL --devices N --device NAME --json` writes one"
        message = f"the decision does not fit the network: {error}"
        raise InputError([Diagnostic("decision", message, help=help)]) from error
    built = build_sharded(shared, name)
    executor = Executor("jax", built, built.source.weights_file, devices=built.devices)
    values = {output: _value(f"{name}.{i}", network) for i, output in enumerate(network.output_names)}
    here = Target("these devices", "cpu", None)
    step = Step(name, executor, network.input_names, tuple(values.values()), here, network, Reduced(network))
    return PlacedProgram(name, (step,), ends_of(network), values)


def build_pieces(
    network: nn.NnModule, pieces: Pieces, targets: Sequence[Target], name: str, wanted: Precisions | None = None,
    tuner: Tuner | None = None,
) -> PlacedProgram:  # fmt: skip
    """
    The program of a network cut into `pieces`, each of which is lowered for the kind of its own target.

    Raises `InputError` where code cannot be emitted for a piece, and for a target that `tuner` refuses.
    """
    if tuner is not None:
        for target in targets:
            tuner.require(target)
    require_types(network)
    means, equal = (cache(_interpreter), tuner), EqualPieces()
    target_of = dict(zip(pieces.names, targets, strict=True))
    main = nn.main_of(pieces.module).body.block
    known: dict[SSAValue, str] = dict(zip(main.args, network.input_names, strict=True))
    steps, outputs, constants = list[Step](), dict[str, str](), dict[str, np.ndarray]()
    for op in main.ops:
        match op:
            case CallOp():
                piece = op.callee.string_value()
                takes = tuple(known[o] for o in op.operands)
                gives = tuple(_value(f"{piece}.{i}", network) for i in range(len(op.results)))
                known.update(zip(op.results, gives, strict=True))
                target, ends = target_of[piece], (takes, gives)

                def build(alone: nn.NnModule, name: str, target: Target = target, ends: Ties = ends) -> Step:
                    return _step(alone, _lowered(alone, target, wanted), name, target, means, ends)

                steps.append(equal.step(_piece(network, pieces, piece), piece, target, build))
            case nn.TransferOp():
                known[op.result] = known[op.operands[0]]
            case nn.WeightOp():
                known[op.result] = _value(f"weight.{op.weight.data}", network)
                constants[known[op.result]] = np.asarray(network.weights[op.weight.data])
            case ReturnOp():
                outputs = dict(zip(network.output_names, (known[o] for o in op.operands), strict=True))
    return PlacedProgram(name, tuple(steps), ends_of(network), outputs, constants)


def _value(name: str, network: nn.NnModule) -> str:
    """The name of a value that is no input of `network`: `name`, unless an input is called so."""
    return _value(f"{name}_", network) if name in network.input_names else name


def ends_of(network: nn.NnModule) -> Ends:
    """Shape and dtype of the inputs of `network` by name."""
    args = nn.main_of(network.module).args
    return {
        name: (nn.shape_of(arg), dtype_of(nn.tensor_type(arg)))
        for name, arg in zip(network.input_names, args, strict=True)
    }


def _lowered(network: nn.NnModule, target: Target, wanted: Precisions | None = None) -> Reduced:
    """`network` for `target`, in the precisions `wanted`; InputError for those that the device has not."""
    if wanted is not None:
        require_formats(wanted, target)
    return lower_at_precision(network, target.kind, target.device.id if target.device else None, wanted)


def _step(network: nn.NnModule, lowered: Reduced, name: str, target: Target, means: Means, ends: Ties) -> Step:
    return Step(name, executor_for(lowered.network, name, target, *means), *ends, target, network, lowered)


def _piece(network: nn.NnModule, pieces: Pieces, name: str) -> nn.NnModule:
    """The piece `name` as a network of its own."""
    module = piece_module(pieces, name)
    main = nn.main_of(module)
    used = {op.weight.data for op in nn.body_of(module) if isinstance(op, nn.WeightOp)}
    weights = {key: value for key, value in network.weights.items() if key in used}
    given = tuple(f"x{i}" for i in range(len(main.args)))
    made = tuple(f"y{i}" for i in range(len(main.function_type.outputs)))
    return nn.NnModule(module, weights, given, made)


def _interpreter() -> Interpreter:
    from ..triton.interpreter import Interpreter

    return Interpreter()
