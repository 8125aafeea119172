"""Each primitive that is read means what JAX computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
Y = np.random.default_rng(1).normal(size=(2, 3, 4)).astype(np.float32)
POSITIVE = np.abs(X) + 0.1
TRUTH = X > 0
IMAGE = np.random.default_rng(2).normal(size=(2, 8, 8, 4)).astype(np.float32)
INDICES = np.array([[2, 0], [1, 1]], dtype=np.int32)

NARROW = np.array([[100, 120, -90], [127, 55, 3]], dtype=np.int8)


def products_of(a: Any, b: Any) -> Any:
    """Of every two rows, in int32; those of NARROW are too large for its own type."""
    return jax.lax.dot_general(a, b, (((1,), (1,)), ((), ())), preferred_element_type=jnp.int32)


ELEMENTS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "arithmetic": (lambda x, y: (x + y * 2 - x / (y + 5)) ** 3, (X, Y)),
    "roots": (lambda x: jnp.sqrt(x) + jax.lax.rsqrt(x) + jnp.log(x) + jnp.log1p(x) + x**-2, (POSITIVE,)),
    "powers": (lambda x: jnp.exp(x) + jnp.expm1(x) + jnp.exp2(x) + jnp.square(x) + 2.0**x, (X,)),
    "waves": (lambda x: jnp.sin(x) * jnp.cos(x) + jnp.tanh(x), (X,)),
    "rounding": (lambda x: jnp.floor(3 * x) + jnp.ceil(5 * x) + jnp.round(2 * x) + jnp.sign(x) + abs(x), (X,)),
    "extremes": (lambda x, y: jnp.maximum(x, y) - jnp.minimum(x, 0.5) + jnp.clip(x, -0.5, 0.5), (X, Y)),
    "remainders": (lambda x, y: jax.lax.rem(x, y + 9) + jnp.mod(x, 0.7), (X, Y)),
    "away from zero": (lambda x: jax.lax.round(2 * x) + x // 0.3, (np.array([0.25, -0.25, 0.75, 1.1], np.float32),)),
    "angles": (lambda x: jnp.tan(x / 3) + jnp.sinh(x) - jnp.cosh(x), (X,)),
    "error": (lambda x: jax.scipy.special.erf(x) + jax.scipy.special.erfc(x / 3), (X,)),
    "comparisons": (lambda x, y: ((x < y) | (x >= 0.5)) & ~(x == y) & (x != 1) & ((x > y) ^ (x <= 0)), (X, Y)),
    "choice": (lambda x, y: jnp.where(x > y, x, -y) + jnp.where(x < 0, 0.0, x), (X, Y)),
    "casts": (lambda x: (10 * x).astype(jnp.int32).astype(jnp.float32) + (x > 0), (X,)),
    "integers": (lambda i: (i * 3 - 7) // 2 + i % 3, (INDICES,)),
    "finite": (lambda x: jnp.isfinite(x / jnp.maximum(x, 0)), (X,)),
    "activations": (lambda x: jax.nn.relu(x) + jax.nn.gelu(x) + jax.nn.silu(x) + jax.nn.softplus(x), (X,)),
    "others": (lambda x: jax.nn.elu(x) + jax.nn.leaky_relu(x) + jax.nn.gelu(x, approximate=False), (X,)),
    "constants": (lambda x: x + jnp.arange(4.0) * jnp.eye(4)[1] + np.float32(2), (X,)),
}

SHAPES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "reshape": (lambda x: x.reshape(6, 4).T.reshape(-1, 2, 3)[..., None].squeeze(-1), (X,)),
    "broadcast": (lambda x: jnp.broadcast_to(x[:, None, 0], (2, 5, 4)) + jnp.ones((5, 4)), (X,)),
    "concatenate": (lambda x, y: jnp.concatenate([x, y, x[:, :1]], axis=1), (X, Y)),
    "stack": (lambda x, y: jnp.stack([x, y], axis=-1), (X, Y)),
    "split": (lambda x: jnp.split(x, [1, 3], axis=-1)[1] * 2, (X,)),
    "slice": (lambda x: x[:, 1:, ::2] + x[1:, :1, -1:], (X,)),
    "pad": (lambda x: jnp.pad(x, ((0, 0), (1, 2), (0, 1)), constant_values=3.0), (X,)),
    "negative pad": (lambda x: jax.lax.pad(x, 0.0, ((0, 0, 0), (-1, 1, 0), (2, -1, 0))), (X,)),
    "tile": (lambda x: jnp.tile(x, (2, 1, 3)) + 1, (X,)),
    "flip": (lambda x: jnp.flip(x, axis=(0, 2)) - x[:, ::-1], (X,)),
    "roll": (lambda x: jnp.roll(x, 2, axis=1), (X,)),
    "iota": (lambda x: x * jax.lax.broadcasted_iota(jnp.float32, (70, 70), 1)[:1, :4], (X,)),
    "take": (lambda x, i: jnp.take(x, i, axis=1, mode="clip") * 2, (X, INDICES)),
    "embedding": (lambda x, i: x[1][i], (X, INDICES)),
    "middle axis": (lambda x, i: x[:, i], (X, INDICES)),
    "along": (lambda x: jnp.take_along_axis(x, jnp.argsort(x, axis=-1), axis=-1), (X,)),
    "sort": (lambda x: jnp.sort(x, axis=1), (X,)),
    "moving slice": (lambda x, i: jax.lax.dynamic_slice_in_dim(x, i[0, 0], 2, axis=2), (X, INDICES)),
    "still slice": (lambda x: jax.lax.dynamic_slice_in_dim(x, 9, 2, axis=2), (X,)),
    "cache": (lambda x, y, i: jax.lax.dynamic_update_slice_in_dim(x, y[:, :1], i[0, 1], axis=1), (X, Y, INDICES)),
    "scatter": (lambda x, y, i: x.at[i[1, 0]].set(y[0]) + x.at[jnp.array([1, 0])].add(y), (X, Y, INDICES - 1)),
}

SUMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "sums": (lambda x: (x.sum(), x.mean(-1), x.max((0, 2)), x.min(1), x.prod(2)), (X,)),
    "truth": (lambda t: (t.all(-1), t.any((0, 1))), (TRUTH,)),
    "places": (lambda x: (jnp.argmax(x, -1), jnp.argmin(x, 1)), (X,)),
    "variance": (lambda x: jnp.var(x, -1) + jnp.std(x, -1), (X,)),
    "running": (lambda x: jnp.cumsum(x, 1) + jax.lax.cumsum(x, 2, reverse=True), (X,)),
    "top": (lambda x: jax.lax.top_k(x, 2), (X,)),
    "softmax": (lambda x: jax.nn.softmax(x, -1) + jax.nn.log_softmax(x, 1), (X,)),
    "logsumexp": (lambda x: jax.nn.logsumexp(x, axis=(1, 2)), (X,)),
    "norms": (lambda x: x / jnp.linalg.norm(x, axis=-1, keepdims=True), (X,)),
    "max pool": (
        lambda x: jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME"),
        (IMAGE,),
    ),
    "sum pool": (lambda x: jax.lax.reduce_window(x, 0.0, jax.lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"), (IMAGE,)),
}

PRODUCTS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "matrix": (lambda x, y: x @ y[0].T, (X, Y)),
    "batched": (lambda x, y: jnp.einsum("bij,bkj->bik", x, y), (X, Y)),
    "outer": (lambda x, y: jnp.einsum("bij,bkl->bijkl", x, y), (X, Y)),
    "two inner": (lambda x, y: jnp.einsum("bij,cij->bc", x, y), (X, Y)),
    "swapped": (lambda x, y: jnp.einsum("bij,jk->bki", x, y[0, :2].T), (X, Y)),
    "vector": (lambda x, y: x @ y[0, 0] + jnp.dot(x[0, 0], y[0, 0]), (X, Y)),
    "half": (lambda x: (x.astype(jnp.bfloat16) @ jnp.ones((4, 2), jnp.bfloat16)).astype(jnp.float32), (X * 0 + 1,)),
    "mixed": (lambda x: jnp.tanh(x @ jnp.full((4, 2), 0.7, jnp.bfloat16)), (X,)),
    "mixed vectors": (lambda x: jnp.round(x[0]).astype(jnp.float16) @ jnp.full(4, 0.3, jnp.float32), (X,)),
    "narrow integers": (lambda n: products_of(n, n) - products_of(n, n.astype(jnp.uint8)), (NARROW,)),
    "conv": (
        lambda x: jax.lax.conv_general_dilated(
            x, jnp.ones((3, 3, 2, 6)) * 0.1, (2, 1), "SAME", rhs_dilation=(1, 2),
            dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=2,
        ),
        (IMAGE,),
    ),
    "conv 1-d": (lambda x: jax.lax.conv(x, jnp.ones((5, 3, 2)), (1,), "VALID"), (X,)),
}  # fmt: skip

CONTROL: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "scan": (lambda x: jax.lax.scan(lambda c, y: (c * 0.5 + y, c - y), x[0], x), (X,)),
    "backward": (lambda x: jax.lax.scan(lambda c, y: (c + y, c), x[0], x, reverse=True), (X,)),
    "loop": (lambda x: jax.lax.fori_loop(0, 3, lambda i, c: c * 0.5 + i, x), (X,)),
    "branch": (lambda x: jax.lax.cond(x.shape[0] == 2, jnp.sin, jnp.cos, x), (X,)),
    "as many bits as there are": (lambda x: jax.lax.reduce_precision(x, 8, 23) / 2, (X,)),
    "checkpoint": (lambda x: jax.checkpoint(lambda y: jnp.tanh(y) * 2)(x), (X,)),
    "gradient": (jax.grad(lambda x: (jnp.tanh(x @ jnp.ones((4, 2))) ** 2).sum()), (X,)),
    "vmap": (jax.vmap(lambda x: jax.nn.softmax(x @ x.T)), (X,)),
    "tree": (lambda p: {"a": p["w"] + p["b"], "c": p["w"][0]}, ({"w": X, "b": Y},)),
}


@pytest.mark.parametrize("name", [*ELEMENTS, *SHAPES, *SUMS, *PRODUCTS, *CONTROL])
def test_a_function_that_is_read_means_what_jax_computes(agrees, name: str) -> None:
    function, inputs = {**ELEMENTS, **SHAPES, **SUMS, **PRODUCTS, **CONTROL}[name]
    agrees(function, *inputs)
