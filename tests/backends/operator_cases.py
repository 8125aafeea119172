"""A small network for every nn operator, with the shapes of its inputs, and how one is built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xdsl.dialects.builtin import ArrayAttr, TensorType, f32, i32
from xdsl.ir import Block, SSAValue

from dovetail.ir import nn

Build = Callable[..., SSAValue | list[SSAValue]]


class Add:
    """Adds ops to a block."""

    def __init__(self, block: Block) -> None:
        self.block = block

    def __call__(self, op: type[nn.TensorOp], *operands: SSAValue | None, **given: Any) -> SSAValue:
        """The result of a new op that has one."""
        (result,) = self.several(op, *operands, **given)
        return result

    def several(self, op: type[nn.TensorOp], *operands: SSAValue | None, **given: Any) -> Sequence[SSAValue]:
        """The results of a new op."""
        made = op.make(*operands, **given)
        self.block.add_op(made)
        return made.results


def network_of(build: Build, shapes: Sequence[tuple[int, ...]]) -> nn.NnModule:
    """The network of `build(add, *inputs)`, which gives its result or a list of them."""
    block = Block(arg_types=[TensorType(f32, shape) for shape in shapes])
    result = build(Add(block), *block.args)
    results = result if isinstance(result, list) else [result]
    inputs = tuple(f"in{i}" for i in range(len(shapes)))
    outputs = tuple(f"out{i}" for i in range(len(results))) if isinstance(result, list) else ("out",)
    return nn.NnModule(nn.build_main(block, results), {}, inputs, outputs)


def _chain(*steps):
    return ArrayAttr([nn.StepAttr.of(kind, args) for kind, args in steps])


def _gelu(add, x):
    half, one, root = (add(nn.FillOp, type=TensorType(f32, []), value=v) for v in (0.5, 1.0, 0.7071067811865476))
    steps = _chain(("mul", (0, 3)), ("erf", (4,)), ("add", (5, 2)), ("mul", (0, 1)), ("mul", (7, 6)))
    return add(nn.FusedElementwiseOp, x, half, one, root, steps=steps)


def _shared_step(add, x, y):
    return add(nn.FusedElementwiseOp, x, y, steps=_chain(("sub", (0, 1)), ("exp", (2,)), ("div", (2, 3))))


def _long_chain(add, x):
    """Too long for a line; the flowing input is used again after the first step."""
    y = add(nn.ExpOp, x)
    steps = [("mul", (0, 0)), ("tanh", (1,)), ("sigmoid", (2,)), ("exp", (3,)), ("add", (4, 0)), ("tanh", (5,))]
    steps += [("sigmoid", (6,)), ("mul", (7, 7)), ("sub", (8, 7))]
    return add(nn.FusedElementwiseOp, y, steps=_chain(*steps))


def _scalars(add, x):
    two = add(nn.FillOp, type=TensorType(f32, []), value=-2.5)
    return add(nn.SubOp, add(nn.MulOp, x, two), add(nn.SubOp, two, x))


def I32(*shape: int) -> TensorType:
    return TensorType(i32, shape)


def _logic(add, x, y):
    """not ((x < y) xor (x <= y)) and (x == x or x < y), as 0 and 1."""
    less, at_most, same = add(nn.LessOp, x, y), add(nn.LessEqualOp, x, y), add(nn.EqualOp, x, x)
    neither = add(nn.NotOp, add(nn.XorOp, less, at_most))
    both = add(nn.AndOp, neither, add(nn.OrOp, same, less))
    return add(nn.CastOp, both, type=TensorType(f32, [3, 4]))


def _integers(add, x, y):
    """Arithmetic of integers, in a chain too: quotients lose their fraction."""
    ten = add(nn.FillOp, type=TensorType(f32, []), value=10.0)
    a = add(nn.CastOp, add(nn.MulOp, x, ten), type=I32(3, 4))
    b = add(nn.MaxOp, add(nn.CastOp, add(nn.MulOp, y, ten), type=I32(4)), add(nn.FillOp, type=I32(), value=2.0))
    chain = add(nn.FusedElementwiseOp, a, b, steps=_chain(("div", (0, 1)), ("rem", (0, 1)), ("sub", (2, 3))))
    rest = add(nn.ModOp, add(nn.NegOp, a), b)
    power = add(nn.PowOp, add(nn.SignOp, a), b)
    return add(nn.MulOp, chain, add(nn.AddOp, add(nn.AbsOp, rest), add(nn.DivOp, power, b)))


def _all_steps(add, x):
    """Every function of one float in one chain, each kept small by a tanh."""
    kinds = [kind for kind, op in nn.ELEMENTWISE.items() if op.ARITY == 1 and op.OF != "truth values"]
    steps = []
    for kind in kinds:
        at = len(steps)
        before = [("sigmoid", (at,))] if kind in ("log", "sqrt", "rsqrt", "log1p") else [("tanh", (at,))]
        steps += [*before, (kind, (at + 1,))]
    return add(nn.FusedElementwiseOp, x, steps=_chain(*steps))


IMAGE, FILTERS = (2, 4, 9, 8), (6, 2, 3, 3)
CASES = {
    "conv": (
        lambda add, x, w, b: add(nn.ConvOp, x, w, b, strides=(2, 1), pads=(0, 1, 2, 1), dilations=(1, 2), groups=2),
        [IMAGE, FILTERS, (6,)],
    ),
    "conv_1d": (lambda add, x, w: add(nn.ConvOp, x, w, strides=(3,), pads=(2, 0)), [(2, 4, 11), (5, 4, 3)]),
    "conv_3d": (lambda add, x, w, b: add(nn.ConvOp, x, w, b, groups=2), [(1, 4, 5, 4, 3), (6, 2, 2, 1, 3), (6,)]),
    "conv_transpose": (
        lambda add, x, w, b: add(
            nn.ConvTransposeOp,
            x,
            w,
            b,
            strides=(2, 3),
            pads=(0, 1, 2, 1),
            dilations=(1, 2),
            output_pads=(1, 2),
            groups=2,
        ),
        [IMAGE, (4, 3, 3, 3), (6,)],
    ),
    "conv_transpose_1d": (lambda add, x, w: add(nn.ConvTransposeOp, x, w, strides=(2,)), [(2, 4, 7), (4, 3, 2)]),
    "conv_transpose_cut": (
        lambda add, x, w: add(nn.ConvTransposeOp, x, w, strides=(1, 2), pads=(2, 2, 2, 0), groups=2),
        [IMAGE, (4, 3, 2, 2)],
    ),
    "max_pool_1d": (lambda add, x: add(nn.MaxPoolOp, x, kernel=(3,), dilations=(2,), pads=(1, 2)), [(2, 4, 9)]),
    "average_pool_3d": (
        lambda add, x: add(nn.AveragePoolOp, x, kernel=(2, 1, 3), strides=(2, 1, 1), pads=(1, 0, 2, 0, 0, 1)),
        [(1, 2, 4, 3, 5)],
    ),
    "layer_norm": (lambda add, x: add(nn.LayerNormOp, x, axis=3), [IMAGE]),
    "layer_norm_scaled": (lambda add, x, s, b: add(nn.LayerNormOp, x, s, b, axis=2), [IMAGE, (9, 8), (9, 8)]),
    "rms_norm": (lambda add, x: add(nn.RmsNormOp, x, axis=1, epsilon=1e-6), [IMAGE]),
    "rms_norm_scaled": (lambda add, x, s: add(nn.RmsNormOp, x, s, axis=3), [IMAGE, (8,)]),
    "group_norm": (lambda add, x, s, b: add(nn.GroupNormOp, x, s, b, groups=2), [IMAGE, (4,), (4,)]),
    "reduce_min": (lambda add, x: add(nn.ReduceOp, x, kind="min", axes=(0, 1)), [IMAGE]),
    "reduce_prod": (lambda add, x: add(nn.ReduceOp, x, kind="prod", axes=(3,)), [IMAGE]),
    "arg_max": (lambda add, x: add(nn.ArgMaxOp, x, axis=2), [IMAGE]),
    "cum_sum": (lambda add, x: add(nn.CumSumOp, x, axis=1), [IMAGE]),
    "cum_sum_before": (lambda add, x: add(nn.CumSumOp, x, axis=2, exclusive=1, reverse=1), [IMAGE]),
    "slice_steps": (
        lambda add, x: add(nn.SliceOp, x, starts=(0, 1, 0, 2), limits=(2, 3, nn.END, 8), steps=(1, 1, 4, 3)),
        [IMAGE],
    ),
    "reverse": (lambda add, x: add(nn.ReverseOp, x, axes=(1, 3)), [IMAGE]),
    "pad": (
        lambda add, x: add(nn.PadOp, x, add(nn.FillOp, type=TensorType(f32, []), value=-1.5), low=(1, 0), high=(0, 2)),
        [(3, 4)],
    ),
    **{
        f"pad_{mode}": (lambda add, x, mode=mode: add(nn.PadOp, x, low=(1, 0), high=(2, 3), mode=mode), [(3, 4)])
        for mode in ("edge", "reflect", "wrap")
    },
    "gather": (lambda add, x, i: add(nn.GatherOp, x, add(nn.CastOp, i, type=I32(2, 3)), axis=1), [IMAGE, (2, 3)]),
    "gather_elements": (
        lambda add, x, i: add(nn.GatherElementsOp, x, add(nn.CastOp, i, type=I32(1, 2, 9, 3)), axis=2),
        [IMAGE, (1, 2, 9, 3)],
    ),
    "scatter": (
        lambda add, x, u: add(nn.ScatterOp, x, add(nn.IotaOp, type=I32(2), axis=0), u, axis=1),
        [(3, 4), (3, 2)],
    ),
    "scatter_add": (
        lambda add, x, i, u: add(nn.ScatterOp, x, add(nn.CastOp, i, type=I32(5)), u, axis=0, kind="add"),
        [(3, 4), (5,), (5, 4)],
    ),
    "iota": (lambda add, x: add(nn.AddOp, x, add(nn.IotaOp, type=TensorType(f32, [3, 4]), axis=1)), [(3, 4)]),
    **{
        f"resize_{mode}_{way}": (
            lambda add, x, mode=mode, way=way: add(
                nn.ResizeOp, x, axes=(2, 3), sizes=(5, 17), mode=mode, coordinates=way, rounding="floor"
            ),
            [(1, 2, 9, 8)],
        )
        for mode, way in (
            ("nearest", "asymmetric"),
            ("linear", "half_pixel"),
            ("linear", "align_corners"),
            ("cubic", "half_pixel_symmetric"),
            ("cubic", "pytorch_half_pixel"),
        )
    },
    "where": (lambda add, x, y: add(nn.WhereOp, add(nn.LessOp, x, y), x, add(nn.ExpOp, y)), [(3, 4), (4,)]),
    "less_equal": (lambda add, x, y: add(nn.LessEqualOp, x, y), [(3, 4), (4,)]),
    "equal": (lambda add, x: add(nn.EqualOp, x, add(nn.RoundOp, x)), [(3, 4)]),
    "logic": (_logic, [(3, 4), (4,)]),
    "integers": (_integers, [(3, 4), (4,)]),
    "all_steps": (_all_steps, [(3, 4)]),
    "max_pool": (lambda add, x: add(nn.MaxPoolOp, x, kernel=(3, 2), strides=(2, 2), pads=(1, 0, 2, 1)), [IMAGE]),
    "average_pool": (lambda add, x: add(nn.AveragePoolOp, x, kernel=(3, 2), pads=(1, 0, 2, 1)), [IMAGE]),
    "average_pool_count_pads": (
        lambda add, x: add(nn.AveragePoolOp, x, kernel=(3, 2), pads=(1, 0, 2, 1), count_pads=1),
        [IMAGE],
    ),
    "matmul": (lambda add, a, b: add(nn.MatmulOp, a, b), [(2, 1, 3, 4), (5, 4, 6)]),
    "gemm": (lambda add, a, b, c: add(nn.GemmOp, a, b, c, transpose_a=1, transpose_b=1), [(4, 3), (5, 4), (5,)]),
    "gemm_plain": (lambda add, a, b: add(nn.GemmOp, a, b), [(3, 4), (4, 5)]),
    "batch_norm": (
        lambda add, x, s, b, m, v: add(nn.BatchNormOp, x, s, b, m, add(nn.ExpOp, v), epsilon=1e-5),
        [IMAGE, (4,), (4,), (4,), (4,)],
    ),
    "softmax": (lambda add, x: add(nn.SoftmaxOp, x, axis=1), [IMAGE]),
    "reduce_sum": (lambda add, x: add(nn.ReduceOp, x, kind="sum", axes=(1, 3)), [IMAGE]),
    "reduce_mean": (lambda add, x: add(nn.ReduceOp, x, kind="mean", axes=(2,)), [IMAGE]),
    "reduce_max": (lambda add, x: add(nn.ReduceOp, x, kind="max", axes=(0,)), [IMAGE]),
    "reshape": (lambda add, x: add(nn.ReshapeOp, x, type=TensorType(f32, [8, 72])), [IMAGE]),
    "reshape_to_scalar": (lambda add, x: add(nn.ReshapeOp, x, type=TensorType(f32, [])), [(1, 1)]),
    "broadcast": (lambda add, x: add(nn.BroadcastOp, x, type=TensorType(f32, [5, 3, 4])), [(3, 1)]),
    "transpose": (lambda add, x: add(nn.TransposeOp, x, permutation=(0, 2, 3, 1)), [IMAGE]),
    "concat": (lambda add, x, y: add(nn.ConcatOp, x, y, axis=1), [IMAGE, (2, 1, 9, 8)]),
    "slice": (lambda add, x: add(nn.SliceOp, x, starts=(0, 1, 0, 2), limits=(2, 3, 9, 5)), [IMAGE]),
    "fill": (lambda add, x: add(nn.AddOp, x, add(nn.FillOp, type=TensorType(f32, [4]), value=0.1)), [(3, 4)]),
    "gelu": (_gelu, [(3, 40)]),
    "shared_step": (_shared_step, [(3, 4), (4,)]),
    "long_chain": (_long_chain, [(3, 4)]),
    "scalars": (_scalars, [(3, 4)]),
}
POSITIVE = ("log", "log1p", "sqrt", "rsqrt", "div", "pow", "mod", "rem")
for _kind, _op in nn.ELEMENTWISE.items():
    _shapes = [(3, 4), (4,)][: _op.ARITY]
    if _op.OF != "truth values":  # those are in "logic"
        CASES[_kind] = (lambda add, *xs, op=_op: add(op, *xs), _shapes)


def _split(add, x):
    nothing, *parts = add.several(nn.SplitOp, x, axis=1, sizes=(0, 1, 3))
    return [parts[0], nothing, add(nn.NegOp, parts[1])]


SEVERAL = {
    "split": (_split, [IMAGE]),
    "split_in_one": (lambda add, x: list(add.several(nn.SplitOp, x, axis=0, sizes=(3,))), [(3, 4)]),
    "top_k": (lambda add, x: list(add.several(nn.TopKOp, x, axis=1, k=3)), [IMAGE]),
    "top_k_of_ties": (
        lambda add, x: list(add.several(nn.TopKOp, add(nn.CastOp, x, type=I32(2, 3, 40)), axis=2, k=7)),
        [(2, 3, 40)],
    ),
}


def inputs_of(case: str) -> list[np.ndarray]:
    """Seeded random inputs: positive ones where the function wants them."""
    rng = np.random.default_rng(7)
    draw = (lambda s: rng.uniform(0.5, 2.0, s)) if case in POSITIVE else rng.standard_normal
    return [draw(shape).astype(np.float32) for shape in (CASES | SEVERAL)[case][1]]
