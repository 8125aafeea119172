"""
Blocks of attention, and parts of the context, from what a GPU is.

A block of keys costs the longest of its products, its exponentials and its copies:

    product_s = 2 block_m block_n (d + dv) / rate of one multiprocessor
    exp_s     = block_m block_n / (16 clock)              16 exponentials a clock (CUDA C++ Programming Guide, 5.4.1)
    copy_s    = block_n (d + dv) bytes / copy rate

and products and exponentials do not overlap in one block (Shah et al. 2024, arXiv:2407.08608, section 3), so that a
block of queries costs keys / block_n (max(product_s + exp_s, copy_s) + overhead).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from math import ceil

from ...costmodel.hardware import Device
from ...costmodel.operators.chip import chip_of
from .tiles import BYTES, LATENCY_S, STEP_CLOCKS, Gpu, nearest, scalar_operands

EXPONENTIALS_PER_CLOCK = 16.0
REGISTER_SHARE = 0.48
"""share of a thread's registers that sums, scores and weights may take together; addresses need the others"""
LEAST_PART = 256
"""tokens of a part of the context: below, joining the parts costs more than it gains (a guess)"""


@dataclass(frozen=True)
class AttentionTiles:
    """The launch parameters of attention."""

    block_m: int
    block_n: int
    num_warps: int
    num_stages: int

    @property
    def options(self) -> dict[str, int]:
        """The keyword arguments of the wrapper."""
        return asdict(self)


@dataclass(frozen=True)
class DecodeTiles:
    """The launch parameters of attention over pages."""

    splits: int
    block_n: int
    num_warps: int
    num_stages: int

    @property
    def options(self) -> dict[str, int]:
        """The keyword arguments of the wrapper."""
        return asdict(self)


def attention_tiles(
    device: Device, heads: int, queries: int, keys: int, d: int, dv: int, dtype: str = "float16"
) -> AttentionTiles:
    """Blocks for `heads` heads of all sequences together; of equals the smaller."""
    return ranked_attention_tiles(device, heads, queries, keys, d, dv, dtype)[0]


def ranked_attention_tiles(
    device: Device, heads: int, queries: int, keys: int, d: int, dv: int, dtype: str = "float16"
) -> list[AttentionTiles]:
    """All blocks that fit, the best first."""
    gpu, clock = Gpu.of(device, dtype), chip_of(device).clock_hz
    d, dv, size = _power(d), _power(dv), BYTES[dtype]

    def time(m: int, n: int, stages: int) -> float:
        product_s = 2.0 * m * n * (d + dv) / (gpu.flops_per_s / gpu.multiprocessors)
        exp_s = m * n / (EXPONENTIALS_PER_CLOCK * clock)
        moved = n * (d + dv) * size
        copy_s = moved / min(gpu.copy_bytes_per_s, (stages - 1) * moved / LATENCY_S)
        each = ceil(heads * ceil(queries / m) / gpu.multiprocessors)
        return each * (ceil(keys / n) * (max(product_s + exp_s, copy_s) + STEP_CLOCKS / clock) + LATENCY_S)

    found = []
    # Scores are float32, weights half of that; queries stay in registers where tensor cores read those.
    # What a deeper pipeline has in flight would take registers there, too.
    most_stages = gpu.most_stages if gpu.reads_shared else 2
    for m, n, warps, stages in product((16, 32, 64, 128), (16, 32, 64, 128), (4, 8), range(2, most_stages + 1)):
        threads = gpu.warp * warps
        registers = (m * dv + 1.5 * m * n) / threads
        if dtype == "float32":
            registers += scalar_operands(m, n, d, threads)
        elif not gpu.reads_shared:
            registers += m * d * size / 4 / threads
        shared = (m * d + stages * n * (d + dv)) * size
        # Rows of a warp are not shared with another, so that the softmax stays within it.
        fits = m >= 16 * warps or warps == 4
        if fits and registers <= REGISTER_SHARE * gpu.thread_registers and shared <= gpu.block_memory_bytes:
            found.append((time(m, n, stages), shared, m, n, warps, stages))
    return [AttentionTiles(*tiles) for _, _, *tiles in sorted(found) or [(0, 0, 16, 16, 8, 2)]]


def decode_tiles(
    device: Device, sequences: int, kv_heads: int, context: int, d: int, dv: int, dtype: str = "float16"
) -> DecodeTiles:
    """Parts of the context so that every multiprocessor has two blocks to read for, if it is long enough for that."""
    gpu, size = Gpu.of(device, dtype), BYTES[dtype]
    block_n, stages = 64, min(3, gpu.most_stages)
    while block_n > 16 and stages * block_n * (_power(d) + _power(dv)) * size > gpu.block_memory_bytes:
        block_n //= 2
    wanted = ceil(2 * gpu.multiprocessors / max(1, sequences * kv_heads))
    splits = max(1, min(wanted, context // LEAST_PART, 64))
    return DecodeTiles(splits, block_n, 4, stages)


def ranked_decode_tiles(
    device: Device, sequences: int, kv_heads: int, context: int, d: int, dv: int, dtype: str = "float16"
) -> list[DecodeTiles]:
    """That of `decode_tiles`, then those of as many parts whose memory fits, the nearest to it first."""
    gpu, size = Gpu.of(device, dtype), BYTES[dtype]
    first = decode_tiles(device, sequences, kv_heads, context, d, dv, dtype)
    found = [
        DecodeTiles(first.splits, n, warps, stages)
        for n, warps, stages in product((16, 32, 64, 128), (2, 4, 8), range(2, gpu.most_stages + 1))
        if stages * n * (_power(d) + _power(dv)) * size <= gpu.block_memory_bytes
    ]
    return nearest(first, found)


def _power(size: int) -> int:
    """The power of two from `size` up, 16 at least."""
    return max(16, 1 << (size - 1).bit_length())
