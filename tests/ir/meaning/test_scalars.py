"""Scalar functions, comparisons, where and cast against JAX in float64 and int64, and against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from xdsl.dialects.builtin import ArrayAttr, f32, f64, i1, i8, i32

from dovetail.ir import nn

EDGES = [-800.0, -30.0, -3.0, -2.5, -1.5, -0.5, -1e-9, 0.0, 1e-9, 0.5, 1.5, 2.5, 3.0, 30.0, 800.0]
X = np.concatenate([EDGES, np.random.default_rng(1).normal(size=33) * 3]).reshape(4, 1, 12)
POSITIVE = np.abs(X) + 1e-3
SMALL = np.linspace(-0.999, 5, 24).reshape(4, 6)


def unary() -> dict[str, tuple[Callable, np.ndarray]]:
    """Function -> what JAX computes for it, and where."""
    import jax
    import jax.numpy as jnp

    return {
        "relu": (jax.nn.relu, X),
        "exp": (jnp.exp, X),
        "expm1": (jnp.expm1, X),
        "log": (jnp.log, POSITIVE),
        "log1p": (jnp.log1p, SMALL),
        "sqrt": (jnp.sqrt, POSITIVE),
        "rsqrt": (jax.lax.rsqrt, POSITIVE),
        "neg": (jnp.negative, X),
        "abs": (jnp.abs, X),
        "sign": (jnp.sign, X),
        "floor": (jnp.floor, X),
        "ceil": (jnp.ceil, X),
        "round": (jnp.round, X),
        "sin": (jnp.sin, X),
        "cos": (jnp.cos, X),
        "tanh": (jnp.tanh, X),
        "sigmoid": (jax.nn.sigmoid, X),
        "erf": (jax.lax.erf, X),
        "gelu": (lambda x: jax.nn.gelu(x, approximate=False), X),
        "gelu_tanh": (jax.nn.gelu, X),
        "silu": (jax.nn.silu, X),
        "softplus": (jax.nn.softplus, X),
        "mish": (jax.nn.mish, X),
        "hard_sigmoid": (jax.nn.hard_sigmoid, X),
        "hard_swish": (jax.nn.hard_swish, X),
        "not": (jnp.logical_not, X > 0),
    }


def binary() -> dict[str, Callable]:
    import jax.numpy as jnp
    from jax import lax

    return {
        "add": jnp.add,
        "sub": jnp.subtract,
        "mul": jnp.multiply,
        "div": lambda x, y: lax.div(*jnp.broadcast_arrays(x, y)),
        "mod": jnp.mod,
        "rem": lambda x, y: lax.rem(*jnp.broadcast_arrays(x, y)),
        "pow": jnp.power,
        "max": jnp.maximum,
        "min": jnp.minimum,
        "and": jnp.logical_and,
        "or": jnp.logical_or,
        "xor": jnp.logical_xor,
        "less": jnp.less,
        "less_equal": jnp.less_equal,
        "equal": jnp.equal,
    }


KINDS = {op.name.removeprefix("nn."): op for op in (*nn.BINARY, *nn.COMPARISONS)}


@pytest.mark.parametrize("op", nn.UNARY, ids=lambda op: op.name)
def test_functions_of_one_tensor_are_those_of_jax(op, result, x64) -> None:
    function, x = unary()[op.name.removeprefix("nn.")]
    # Where JAX adds 1 to something close to -1 it loses digits that we keep: 1e-15 of what it adds to.
    np.testing.assert_allclose(result(op, x), function(x), rtol=1e-12, atol=3e-15)
    assert result(op, x[:0]).shape == x[:0].shape


def test_tails_keep_their_digits(result) -> None:
    """Against series of the tail, where formulas with 1 + ... have no digit left."""
    x = np.array([-30.0, -40.0])
    np.testing.assert_allclose(result(nn.SigmoidOp, x), np.exp(x), rtol=1e-12)
    np.testing.assert_allclose(result(nn.SiluOp, x), x * np.exp(x), rtol=1e-12)
    np.testing.assert_allclose(result(nn.SoftplusOp, x), np.exp(x), rtol=1e-12)
    z = 12.0  # erfc(z) ~ exp(-z^2) / (z sqrt(pi)) (1 - 1 / (2 z^2) + 3 / (4 z^4) - 15 / (8 z^6))
    erfc = np.exp(-z * z) / (z * np.sqrt(np.pi)) * (1 - 1 / (2 * z**2) + 3 / (4 * z**4) - 15 / (8 * z**6))
    np.testing.assert_allclose(result(nn.GeluOp, [-z * np.sqrt(2)]), -z * np.sqrt(2) / 2 * erfc, rtol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_functions_of_two_tensors_are_those_of_jax(kind: str, result, x64) -> None:
    op = KINDS[kind]
    logic = issubclass(op, nn.BinaryOp) and op.OF == "truth values"
    rng = np.random.default_rng(2)
    x, y = np.round(rng.normal(size=(5, 1, 7)) * 4, 1), np.round(rng.normal(size=(3, 1)) * 4, 1)
    if logic:
        x, y = x > 0, y > 0
    if kind == "pow":
        x = np.where(x < 0, np.round(x), x)
        y = np.round(y)
    np.testing.assert_allclose(result(op, x, y), binary()[kind](x, y), rtol=1e-12)
    assert result(op, x[:, :, :0], y).shape == (5, 3, 0)


@pytest.mark.parametrize("kind", [k for k, op in KINDS.items() if getattr(op, "OF", "numbers") == "numbers"])
def test_integers_are_those_of_jax(kind: str, result, x64) -> None:
    x = np.array([-7, -6, -1, 0, 1, 6, 7, 2**52 + 1])[:, None]
    y = np.array([-5, -3, -1, 1, 2, 7])
    if kind == "pow":
        x, y = x[:-1], np.array([0, 1, 2, 7])
    if kind == "mul":
        x = x[:-1]
    assert (result(KINDS[kind], x, y) == np.asarray(binary()[kind](x, y), np.float64)).all()


@pytest.mark.parametrize("kind", ["relu", "neg", "abs", "sign"])
def test_functions_of_one_integer_are_those_of_jax(kind: str, result, x64) -> None:
    x = np.arange(-3, 4)
    assert (result(nn.ELEMENTWISE[kind], x) == np.asarray(unary()[kind][0](x), np.float64)).all()


ONNX_UNARY = {
    "Abs": "abs", "Ceil": "ceil", "Cos": "cos", "Exp": "exp", "Floor": "floor", "HardSwish": "hard_swish",
    "Mish": "mish", "Neg": "neg", "Relu": "relu", "Round": "round", "Sigmoid": "sigmoid", "Sign": "sign", "Sin": "sin",
    "Softplus": "softplus", "Tanh": "tanh", "Erf": "erf",
}  # fmt: skip


@pytest.mark.parametrize("kind", ONNX_UNARY)
def test_functions_of_one_tensor_are_those_of_onnx(kind: str, result, ort) -> None:
    x = np.clip(X, -20, 20).astype(np.float32)
    (expected,) = ort(kind, x)
    np.testing.assert_allclose(result(nn.ELEMENTWISE[ONNX_UNARY[kind]], x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("approximate", "op"), [("none", nn.GeluOp), ("tanh", nn.GeluTanhOp)])
def test_gelu_is_that_of_onnx(approximate: str, op, result, ort) -> None:
    x = np.clip(X, -20, 20).astype(np.float32)
    (expected,) = ort("Gelu", x, approximate=approximate)
    np.testing.assert_allclose(result(op, x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "attributes", "op"),
    [("Div", {}, nn.DivOp), ("Mod", {}, nn.ModOp), ("Mod", {"fmod": 1}, nn.RemOp), ("Pow", {}, nn.PowOp)],
)
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integer_division_is_that_of_onnx(kind, attributes, op, dtype, result, ort) -> None:
    x, y = np.arange(-9, 10, dtype=dtype)[:, None], np.array([-4, -3, 1, 2, 5], dtype=dtype)
    if kind == "Pow":
        y = np.array([0, 1, 2, 3], dtype=dtype)
    (expected,) = ort(kind, x, y, **attributes)
    assert (result(op, x, y) == expected).all()


def test_where_broadcasts_all_three(result, x64) -> None:
    import jax.numpy as jnp

    rng = np.random.default_rng(3)
    condition, x, y = rng.random((4, 1, 1)) > 0.5, rng.normal(size=(3, 1)), rng.normal(size=(2, 1, 1, 5))
    x[0] = np.nan
    np.testing.assert_array_equal(result(nn.WhereOp, condition, x, y), jnp.where(condition, x, y))


@pytest.mark.parametrize(
    ("of", "to"), [("float64", i32), ("float64", i1), ("float64", f32), ("int64", i8), ("int64", i1), ("bool", f64)]
)
def test_casts_are_those_of_jax(of: str, to, result, x64) -> None:
    import jax.numpy as jnp

    x = np.array([-300, -128.5, -2.5, -1, -0.5, 0, 0.5, 1, 2.5, 127, 128, 255, 256, 1000.25]).astype(of)
    dtype = {i32: "int32", i1: "bool", f32: "float32", i8: "int8", f64: "float64"}[to]
    got = result(nn.CastOp, x, type=nn.tensor(to, x.shape))
    np.testing.assert_array_equal(got, np.asarray(jnp.asarray(x).astype(dtype), np.float64))


@pytest.mark.parametrize(("bits", "unsigned"), [(3, False), (8, True), (64, False)])
def test_a_cast_to_fewer_bits_keeps_the_lowest(bits: int, unsigned: bool, result) -> None:
    from xdsl.dialects.builtin import IntegerType, Signedness

    x = np.arange(-300, 300)
    to = IntegerType(bits, Signedness.UNSIGNED if unsigned else Signedness.SIGNLESS)
    low = [int(v) & (2**bits - 1) for v in x]
    expected = [v if unsigned or v < 2 ** (bits - 1) else v - 2**bits for v in low]
    assert (result(nn.CastOp, x, type=nn.tensor(to, x.shape)) == expected).all()


def test_a_chain_of_integers_divides_as_integers_do(result) -> None:
    steps = ArrayAttr([nn.StepAttr.of("div", (0, 1)), nn.StepAttr.of("neg", (2,))])
    got = result(nn.FusedElementwiseOp, np.array([-7, 7]), np.array([2]), steps=steps)
    assert got.tolist() == [3, -3]


def test_every_scalar_function_is_held_against_jax() -> None:
    assert {op.name.removeprefix("nn.") for op in nn.UNARY} == set(unary())
    assert set(KINDS) == set(binary())
