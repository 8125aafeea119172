"""
Multi-head latent attention: keys and values of all heads from one latent vector of each token (DeepSeek-V2,
arXiv:2405.04434, section 2.1). The cache holds that vector and the part of the key that rotary embedding turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xdsl.ir import SSAValue

from ... import nn
from .network import Network

if TYPE_CHECKING:
    from .decoder import Cache, Decoder, Layer


@dataclass(frozen=True)
class Latent:
    """Widths of latent attention; `q_width` 0 is queries without a latent vector."""

    q_width: int
    kv_width: int
    plain: int
    """elements of a key that are not turned"""
    turned: int
    value: int


def attention(
    net: Network,
    model: Decoder,
    widths: Latent,
    layer: Layer,
    x: SSAValue,
    rope: tuple[SSAValue, SSAValue],
    cache: Cache,
) -> SSAValue:
    """Keys and values worked out for each head where the network has no past, else attention on latent vectors."""
    q_plain, q_rope = _queries(net, model, widths, x)
    q_rope = net.emit(nn.RotaryOp, q_rope, *rope, interleaved=int(layer.rope.interleaved))
    latent, k_rope = net.split(
        net.linear(x, "kv_a_proj_with_mqa", widths.kv_width + widths.turned), widths.kv_width, widths.turned
    )
    latent = net.rms_norm(latent, "kv_a_layernorm", model.epsilon)
    k_rope = net.emit(nn.RotaryOp, net.heads(k_rope, 1), *rope, interleaved=int(layer.rope.interleaved))
    latent = cache.extended("latent", net.reshape(latent, net.batch, net.sequence, widths.kv_width), 1)
    k_rope = cache.extended("rope", net.reshape(k_rope, net.batch, net.sequence, widths.turned), 1)
    act = _absorbed if cache.past else _expanded
    seen = act(net, model, widths, (q_plain, q_rope), latent, k_rope)
    return net.linear(net.merged(seen), "o_proj", model.hidden, model.o_bias)


def _queries(net: Network, model: Decoder, widths: Latent, x: SSAValue) -> tuple[SSAValue, SSAValue]:
    """(batch, heads, sequence, plain) and (batch, heads, sequence, turned)."""
    width = model.heads * (widths.plain + widths.turned)
    if widths.q_width:
        x = net.rms_norm(net.linear(x, "q_a_proj", widths.q_width, model.qkv_bias), "q_a_layernorm", model.epsilon)
    q = net.heads(net.linear(x, "q_b_proj" if widths.q_width else "q_proj", width), model.heads)
    plain, turned = net.split(q, widths.plain, widths.turned)
    return plain, turned


def _expanded(
    net: Network, model: Decoder, widths: Latent, q: tuple[SSAValue, SSAValue], latent: SSAValue, k_rope: SSAValue
) -> SSAValue:
    """Attention of many heads on keys and values of each."""
    batch, tokens, width = nn.shape_of(latent)
    rows = net.reshape(latent, batch * tokens, width)
    both = net.heads(net.linear(rows, "kv_b_proj", model.heads * (widths.plain + widths.value)), model.heads)
    k_plain, v = net.split(both, widths.plain, widths.value)
    alone = net.reshape(k_rope, batch, 1, tokens, widths.turned)
    shared = net.emit(nn.BroadcastOp, alone, type=nn.with_shape(alone, (batch, model.heads, tokens, widths.turned)))
    queries, keys = (net.emit(nn.ConcatOp, *parts, axis=3) for parts in (q, (k_plain, shared)))
    return net.emit(nn.AttentionOp, queries, keys, v, scale=model.scale, causal=1)


def _absorbed(
    net: Network, model: Decoder, widths: Latent, q: tuple[SSAValue, SSAValue], latent: SSAValue, k_rope: SSAValue
) -> SSAValue:
    """
    The same with `kv_b_proj` worked into queries and results, so that the latent vectors are the keys and values of
    one head that all queries share: q^T (W c) = (W^T q)^T c.
    """
    batch, tokens, width = nn.shape_of(latent)
    w = net.matrix("kv_b_proj.weight", model.heads * (widths.plain + widths.value), width)
    of_head = net.reshape(w, model.heads, widths.plain + widths.value, width)
    up_k, up_v = net.emit_all(nn.SplitOp, of_head, axis=1, sizes=(widths.plain, widths.value))
    queries = net.emit(nn.ConcatOp, net.emit(nn.MatmulOp, q[0], up_k), q[1], axis=3)
    keys = net.emit(nn.ConcatOp, latent, k_rope, axis=2)
    keys = net.reshape(keys, batch, 1, tokens, width + widths.turned)
    values = net.reshape(latent, batch, 1, tokens, width)
    seen = net.emit(nn.AttentionOp, queries, keys, values, scale=model.scale, causal=1)
    return net.emit(nn.MatmulOp, seen, net.emit(nn.TransposeOp, up_v, permutation=(0, 2, 1)))
