"""Our own figures for a network on an Ethos-U, to stand beside Vela's: least peak of SRAM, and a bound on cycles."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue

from ...ir import nn
from ...planner.scratchpad.peak import least_peak
from ...planner.scratchpad.problem import Operator, ScratchpadProblem, Tensor

MACS_PER_CYCLE = {"ethos-u55-32": 32, "ethos-u55-64": 64, "ethos-u55-128": 128, "ethos-u55-256": 256}
"""data sheet: the number in the name of the configuration (Arm, Ethos-U55 Technical Reference Manual)"""
SRAM_BYTES_PER_CYCLE, FLASH_BYTES_PER_CYCLE = 8.0, 1.0
"""of the system configuration Ethos_U55_High_End_Embedded of ethos-u-vela 5.2: 4 GB/s and 0.5 GB/s at 500 MHz"""


@dataclass(frozen=True)
class Estimate:
    """Figures of one network in int8."""

    peak_bytes: int
    """least peak of feature maps over all orders, each operator whole, ReLU done by what comes before it"""
    proved: bool
    macs: int
    cycles: float
    """each operator takes as long as its arithmetic, its feature maps or its weights, whichever is longest"""


def estimate(network: nn.NnModule, accelerator: str = "ethos-u55-256") -> Estimate:
    """The figures of `network`, lowered for an NPU; KeyError for an accelerator that is not in MACS_PER_CYCLE."""
    problem = _problem(network)
    peak = least_peak(problem)
    ops = [op for op in nn.body_of(network.module) if not isinstance(op, nn.WeightOp | nn.ReluOp)]
    macs = {op: _macs(op) for op in ops}
    rate, cycles = MACS_PER_CYCLE[accelerator], 0.0
    for op in ops:
        weights = [o for o in op.operands if isinstance(o.owner, nn.WeightOp)]
        maps = [o for o in (*op.operands, *op.results) if o not in weights]
        moved = sum(_elements(each) for each in maps) / SRAM_BYTES_PER_CYCLE
        read = sum(_elements(each) for each in weights) / FLASH_BYTES_PER_CYCLE
        cycles += max(macs[op] / rate, moved, read)
    return Estimate(peak.peak_bytes, peak.is_least, sum(macs.values()), cycles)


def _macs(op: Operation) -> int:
    """Multiplications with an addition, those of convolutions; others take as long as what they move."""
    if not isinstance(op, nn.ConvOp):
        return 0
    return _elements(op.results[0]) * prod(nn.shape_of(op.w)[1:])


def _elements(value: SSAValue) -> int:
    return prod(nn.shape_of(value))


def _problem(network: nn.NnModule) -> ScratchpadProblem:
    """The operators with tensors of one byte an element; ReLU and reshapes are views of what they read."""
    main = nn.main_of(network.module)
    index: dict[SSAValue, int] = {arg: i for i, arg in enumerate(main.args)}
    tensors = [Tensor(f"x{i}", _elements(arg), "input") for i, arg in enumerate(main.args)]
    operators: list[Operator] = []
    for op in main.body.block.ops:
        if isinstance(op, nn.WeightOp):
            continue
        if isinstance(op, ReturnOp):
            for operand in op.operands:
                made = tensors[index[operand]]
                tensors[index[operand]] = Tensor(made.name, made.bytes, "output")
        elif isinstance(op, nn.ReluOp | nn.ReshapeOp):
            index[op.results[0]] = index[op.operands[0]]
        else:
            read = tuple(dict.fromkeys(index[o] for o in op.operands if o in index))
            index[op.results[0]] = len(tensors)
            operators.append(Operator(f"op{len(operators)}", read, (len(tensors),), op.name))
            tensors.append(Tensor(f"t{len(tensors)}", _elements(op.results[0])))
    return ScratchpadProblem("network", tuple(tensors), tuple(operators), 0)
