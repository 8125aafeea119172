"""Flash attention: causal, windows, masks, grouped queries (FlashAttention, arXiv 2205.14135, algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

NEVER = -1e30
"""the score of a key that is not seen: finite, so that rows that see nothing stay numbers"""


class Sight(NamedTuple):
    """Which keys each query sees, the m queries being the last of n places, in blocks of bi queries and bj keys."""

    m: int
    n: int
    bi: int
    bj: int
    causal: bool
    window: int

    @property
    def steps(self) -> int:
        """Blocks of keys."""
        return pl.cdiv(self.n, self.bj)

    def last(self, i: Any) -> Any:
        """The last block of keys that the block i of queries sees."""
        if not self.causal:
            return self.steps - 1
        return _blocks(jnp.minimum((i + 1) * self.bi - 1 + self.n - self.m, self.n - 1), self.bj)

    def first(self, i: Any) -> Any:
        """The first one."""
        if not self.window:
            return 0
        return _blocks(i * self.bi + self.n - self.m - self.window + 1, self.bj)

    def seen(self, i: Any, j: Any) -> Array:
        """(bi, bj): whether each query of block i sees each key of block j."""
        shape = self.bi, self.bj
        key = j * self.bj + lax.broadcasted_iota(jnp.int32, shape, 1)
        place = i * self.bi + self.n - self.m + lax.broadcasted_iota(jnp.int32, shape, 0)
        found = key < self.n
        found &= key <= place if self.causal else True
        return found & (key > place - self.window) if self.window else found


def _blocks(place: Any, size: int) -> Any:
    """The block that holds `place`, 0 for those before the first; `//` would ask a TPU that need not be there."""
    return lax.div(jnp.maximum(place, 0), size)


@jax.enable_x64(False)  # blocks are counted in 32 bits, whatever the network holds
def flash_attention(
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None = None,
    *,
    blocks: Mapping[str, int],
    scale: float,
    causal: bool = False,
    window: int = 0,
    softcap: float = 0.0,
    vmem_bytes: int | None = None,
    interpret: Any = False,
) -> Array:
    """
    Attend with (b, hq, m, d) to (b, hkv, n, d); queries are the last m of n places.

    A mask that broadcasts to (b, hq, m, n) is added to the scores. Blocks `i` of queries, `j` of keys. Rows
    that see no key give 0.
    """
    (b, heads, m, d), (_, kv_heads, n, e) = q.shape, v.shape
    bi, bj = min(blocks["i"], m), min(blocks["j"], n)
    sight, group = Sight(m, n, bi, bj, causal, window), heads // kv_heads

    def of_keys(h: Any, i: Any, j: Any) -> tuple[Any, ...]:
        return lax.div(h, group), jnp.clip(j, sight.first(i), sight.last(i)), 0  # an equal block is not moved again

    masks, mask_specs = ([], []) if mask is None else _mask_blocks(mask, heads, (bi, bj), of_keys)
    result = pl.pallas_call(
        partial(_kernel, sight=sight, scale=scale, softcap=softcap),
        grid=(b * heads, pl.cdiv(m, bi), sight.steps),
        in_specs=[
            pl.BlockSpec((1, bi, d), lambda h, i, j: (h, i, 0)),
            pl.BlockSpec((1, bj, d), of_keys),
            pl.BlockSpec((1, bj, e), of_keys),
            *mask_specs,
        ],
        out_specs=pl.BlockSpec((1, bi, e), lambda h, i, j: (h, i, 0)),
        out_shape=jax.ShapeDtypeStruct((b * heads, m, e), v.dtype),
        scratch_shapes=[pltpu.VMEM((bi, width), jnp.float32) for width in (128, 128, e)],
        compiler_params=pltpu.CompilerParams(
            dimension_semantics=("parallel", "parallel", "arbitrary"), vmem_limit_bytes=vmem_bytes
        ),
        interpret=interpret,
    )(q.reshape(b * heads, m, d), k.reshape(b * kv_heads, n, d), v.reshape(b * kv_heads, n, e), *masks)
    return result.reshape(b, heads, m, e)


def _mask_blocks(
    mask: Array, heads: int, sizes: tuple[int, int], of_keys: Callable[..., tuple[Any, ...]]
) -> tuple[list[Array], list[pl.BlockSpec]]:
    """The mask with four axes, and its blocks; an axis of one element is never moved along."""
    mask = mask.reshape((1,) * (4 - mask.ndim) + mask.shape)
    sequences, of_head, rows, columns = (size > 1 for size in mask.shape)

    def place(h: Any, i: Any, j: Any) -> tuple[Any, ...]:
        sequence, head = (lax.div(h, heads) if sequences else 0), (lax.rem(h, heads) if of_head else 0)
        return sequence, head, i if rows else 0, of_keys(h, i, j)[1] if columns else 0

    block = (1, 1, sizes[0] if rows else 1, sizes[1] if columns else 1)
    return [mask], [pl.BlockSpec(block, place)]


def _kernel(q: Any, k: Any, v: Any, *refs: Any, sight: Sight, scale: float, softcap: float) -> None:
    """One block of queries meets one block of keys; `refs` are the mask, the result, and sums of what was seen."""
    *mask, out, greatest, total, sums = refs
    i, j = pl.program_id(1), pl.program_id(2)
    precision = lax.Precision.HIGHEST if q.dtype == jnp.float32 else None

    @pl.when(j == 0)
    def _() -> None:
        greatest[...] = jnp.full_like(greatest, NEVER)
        total[...] = jnp.zeros_like(total)
        sums[...] = jnp.zeros_like(sums)

    @pl.when((j >= sight.first(i)) & (j <= sight.last(i)))
    def _() -> None:
        along = (((1,), (1,)), ((), ()))
        scores = scale * lax.dot_general(q[0], k[0], along, precision, jnp.float32)
        if softcap:
            scores = softcap * jnp.tanh(scores / softcap)
        if mask:
            scores = scores + mask[0][0, 0].astype(jnp.float32)
        seen = sight.seen(i, j)
        scores = jnp.where(seen, scores, NEVER)
        most = jnp.maximum(greatest[:, :1], scores.max(axis=1, keepdims=True))
        powers = jnp.where(seen, jnp.exp(scores - most), 0.0)
        shrink = jnp.exp(greatest[:, :1] - most)
        values = v[0]
        if sight.n % sight.bj:  # what lies past the end of the last block is anything
            row = j * sight.bj + lax.broadcasted_iota(jnp.int32, values.shape, 0)
            values = jnp.where(row < sight.n, values, 0)
        new = jnp.dot(powers.astype(values.dtype), values, precision=precision, preferred_element_type=jnp.float32)
        sums[...] = sums[...] * shrink + new
        total[...] = total[...] * shrink + powers.sum(axis=1, keepdims=True)
        greatest[...] = jnp.broadcast_to(most, greatest.shape)

    @pl.when(j == sight.steps - 1)
    def _() -> None:
        whole = total[:, :1]
        out[0] = (sums[...] / jnp.where(whole > 0, whole, 1.0)).astype(out.dtype)
