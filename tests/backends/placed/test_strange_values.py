"""What is empty, huge, infinite or not a number, on each way: as the reference has it, or told with its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import NameLoc, StringAttr, TensorType, UnknownLoc, f32, i32
from xdsl.ir import Block, SSAValue

from dovetail.backends.placed.executors import Executor, Target, executor_for
from dovetail.backends.placed.program import build_whole
from dovetail.backends.triton.interpreter import Interpreter
from dovetail.costmodel.hardware import find_device
from dovetail.ir import nn
from dovetail.ir.diagnostics import InputError
from dovetail.ir.interpret import interpret
from dovetail.passes.target import lower_for_target

TARGETS = {
    "jax": Target("host", "cpu", None),
    "triton": Target("gpu", "gpu", find_device("h100-sxm")),
    "scratchpad": Target("npu", "npu", None, 2**20),
}
WAYS = list(TARGETS)
STRANGE = np.array([[np.nan, 1, -np.inf, 2], [np.inf, -1, 0, 3], [-0.0, np.inf, np.inf, -np.inf]], np.float32)
Build = Callable[..., SSAValue]


def network(build: Build, *shapes: Sequence[int]) -> nn.NnModule:
    """`build(add, *inputs)` as a network; ops stand at a place called `here`."""
    block = Block(arg_types=[TensorType(f32, shape) for shape in shapes])

    def add(op: Any) -> SSAValue:
        op.location = NameLoc(StringAttr("here"), UnknownLoc())
        block.add_op(op)
        return op.results[0]

    made = build(add, *block.args)
    return nn.NnModule(nn.build_main(block, [made]), {}, tuple(f"x{i}" for i in range(len(shapes))), ("y",))


def on(way: str, given: nn.NnModule, interpreter: Callable[[], Interpreter]) -> Executor:
    target = TARGETS[way]
    low = lower_for_target(given, target.kind, target.device.id if target.device else None)
    return executor_for(low, f"strange_{len(NAMES)}", target, interpreter)


NAMES: list[str] = []
"""of networks so far: those in one interpreter have different ones"""


@pytest.fixture(scope="module")
def interpreter():
    pytest.importorskip("triton")
    with Interpreter() as made:
        yield made


def hold(way: str, given: nn.NnModule, inputs: Sequence[np.ndarray], interpreter: Interpreter) -> None:
    """The network on that way gives what it means, and nothing else runs it."""
    NAMES.append(way)
    executor = on(way, given, lambda: interpreter)
    assert executor.way == way, executor.note
    (found,) = executor.run(*inputs)
    with np.errstate(all="ignore"):
        (expected,) = interpret(given.module, inputs, given.weights)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected.astype(np.float32), rtol=1e-5, atol=1e-6)


def _mean(kind: str) -> Build:
    return lambda add, x: add(nn.ReduceOp.make(x, kind=kind, axes=(1,)))


def _one(op: Any) -> Build:
    return lambda add, x: add(op.make(x))


ON_ONE: dict[str, Build] = {
    **{op.__name__: _one(op) for op in (nn.ReluOp, nn.TanhOp, nn.SigmoidOp, nn.ExpOp, nn.AbsOp, nn.SqrtOp, nn.NegOp)},
    **{f"reduce_{kind}": _mean(kind) for kind in ("sum", "mean", "max", "min", "prod")},
    "softmax": lambda add, x: add(nn.SoftmaxOp.make(x, axis=1)),
    "rms_norm": lambda add, x: add(nn.RmsNormOp.make(x, axis=1, epsilon=1e-5)),
    "layer_norm": lambda add, x: add(nn.LayerNormOp.make(x, axis=1, epsilon=1e-5)),
    "concat": lambda add, x: add(nn.ConcatOp.make(x, x, axis=1)),
    "cum_sum": lambda add, x: add(nn.CumSumOp.make(x, axis=1)),
    "less": lambda add, x: add(
        nn.CastOp.make(add(nn.LessOp.make(x, add(nn.NegOp.make(x)))), type=TensorType(f32, (3, 4)))
    ),
    "max_pool": lambda add, x: add(
        nn.MaxPoolOp.make(add(nn.ReshapeOp.make(x, type=TensorType(f32, (1, 1, 3, 4)))), kernel=(2, 2))
    ),
}
ON_TWO: dict[str, Build] = {
    op.__name__: (lambda add, x, y, op=op: add(op.make(x, y)))
    for op in (nn.AddOp, nn.MulOp, nn.DivOp, nn.MaxOp, nn.MinOp, nn.PowOp)
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ON_ONE)
def test_what_is_not_a_number_passes_through(name: str, way: str, interpreter: Interpreter) -> None:
    hold(way, network(ON_ONE[name], (3, 4)), [STRANGE], interpreter)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ON_TWO)
def test_it_passes_through_two_operands(name: str, way: str, interpreter: Interpreter) -> None:
    hold(way, network(ON_TWO[name], (3, 4), (3, 4)), [STRANGE, STRANGE[::-1].copy()], interpreter)


ENDS = np.array([np.nan, np.inf, -np.inf, 0, -0.0, -1.5, 2.5, 0.5, 3e38, -3, 2, 1, -1], np.float32)
REMAINDERS = np.array([np.nan, np.inf, -np.inf, -1.5, 2.5, 1e-3, 3e38, -3, 0.7, 16777217, 1e20], np.float32)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("op", "values"), [(nn.PowOp, ENDS), (nn.RemOp, REMAINDERS), (nn.ModOp, REMAINDERS)])
def test_functions_of_two_at_their_ends(op: Any, values: np.ndarray, way: str, interpreter: Interpreter) -> None:
    x, y = map(np.ascontiguousarray, np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        exact = x.astype(np.float64) ** y
    held = (exact == 0) | (np.abs(exact) > 1.2e-38) | np.isnan(exact)  # XLA has no numbers below
    y = np.where(held, y, 1).astype(np.float32) if op is nn.PowOp else y
    hold(way, network(lambda add, a, b: add(op.make(a, b)), x.shape, y.shape), [x, y], interpreter)


@pytest.mark.parametrize("way", WAYS)
def test_it_passes_through_products(way: str, interpreter: Interpreter) -> None:
    product = network(lambda add, x, y: add(nn.MatmulOp.make(x, y)), (3, 4), (4, 2))
    hold(way, product, [STRANGE, np.eye(4, 2, dtype=np.float32)], interpreter)


EMPTY: dict[str, tuple[Build, list[tuple[int, ...]]]] = {
    "relu": (_one(nn.ReluOp), [(0, 4)]),
    "sum of nothing": (_mean("sum"), [(3, 0)]),
    "sums of no rows": (_mean("sum"), [(0, 4)]),
    "softmax": (lambda add, x: add(nn.SoftmaxOp.make(x, axis=1)), [(0, 4)]),
    "norm": (lambda add, x: add(nn.RmsNormOp.make(x, axis=1, epsilon=1e-5)), [(0, 4)]),
    "product of no rows": (lambda add, x, y: add(nn.MatmulOp.make(x, y)), [(0, 4), (4, 2)]),
    "product over nothing": (lambda add, x, y: add(nn.MatmulOp.make(x, y)), [(3, 0), (0, 2)]),
    "joint": (lambda add, x, y: add(nn.ConcatOp.make(x, y, axis=0)), [(0, 4), (2, 4)]),
    "reshape": (lambda add, x: add(nn.NegOp.make(add(nn.ReshapeOp.make(x, type=TensorType(f32, (4, 0)))))), [(0, 4)]),
    "slice": (lambda add, x: add(nn.NegOp.make(add(nn.SliceOp.make(x, starts=(1, 0), limits=(1, 4))))), [(2, 4)]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", EMPTY)
def test_tensors_without_elements(name: str, way: str, interpreter: Interpreter) -> None:
    build, shapes = EMPTY[name]
    rng = np.random.default_rng(0)
    hold(way, network(build, *shapes), [rng.standard_normal(s).astype(np.float32) for s in shapes], interpreter)


@pytest.mark.parametrize("way", WAYS)
def test_integers_wrap_around(way: str, interpreter: Interpreter) -> None:
    """In the reference, in float64, they do not."""
    block = Block(arg_types=[TensorType(i32, (3,))])
    square = nn.MulOp.make(block.args[0], block.args[0])
    block.add_op(square)
    given = nn.NnModule(nn.build_main(block, [square.result]), {}, ("x",), ("y",))
    NAMES.append(way)
    executor = on(way, given, lambda: interpreter)
    assert executor.way == way, executor.note
    (found,) = executor.run(np.array([1 << 16, (1 << 31) - 1, -3], np.int32))
    np.testing.assert_array_equal(found, np.array([0, 1, 9], np.int32))


@pytest.mark.parametrize("way", WAYS)
def test_more_than_2_to_the_31_elements_are_compiled_or_told_with_their_place(way: str) -> None:
    """Nothing of that size is made here: the program is emitted, and not run."""
    huge = network(lambda add, x: add(nn.ReluOp.make(add(nn.NegOp.make(x)))), (1 << 16, 1 << 16))
    NAMES.append(way)
    executor = on(way, huge, Interpreter)
    assert executor.way == "jax"
    if way == "triton":
        assert executor.note
        assert "2^31 elements or more, at `here`" in executor.note.message
    if way == "scratchpad":
        assert executor.note


@pytest.mark.parametrize("way", WAYS)
def test_an_operator_that_no_way_has_is_told_with_its_place(way: str) -> None:
    given = network(lambda add, x: add(nn.AllReduceOp.make(x, mesh="tp", ranks=2)), (3, 4))
    target = TARGETS[way]
    with pytest.raises(InputError, match=r"no JAX code for operator `nn\.all_reduce` on one device, at `here`"):
        build_whole(lower_for_target(given, target.kind), "sums", target)


@pytest.mark.parametrize(
    ("way", "keeps"),
    [("jax", False), ("pallas", False), ("scratchpad", False), ("triton", True)],
    ids=["jax", "pallas", "scratchpad", "triton"],
)
def test_subnormal_numbers(way: str, keeps: bool) -> None:
    """XLA on a CPU takes them for zeros of their sign, given or made; Triton's interpreter keeps them."""
    if way == "triton":
        pytest.importorskip("triton")
    target = TARGETS.get(way) or Target("tpu", "npu", find_device("tpu-v5e"), 2**24)
    x = np.array([[1e-40, -3e-39, 1.5e-38, 1]], np.float32)
    half = 0.5 * np.eye(4, dtype=np.float32)

    def build(add: Any, x: SSAValue, half: SSAValue) -> SSAValue:
        return add(nn.MatmulOp.make(x, half))

    given = network(build, (1, 4), (4, 4))
    program = build_whole(given, f"subnormal_{way}", target)
    assert program.steps[0].executor.way == way
    exact = (0.5 * x.astype(np.float64)).astype(np.float32)
    (expected,) = interpret(given.module, [x, half], {})
    np.testing.assert_array_equal(expected.astype(np.float32), exact)
    (found,) = program(x, half)
    np.testing.assert_array_equal(
        found, exact if keeps else np.where(np.abs(exact) < np.finfo(np.float32).tiny, 0, exact)
    )
