"""Poses the partition of a network: the ways of its ops, priced on a device, and what is in memory when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.func import ReturnOp
from xdsl.ir import Block, BlockArgument, Operation, SSAValue

from ...costmodel.hardware import Device
from ...costmodel.rules import tensor_bytes
from ...costmodel.spmd import total_s
from ...ir import nn
from ...passes.shard.decision import Decision
from ...passes.shard.decision import Way as Shared
from ...passes.shard.localise import can_move, local_type, localise, move
from ...passes.shard.repeats import repeated, tokens_of
from ...passes.shard.signatures import Mesh, Signature, signatures_of
from ...passes.shard.states import WHOLE, State, split
from .moments import moments
from .problem import PartitionProblem, Step, Tensor, Way


@dataclass(frozen=True)
class Posed:
    """A problem, and which of its steps each part of the network is."""

    problem: PartitionProblem
    mesh: Mesh
    inputs: tuple[int, ...]
    ops: tuple[int, ...]
    outputs: tuple[int, ...]

    def decision(self, ways: Sequence[int]) -> Decision:
        """What the ways of the steps say for each op of the network."""

        def way(step: int) -> Shared:
            chosen = self.problem.steps[step].ways[ways[step]]
            return Shared(tuple(map(State.read, chosen.operands)), tuple(map(State.read, chosen.results)))

        return Decision(
            self.mesh,
            tuple(way(i).results[0] for i in self.inputs),
            tuple(way(i) for i in self.ops),
            tuple(way(i).operands[0] for i in self.outputs),
        )


@dataclass(frozen=True)
class Ends:
    """The states that each input and each output may lie in."""

    inputs: tuple[tuple[State, ...], ...]
    outputs: tuple[tuple[State, ...], ...]


def free_ends(network: nn.NnModule, ranks: int) -> Ends:
    """The first input and output whole, the others (caches, masks) whole or split, whichever suits."""
    block = nn.main_of(network.module).body.block
    assert block.last_op is not None

    def states(values: Sequence[SSAValue]) -> tuple[tuple[State, ...], ...]:
        return tuple((WHOLE,) if not i else whole_or_split(value, ranks) for i, value in enumerate(values))

    return Ends(states(block.args), states(block.last_op.operands))


def whole_or_split(value: SSAValue, ranks: int) -> tuple[State, ...]:
    """B, and S of each axis that the ranks divide."""
    shape = nn.shape_of(value)
    return (WHOLE, *(s for s in map(split, range(len(shape))) if s.fits(shape, ranks)))


def pose(
    network: nn.NnModule,
    mesh: Mesh,
    device: Device,
    memory_bytes: float | None = None,
    ends: Ends | None = None,
    fold: bool = True,
) -> Posed:
    """
    The problem of sharing `network` among the ranks of `mesh`, each one `device`.

    `ends` says in which states inputs and outputs may lie, whole unless given. With `fold`, layers that are alike
    are decided alike. VerifyException where a size is open, NoCostRule where an op cannot be priced.
    """
    block = nn.main_of(network.module).body.block
    body = list(nn.body_of(network.module))
    steps = _Steps(mesh, device)
    classes = _classes(body, fold)
    end = block.last_op
    assert isinstance(end, ReturnOp)
    ends = ends or Ends(((WHOLE,),) * len(block.args), ((WHOLE,),) * len(end.operands))
    inputs = tuple(
        steps.add(f"input {i}", ("input", i), [Way((), (str(s),), 0.0) for s in states])
        for i, states in enumerate(ends.inputs)
    )
    ops = tuple(steps.add_op(op, key) for op, key in zip(body, classes, strict=True))
    steps.count_weights_once(body, ops)
    outputs = tuple(
        steps.add(f"output {i}", ("output", i), [Way((str(s),), (), 0.0) for s in states])
        for i, states in enumerate(ends.outputs)
    )
    groups = _groups(block.args, body, inputs, dict(zip(body, ops, strict=True)), outputs)
    tensors = tuple(steps.tensor(values, producer, users) for (producer, users), values in groups.items())
    index = {value: t for t, values in enumerate(groups.values()) for value in values}
    problem = PartitionProblem(
        mesh.ranks,
        tuple(steps.finished()),
        tensors,
        moments(block, index, _later_names(body)),
        device.memory_bytes if memory_bytes is None else memory_bytes,
    )
    return Posed(problem, mesh, inputs, ops, outputs)


class _Steps:
    """Collects the steps; prices ways and moves once for each kind."""

    def __init__(self, mesh: Mesh, device: Device) -> None:
        self.mesh, self.device = mesh, device
        self._index: dict[object, int] = {}
        self._names: list[str] = []
        self._ways: list[tuple[Way, ...]] = []
        self._counts: list[int] = []
        self._moves: dict[tuple[nn.Tensor, State, State], float] = {}

    def add(self, name: str, key: object, ways: Iterable[Way]) -> int:
        """The step `key`, once more."""
        if key not in self._index:
            self._index[key] = len(self._names)
            self._names.append(name)
            self._ways.append(tuple(ways))
            self._counts.append(0)
        self._counts[self._index[key]] += 1
        return self._index[key]

    def add_op(self, op: Operation, key: object) -> int:
        """The step of `op`, whose ways are those of its signatures; a weight may lie whole or split."""
        if key in self._index:
            self._counts[self._index[key]] += 1
            return self._index[key]
        if isinstance(op, nn.WeightOp):
            states = whole_or_split(op.result, self.mesh.ranks)
            return self.add(f"weight {op.weight.data}", key, [Way((), (str(s),), 0.0) for s in states])
        place = f"{len(self._names)} {op.name.removeprefix('nn.')}"
        return self.add(place, key, [self._way(op, s) for s in signatures_of(op, self.mesh.ranks)])

    def count_weights_once(self, body: Sequence[Operation], ops: Sequence[int]) -> None:
        """A weight that is named twice is one."""
        names: set[str] = set()
        for op, step in zip(body, ops, strict=True):
            if isinstance(op, nn.WeightOp):
                self._counts[step] -= op.weight.data in names
                names.add(op.weight.data)

    def _way(self, op: Operation, signature: Signature) -> Way:
        types = [local_type(o, s, self.mesh.ranks) for o, s in zip(op.operands, signature.operands, strict=True)]
        stand_ins = dict(zip(op.operands, Block(arg_types=types).args, strict=True))
        same = all(stand_ins[o].type == t for o, t in zip(op.operands, types, strict=True))
        operands = [stand_ins[o] for o in op.operands] if same else list(Block(arg_types=types).args)
        ops, _ = localise(op, operands, signature, self.mesh)
        seconds = total_s(ops, self.device)
        _drop(ops)
        return Way(tuple(map(str, signature.operands)), tuple(map(str, signature.results)), seconds)

    def tensor(
        self, values: Sequence[SSAValue], producer: tuple[int, int], users: tuple[tuple[int, int], ...]
    ) -> Tensor:
        """The tensor that all of `values` are, with the moves that its users may ask for."""
        value = values[0]
        made = {State.read(way.results[producer[1]]) for way in self._ways[producer[0]]}
        taken = {State.read(way.operands[operand]) for step, operand in users for way in self._ways[step]}
        size = tensor_bytes(value)
        return Tensor(
            f"{self._names[producer[0]]}.{producer[1]}",
            len(values),
            producer,
            users,
            {str(s): size / (self.mesh.ranks if s.kind == "S" else 1) for s in sorted(made | taken)},
            {
                (str(a), str(b)): self._move_s(value, a, b)
                for a in sorted(made)
                for b in sorted(taken)
                if can_move(a, b, value)
            },
        )

    def _move_s(self, value: SSAValue, source: State, target: State) -> float:
        key = (nn.tensor_type(value), source, target)
        if key not in self._moves:
            local = Block(arg_types=[local_type(value, source, self.mesh.ranks)]).args[0]
            ops = move(local, source, target, self.mesh)
            self._moves[key] = total_s(ops, self.device)
            _drop(ops)
        return self._moves[key]

    def finished(self) -> Iterable[Step]:
        """All steps with their counts."""
        return (Step(*step) for step in zip(self._names, self._counts, self._ways, strict=True))


def _drop(ops: Sequence[Operation]) -> None:
    """Forget ops that were made to be priced."""
    for op in reversed(ops):
        op.drop_all_references()


def _classes(body: Sequence[Operation], fold: bool) -> list[object]:
    """A key for each op: ops of equal keys are decided alike. A weight goes with its users, and so does a constant."""
    working = [op for op in body if op.operands]
    places = repeated(tokens_of(working)) if fold else list(range(len(working)))
    of_working: Mapping[Operation, int] = dict(zip(working, places, strict=True))
    uses: defaultdict[object, set[tuple[int, int]]] = defaultdict(set)
    types: dict[object, object] = {}
    for op in body:
        if not op.operands:
            found = {
                (of_working[use.operation], use.index)
                for r in op.results
                for use in r.uses
                if use.operation in of_working
            }
            uses[_source(op)] |= found
            types[_source(op)] = (type(op), tuple(r.type for r in op.results))
    keys: list[object] = []
    for op in body:
        source = _source(op)
        alike = fold and bool(uses[source])
        keys.append(of_working[op] if op.operands else (types[source], frozenset(uses[source])) if alike else source)
    return keys


def _source(op: Operation) -> object:
    """What is one and the same source: a weight by its name."""
    return op.weight.data if isinstance(op, nn.WeightOp) else op


def _later_names(body: Sequence[Operation]) -> dict[SSAValue, SSAValue]:
    """For each further op of a weight's name, the first one, which stands for it."""
    first: dict[str, SSAValue] = {}
    named = [(op.result, first.setdefault(op.weight.data, op.result)) for op in body if isinstance(op, nn.WeightOp)]
    return {value: stands for value, stands in named if value is not stands}


def _groups(
    arguments: Sequence[BlockArgument],
    body: Sequence[Operation],
    inputs: Sequence[int],
    of_op: Mapping[Operation, int],
    outputs: Sequence[int],
) -> dict[tuple[tuple[int, int], tuple[tuple[int, int], ...]], list[SSAValue]]:
    """Values by the step that makes them and the steps that use them."""
    producers: dict[SSAValue, tuple[int, int]] = {arg: (inputs[i], 0) for i, arg in enumerate(arguments)}
    later = _later_names(body)
    users: defaultdict[SSAValue, set[tuple[int, int]]] = defaultdict(set)
    for op in body:
        for i, result in enumerate(op.results):
            if result not in later:
                producers[result] = (of_op[op], i)
    for value in [*arguments, *(r for op in body for r in op.results)]:
        users[later.get(value) or value] |= {
            (of_op[use.operation], use.index) if use.operation in of_op else (outputs[use.index], 0)
            for use in value.uses
        }
    groups: dict[tuple[tuple[int, int], tuple[tuple[int, int], ...]], list[SSAValue]] = {}
    for value, producer in producers.items():
        groups.setdefault((producer, tuple(sorted(users[value]))), []).append(value)
    return groups
