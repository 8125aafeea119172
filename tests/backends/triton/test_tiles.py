"""Tiles from cost functions: they fit the device, follow the shape, and are the same every time."""

from __future__ import annotations

import itertools

import pytest

from dovetail.backends.triton.attention_tiles import (
    attention_tiles,
    decode_tiles,
    ranked_attention_tiles,
    ranked_decode_tiles,
)
from dovetail.backends.triton.row_tiles import LONGEST_ROW, ranked_row_tiles, reduction_tiles, row_tiles
from dovetail.backends.triton.tiles import Gpu, Work, matmul_tiles, ranked_tiles, shared_bytes, tile_time
from dovetail.costmodel.hardware import Device, find_device

DEVICES = ("t4", "a100-sxm", "l40s", "h100-sxm", "b200-sxm", "mi300x", "b60")
SHAPES = list(itertools.product((1, 16, 300, 4096), (64, 5000), (64, 4096)))


def device_of(name: str) -> Device:
    found = find_device(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_tiles_of_products_fit(name, dtype):
    device = device_of(name)
    gpu = Gpu.of(device, dtype)
    for (m, n, k), bits in itertools.product(SHAPES, (None, 3)):
        work = Work(m, n, k, dtype=dtype, weight_bits=bits, least_block_k=16 if bits is None else 32)
        tiles = matmul_tiles(device, work)
        assert shared_bytes(work, tiles) <= gpu.block_memory_bytes
        assert tiles.block_m * tiles.block_n / (gpu.warp * tiles.num_warps) <= gpu.thread_registers / 2 + 1
        assert tiles.block_k >= work.least_block_k
        assert tiles == matmul_tiles(device, work)


@pytest.mark.parametrize("name", DEVICES)
def test_the_ranking_is_by_time(name):
    device, work = device_of(name), Work(700, 3000, 4096)
    gpu = Gpu.of(device, work.dtype)
    times = [tile_time(gpu, work, tiles) for tiles in ranked_tiles(device, work)]
    assert times == sorted(times)
    assert len(times) > 10
    # No tile beats what its products, or its bytes, take at the peak of the device.
    moved = 2.0 * (700 * 4096 + 4096 * 3000 + 700 * 3000)
    assert times[0] >= max(2.0 * 700 * 3000 * 4096 / gpu.flops_per_s, moved / gpu.bandwidth_bytes_per_s)


def test_tiles_follow_the_shape():
    """Few rows take low tiles, so that none of them computes what nobody asked for; large products take large ones."""
    device = device_of("h100-sxm")
    assert matmul_tiles(device, Work(8, 4096, 4096)).block_m == 16
    large = matmul_tiles(device, Work(8192, 8192, 8192))
    assert large.block_m * large.block_n >= 128 * 128
    few = matmul_tiles(device, Work(512, 512, 4096))
    assert few.block_m * few.block_n < large.block_m * large.block_n


@pytest.mark.parametrize("name", DEVICES)
def test_blocks_of_attention_fit(name):
    device = device_of(name)
    for dtype, d in itertools.product(("float16", "float32"), (40, 64, 128, 256)):
        gpu, size = Gpu.of(device, dtype), 4 if dtype == "float32" else 2
        tiles = attention_tiles(device, 32, 2048, 2048, d, d, dtype)
        wide = 1 << (d - 1).bit_length()
        shared = (tiles.block_m + 2 * tiles.num_stages * tiles.block_n) * wide * size
        assert shared <= gpu.block_memory_bytes or tiles.block_m == tiles.block_n == 16
        parts = decode_tiles(device, 2, 8, 8192, d, d, dtype)
        assert 2 * parts.num_stages * parts.block_n * wide * size <= gpu.block_memory_bytes or parts.block_n == 16


@pytest.mark.parametrize("name", DEVICES)
def test_what_an_autotuner_tries_fits_and_begins_with_the_choice(name):
    """Rankings of blocks of attention, of pages and of rows; none twice."""
    device = device_of(name)
    gpu = Gpu.of(device)
    attention = ranked_attention_tiles(device, 32, 2048, 2048, 64, 64)
    assert attention[0] == attention_tiles(device, 32, 2048, 2048, 64, 64)
    assert len(set(attention)) == len(attention)
    pages, first = ranked_decode_tiles(device, 1, 8, 32768, 128, 128), decode_tiles(device, 1, 8, 32768, 128, 128)
    assert pages[0] == first
    assert len(set(pages)) == len(pages) > 4
    assert {tiles.splits for tiles in pages} == {first.splits}
    assert all(2 * t.num_stages * t.block_n * 128 * 2 <= gpu.block_memory_bytes for t in pages)
    for n, count in itertools.product((1, 100, 4096, 10**5), (1, 4096)):
        chosen = row_tiles(device, count, n)
        rows = ranked_row_tiles(device, chosen)
        assert rows[0] == chosen
        assert len(set(rows)) == len(rows) > 1
        assert {tiles.columns for tiles in rows} == {chosen.columns}
        assert all(t.rows * t.columns <= LONGEST_ROW and t.num_warps * gpu.warp <= 512 for t in rows)


def test_long_contexts_of_few_sequences_are_split():
    device = device_of("h100-sxm")
    assert decode_tiles(device, 1, 8, 32768, 128, 128).splits > 8
    assert decode_tiles(device, 64, 8, 32768, 128, 128).splits == 1
    assert decode_tiles(device, 1, 8, 300, 128, 128).splits == 1


@pytest.mark.parametrize("name", DEVICES)
def test_blocks_of_rows(name):
    device = device_of(name)
    for rows, n in itertools.product((1, 7, 4096, 10**6), (1, 100, 4096, 10**5)):
        tiles = row_tiles(device, rows, n)
        assert tiles.columns == min(LONGEST_ROW, 1 << (n - 1).bit_length())
        assert tiles.rows * tiles.columns <= LONGEST_ROW
        assert 1 <= tiles.num_warps <= 16
        for along in (True, False):
            tiles, splits = reduction_tiles(device, rows, n, along)
            assert tiles.rows * tiles.columns <= 2048
            assert 1 <= splits <= max(1, n)


def test_a_sum_of_everything_is_shared_by_the_whole_device():
    device = device_of("h100-sxm")
    assert reduction_tiles(device, 1, 1 << 24, True)[1] >= 132
    assert reduction_tiles(device, 1 << 20, 64, True)[1] == 1
