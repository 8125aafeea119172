"""Makes the SPMD program of a decision: local ops on local tensors, and explicit collectives between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from ...ir import nn
from ...ir.spmd import interpret_spmd
from .decision import Decision, Way
from .localise import local_type, localise, move
from .signatures import Mesh, Signature, signatures_of
from .states import State


@dataclass(frozen=True)
class SpmdNetwork:
    """A network that all ranks of a mesh axis run together, and what each rank has of inputs and weights."""

    module: ModuleOp
    mesh: Mesh
    whole: nn.NnModule
    """the network that it was made of"""
    inputs: tuple[State, ...]
    outputs: tuple[State, ...]
    weights: Mapping[str, State]
    """name of a weight -> how it lies on the ranks"""

    def weights_of(self, rank: int) -> dict[str, np.ndarray]:
        """The values of the weights that `rank` holds."""
        return {name: part(self.whole.weights[name], state, rank, self.mesh) for name, state in self.weights.items()}

    def run(self, inputs: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """The network's outputs for its whole inputs, by the reference meaning of what the ranks do."""
        ranks = range(self.mesh.ranks)
        held = [[part(x, s, r, self.mesh) for x, s in zip(inputs, self.inputs, strict=True)] for r in ranks]
        sizes = {self.mesh.axis: self.mesh.ranks}
        got = interpret_spmd(self.module, sizes, held, [self.weights_of(r) for r in ranks])
        return tuple(joined([g[i] for g in got], state) for i, state in enumerate(self.outputs))


def part(whole: np.ndarray, state: State, rank: int, mesh: Mesh) -> np.ndarray:
    """What `rank` holds of `whole`, which is B or S."""
    return np.split(whole, mesh.ranks, axis=state.axis)[rank] if state.kind == "S" else whole


def joined(parts: Sequence[np.ndarray], state: State) -> np.ndarray:
    """The tensor that the ranks hold so."""
    if state.kind == "S":
        return np.concatenate(parts, axis=state.axis)
    if state.kind == "P":
        return {"sum": np.sum, "max": np.max, "min": np.min}[state.reduction](parts, axis=0)
    return parts[0]


def apply_decision(network: nn.NnModule, decision: Decision) -> SpmdNetwork:
    """
    The SPMD program of `network` under `decision`.

    Each tensor is moved once to each state that its users want, before the first of them. ValueError where the
    decision does not fit the network: too few ways, a way that is no signature of its op, or no way between states.
    """
    writer = _Writer(network, decision)
    body = list(nn.body_of(network.module))
    if len(body) != len(decision.ways):
        raise ValueError(f"the decision has {len(decision.ways)} ways for {len(body)} ops")
    for op, way in zip(body, decision.ways, strict=True):
        writer.write(op, way)
    end = nn.main_of(network.module).body.block.last_op
    assert end is not None
    outputs = [writer.held(v, state, end) for v, state in zip(end.operands, decision.outputs, strict=True)]
    module = nn.build_main(writer.block, outputs)
    return SpmdNetwork(module, decision.mesh, network, decision.inputs, decision.outputs, writer.weights)


class _Writer:
    """Writes the local program; knows each tensor in each state that it is in so far."""

    def __init__(self, network: nn.NnModule, decision: Decision) -> None:
        self.mesh = decision.mesh
        arguments = nn.main_of(network.module).body.block.args
        pairs = list(zip(arguments, decision.inputs, strict=True))
        self.block = Block(arg_types=[local_type(arg, state, self.mesh.ranks) for arg, state in pairs])
        self.weights: dict[str, State] = {}
        self._first: dict[str, SSAValue] = {}
        self._made: dict[SSAValue, State] = {}
        self._in: dict[tuple[SSAValue, State], SSAValue] = {}
        for (arg, state), local in zip(pairs, self.block.args, strict=True):
            local.name_hint = arg.name_hint
            self._keep(arg, state, local)

    def _keep(self, value: SSAValue, state: State, local: SSAValue) -> None:
        self._made[value] = state
        self._in[value, state] = local

    def held(self, value: SSAValue, state: State, at: Operation) -> SSAValue:
        """`value` in `state`, moved there if it is not yet."""
        value = self._first.get(value.owner.weight.data, value) if isinstance(value.owner, nn.WeightOp) else value
        if (value, state) not in self._in:
            source = self._made[value]
            ops = move(self._in[value, source], source, state, self.mesh, at)
            self.block.add_ops(ops)
            self._in[value, state] = ops[-1].results[0] if ops else self._in[value, source]
        return self._in[value, state]

    def write(self, op: Operation, way: Way) -> None:
        """The local ops of `op`, after the moves of its operands."""
        if isinstance(op, nn.WeightOp):
            self._write_weight(op, way)
            return
        signature = signature_of(op, way, self.mesh.ranks)
        operands = [self.held(o, state, op) for o, state in zip(op.operands, way.operands, strict=True)]
        ops, results = localise(op, operands, signature, self.mesh)
        self.block.add_ops(ops)
        for result, state, local in zip(op.results, way.results, results, strict=True):
            self._keep(result, state, local)

    def _write_weight(self, op: nn.WeightOp, way: Way) -> None:
        """A weight's own part; a name that stands twice is one weight."""
        name, (state,) = op.weight.data, way.results
        if not state.fits(nn.shape_of(op.result), self.mesh.ranks) or self.weights.setdefault(name, state) != state:
            raise ValueError(f"weight `{name}` cannot be {state}")
        if name not in self._first:
            local = nn.WeightOp.make(type=local_type(op.result, state, self.mesh.ranks), at=op, weight=name)
            local.result.name_hint = op.result.name_hint
            self.block.add_op(local)
            self._first[name] = op.result
            self._keep(op.result, state, local.result)


def signature_of(op: Operation, way: Way, ranks: int) -> Signature:
    """The signature of `op` with the states of `way`; ValueError where it has none."""
    for signature in signatures_of(op, ranks):
        if (signature.operands, signature.results) == (way.operands, way.results):
            return signature
    raise ValueError(f"{op.name} cannot be shared among {ranks} ranks as {way}")
