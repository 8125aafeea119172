"""From a network and its scratchpad plan to instructions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ...planner.scratchpad.check import check_plan
from ...planner.scratchpad.plan import Buffer, ScratchpadPlan
from ...planner.scratchpad.problem import ScratchpadProblem
from ...planner.scratchpad.read_network import ModuleReader, read_module
from ...planner.scratchpad.solve import plan_scratchpad
from ..jax.names import Names, network_name
from .constants import Constants, memory_dtype
from .instructions import Free, Instruction, Load, Outside, Run, ScratchpadProgram, Store, Streamed
from .machine import At
from .operators import LAYERS_BY_NAME, Functions, operands_of

RESERVED = (
    *("argparse", "json", "prod", "Path", "Any", "NamedTuple", "Callable", "Mapping", "Sequence"),
    *("jax", "jaxlib", "jnp", "np", "numpy", "scipy", "ml_dtypes", "opt_einsum", "Array", "lax"),
    *("SIZE_BYTES", "DMA_BYTES", "INPUTS", "OUTPUTS", "SAFETENSORS", "MachineFault", "At", "Scratchpad"),
    *("encoded", "decoded", "read_safetensors", "declared", "execute", "main", "npu", "w", "inputs", "outputs"),
)
"""Names of the emitted file that neither the network nor a function may take."""


def lower(
    network: nn.NnModule,
    name: str,
    size_bytes: int,
    *,
    parameters: bool = False,
    alignment_bytes: int = 1,
    in_place: bool = False,
    time_limit_s: float | None = None,
) -> ScratchpadProgram:
    """
    `network`, lowered for an NPU before, as a program for a scratchpad of `size_bytes`, after the plan that is found.

    With `parameters`, weights are loaded as the plan says; without, operators read them from outside, uncounted.
    Infeasible where an operator does not fit; InputError where there is no code for one.
    """
    problem, reader = _read(network, name, parameters)
    pairs = frozenset(pair for op in reader.ops for pair in in_place_pairs(op, reader))
    problem = replace(problem, size_bytes=size_bytes, alignment_bytes=alignment_bytes, in_place=pairs)
    plan = plan_scratchpad(problem, in_place=in_place, time_limit_s=time_limit_s)
    return lower_plan(network, name, plan, parameters=parameters, alignment_bytes=alignment_bytes)


def lower_plan(
    network: nn.NnModule, name: str, plan: ScratchpadPlan, *, parameters: bool = False, alignment_bytes: int = 1
) -> ScratchpadProgram:
    """`network` after `plan`, which was made for it; InputError where the plan is none of it, or cannot be followed."""
    problem, reader = _read(network, name, parameters)
    problem = replace(problem, size_bytes=plan.size_bytes, alignment_bytes=alignment_bytes)
    if getattr(plan, "tiles", ()):
        raise InputError([Diagnostic("scratchpad-tiles", "operators that run in tiles are not emitted as programs")])
    faults = check_plan(problem, plan)
    if plan.status in ("infeasible", "unknown"):
        faults = [f"a plan that is {plan.status} cannot be followed"]
    if faults:
        raise InputError([Diagnostic("scratchpad-plan", fault) for fault in faults])
    return _Lowering(network, name, problem, reader, plan).program()


def least_size_bytes(network: nn.NnModule, *, parameters: bool = False) -> int:
    """M_R of `network`, lowered for an NPU: the bytes of the largest operator's inputs and outputs."""
    return _read(network, "network", parameters)[0].least_size_bytes


def _read(network: nn.NnModule, name: str, parameters: bool) -> tuple[ScratchpadProblem, ModuleReader]:
    if missing := ", ".join(sorted(nn.open_names(network.module))):
        raise InputError([Diagnostic("scratchpad-sizes", f"a scratchpad program needs sizes for {missing}")])
    return read_module(network.module, name, parameters, network.input_names, network.output_names)


def in_place_pairs(op: Operation, reader: ModuleReader) -> list[tuple[int, int]]:
    """(result, operand) as tensors where each element of the result comes from the one at its place, read once."""
    if not isinstance(op, nn.ElementwiseOp | nn.FusedElementwiseOp):
        return []
    (result,) = op.results
    made = nn.shape_of(result), _bits(result)
    roots = [reader.root(operand) for operand in operands_of(op)]
    return [
        (reader.index[result], reader.index[root])
        for operand, root in zip(operands_of(op), roots, strict=True)
        if root in reader.index and roots.count(root) == 1 and (nn.shape_of(operand), _bits(operand)) == made
    ]


def _bits(value: SSAValue) -> int:
    return nn.bits_of(nn.tensor_type(value).element_type)


class _Lowering:
    def __init__(
        self, network: nn.NnModule, name: str, problem: ScratchpadProblem, reader: ModuleReader, plan: ScratchpadPlan
    ) -> None:
        self.network, self.problem, self.reader, self.plan = network, problem, reader, plan
        self.name = network_name(name, [*RESERVED, *LAYERS_BY_NAME])
        self.functions = Functions(Names([*RESERVED, *LAYERS_BY_NAME, self.name]))
        self.constants = Constants(network, reader)
        self.op_of = {op.name: reader.ops[index] for index, op in enumerate(problem.operators)}
        self.shares = dict(plan.shares)
        self.starting: dict[int, list[Buffer]] = defaultdict(list)
        self.ending: dict[int, list[Buffer]] = defaultdict(list)
        for buffer in plan.buffers:
            self.starting[buffer.start].append(buffer)
            self.ending[buffer.end].append(buffer)
        self.index_of = {tensor.name: index for index, tensor in enumerate(problem.tensors)}
        self.address: dict[str, int] = {}
        """of what is in the scratchpad"""

    def program(self) -> ScratchpadProgram:
        steps = tuple(tuple(self._step(step)) for step in range(len(self.plan.order)))
        main = nn.main_of(self.network.module)
        *_, end = main.body.block.ops
        assert isinstance(end, ReturnOp)
        names = self.network
        inputs = {n: self._outside(v) for n, v in zip(names.input_names, main.args, strict=True)}
        outputs = {n: self._outside(v) for n, v in zip(names.output_names, end.operands, strict=True)}
        return ScratchpadProgram(
            name=self.name,
            size_bytes=self.plan.size_bytes,
            steps=steps,
            inputs=inputs,
            outputs=outputs,
            weights=self.constants.streamed,
            parameters=self.constants.loaded,
            functions=self.functions.sources,
            layers=tuple(sorted(self.functions.layers)),
            compulsory_bytes=self.plan.compulsory_bytes,
            noncompulsory_bytes=self.plan.noncompulsory_bytes,
        )

    def _step(self, step: int) -> Iterator[Instruction]:
        """Loads, the operator, what it makes for outside, spills, and what ends here."""
        op = self.op_of[self.plan.order[step]]
        made = {self._tensor(result): self.reader.index[result] for result in op.results}
        for buffer in self.starting[step]:
            self.address[buffer.tensor] = buffer.offset
            if buffer.tensor not in made:
                yield Load(buffer.offset, buffer.tensor)
        yield self._run(step, op)
        for tensor, index in made.items():
            if self.problem.tensors[index].kind == "output":
                yield Store(self.address[tensor], tensor)
        for move in self.plan.moves:
            if move.kind == "spill" and move.step == step:
                yield Store(self.address[move.tensor], move.tensor)
        over = {self.shares[tensor] for tensor in made if tensor in self.shares}
        gone = tuple(buffer.tensor for buffer in self.ending[step] if buffer.tensor not in over)
        if gone:
            yield Free(gone)

    def _run(self, step: int, op: Operation) -> Run:
        writes = tuple(self._at(result) for result in op.results)
        over = tuple(self.shares[at.tensor] for at in writes if at.tensor in self.shares)
        if over:
            self._require_in_place(op, over)
        reads = tuple(self._read(operand) for operand in operands_of(op))
        return Run(self.plan.order[step], self.functions.of(op), reads, writes, over)

    def _require_in_place(self, op: Operation, over: tuple[str, ...]) -> None:
        """InputError unless each element of the result comes from the one at its place, which nobody reads later."""
        allowed = {given for _, given in in_place_pairs(op, self.reader)}
        if not allowed.issuperset(self.index_of[tensor] for tensor in over):
            message = f"`{op.name}` cannot write over `{over[0]}` while it reads it"
            raise InputError([Diagnostic("scratchpad-in-place", message, help="plan without operators in place")])

    def _read(self, value: SSAValue) -> At | Streamed:
        root = self.reader.root(value)
        if root in self.reader.index:
            if root in self.reader.constant:
                self.constants.load(root, self._tensor(root))
            return self._at(value)
        return Streamed(self.constants.stream(root), nn.shape_of(value))

    def _at(self, value: SSAValue) -> At:
        tensor = self._tensor(value)
        return At(self.address[tensor], tensor, memory_dtype(value), nn.shape_of(value))

    def _outside(self, value: SSAValue) -> Outside:
        root = self.reader.root(value)
        tensor = self._tensor(value) if root in self.reader.index else self.constants.returned(root)
        return Outside(tensor, memory_dtype(value), nn.shape_of(value))

    def _tensor(self, value: SSAValue) -> str:
        """The name of the tensor whose memory `value` is."""
        return self.problem.tensors[self.reader.index[self.reader.root(value)]].name
