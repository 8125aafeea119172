"""
Programs in JAX whose work is counted by our rules, by XLA and by hand: what models are made of, at sizes that are small
but no toys. Inputs are shapes; weights are inputs too, so that nothing is known before the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


@dataclass(frozen=True)
class Program:
    """A function, the shapes that it is called with, and the flops of its products, worked by hand."""

    name: str
    function: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    products: float
    """2 m n k of every product, and 2 (outputs) (taps) of every convolution, those on the padding too"""
    dtype: str = "float32"
    on_padding: float = 0.0
    """of `products`, those with zeros of the padding, which XLA leaves out"""
    same_in_xla: Callable[..., Any] | None = None
    """what XLA is asked instead, where it counts something else than the work of `function`"""

    @property
    def inputs(self) -> tuple[jax.ShapeDtypeStruct, ...]:
        return tuple(jax.ShapeDtypeStruct(shape, self.dtype) for shape in self.shapes)


def mlp(x: Any, up: Any, down: Any) -> Any:
    return jax.nn.gelu(x @ up) @ down


def layer_norm(x: Any, scale: Any, bias: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * scale + bias


def rms_norm(x: Any, scale: Any) -> Any:
    return x * lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * scale


def attention(q: Any, k: Any, v: Any, causal: bool) -> Any:
    """q is (batch, heads, queries, width), k and v (batch, kv heads, keys, width); the last queries of the keys."""
    group = q.shape[1] // k.shape[1]
    k, v = jnp.repeat(k, group, axis=1), jnp.repeat(v, group, axis=1)
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) * q.shape[-1] ** -0.5
    if causal:
        queries, keys = q.shape[2], k.shape[2]
        seen = jnp.arange(keys)[None, :] <= jnp.arange(queries)[:, None] + (keys - queries)
        scores = jnp.where(seen, scores, -1e9)
    return jnp.einsum("bhqk,bhkd->bhqd", jax.nn.softmax(scores, axis=-1), v)


def heads_of(x: Any, count: int) -> Any:
    batch, tokens, width = x.shape
    return x.reshape(batch, tokens, count, width // count).transpose(0, 2, 1, 3)


def joined(x: Any) -> Any:
    batch, count, tokens, width = x.shape
    return x.transpose(0, 2, 1, 3).reshape(batch, tokens, count * width)


def attention_block(x: Any, wq: Any, wk: Any, wv: Any, wo: Any) -> Any:
    q, k, v = (heads_of(x @ w, 12) for w in (wq, wk, wv))
    return joined(attention(q, k, v, causal=False)) @ wo


def bert_layer(
    x: Any, wq: Any, wk: Any, wv: Any, wo: Any, s1: Any, b1: Any, up: Any, bu: Any, down: Any, bd: Any, s2: Any, b2: Any
) -> Any:
    x = layer_norm(x + attention_block(x, wq, wk, wv, wo), s1, b1)
    return layer_norm(x + jax.nn.gelu(x @ up + bu, approximate=False) @ down + bd, s2, b2)


def gpt2_decode(
    x: Any, keys: Any, values: Any, s1: Any, b1: Any, wqkv: Any, wo: Any, s2: Any, b2: Any, up: Any, down: Any
) -> Any:
    """One token a sequence, after the ones that are cached."""
    q, k, v = (heads_of(each, 12) for each in jnp.split(layer_norm(x, s1, b1) @ wqkv, 3, axis=-1))
    keys, values = (jnp.concatenate([old, new], axis=2) for old, new in ((keys, k), (values, v)))
    x = x + joined(attention(q, keys, values, causal=False)) @ wo
    return x + jax.nn.gelu(layer_norm(x, s2, b2) @ up) @ down, keys, values


def rotated(x: Any, cos: Any, sin: Any) -> Any:
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def llama_prefill(
    x: Any, s1: Any, wq: Any, wk: Any, wv: Any, wo: Any, cos: Any, sin: Any, s2: Any, gate: Any, up: Any, down: Any
) -> Any:
    h = rms_norm(x, s1)
    q, k = rotated(heads_of(h @ wq, 12), cos, sin), rotated(heads_of(h @ wk, 4), cos, sin)
    x = x + joined(attention(q, k, heads_of(h @ wv, 4), causal=True)) @ wo
    h = rms_norm(x, s2)
    return x + (jax.nn.silu(h @ gate) * (h @ up)) @ down


def llama_decode(
    x: Any, keys: Any, values: Any, s1: Any, wq: Any, wk: Any, wv: Any, wo: Any, cos: Any, sin: Any, s2: Any,
    gate: Any, up: Any, down: Any,
) -> Any:  # fmt: skip
    h = rms_norm(x, s1)
    q, k = rotated(heads_of(h @ wq, 12), cos, sin), rotated(heads_of(h @ wk, 4), cos, sin)
    keys = jnp.concatenate([keys, k], axis=2)
    values = jnp.concatenate([values, heads_of(h @ wv, 4)], axis=2)
    x = x + joined(attention(q, keys, values, causal=False)) @ wo
    h = rms_norm(x, s2)
    return x + (jax.nn.silu(h @ gate) * (h @ up)) @ down, keys, values


def mixtral_block(x: Any, router: Any, gate: Any, up: Any, down: Any) -> Any:
    """Two of eight experts a token, as JAX writes it without kernels of its own: all experts work on all tokens."""
    weights = jax.nn.softmax(x @ router, axis=-1)
    second = lax.top_k(weights, 2)[0][:, 1:]
    picked = jnp.where(weights >= second, weights, 0.0)
    picked = picked / picked.sum(-1, keepdims=True)
    hidden = jax.nn.silu(jnp.einsum("td,edf->etf", x, gate)) * jnp.einsum("td,edf->etf", x, up)
    return jnp.einsum("etd,te->td", jnp.einsum("etf,efd->etd", hidden, down), picked)


def convolve(x: Any, w: Any, **given: Any) -> Any:
    given = {"window_strides": (1, 1), "padding": "SAME", **given}
    return lax.conv_general_dilated(x, w, dimension_numbers=("NCHW", "OIHW", "NCHW"), **given)


def resnet_block(x: Any, w1: Any, s1: Any, b1: Any, w2: Any, s2: Any, b2: Any, w3: Any, s3: Any, b3: Any) -> Any:
    """A bottleneck: 1 x 1, 3 x 3 and 1 x 1, batch norms as a scale and a shift of each channel."""
    y = jax.nn.relu(convolve(x, w1) * s1 + b1)
    y = jax.nn.relu(convolve(y, w2) * s2 + b2)
    return jax.nn.relu(x + convolve(y, w3) * s3 + b3)


def lstm(turns: int, unroll: int = 1) -> Callable[..., Any]:
    """`turns` steps of an LSTM cell over (turns, batch, width)."""

    def cell(carry: Any, x: Any, w: Any, u: Any, b: Any) -> Any:
        hidden, state = carry
        i, f, g, o = jnp.split(x @ w + hidden @ u + b, 4, axis=-1)
        state = jax.nn.sigmoid(f) * state + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(state)
        return (hidden, state), hidden

    def run(xs: Any, w: Any, u: Any, b: Any) -> Any:
        start = jnp.zeros((xs.shape[1], u.shape[0]), xs.dtype)
        return lax.scan(lambda c, x: cell(c, x, w, u, b), (start, start), xs, length=turns, unroll=unroll)[1]

    return run


def residual_loop(unroll: bool) -> Callable[..., Any]:
    """Eight turns of `lax.fori_loop`, which JAX traces to a scan."""

    def run(x: Any, w: Any) -> Any:
        return lax.fori_loop(0, 8, lambda _, y: y + jnp.tanh(y @ w), x, unroll=unroll)

    return run


def loss(weights: Any, x: Any, target: Any) -> Any:
    up, down = weights
    return ((jax.nn.gelu(x @ up) @ down - target) ** 2).mean()


def value_and_gradients(up: Any, down: Any, x: Any, target: Any) -> Any:
    return jax.value_and_grad(loss)((up, down), x, target)


def padded_taps(size: int, window: int) -> float:
    """Share of the taps of a SAME convolution of odd `window`, stride 1, that fall on the padding of a square image."""
    reach = window // 2
    on_image = sum(min(at, reach) + 1 + min(size - 1 - at, reach) for at in range(size))
    return 1 - (on_image / (size * window)) ** 2


BATCH, TOKENS, D, F = 2, 128, 768, 3072
MATRICES = ((D, D),) * 4
NORM = ((D,), (D,))
PROJECTIONS = 2 * BATCH * TOKENS * 4 * D * D
SCORES = 4 * BATCH * TOKENS * TOKENS * D
FEED = 2 * BATCH * TOKENS * 2 * D * F
CONTEXT = 1023
KV, HEAD = 256, 64
"""width of keys and values of the Llama block, and of its heads"""
LLAMA = ((D,), (D, D), (D, KV), (D, KV), (D, D))
GATED = ((D,), (D, F), (D, F), (F, D))
LLAMA_WEIGHTS = 2 * D * D + 2 * D * KV + 3 * D * F

EXPERTS = 8
IMAGE = (1, 64, 28, 28)
CHANNEL = (1, 64, 1, 1)
PIXELS = 28 * 28
TURNS = 16


def convolution(name: str, shape: tuple[int, ...], places: int, on_padding: float = 0.0, **given: Any) -> Program:
    """One convolution of IMAGE with weights of `shape`, with so many places in the output."""
    products = 2.0 * places * prod(shape)
    return Program(name, lambda x, w: convolve(x, w, **given), (IMAGE, shape), products, on_padding=on_padding)


PROGRAMS = (
    Program("batched matmul", jnp.matmul, ((8, 128, 64), (8, 64, 256)), 2 * 8 * 128 * 64 * 256),
    Program("batched matmul bf16", jnp.matmul, ((8, 128, 64), (8, 64, 256)), 2 * 8 * 128 * 64 * 256, "bfloat16"),
    Program("MLP", mlp, ((BATCH * TOKENS, D), (D, F), (F, D)), FEED),
    Program("attention block", attention_block, ((BATCH, TOKENS, D), *MATRICES), PROJECTIONS + SCORES),
    Program(
        "BERT layer",
        bert_layer,
        ((BATCH, TOKENS, D), *MATRICES, *NORM, (D, F), (F,), (F, D), (D,), *NORM),
        PROJECTIONS + SCORES + FEED,
    ),
    Program(
        "GPT-2 layer, decode",
        gpt2_decode,
        (
            (8, 1, D), *((8, 12, CONTEXT, 64),) * 2, (D,), (D,), (D, 3 * D), (D, D),
            (D,), (D,), (D, 4 * D), (4 * D, D),
        ),
        2 * 8 * 12 * D**2 + 4 * 8 * D * (CONTEXT + 1),
    ),
    Program(
        "Llama layer, prefill",
        llama_prefill,
        ((BATCH, TOKENS, D), *LLAMA, *((TOKENS, HEAD // 2),) * 2, *GATED),
        2 * BATCH * TOKENS * LLAMA_WEIGHTS + SCORES,
    ),
    Program(
        "Llama layer, decode",
        llama_decode,
        ((8, 1, D), *((8, 4, CONTEXT, HEAD),) * 2, *LLAMA, *((1, HEAD // 2),) * 2, *GATED),
        2 * 8 * LLAMA_WEIGHTS + 4 * 8 * D * (CONTEXT + 1),
    ),
    Program(
        "Mixtral block, all experts",
        mixtral_block,
        ((TOKENS, D), (D, EXPERTS), *((EXPERTS, D, F),) * 2, (EXPERTS, F, D)),
        2 * TOKENS * (D * EXPERTS + EXPERTS * 3 * D * F + EXPERTS * D),
    ),
    Program(
        "ResNet bottleneck",
        resnet_block,
        (
            (1, 256, 28, 28), (64, 256, 1, 1), CHANNEL, CHANNEL, (64, 64, 3, 3), CHANNEL, CHANNEL,
            (256, 64, 1, 1), (1, 256, 1, 1), (1, 256, 1, 1),
        ),
        2 * PIXELS * (2 * 64 * 256 + 64 * 64 * 9),
        on_padding=2 * PIXELS * 64 * 64 * 9 * padded_taps(28, 3),
    ),
    convolution("conv 3x3, stride 2, no padding", (128, 64, 3, 3), 13 * 13, window_strides=(2, 2), padding="VALID"),
    convolution("conv 3x3, 4 groups, no padding", (128, 16, 3, 3), 26 * 26, feature_group_count=4, padding="VALID"),
    convolution("conv 3x3, dilated, no padding", (128, 64, 3, 3), 24 * 24, rhs_dilation=(2, 2), padding="VALID"),
    convolution("conv 3x3, padded", (128, 64, 3, 3), PIXELS, 2 * PIXELS * 128 * 64 * 9 * padded_taps(28, 3)),
    Program(
        "LSTM, 16 turns of a scan",
        lstm(TURNS),
        ((TURNS, 8, 256), (256, 1024), (256, 1024), (1024,)),
        TURNS * 2 * 8 * 1024 * 512,
        same_in_xla=lstm(TURNS, unroll=TURNS),
    ),
    Program(
        "8 turns of a fori_loop",
        residual_loop(unroll=False),
        ((64, D), (D, D)),
        8 * 2 * 64 * D * D,
        same_in_xla=residual_loop(unroll=True),
    ),
    Program(
        "MLP, value and gradients",
        value_and_gradients,
        ((D, F), (F, D), (BATCH * TOKENS, D), (BATCH * TOKENS, D)),
        2.5 * FEED,
    ),
)  # fmt: skip
