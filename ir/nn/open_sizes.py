"""Modules whose batch or sequence is open: which names they have, and the module once the names have values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, SSAValue
from xdsl.rewriter import Rewriter

from .base import Shape, Tensor, shape_in, shape_of, tensor
from .module import main_of
from .sizes import Size, names_of


def open_names(module: ModuleOp) -> frozenset[str]:
    """The names that sizes in `main` are made of."""
    return frozenset[str]().union(*(names_of(shape_of(value)) for value in _values(main_of(module))))


def with_sizes(module: ModuleOp, sizes: Mapping[str, int]) -> ModuleOp:
    """A copy of `module` with `sizes` for names of open sizes; other names stay open. ValueError for a size below 1."""
    low = sorted(name for name, size in sizes.items() if size < 1)
    if low:
        raise ValueError(f"sizes of at least 1 are needed for {', '.join(low)}")
    module = module.clone()
    main = main_of(module)
    block = main.body.block
    for value in _values(main):
        type = _known(value.type, sizes)
        if type != value.type:
            Rewriter.replace_value_with_new_type(value, type)
    end = block.last_op
    outputs = [] if end is None else [value.type for value in end.operands]
    main.function_type = FunctionType.from_lists([arg.type for arg in block.args], outputs)
    return module


def sizes_given(module: ModuleOp, shapes: Sequence[Shape]) -> dict[str, int]:
    """
    What the names of open sizes are when `main` is given inputs of `shapes`.

    Names are read where an axis is one name alone; ValueError where two axes disagree.
    """
    found: dict[str, int] = {}
    for arg, given in zip(main_of(module).body.block.args, shapes, strict=False):
        for size, n in zip(shape_of(arg), given, strict=False):
            name = str(size)
            if isinstance(size, Size) and name in size.names and found.setdefault(name, n) != n:
                raise ValueError(f"`{name}` is {found[name]} for one input and {n} for another")
    return found


def _values(main: FuncOp) -> list[SSAValue]:
    """Arguments and results in `main`, also those inside fusions."""
    blocks = [block for op in main.walk() for region in op.regions for block in region.blocks]
    return [value for block in blocks for value in (*block.args, *(r for op in block.ops for r in op.results))]


def _known(type: Attribute, sizes: Mapping[str, int]) -> Attribute:
    if not isinstance(type, TensorType):
        return type
    shape = shape_in(cast(Tensor, type))
    return tensor(type.element_type, [n.at(sizes) if isinstance(n, Size) else n for n in shape])  # type: ignore[misc]
