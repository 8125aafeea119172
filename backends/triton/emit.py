"""Emits one elementwise op, fused or not, as a Triton kernel: its chain, and the library kernel bound to its shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from xdsl.ir import SSAValue

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ..dtypes import dtype_of
from ..jax.names import Names
from ..python_text import ATOM, UNARY, Scalar, arithmetic, call, fits, lay_out
from .backend import DTYPES
from .kernels.tensors import Terms, axis_terms
from .views import row_major

Elementwise = nn.ElementwiseOp | nn.FusedElementwiseOp

FUNCTIONS = {
    "relu": "relu",
    "exp": "tl.exp",
    "log": "tl.log",
    "sqrt": "tl.sqrt",
    "rsqrt": "tl.rsqrt",
    "tanh": "tanh",
    "sigmoid": "tl.sigmoid",
    "erf": "tl.erf",
    "abs": "tl.abs",
    "floor": "tl.floor",
    "ceil": "tl.ceil",
    "sin": "tl.sin",
    "cos": "tl.cos",
    "gelu": "erf_gelu",
    "gelu_tanh": "tanh_gelu",
    "silu": "silu",
    "softplus": "softplus",
    "mish": "mish",
    "hard_sigmoid": "hard_sigmoid",
    "hard_swish": "hard_swish",
    "max": "maximum",
    "min": "minimum",
    "sign": "sign",
    "round": "nearest",
    "expm1": "expm1",
    "log1p": "log1p",
    "pow": "power",
    "rem": "remainder",
    "mod": "modulo",
}
"""Scalar function -> what computes it in a kernel; those without `tl.` are in `kernels/elementwise.py`."""

OF_INTEGERS = {
    "relu": "int_relu",
    "abs": "tl.abs",
    "sign": "int_sign",
    "max": "maximum",
    "min": "minimum",
    "div": "int_div",
    "rem": "int_rem",
    "mod": "int_mod",
    "pow": "int_pow",
    "not": "negation",
    "and": "both",
    "or": "either",
    "xor": "one_of",
}
"""The same for integers and truth values, in their own types."""

_UNUSED = "  # noqa: F401  the interpreter looks for it here"

RESERVED = ("triton", "tl", "elementwise", "chain", "out", "grid", *(f for f in FUNCTIONS.values() if "." not in f))
"""Names of the emitted module that neither an operand nor the kernel may take."""


@dataclass(frozen=True)
class TritonSource:
    """One kernel: the emitted file `<name>.py`, and the library kernel `elementwise.py` that it imports."""

    name: str
    sources: Mapping[str, str]
    inputs: tuple[tuple[str, tuple[int, ...], str], ...]
    """(variable, shape, dtype) of each tensor that the kernel reads, in order"""
    output: tuple[tuple[int, ...], str]
    """shape and dtype"""
    operands: tuple[int, ...]
    """which operand of the op each input is; scalar fills are constants of the chain instead"""


def emit_triton(op: Elementwise, name: str, block: int = 1024) -> TritonSource:
    """
    The kernel for `op`, in which one program computes `block` elements, a power of two.

    Raises `InputError` for element types other than f32 and f16, and for results whose offsets need 64 bits.
    """
    shape, dtype = nn.shape_of(op.results[0]), dtype_of(op.type)
    if dtype not in DTYPES:
        raise InputError([Diagnostic("element-type", f"kernels are emitted for f32 and f16, not for {op.type}")])
    if prod(shape) + block >= 2**31:
        raise InputError([Diagnostic("triton-size", f"a kernel with 32-bit offsets cannot write {op.type}")])
    name = Names(RESERVED).claim(name)
    names = Names([*RESERVED, name])
    values, inputs, kept = [], [], []
    for index, operand in enumerate(op.operands):
        constant = constant_scalar(operand)
        if constant is None:
            variable = names.claim(f"x{len(inputs) + 1}")
            inputs.append((variable, nn.shape_of(operand), dtype_of(nn.tensor_type(operand))))
            kept.append(index)
            values.append(Scalar(variable))
        else:
            values.append(constant)
    if not inputs:
        raise InputError(
            [Diagnostic("triton-op", f"`{op.name}` reads no tensor, so there is nothing for a kernel to do")]
        )
    body = chain_lines(_chain(op), values, names)
    text = _kernel_text(name, inputs, (shape, dtype), block, body)
    library = (Path(__file__).parent / "kernels" / "elementwise.py").read_text(encoding="utf-8")
    sources = {f"{name}.py": text, "elementwise.py": library}
    return TritonSource(name, sources, tuple(inputs), (shape, dtype), tuple(kept))


def views(shape: Sequence[int], result: Sequence[int]) -> Terms:
    """
    The terms by which `broadcast_offset` finds an element of a contiguous tensor that broadcasts to `result`.

    Dimensions along which the tensor varies are merged into runs, so a tensor of the shape of `result` has one.
    """
    padded = (1,) * (len(result) - len(shape)) + tuple(shape)
    strides = (0 if size == 1 else step for size, step in zip(padded, row_major(padded), strict=True))
    return axis_terms(tuple(result), tuple(strides))


def constant_scalar(operand: SSAValue) -> Scalar | None:
    fill = operand.owner
    if not isinstance(fill, nn.FillOp) or fill.type.get_shape():
        return None
    value = nn.number(fill.value)
    text = repr(value) if abs(value) < float("inf") else f'float("{value}")'
    text = str(int(value)) if nn.is_integer(fill.type.element_type) else text
    return Scalar(text, UNARY if value < 0 else ATOM)


def _chain(op: Elementwise) -> Sequence[tuple[str, Sequence[int]]]:
    return op.chain if isinstance(op, nn.FusedElementwiseOp) else [(op.kind, range(len(op.operands)))]


def chain_lines(
    steps: Sequence[tuple[str, Sequence[int]]],
    values: list[Scalar],
    names: Names,
    functions: Mapping[str, str] = FUNCTIONS,
) -> list[str]:
    """One expression if it fits on a line and no step is used twice, else a statement for each step."""
    first = len(values)
    used = [argument for _, arguments in steps for argument in arguments]
    whole = list(values)
    for kind, arguments in steps:
        whole.append(arithmetic(kind, [whole[a] for a in arguments], functions))
    shared = any(used.count(first + step) > 1 for step in range(len(steps) - 1))
    if not shared and fits(f"return {whole[-1].text}"):
        return [f"    return {whole[-1].text}"]
    lines = []
    for kind, arguments in steps:
        variable = names.number(kind)
        lines.append(f"    {variable} = {arithmetic(kind, [values[a] for a in arguments], functions).text}")
        values.append(Scalar(variable))
    return [*lines, f"    return {values[-1].text}"]


def _kernel_text(
    name: str,
    inputs: Sequence[tuple[str, tuple[int, ...], str]],
    output: tuple[tuple[int, ...], str],
    block: int,
    body: Sequence[str],
) -> str:
    variables = [variable for variable, _, _ in inputs]
    code = "\n".join(body)
    functions = sorted({f for f in FUNCTIONS.values() if "." not in f and f"{f}(" in code} | {"elementwise"})
    table = [f'    "{variable}": ({shape}, "{dtype}"),' for variable, shape, dtype in inputs]
    rows = [f"    {views(shape, output[0])},  # {variable} {shape}" for variable, shape, _ in inputs]
    operands = f"({', '.join(variables)}{',' if len(variables) == 1 else ''})"
    launch = call("elementwise[grid]", operands, "out", "SIZE", "chain", "VIEWS", "BLOCK")
    lines = [
        f'"""The kernel {name} in Triton: one pass over {output[0]}."""',
        "",
        "import triton",
        f"import triton.language as tl{'' if 'tl.' in code else _UNUSED}",
        f"from elementwise import {', '.join(functions)}",
        "",
        "INPUTS = {",
        *table,
        "}",
        f'OUTPUT = ({output[0]}, "{output[1]}")',
        f"SIZE = {prod(output[0])}  # elements of the result",
        f"BLOCK = {block}  # elements that one program computes",
        "# Element i of the result needs element sum(i // inner % count * stride) of an input:",
        "# inner, count and stride of each run of its axes.",
        "VIEWS = (",
        *rows,
        ")",
        "",
        "",
        "@triton.jit",
        f"def chain({', '.join(variables)}):",
        '    """What happens to one element, in float32."""',
        *body,
        "",
        "",
        f"def {name}({', '.join([*variables, 'out'])}):",
        f'    """Write {output[0]} to `out`; all tensors are contiguous."""',
        "    grid = (triton.cdiv(SIZE, BLOCK),)",
        *lay_out(launch),
    ]
    return "\n".join(lines) + "\n"
