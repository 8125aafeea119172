"""Ops on open sizes: each infers its types, and closing these gives what it infers from closed ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

import pytest
from xdsl.dialects.builtin import ArrayAttr, f32, i1, i64
from xdsl.ir import Attribute, Block
from xdsl.utils.exceptions import VerifyException

from dovetail.ir import mlir, nn
from dovetail.ir.mlir import find_bindings, verify_in_mlir
from dovetail.ir.text import parse_module, print_module

BINDINGS = find_bindings()
needs_mlir = pytest.mark.skipif(BINDINGS is None or BINDINGS.irdl is None, reason=mlir.INSTALL)

B, S = nn.Size.named("batch"), nn.Size.named("seq")
Operand = tuple[Attribute, tuple[int | nn.Size, ...]]


def of(*shape: int | nn.Size, element: Attribute = f32) -> Operand:
    return element, shape


def chain(kind: str) -> ArrayAttr:
    return ArrayAttr([nn.StepAttr.of(kind, (0, 1)), nn.StepAttr.of("relu", (2,))])


X = of(B, S, 8)
IMAGE = of(B, 4, 6, S + 3)
CASES: list[tuple[type[nn.TensorOp], Sequence[Operand], dict]] = [
    *((op, [of(B, S, 8, element=i1 if op.OF == "truth values" else f32)], {}) for op in nn.UNARY),
    *(
        (op, [of(*s, element=i1 if op.OF == "truth values" else f32) for s in ((B, S, 8), (S, 1))], {})
        for op in nn.BINARY
    ),
    *((op, [X, of(S, 1)], {}) for op in nn.COMPARISONS),
    (nn.WhereOp, [of(S, S, element=i1), of(B, 4, S, S), of()], {}),
    (nn.FusedElementwiseOp, [X, of(8)], {"steps": chain("mul")}),
    (nn.ConvOp, [IMAGE, of(6, 2, 3, 2), of(6)], {"groups": 2, "pads": (1, 0, 1, 0), "strides": (2, 1)}),
    (nn.ConvOp, [of(B, 4, S), of(6, 4, 3)], {"pads": (1, 1)}),
    (
        nn.ConvTransposeOp,
        [IMAGE, of(4, 3, 3, 2), of(3)],
        {"strides": (1, 2), "output_pads": (0, 1), "pads": (1, 0, 0, 1)},
    ),
    (nn.MaxPoolOp, [IMAGE], {"kernel": (2, 3), "dilations": (2, 1), "pads": (1, 1, 1, 1)}),
    (nn.AveragePoolOp, [of(B, 4, 2 * S + 2)], {"kernel": (2,), "strides": (2,)}),
    (nn.MatmulOp, [of(B, 4, S, 8), of(8, S)], {}),
    (nn.GemmOp, [of(S, B), of(S, 8), of(B, 1)], {"transpose_a": 1}),
    (nn.BatchNormOp, [of(B, 4, S), *[of(4)] * 4], {}),
    (nn.LayerNormOp, [X, of(8), of(8)], {"axis": 2}),
    (nn.LayerNormOp, [X, of(S, 8)], {"axis": 1}),
    (nn.RmsNormOp, [X, of(8)], {"axis": 2}),
    (nn.GroupNormOp, [of(B, 4, S), of(4), of(4)], {"groups": 2}),
    (nn.SoftmaxOp, [X], {"axis": 1}),
    (nn.ReduceOp, [X], {"kind": "max", "axes": (1,)}),
    (nn.ArgMaxOp, [X], {"axis": 1}),
    (nn.TopKOp, [of(B, S + 4)], {"axis": 1, "k": 3}),
    (nn.CumSumOp, [X], {"axis": 1}),
    (nn.TransposeOp, [X], {"permutation": (1, 2, 0)}),
    (nn.ConcatOp, [X, of(B, 3, 8), of(B, S, 8)], {"axis": 1}),
    (nn.SliceOp, [of(B, S + 4, 8)], {"starts": (0, 3, 2), "limits": (nn.END, nn.END, 8), "steps": (1, 1, 2)}),
    (nn.SliceOp, [X], {"starts": (0, 0, 2), "limits": (1, nn.END, 8)}),
    (nn.SplitOp, [X], {"axis": 2, "sizes": (3, 5)}),
    (nn.ReverseOp, [X], {"axes": (0, 1)}),
    (nn.PadOp, [X, of()], {"low": (0, 2, 0), "high": (0, 1, 0)}),
    (nn.PadOp, [of(B, S + 2)], {"low": (0, 2), "high": (0, 1), "mode": "reflect"}),
    (nn.GatherOp, [of(100, 8), of(B, S, element=i64)], {"axis": 0}),
    (nn.GatherElementsOp, [X, of(B, 2 * S, 8, element=i64)], {"axis": 1}),
    (nn.ScatterOp, [of(B, S, 8), of(3, element=i64), of(B, 3, 8)], {"axis": 1}),
    (nn.ResizeOp, [of(B, 3, 4, 5)], {"axes": (2, 3), "sizes": (8, 7)}),
]
"""The op, what it is given, and its attributes."""

GIVEN: list[tuple[type[nn.TensorOp], Sequence[Operand], dict, Operand]] = [
    (nn.ReshapeOp, [X], {}, of(B * S, 2, 4)),
    (nn.BroadcastOp, [of(S, 1)], {}, of(B, S, 8)),
    (nn.CastOp, [X], {}, of(B, S, 8, element=i64)),
    (nn.FillOp, [], {"value": 1.0}, of(B, S)),
    (nn.IotaOp, [], {"axis": 1}, of(B, S, element=i64)),
]
"""The same for ops whose type is given."""

ROOMS: tuple[ModuleType, ...] = (
    nn.scalars, nn.fused, nn.windows, nn.products, nn.norms, nn.reductions, nn.layout, nn.indexing, nn.resize,
)  # fmt: skip


def types(operands: Sequence[Operand], sizes: dict[str, int] | None) -> list[nn.Tensor]:
    return [nn.tensor(element, [at(n, sizes) for n in shape]) for element, shape in operands]


def at(size: int | nn.Size, sizes: dict[str, int] | None) -> int | nn.Size:
    return size.at(sizes) if isinstance(size, nn.Size) and sizes is not None else size


def made(op: type[nn.TensorOp], operands: list[nn.Tensor], given: dict) -> nn.TensorOp:
    return op.make(*Block(arg_types=operands).args, **given)


def closed(op: nn.TensorOp, sizes: dict[str, int]) -> list[nn.Tensor]:
    """The types of the results of `op` once the names have values."""
    return [nn.tensor(nn.tensor_type(r).element_type, [at(n, sizes) for n in nn.shape_of(r)]) for r in op.results]


def name(case: tuple) -> str:
    return case[0].__name__


@pytest.mark.parametrize("case", CASES, ids=name)
def test_closing_what_is_inferred_open_is_inferring_closed(case) -> None:
    op, operands, given = case
    inferred = made(op, types(operands, None), given)
    assert any(isinstance(n, nn.Size) for r in inferred.results for n in nn.shape_of(r))
    for sizes in ({"batch": 1, "seq": 1}, {"batch": 3, "seq": 5}, {"batch": 2, "seq": 4}):
        direct = made(op, types(operands, sizes), given)
        assert closed(inferred, sizes) == [r.type for r in direct.results]


@pytest.mark.parametrize("case", GIVEN, ids=name)
def test_types_that_are_given_open_are_right_closed(case) -> None:
    op, operands, given, wanted = case
    inferred = made(op, types(operands, None), {**given, "type": types([wanted], None)[0]})
    for sizes in ({"batch": 1, "seq": 1}, {"batch": 3, "seq": 5}):
        direct = made(op, types(operands, sizes), {**given, "type": types([wanted], sizes)[0]})
        assert closed(inferred, sizes) == [r.type for r in direct.results]


def test_every_op_of_these_rooms_is_tried_with_open_sizes() -> None:
    tried = {case[0] for case in (*CASES, *GIVEN)}
    assert {op for room in ROOMS for op in room.OPS} - tried == {nn.WeightOp}, "what is trained has a size"


def module_of_all(sizes: dict[str, int] | None) -> str:
    """One of each case in a module, as text in the generic form."""
    block = Block(arg_types=[t for case in CASES for t in types(case[1], sizes)])
    arguments = iter(block.args)
    for op, operands, given in CASES:
        block.add_op(op.make(*(next(arguments) for _ in operands), **given))
    for op, operands, given, wanted in GIVEN:
        new = Block(arg_types=types(operands, sizes)).args
        inputs = [block.insert_arg(x.type, len(block.args)) for x in new]
        block.add_op(op.make(*inputs, **given, type=types([wanted], sizes)[0]))
    return print_module(nn.build_main(block, [r for op in block.ops for r in op.results]), generic=True)


@pytest.mark.parametrize("sizes", [None, {"batch": 2, "seq": 3}], ids=["open", "closed"])
def test_every_op_is_read_back_as_it_was_printed(sizes) -> None:
    text = module_of_all(sizes)
    module = parse_module(text, "all.mlir")
    module.verify()
    assert print_module(module, generic=True) == text
    assert nn.open_names(module) == ({"batch", "seq"} if sizes is None else frozenset())


@needs_mlir
@pytest.mark.parametrize("sizes", [None, {"batch": 2, "seq": 3}], ids=["open", "closed"])
def test_mlir_accepts_every_op_and_we_read_what_it_prints(sizes) -> None:
    text = module_of_all(sizes)
    printed = verify_in_mlir(text)
    assert parse_module(printed, "mlir.mlir").is_structurally_equivalent(parse_module(text, "all.mlir"))


UNDECIDED: list[tuple[str, Callable[[], object]]] = [
    (
        "a stride of an odd or even size",
        lambda: made(nn.MaxPoolOp, types([of(B, 4, S)], None), {"kernel": (1,), "strides": (2,)}),
    ),
    ("a window that may not fit", lambda: made(nn.ConvOp, types([of(B, 4, S), of(6, 4, 3)], None), {})),
    ("more of an axis than it may have", lambda: made(nn.TopKOp, types([X], None), {"axis": 1, "k": 2})),
    (
        "a slice that may not be inside",
        lambda: made(nn.SliceOp, types([of(S)], None), {"starts": (0,), "limits": (4,)}),
    ),
    (
        "pads that may be too large",
        lambda: made(nn.PadOp, types([of(S)], None), {"low": (2,), "high": (0,), "mode": "wrap"}),
    ),
]


@pytest.mark.parametrize(("what", "build"), UNDECIDED, ids=[what for what, _ in UNDECIDED])
def test_C0_what_depends_on_the_names_is_refused(what: str, build: Callable[[], object]) -> None:
    with pytest.raises(VerifyException, match=r"\(C0\)"):
        build()
