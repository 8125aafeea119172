"""Shapes in tensor-graph JSON: what `attributes` of an operator say, as its loop nest.

| operator | `attributes` |
|---|---|
| matmul | `m`, `n`, `k`; `batch` (1) |
| convolution | `c`, `h`, `w`, `k`, `r`; `s` (as `r`), `n`, `stride`, `dilation`, `groups` (1), `pad` (0) |
| pool | `c`, `h`, `w`, `r`; `s` (as `r`), `n`, `stride`, `dilation` (1), `pad` (0) |
| attention | `heads`, `seq`, `dim`; `keys` (as `seq`), `kv_heads` (as `heads`), `value_dim` (as `dim`) |
| rows | `width`: bytes of a row, whose elements are handled together |
| elementwise | nothing |

`stride` and `dilation` are a number or [down, across], `pad` a number, [down, across] or [top, left, bottom, right].
`kind` names the operator where its `type` does not. Partial sums have `partial_bytes` each, else as many as an element
of the output. Operands come in the order of `inputs`: of a convolution, the image, the weights and the bias, of
attention, Q, K and V; weights that the graph does not list cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..problem import ScratchpadProblem
from . import shapes
from .nest import Nest, Operand

KINDS = {
    "matmul": ("matmul", "gemm", "linear", "dense"),
    "convolution": ("convolution", "conv", "conv2d", "depthwiseconv2d"),
    "pool": ("pool", "maxpool", "averagepool", "avgpool", "maxpooling2d", "averagepooling2d"),
    "attention": ("attention", "multiheadattention", "flashattention"),
    "rows": ("rows", "softmax", "ln", "layernorm", "layernormalization", "rmsnorm"),
    "elementwise": (
        "elementwise", "add", "sum", "sub", "mul", "div", "relu", "gelu", "sigmoid", "tanh", "activation",
        "batchnormalization", "bn", "clip", "identity", "silu", "swish", "hardswish", "dropout", "cast",
    ),
}  # fmt: skip
"""What each kind of nest may be called, in lower case."""

KEYS = {
    "matmul": (("m", "n", "k"), ("batch",)),
    "convolution": (("c", "h", "w", "k", "r"), ("s", "n", "stride", "dilation", "groups", "pad")),
    "pool": (("c", "h", "w", "r"), ("s", "n", "stride", "dilation", "pad")),
    "attention": (("heads", "seq", "dim"), ("keys", "kv_heads", "value_dim")),
    "rows": (("width",), ()),
    "elementwise": ((), ()),
}
"""By kind: the keys that must be there, and those that may."""


class Wrong(Exception):
    """Attributes that describe no such operator; the text says why."""


def kind_of(type: str, attributes: Mapping[str, Any]) -> str | None:
    """The kind of nest, None where it is not one of `KINDS`."""
    name = str(attributes.get("kind", type)).lower().replace("_", "")
    return next((kind for kind, names in KINDS.items() if name in names), None)


def nest_of(problem: ScratchpadProblem, op: Mapping[str, Any]) -> Nest | None:
    """
    The nest of an operator of a tensor graph: an object with `name`, `type`, `inputs`, `outputs`, perhaps `attributes`.

    None where it says too little to be tiled. Wrong where what it says does not agree with the sizes of its tensors.
    """
    attributes = op.get("attributes", {})
    if not isinstance(attributes, Mapping):
        raise Wrong("`attributes` must be an object")
    kind = kind_of(op.get("type", ""), attributes)
    if kind is None:
        if "kind" in attributes:
            raise Wrong(f"`{attributes['kind']}` is no kind of operator that can be tiled: {', '.join(KINDS)}")
        return None
    needed, more = KEYS[kind]
    if needed and not attributes.keys() & {*needed, *more}:
        return None
    _check_keys(kind, attributes, needed, more)
    sizes = {t.name: t.bytes for t in problem.tensors}
    try:
        nest = READERS[kind](op, attributes, sizes)
    except ZeroDivisionError:
        raise Wrong(f"these attributes describe no {kind}") from None
    if nest is None:
        return None
    nest = nest.without(o.tensor for o in nest.tensors if o.tensor not in sizes)
    _check_sizes(nest, sizes)
    return nest


def _check_keys(kind: str, attributes: Mapping[str, Any], needed: Sequence[str], more: Sequence[str]) -> None:
    if missing := [key for key in needed if key not in attributes]:
        raise Wrong(f"`attributes` lack {', '.join(f'`{key}`' for key in missing)} of a {kind}")
    known = {*needed, *more, "kind", "partial_bytes"}
    if unknown := sorted(attributes.keys() - known):
        raise Wrong(f"`{unknown[0]}` is no attribute of a {kind}, which has {', '.join(sorted(known))}")
    for key in attributes.keys() - {"kind"}:
        values = attributes[key] if key in ("stride", "dilation", "pad") else [attributes[key]]
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, bool) or not isinstance(value, int) or value < (key in known - {"pad"}):
                raise Wrong(f"attribute `{key}` is {value!r}, must be a whole number of at least {int(key != 'pad')}")


def _check_sizes(nest: Nest, sizes: Mapping[str, int]) -> None:
    if any(extent < 1 for _, extent in nest.loops):
        raise Wrong(f"these attributes describe an empty {nest.kind}")
    for operand in nest.tensors:
        whole = nest.whole_bytes(operand)
        if whole != sizes[operand.tensor]:
            raise Wrong(
                f"by its attributes tensor `{operand.tensor}` has {whole:,} bytes, but the graph gives it "
                f"{sizes[operand.tensor]:,}"
            )


def _element(sizes: Mapping[str, int], tensor: str, count: int) -> int:
    """Bytes of an element of a tensor of `count` elements."""
    if count < 1 or sizes[tensor] % count or not sizes[tensor]:
        raise Wrong(f"tensor `{tensor}` has {sizes[tensor]:,} bytes, not a multiple of {count:,} elements")
    return sizes[tensor] // count


def _names(op: Mapping[str, Any], inputs: int, most: int | None = None) -> list[str]:
    """The inputs, those that the graph does not list by names that no tensor has."""
    given = list(op["inputs"])
    if len(given) > (most or inputs) or len(op["outputs"]) != 1:
        raise Wrong(f"it has {len(given)} inputs and {len(op['outputs'])} outputs, must have {inputs} and 1")
    return [*given, *(f"\0{i}" for i in range(len(given), inputs))]


def _matmul(op: Mapping[str, Any], at: Mapping[str, Any], sizes: Mapping[str, int]) -> Nest:
    a, b = _names(op, 2)
    out, batch = op["outputs"][0], at.get("batch", 1)
    element = _element(sizes, out, batch * at["m"] * at["n"])
    shared = batch > 1 and sizes.get(b) == at["k"] * at["n"] * element
    return shapes.matmul(
        a, b, out, at["m"], at["n"], at["k"], batch, shared, element, at.get("partial_bytes", 0)
    )  # fmt: skip


def _slides(at: Mapping[str, Any]) -> tuple[shapes.Slide, shapes.Slide]:
    stride, dilation = (_pair(at.get(key, 1), key) for key in ("stride", "dilation"))
    pad = at.get("pad", 0)
    top, left, bottom, right = pad if isinstance(pad, list) and len(pad) == 4 else [*_pair(pad, "pad")] * 2
    down = shapes.Slide(at["h"], at["r"], stride[0], top, bottom, dilation[0])
    return down, shapes.Slide(at["w"], at.get("s", at["r"]), stride[1], left, right, dilation[1])


def _pair(value: int | list[int], key: str) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    if len(value) != 2:
        raise Wrong(f"attribute `{key}` has {len(value)} numbers")
    return value[0], value[1]


def _convolution(op: Mapping[str, Any], at: Mapping[str, Any], sizes: Mapping[str, int]) -> Nest:
    x, w, *bias = _names(op, 2, 3)
    down, across, groups, out = *_slides(at), at.get("groups", 1), op["outputs"][0]
    if at["c"] % groups or at["k"] % groups:
        raise Wrong(f"{groups} groups do not divide {at['c']} and {at['k']} channels")
    batch = at.get("n", 1)
    element = _element(sizes, out, batch * at["k"] * down.places * across.places)
    return shapes.convolution(
        x, w, out, batch, at["c"], at["k"], down, across, groups, bias[0] if bias else None, element,
        at.get("partial_bytes", 0),
    )  # fmt: skip


def _pool(op: Mapping[str, Any], at: Mapping[str, Any], sizes: Mapping[str, int]) -> Nest:
    (x,), out, (down, across), batch = _names(op, 1), op["outputs"][0], _slides(at), at.get("n", 1)
    element = _element(sizes, out, batch * at["c"] * down.places * across.places)
    return shapes.pool(x, out, batch, at["c"], down, across, element)


def _attention(op: Mapping[str, Any], at: Mapping[str, Any], sizes: Mapping[str, int]) -> Nest:
    q, k, v = _names(op, 3)
    heads, seq, kv_heads = at["heads"], at["seq"], at.get("kv_heads", at["heads"])
    if heads % kv_heads:
        raise Wrong(f"{kv_heads} heads of K and V do not divide {heads} heads")
    value_dim = at.get("value_dim", at["dim"])
    element = _element(sizes, op["outputs"][0], heads * seq * value_dim)
    return shapes.attention(
        q, k, v, op["outputs"][0], heads, seq, at.get("keys", seq), at["dim"], kv_heads, value_dim, element,
        at.get("partial_bytes", 0),
    )  # fmt: skip


def _rows(op: Mapping[str, Any], at: Mapping[str, Any], sizes: Mapping[str, int]) -> Nest:
    (x,), out = _names(op, 1), op["outputs"][0]
    return shapes.rows([x], [out], _element(sizes, out, at["width"]), at["width"])


def _elementwise(op: Mapping[str, Any], at: Mapping[str, Any], sizes: Mapping[str, int]) -> Nest | None:
    """Inputs of another size than the output's are kept whole in the tile."""
    if len(op["outputs"]) != 1 or not sizes[op["outputs"][0]]:
        return None
    out, given = op["outputs"][0], list(dict.fromkeys(t for t in op["inputs"] if t in sizes))
    nest = shapes.elementwise([t for t in given if sizes[t] == sizes[out]], [out], sizes[out])
    small = [t for t in given if sizes[t] != sizes[out]]
    loops = tuple((f"all of {t}", sizes[t]) for t in small)
    operands = tuple(Operand(t, (f"all of {t}",), 1) for t in small)
    if any(size > sizes[out] or not size for _, size in loops):
        return None
    return Nest(
        nest.kind, (*nest.loops, *loops), (*operands, *nest.operands), frozenset(loop for loop, _ in loops)
    )  # fmt: skip


READERS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, int]], Nest | None]] = {
    "matmul": _matmul,
    "convolution": _convolution,
    "pool": _pool,
    "attention": _attention,
    "rows": _rows,
    "elementwise": _elementwise,
}
