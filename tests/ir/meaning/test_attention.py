"""Attention, paged attention and rotary embedding against JAX in float64 and against onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
from xdsl.dialects.builtin import f64, i64
from xdsl.ir import Block

from dovetail.ir import nn
from dovetail.ir.interpret import evaluate


def apply(kind: type[nn.TensorOp], /, *operands: np.ndarray, **given) -> np.ndarray:
    """The first result of one op on arrays; integers are i64."""
    block = Block(arg_types=[nn.tensor(i64 if o.dtype.kind == "i" else f64, o.shape) for o in operands])
    return evaluate(kind.make(*block.args, **given), [o.astype(np.float64) for o in operands], {})[0]


def draw(seed: int) -> tuple[np.random.Generator, dict[str, int]]:
    rng = np.random.default_rng(seed)
    hkv, queries = int(rng.integers(1, 4)), int(rng.integers(1, 7))
    sizes = {"b": rng.integers(1, 4), "hkv": hkv, "hq": hkv * rng.integers(1, 4), "m": queries}
    sizes |= {"n": queries + rng.integers(0, 6), "d": 2 * rng.integers(1, 9), "dv": rng.integers(1, 9)}
    return rng, {name: int(size) for name, size in sizes.items()}


@pytest.mark.parametrize("seed", range(5))
def test_attention_is_that_of_jax(seed: int) -> None:
    """To float32, in which JAX takes the softmax whatever it is given."""
    import jax

    rng, s = draw(seed)
    q = rng.normal(size=(s["b"], s["hq"], s["m"], s["d"]))
    k = rng.normal(size=(s["b"], s["hkv"], s["n"], s["d"]))
    v = rng.normal(size=(s["b"], s["hkv"], s["n"], s["d"]))
    causal, window = int(rng.integers(2)), int(rng.choice([0, 1, 2, 5]))
    mask = rng.normal(size=(int(rng.choice([1, s["b"]])), 1, s["m"], s["n"]))
    # JAX counts places of queries from the start; ours are the last ones, so queries are put behind unused ones.
    behind = np.zeros((s["b"], s["hq"], s["n"], s["d"]))
    behind[:, :, s["n"] - s["m"] :] = q
    bias = np.zeros((mask.shape[0], 1, s["n"], s["n"]))
    bias[:, :, s["n"] - s["m"] :] = mask
    given = {"local_window_size": (window - 1, s["n"])} if window else {}
    with jax.enable_x64(True):
        expected = jax.nn.dot_product_attention(
            *(each.swapaxes(1, 2) for each in (behind, k, v)), bias=bias, scale=0.3, is_causal=bool(causal), **given
        )
    got = apply(nn.AttentionOp, q, k, v, mask, scale=0.3, causal=causal, window=window)
    np.testing.assert_allclose(got, np.asarray(expected).swapaxes(1, 2)[:, :, s["n"] - s["m"] :], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_softcap_and_values_of_another_width_as_written_out(seed: int) -> None:
    import jax
    import jax.numpy as jnp

    rng, s = draw(seed)
    q, k = rng.normal(size=(s["b"], s["hq"], s["m"], s["d"])), rng.normal(size=(s["b"], s["hkv"], s["n"], s["d"]))
    v = rng.normal(size=(s["b"], s["hkv"], s["n"], s["dv"]))
    got = apply(nn.AttentionOp, q, k, v, scale=1.5, softcap=2.0, causal=1)
    with jax.enable_x64(True):
        grouped = jnp.reshape(q, (s["b"], s["hkv"], -1, s["m"], s["d"]))
        scores = 2.0 * jnp.tanh(jnp.einsum("bhgmd,bhnd->bhgmn", grouped, k) * 1.5 / 2.0)
        scores = jnp.where(jnp.tri(s["m"], s["n"], s["n"] - s["m"], dtype=bool), scores, -jnp.inf)
        expected = jnp.einsum("bhgmn,bhnd->bhgmd", jax.nn.softmax(scores, axis=-1), v)
    np.testing.assert_allclose(got, np.reshape(expected, got.shape), rtol=1e-9)


def test_a_query_that_sees_no_key_gives_zero() -> None:
    q, k = np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2))
    mask = np.array([[-np.inf, -np.inf], [0.0, -np.inf]])
    got = apply(nn.AttentionOp, q, k, k, mask, scale=1.0)
    np.testing.assert_array_equal(got[0, 0], [[0, 0], [1, 1]])


@pytest.mark.parametrize("seed", range(30))
def test_pages_hold_what_one_piece_would(seed: int) -> None:
    """Paged attention equals attention over each sequence's own keys; spare pages and table entries are rubbish."""
    rng, s = draw(seed)
    block, blocks, window = int(rng.integers(1, 5)), int(rng.integers(4, 7)), int(rng.choice([0, 1, 3]))
    softcap = float(rng.choice([0.0, 1.5]))
    lengths = rng.integers(s["m"], max(s["m"] + 1, block * blocks), s["b"])
    blocks = max(blocks, -(-int(lengths.max()) // block))
    pages = rng.permutation(s["b"] * blocks + 3)
    k_pages = rng.normal(size=(len(pages), block, s["hkv"], s["d"]))
    v_pages = rng.normal(size=(len(pages), block, s["hkv"], s["dv"]))
    q = rng.normal(size=(s["b"], s["hq"], s["m"], s["d"]))
    table = pages[: s["b"] * blocks].reshape(s["b"], blocks)
    shown = np.where(np.arange(blocks) * block < lengths[:, None], table, -7)
    given = {"scale": 0.7, "window": window, "softcap": softcap}
    got = apply(nn.PagedAttentionOp, q, k_pages, v_pages, shown, lengths, **given)
    for index, length in enumerate(lengths):
        whole = [p[table[index]].reshape(-1, s["hkv"], p.shape[3])[:length].swapaxes(0, 1) for p in (k_pages, v_pages)]
        expected = apply(nn.AttentionOp, q[index, None], whole[0][None], whole[1][None], causal=1, **given)
        np.testing.assert_allclose(got[index], expected[0], rtol=1e-9)


def test_tokens_scattered_into_pages_are_attended_to() -> None:
    """Two sequences decode side by side, each token written to its page before it is looked at."""
    rng, (b, heads, d, block) = np.random.default_rng(3), (2, 2, 4, 2)
    table, steps = np.array([[3, 0, 4], [1, 5, 2]]), 5
    k_pages = v_pages = np.full((6 * block, heads, d), 99.0)
    q, k, v = rng.normal(size=(3, steps, b, heads, 1, d))
    for step in range(steps):
        rows = table[:, step // block] * block + step % block
        k_pages = apply(nn.ScatterOp, k_pages, rows, k[step, :, :, 0], axis=0, kind="set")
        v_pages = apply(nn.ScatterOp, v_pages, rows, v[step, :, :, 0], axis=0, kind="set")
        pages = (each.reshape(6, block, heads, d) for each in (k_pages, v_pages))
        got = apply(nn.PagedAttentionOp, q[step], *pages, table, np.full(b, step + 1), scale=0.5)
        past = (np.concatenate(each[: step + 1], axis=2) for each in (k, v))
        np.testing.assert_allclose(got, apply(nn.AttentionOp, q[step], *past, scale=0.5), rtol=1e-9)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("interleaved", [0, 1])
def test_rotary_is_a_complex_product(seed: int, interleaved: int) -> None:
    rng, s = draw(seed)
    half = int(rng.integers(1, s["d"] // 2 + 1))
    x = rng.normal(size=(s["b"], s["hq"], s["m"], s["d"]))
    angles = rng.normal(size=(*([s["b"]] * int(rng.integers(2))), s["m"], half))
    got = apply(nn.RotaryOp, x, np.cos(angles), np.sin(angles), interleaved=interleaved)
    pairs = x[..., : 2 * half]
    first, second = (pairs[..., ::2], pairs[..., 1::2]) if interleaved else np.split(pairs, 2, axis=-1)
    turned = (first + 1j * second) * np.exp(1j * (angles if angles.ndim == 2 else angles[:, None]))
    expected = np.stack([turned.real, turned.imag], axis=-1 if interleaved else -2).reshape(pairs.shape)
    np.testing.assert_allclose(got, np.concatenate([expected, x[..., 2 * half :]], axis=-1), rtol=1e-9, atol=1e-12)


def run_in_onnxruntime(kind: str, inputs: dict[str, np.ndarray], outputs: int, **given) -> np.ndarray:
    """The first output of one contrib operator of onnxruntime."""
    import onnxruntime as ort
    from onnx import TensorProto, helper

    types = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "int32": TensorProto.INT32}
    names = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(kind, [n if inputs[n].size else "" for n in inputs], names, domain="com.microsoft", **given)
    fed = {name: each for name, each in inputs.items() if each.size}
    ends = [helper.make_tensor_value_info(n, types[str(e.dtype)], e.shape) for n, e in fed.items()]
    results = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names]
    graph = helper.make_graph([node], "g", ends, results)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(names[:1], fed)[0])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("interleaved", [0, 1])
def test_rotary_is_that_of_onnxruntime(seed: int, interleaved: int) -> None:
    rng = np.random.default_rng(seed)
    b, h, s, d = int(rng.integers(1, 3)), int(rng.integers(1, 4)), int(rng.integers(1, 6)), int(2 * rng.integers(1, 9))
    x = rng.normal(size=(b, h, s, d)).astype(np.float32)
    angles = rng.normal(size=(s, d // 2)).astype(np.float32)
    inputs = {"x": x, "p": np.zeros(1, np.int64), "cos": np.cos(angles), "sin": np.sin(angles)}
    expected = run_in_onnxruntime("RotaryEmbedding", inputs, 1, interleaved=interleaved)
    got = apply(nn.RotaryOp, x, np.cos(angles), np.sin(angles), interleaved=interleaved)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_grouped_query_attention_is_that_of_onnxruntime(seed: int) -> None:
    rng = np.random.default_rng(seed)
    b, hkv, group, m, d = int(rng.integers(1, 3)), int(rng.integers(1, 4)), int(rng.integers(1, 4)), 6, 16
    window, softcap = int(rng.choice([0, 2, 4])), float(rng.choice([0.0, 3.0]))
    q, k, v = (rng.normal(size=(b, h, m, d)).astype(np.float32) for h in (hkv * group, hkv, hkv))
    packed = [each.swapaxes(1, 2).reshape(b, m, -1) for each in (q, k, v)]
    none = np.zeros(0, np.float32)
    inputs = dict(zip(("q", "k", "v"), packed, strict=True)) | {"pk": none, "pv": none}
    inputs |= {"last": np.full(b, m - 1, np.int32), "total": np.array(m, np.int32)}
    heads = {"num_heads": hkv * group, "kv_num_heads": hkv, "scale": 0.4, "softcap": softcap}
    given = {**heads, **({"local_window_size": window} if window else {})}
    expected = run_in_onnxruntime("GroupQueryAttention", inputs, 3, **given).reshape(b, m, -1, d).swapaxes(1, 2)
    got = apply(nn.AttentionOp, q, k, v, scale=0.4, causal=1, window=window, softcap=softcap)
    np.testing.assert_allclose(got, expected, rtol=2e-4, atol=1e-5)
