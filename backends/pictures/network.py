"""The picture of a network: its operators without their weights, layers that repeat drawn once."""

from __future__ import annotations

from collections.abc import Iterable

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    ArrayAttr,
    DenseArrayBase,
    FloatAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    TensorType,
    i64,
)
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Attribute, BlockArgument, Operation, SSAValue

from ...ir import nn
from ...ir.nn.base import as_attribute
from .fold import fold
from .picture import Arrow, Box, Picture

HIDDEN = (nn.WeightOp, nn.FillOp)
"""Operators that only hold values."""
TIMES = "\u00d7"
USUAL = {"dilations": "1", "strides": "1", "groups": "1", "pads": "0", "count_pads": "0"}
"""Values of attributes that labels leave out, whole arrays of them too."""
UNSAID = ("epsilon", "axis")
"""Attributes that labels leave out: norms and softmax are nearly always over the last axis."""
LONGEST_LABEL = 48
KINDS = {
    "product": ("matmul", "gemm", "grouped_matmul", "attention", "paged_attention"),
    "window": ("conv", "conv_transpose", "max_pool", "average_pool"),
    "norm": ("batch_norm", "layer_norm", "rms_norm", "group_norm", "softmax"),
    "move": ("reshape", "transpose", "concat", "slice", "split", "pad", "gather", "broadcast", "cast"),
    "collective": ("all_reduce", "all_gather", "reduce_scatter", "all_to_all", "permute"),
}
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names}


def network_picture(module: ModuleOp) -> Picture:
    """The operators of `main`; ValueError where the module has no such function."""
    main = nn.main_of(module)
    ops = _shown(op for op in main.body.block.ops if not isinstance(op, ReturnOp))
    returned = next((op.operands for op in main.body.block.ops if isinstance(op, ReturnOp)), ())
    boxes = [Box(_id(arg), _named(arg, "input"), _type_text(arg.type), "end") for arg in main.args]
    boxes += [_box(op) for op in ops]
    boxes += [Box(f"output {n}", "output", _type_text(value.type), "end") for n, value in enumerate(returned)]
    shown = {box.id for box in boxes}
    arrows = [Arrow(_id(value), _id(op.results[0])) for op in ops for value in op.operands if _id(value) in shown]
    arrows += [Arrow(_id(value), f"output {n}") for n, value in enumerate(returned) if _id(value) in shown]
    return Picture(main.sym_name.data, *fold(boxes, list(dict.fromkeys(arrows))))


def _shown(ops: Iterable[Operation]) -> list[Operation]:
    """The operators that depend on an input, or hold no constant: values made of weights alone are left out."""
    hidden: set[Operation] = set()
    shown = []
    for op in ops:
        if isinstance(op, HIDDEN) or (op.operands and all(value.owner in hidden for value in op.operands)):
            hidden.add(op)
        else:
            shown.append(op)
    return shown


def _id(value: SSAValue) -> str:
    """The box of what `value` comes from, by position: names may be missing or equal."""
    if isinstance(value, BlockArgument):
        return f"input {value.index}"
    return f"op {id(value.owner)}"


def _named(value: SSAValue, what: str) -> str:
    return f"{what} {value.name_hint}" if value.name_hint else what


def _box(op: Operation) -> Box:
    """An operator with its attributes, a fused one with its steps; only equal attributes make equal keys."""
    name = op.name.partition(".")[2]
    inner = [each.name.partition(".")[2] for region in op.regions for each in region.walk()]
    if isinstance(op, nn.FusedElementwiseOp):
        inner = [kind for kind, _ in op.chain]
    said = {key: _attribute_text(value) for key, value in sorted(op.attributes.items())}
    if isinstance(op, nn.ConvOp | nn.ConvTransposeOp):
        said = {"kernel": TIMES.join(map(str, nn.shape_of(op.operands[1])[2:]))} | said
    told = [f"{key} {text}" for key, text in said.items() if text and not _is_usual(op, key, text)]
    parts = [", ".join(inner)] if inner else told
    label = f"{name}: {', '.join(parts)}" if parts else name
    if len(label) > LONGEST_LABEL:
        label = f"{label[: LONGEST_LABEL - 1]}\u2026"
    key = " ".join([name, *inner, *map(str, said.items())])
    return Box(_id(op.results[0]), label, _type_text(op.results[0].type), KIND_OF.get(name, "op"), key)


def _is_usual(op: Operation, key: str, text: str) -> bool:
    """Whether an attribute says what nobody would ask about."""
    default = op.DEFAULTS.get(key) if isinstance(op, nn.TensorOp) else None
    is_default = default is not None and op.attributes.get(key) == as_attribute(default)
    return is_default or key in UNSAID or set(text.split()) == {USUAL.get(key)}


def _attribute_text(value: Attribute) -> str:
    match value:
        case IntegerAttr() | FloatAttr():
            return f"{value.value.data:g}"
        case StringAttr():
            return value.data
        case DenseArrayBase() if value.elt_type == i64:
            return " ".join(map(str, nn.ints(value)))
        case ArrayAttr():
            return " ".join(filter(None, (_attribute_text(each) for each in value)))
        case _:
            return ""


def _type_text(type: Attribute) -> str:
    if not isinstance(type, TensorType):
        return str(type)
    sizes = ["?" if size == DYNAMIC_INDEX else str(size) for size in type.get_shape()]
    return f"{TIMES.join(sizes)} {type.element_type}".strip()
