"""What mixers hold, read and compute, by hand and against counting pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.costmodel.models.attention import Attention
from dovetail.costmodel.models.compressed import CompressedAttention
from dovetail.costmodel.models.latent import LatentAttention
from dovetail.costmodel.models.linear import GatedDeltaNet, KimiDelta, Mamba2
from dovetail.costmodel.models.mixers import Mixer, NoMixer

FULL = Attention(hidden=64, heads=8, kv_heads=2, head_dim=16)
WINDOW = Attention(64, 8, 2, 16, window_tokens=7)
CHUNKS = Attention(64, 8, 2, 16, chunk_tokens=5)
BLOCKS = Attention(64, 8, 2, 16, index_heads=2, index_head_dim=4, index_topk=6)
LATENT = LatentAttention(hidden=64, heads=8, head_dim=12, rope_dim=4, v_head_dim=8, kv_latent=16, q_latent=24)
SPARSE = LatentAttention(64, 8, 12, 4, 8, 16, 24, index_heads=2, index_head_dim=4, index_topk=6)
SQUEEZED = CompressedAttention(64, 8, 16, 24, 2, 8, window_tokens=5, ratio=128)
PICKED = CompressedAttention(64, 8, 16, 24, 2, 8, 5, ratio=4, index_heads=2, index_head_dim=4, index_topk=3)
MAMBA = Mamba2(hidden=64, heads=4, head_dim=8, state=16, state_groups=2)
DELTA = GatedDeltaNet(hidden=64, key_heads=2, key_dim=8, heads=4, head_dim=8)
KIMI = KimiDelta(hidden=64, heads=4, head_dim=8)
ALL = [FULL, WINDOW, CHUNKS, BLOCKS, LATENT, SPARSE, SQUEEZED, PICKED, MAMBA, DELTA, KIMI, NoMixer()]
COUNTS = st.integers(0, 40)


def seen_by(mixer: Mixer, position: int) -> int:
    """Tokens that the token at `position` attends to, itself among them."""
    if mixer is WINDOW:
        return min(position + 1, 7)
    if mixer is CHUNKS:
        return position % 5 + 1
    return min(position + 1, 6) if mixer in (BLOCKS, SPARSE) else position + 1


@pytest.mark.parametrize("mixer", [FULL, WINDOW, CHUNKS, BLOCKS, LATENT, SPARSE])
@given(new=COUNTS, seen=COUNTS)
def test_pairs_are_those_counted_token_by_token(mixer: Mixer, new: int, seen: int) -> None:
    assert mixer.pairs(new, seen) == sum(seen_by(mixer, position) for position in range(seen, seen + new))


@pytest.mark.parametrize("mixer", ALL)
def test_arrays_give_what_numbers_give(mixer: Mixer) -> None:
    new, seen = np.array([1.0, 3.0, 50.0]), np.array([0.0, 4.0, 1000.0])
    for figure in (mixer.pairs, mixer.index_pairs):
        assert figure(new, seen) == pytest.approx([figure(float(n), float(s)) for n, s in zip(new, seen, strict=True)])
    for figure in (mixer.held, mixer.reach):
        assert figure(seen) == pytest.approx([figure(float(s)) for s in seen])


@pytest.mark.parametrize("mixer", ALL)
@given(one=st.floats(0, 1e6), other=st.floats(0, 1e6))
def test_longer_contexts_never_hold_less_and_no_more_is_read_than_held(mixer: Mixer, one: float, other: float) -> None:
    short, long = sorted((one, other))
    assert mixer.held(short) <= mixer.held(long)
    assert mixer.reach(long) <= mixer.held(long) * (1 + 1e-9)
    # Of whole tokens: between them the count of a window is off by up to an eighth of a pair.
    assert mixer.pairs(10.0, short // 1) <= mixer.pairs(10.0, long // 1) * (1 + 1e-9) or mixer is CHUNKS


def test_weights_of_attention_by_hand() -> None:
    qkv, out = FULL.products
    assert (qkv.n, qkv.k, qkv.split) == ((8 + 2 + 2) * 16, 64, "columns")
    assert (out.n, out.k, out.split) == (64, 8 * 16, "rows")
    assert FULL.parameters == 64 * 192 + 64 * 128
    gated = Attention(64, 8, 2, 16, qk_norm=True, output_gate=True, sinks=True)
    assert gated.parameters == FULL.parameters + 64 * 128 + 2 * 16 + 8
    shared = Attention(64, 8, 2, 16, keys_are_values=True)
    assert shared.parameters == FULL.parameters - 64 * 2 * 16
    assert shared.kv_elements == FULL.kv_elements
    biased = Attention(64, 8, 2, 16, qkv_bias=True, o_bias=True)
    assert biased.parameters == FULL.parameters + 192 + 64


def test_chunks_are_read_half_on_average() -> None:
    assert CHUNKS.reach(3.0) == 3
    assert CHUNKS.reach(1000.0) == 3
    assert CHUNKS.held(1000.0) == 5


def test_latent_attention_by_hand() -> None:
    assert LATENT.parameters == 64 * (24 + 16 + 4) + 24 * 8 * 12 + 16 * 8 * (8 + 8) + 8 * 8 * 64 + 24 + 16
    assert LATENT.kv_elements == 16 + 4
    assert LATENT.kv_parts == 1
    assert LATENT.flops_per_pair(decoding=False) == 2 * 8 * (12 + 8)
    assert LATENT.flops_per_pair(decoding=True) == 2 * 8 * (2 * 16 + 4)


def test_an_indexer_scores_all_and_attention_reads_its_picks() -> None:
    assert SPARSE.parameters == LATENT.parameters + 24 * 2 * 4 + 64 * (4 + 2) + 2 * 4
    assert SPARSE.reach(1000.0) == 6
    assert SPARSE.held(1000.0) == 1000
    assert SPARSE.index_bytes == 4 + 4
    assert SPARSE.index_pairs(1.0, 99.0) == 100
    assert SPARSE.index_flops_per_pair == 2 * 2 * 4
    assert SPARSE.flops_per_pair(decoding=False) == LATENT.flops_per_pair(decoding=True)


def test_picks_that_are_shared_cost_nothing() -> None:
    shared = LatentAttention(64, 8, 12, 4, 8, 16, 24, 2, 4, 6, index_shared=True)
    assert shared.parameters == LATENT.parameters
    assert (shared.index_bytes, shared.index_pairs(1.0, 99.0), shared.reach(1000.0)) == (0, 0, 6)


def test_compressed_entries_by_hand() -> None:
    assert SQUEEZED.held(1280.0) == 5 + 10
    assert SQUEEZED.reach(1280.0) == 5 + 10
    assert PICKED.reach(1280.0) == 5 + 3
    assert PICKED.held(1280.0) == 5 + 320
    assert PICKED.index_bytes == (4 + 4) / 4
    assert PICKED.index_pairs(1.0, 1279.0) == 320


def test_states_do_not_grow() -> None:
    assert MAMBA.state_bytes == 4 * 8 * 16 * 4 + (4 * 8 + 2 * 2 * 16) * 3 * 2
    assert DELTA.state_bytes == 4 * 8 * 8 * 4 + (2 * 2 * 8 + 4 * 8) * 3 * 2
    assert KIMI.state_bytes == 4 * 8 * 8 * 4 + 3 * 32 * 3 * 2
    for mixer in (MAMBA, DELTA, KIMI):
        assert (mixer.kv_elements, mixer.held(1e6), mixer.flops_per_pair(True)) == (0, 0, 0)
        assert mixer.flops_per_token > 5 * 4 * 8 * 8


def test_weights_of_linear_mixers_by_hand() -> None:
    assert MAMBA.parameters == 64 * (32 + 96 + 4) + 32 * 64 + 96 * 5 + 3 * 4 + 32
    assert DELTA.parameters == 64 * (64 + 32) + 64 * 8 + 32 * 64 + 64 * 4 + 2 * 4 + 8
    low, inner = 64 * 8 + 8 * 32, 32
    assert KIMI.parameters == 64 * 3 * inner + 64 * 4 + 2 * low + inner * 64 + 3 * inner * 4 + 4 + inner + 8
