"""
Tile sizes of matrix products from what a GPU is, not from a run on it.

Every tile that fits the registers and the memory of a block is given a time, and the least is taken:

    steps      = ceil(k / block_k)                            of the loop of one program
    product_s  = 2 block_m block_n block_k / rate of one multiprocessor
    feed_s     = bytes that warps read from shared memory / 128 bytes a clock
    copy_s     = (block_m + block_n) block_k bytes / copy rate of one multiprocessor
    copy rate  = min(L2 rate, bytes in flight / latency)      Little's law: deep pipelines and many blocks hide latency
    tile_s     = steps (max(product_s, feed_s, copy_s) + overhead) + store_s
    time       = max(ceil(tiles / multiprocessors) tile_s + rounds latency, bytes / memory bandwidth)

which is the roofline of one multiprocessor (Williams et al. 2009) with the quantisation of tiles into waves. The order
of tiles is what it is used for; it does not claim to predict microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple, dataclass
from itertools import product
from math import ceil, log2
from typing import TYPE_CHECKING, TypeVar

from ...costmodel.hardware import Device
from ...costmodel.operators.chip import chip_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1}
CATALOGUE = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "float8_e4m3fn": "fp8", "float8_e5m2": "fp8"}
"""dtype -> its name among the rates of a device"""
L2_BYTES_PER_CLOCK = 47.0
"""of one multiprocessor: 5120 bytes a clock for the 108 of an A100 (NVIDIA A100 white paper, 2020)"""
SHARED_BYTES_PER_CLOCK = 128.0
"""of one multiprocessor: 32 banks of 4 bytes (CUDA C++ Programming Guide, shared memory)"""
STEP_CLOCKS = 60.0
"""of one step of the loop beside the work: a barrier and new addresses (a guess)"""
LEAST_RUN = 64
"""bytes that lie together in each row of a tile, so that whole sectors are read: two of 32 bytes"""
LATENCY_S = 0.8e-6
"""of a load from device memory: a guess, a little above what microbenchmarks of A100 and H100 find"""
AMD_BLOCK_MEMORY = 65536.0
"""bytes of local data share of a work group (AMD Instinct MI300 ISA guide, 2023), where the catalogue has no figure"""
SMALLEST_BLOCK_MEMORY = 49152.0
"""bytes that every CUDA GPU gives a block (CUDA C++ Programming Guide), where the catalogue has no figure"""
ACCUMULATOR_SHARE = 0.51
"""share of a thread's registers that sums may take; addresses and operands need the others"""
SCALAR_SHARE = 0.35
"""the same for products of float32 without tensor cores, which hold operands in registers too"""
HOPPER_BLOCK_MEMORY = 232448.0
"""bytes: only NVIDIA's chips whose tensor cores read shared memory themselves (9.0 and 10.0) give a block so much"""


@dataclass(frozen=True)
class Gpu:
    """The figures of a device that decide about tiles."""

    multiprocessors: int
    flops_per_s: float
    """of the dtype's products, of all multiprocessors"""
    bandwidth_bytes_per_s: float
    clock_hz: float
    block_memory_bytes: float
    thread_registers: int
    warp: int
    """threads of a warp"""
    most_stages: int
    """of a software pipeline"""
    reads_shared: bool
    """tensor cores take operands from shared memory, not from registers"""

    @property
    def copy_bytes_per_s(self) -> float:
        """From the L2 cache to one multiprocessor."""
        return L2_BYTES_PER_CLOCK * self.clock_hz

    @classmethod
    def of(cls, device: Device, dtype: str = "float16") -> Gpu:
        """The figures of `device` for products of `dtype`; what its data sheet lacks is taken as typical."""
        chip, amd = chip_of(device), device.vendor == "AMD"
        rate = device.flops_per_s.get(CATALOGUE[dtype]) or chip.matrix_flops_per_s
        return cls(
            multiprocessors=max(1, int(chip.multiprocessors)),
            flops_per_s=rate,
            bandwidth_bytes_per_s=device.bandwidth_bytes_per_s,
            clock_hz=chip.clock_hz,
            block_memory_bytes=device.block_memory_bytes or (AMD_BLOCK_MEMORY if amd else SMALLEST_BLOCK_MEMORY),
            thread_registers=device.thread_registers or 255,
            warp=64 if amd else 32,
            # AMD's compiler keeps one stage in registers, and has a quarter of the memory for the others.
            most_stages=2 if amd else 4,
            reads_shared=(device.block_memory_bytes or 0.0) >= HOPPER_BLOCK_MEMORY,
        )


@dataclass(frozen=True)
class Tiles:
    """The launch parameters of a product."""

    block_m: int
    block_n: int
    block_k: int
    num_warps: int
    num_stages: int

    @property
    def options(self) -> dict[str, int]:
        """The keyword arguments of a wrapper."""
        return asdict(self)


@dataclass(frozen=True)
class Work:
    """A product, or `batch` of them, of (m, k) by (k, n)."""

    m: int
    n: int
    k: int
    batch: int = 1
    dtype: str = "float16"
    weight_bits: int | None = None
    """of an element of the second matrix, where it is another number than the first one's"""
    least_block_k: int = 16
    sums: int = 1
    """float32 sums of each element that a thread holds: 2 where every step is scaled by itself, as for fp8"""
    gathered: bool = False
    """every element of the first matrix has an address of its own, as in a convolution"""

    @property
    def a_bytes(self) -> float:
        return BYTES[self.dtype]

    @property
    def b_bytes(self) -> float:
        return BYTES[self.dtype] if self.weight_bits is None else self.weight_bits / 8


def matmul_tiles(device: Device, work: Work) -> Tiles:
    """The tile of least time; of equals the one that takes less memory, then the smaller."""
    return ranked_tiles(device, work)[0]


def ranked_tiles(device: Device, work: Work) -> list[Tiles]:
    """Every tile that fits, the best first: what an autotuner would try, in this order."""
    gpu = Gpu.of(device, work.dtype)
    timed = [(tile_time(gpu, work, t), shared_bytes(work, t), *t.options.values(), t) for t in _fitting(gpu, work)]
    return [tiles for *_, tiles in sorted(timed, key=lambda row: row[:-1])]


def nearest(first: T, others: Iterable[T]) -> list[T]:
    """`first`, which a rule chose, then the other tiles by how many doublings they are from it: an order to try."""
    chosen = astuple(first)

    def doublings(tiles: T) -> float:
        return sum(abs(log2(size / wanted)) for size, wanted in zip(astuple(tiles), chosen, strict=True))

    return [first, *sorted((each for each in others if each != first), key=doublings)]


def tile_time(gpu: Gpu, work: Work, tiles: Tiles) -> float:
    """Seconds of `work` in these tiles, by the formula above."""
    m, n, k = tiles.block_m, tiles.block_n, tiles.block_k
    count = ceil(work.m / m) * ceil(work.n / n) * work.batch
    each = ceil(count / gpu.multiprocessors)
    shared = shared_bytes(work, tiles)
    threads = gpu.warp * tiles.num_warps
    resident = max(
        1, min(each, int(gpu.block_memory_bytes // max(1.0, shared)), 2048 // threads, _by_registers(tiles, gpu))
    )
    step_bytes = (m * work.a_bytes + n * work.b_bytes) * k
    in_flight = resident * (tiles.num_stages - 1) * step_bytes
    copy_s = step_bytes / min(gpu.copy_bytes_per_s, in_flight / LATENCY_S)
    product_s = 2.0 * m * n * k / (gpu.flops_per_s / gpu.multiprocessors)
    store_s = m * n * work.a_bytes / gpu.copy_bytes_per_s
    feed_s = _fed_bytes(work, tiles) / (SHARED_BYTES_PER_CLOCK * gpu.clock_hz)
    step_s = max(product_s, feed_s, copy_s) + STEP_CLOCKS / gpu.clock_hz / resident
    tile_s = ceil(work.k / k) * step_s + store_s
    moved = work.batch * (
        work.m * work.k * work.a_bytes + work.k * work.n * work.b_bytes + work.m * work.n * work.a_bytes
    )
    return max(each * tile_s + ceil(each / resident) * LATENCY_S, moved / gpu.bandwidth_bytes_per_s)


def shared_bytes(work: Work, tiles: Tiles) -> float:
    """On-chip memory of a block: a buffer of both operands for each stage; few-bit weights are spread there too."""
    spread = 0.0 if work.weight_bits is None else tiles.block_n * tiles.block_k * work.a_bytes
    step = (tiles.block_m * work.a_bytes + tiles.block_n * work.b_bytes) * tiles.block_k
    return tiles.num_stages * step + spread


def _fed_bytes(work: Work, tiles: Tiles) -> float:
    """What the warps, in rows and columns over the tile as it is cheapest, read of both operands in one step."""
    columns = [c for c in (1, 2, 4, 8) if tiles.num_warps % c == 0]
    reads = (tiles.block_m * c + tiles.block_n * (tiles.num_warps // c) for c in columns)
    return min(reads) * tiles.block_k * work.a_bytes


def scalar_operands(m: int, n: int, k: int, threads: int) -> float:
    """
    Registers with operands of an (m, k) by (k, n) product that runs without tensor cores.

    Threads lie in a square over the result, each with its rows of one and columns of the other operand, of which the
    compiler keeps about a quarter at a time (from what compiled kernels take).
    """
    return (m + n) * k / threads**0.5 / 4


def _by_registers(tiles: Tiles, gpu: Gpu) -> int:
    """Blocks that the 65,536 registers of a multiprocessor hold, their sums taking half of what each has."""
    return max(1, 65536 // (2 * tiles.block_m * tiles.block_n + 32 * gpu.warp * tiles.num_warps))


def _fitting(gpu: Gpu, work: Work) -> Iterator[Tiles]:
    sides = (16, 32, 64, 128, 256)
    inner = [k for k in (16, 32, 64, 128) if k >= work.least_block_k]
    stages = range(2, gpu.most_stages + 1)
    for m, n, k, warps, depth in product(sides[:-1], sides, inner, (4, 8), stages):
        tiles = Tiles(m, n, k, warps, depth)
        if k * work.a_bytes >= LEAST_RUN and n * work.a_bytes >= LEAST_RUN and _fits(gpu, work, tiles):
            yield tiles


def _fits(gpu: Gpu, work: Work, tiles: Tiles) -> bool:
    threads = gpu.warp * tiles.num_warps
    sums = work.sums * tiles.block_m * tiles.block_n / threads
    # Weights are spread in registers.
    spread = 4 * tiles.block_n * tiles.block_k / threads if work.weight_bits is not None else 0.0
    # An address of 64 bits and what it came from: the two places of the window, and whether it is in the image.
    addresses = 4 * tiles.block_m * tiles.block_k / threads if work.gathered else 0.0
    few = sums + spread + addresses <= ACCUMULATOR_SHARE * gpu.thread_registers
    if work.dtype == "float32":
        operands = scalar_operands(tiles.block_m, tiles.block_n, tiles.block_k, threads)
        few = few and sums + operands + addresses <= SCALAR_SHARE * gpu.thread_registers
    return few and shared_bytes(work, tiles) <= gpu.block_memory_bytes
