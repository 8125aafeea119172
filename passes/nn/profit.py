"""Whether a rewrite pays: seconds on the target before and after, by the roofline; and what its kernels can hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.rewriter import Rewriter

from ...costmodel.cost import cost_of
from ...costmodel.hardware import Device, find_device
from ...costmodel.roofline import time_s
from ...ir import nn

PRECISIONS = {
    "f64": "fp32",
    "f32": "fp32",
    "f16": "fp16",
    "bf16": "bf16",
    "f8E4M3FN": "fp8",
    "f8E5M2": "fp8",
    "i8": "int8",
    "i4": "int4",
}
"""Element type -> the precision whose rate it has; doubles, which the catalogue has no rates for, count as singles."""

REPRESENTATIVE = {"gpu": "h100-sxm", "npu": "tpu-v5e", "cpu": "xeon-8480"}
"""Kind of device -> the one that stands for it where none is named."""

OPEN_SIZES = (1, 1024)
"""What every name of an open size is taken to be: a rewrite has to pay at each."""

THREADS = 128
"""threads of a block: four warps, Triton's default"""
ELEMENTS_PER_THREAD = 8
"""of an elementwise kernel whose block is 1,024 elements"""
RESERVED_REGISTERS = 32
"""of a thread, for addresses and counters (guess)"""


@dataclass(frozen=True)
class Target:
    """The device that passes ask about."""

    device: Device

    def seconds(self, ops: Iterable[Operation], size: int | None = None) -> float:
        """[s] of `ops` one after the other, each limited by its own roofline; `size` stands for open sizes."""
        known = ops if size is None else [closed(op, size) for op in ops]
        return sum(time_s(cost_of(op), self.device, precision_of(op)) for op in known)

    def pays(self, before: Sequence[Operation], after: Sequence[Operation]) -> bool:
        """Whether `after` takes less time than `before`, whatever open sizes are."""
        is_open = any(
            isinstance(n, nn.Size) for op in before for v in (*op.operands, *op.results) for n in nn.shape_of(v)
        )
        sizes = OPEN_SIZES if is_open else (None,)
        return all(self.seconds(after, size) < self.seconds(before, size) for size in sizes)

    def holds(self, size_bytes: int) -> bool:
        """Whether so many bytes fit into the memory on the chip that one kernel instance has."""
        room = self.device.block_memory_bytes or self.device.scratchpad_bytes
        if room is None:
            return True
        try:
            return size_bytes <= room
        except nn.Undecided:
            return False

    def live_values(self) -> int | None:
        """How many values of an element an elementwise kernel can keep in registers; None where nothing is known."""
        registers = self.device.thread_registers
        return None if registers is None else max(2, (registers - RESERVED_REGISTERS) // ELEMENTS_PER_THREAD)


def target_of(name: str) -> Target:
    """The target of the catalogue's device `name`, or the representative of the kind `name`; ValueError for neither."""
    device = find_device(REPRESENTATIVE.get(name, name))
    if device is None:
        raise ValueError(f"`{name}` is no device of the catalogue")
    return Target(device)


@cache
def default_target() -> Target:
    """A GPU."""
    return target_of("gpu")


def precision_of(op: Operation) -> str:
    """The precision in which `op` computes: that of its first tensor, or of the largest part of a fusion."""
    if isinstance(op, nn.FusionOp):
        return precision_of(max(op.steps, key=lambda step: cost_of(step).flops))
    value: SSAValue = next(iter(op.operands), None) or op.results[0]
    return PRECISIONS.get(str(nn.tensor_type(value).element_type), "fp32")


def closed(op: Operation, size: int) -> Operation:
    """A copy of `op` by itself in which every name of an open size is `size`."""
    block = Block(arg_types=[_closed(value.type, size) for value in op.operands])
    made = op.clone(dict(zip(op.operands, block.args, strict=True)))
    inside = [inner for region in made.regions for inner in region.walk()]
    args = [arg for region in made.regions for arg in region.block.args]
    for value in (*args, *(result for each in (made, *inside) for result in each.results)):
        Rewriter.replace_value_with_new_type(value, _closed(value.type, size))
    return made


def _closed(type: Attribute, size: int) -> Attribute:
    shape = nn.shape_in(cast(nn.Tensor, type))
    known = [n.at(dict.fromkeys(n.names, size)) if isinstance(n, nn.Size) else n for n in shape]
    return nn.tensor(cast(nn.Tensor, type).element_type, cast(nn.Shape, tuple(known)))
