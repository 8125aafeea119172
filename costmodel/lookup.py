"""Search among vectors of fp32 on a host: how long it takes, how many cores, and how large the index is.

Equations are numbered as in `docs/math/nodes.md`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .cost import Cost
from .hardware import Device
from .precision import bytes_per_element
from .roofline import time_s

CORE_BANDWIDTH_BYTES_PER_S = 10e9
"""[bytes/s] that one core reads from memory (guess: 8-15 GB/s is usual on servers)"""
RANDOM_READ_S = 100e-9
"""[s] to the first byte of a vector that is not in a cache (guess: memory latency of servers is 80-120 ns)"""
HNSW_M = 16
"""links of a vector in each layer but the lowest, which has twice as many (the default of hnswlib)"""
HNSW_BEAM = 64
"""candidates kept in a search, never under `top_k` (guess: `ef` in 50-100 is usual)"""
LINK_BYTES = 4.0
"""[bytes] of one link of a graph"""
IVF_CELLS_PER_SQRT = 4
"""cells are this many times sqrt(vectors): the FAISS wiki, "Guidelines to choose an index" (4 to 16), 2026"""
IVF_PROBES = 16
"""cells searched (guess: `nprobe` in 8-64 is usual)"""


@dataclass(frozen=True)
class Search:
    """One search."""

    seconds: float
    cpus: float
    """cores busy all that time"""
    index_bytes: float


def search(vectors: float, width: int, top_k: int, index: str, device: Device) -> Search:
    """The search for `top_k` of `vectors` of `width` numbers; ValueError for a kind of index that is not known."""
    row_bytes = width * bytes_per_element("fp32")
    match index:
        case "flat":
            return flat(vectors, width, device)
        case "hnsw":
            return Search(compare_s(hnsw_distances(vectors, top_k), row_bytes), 1.0, hnsw_bytes(vectors, row_bytes))
        case "ivf":
            index_bytes = (vectors + ivf_cells(vectors)) * row_bytes
            return Search(compare_s(ivf_distances(vectors), row_bytes), 1.0, index_bytes)
    raise ValueError(f"`{index}` is no kind of index; known are flat, hnsw, ivf")


def flat(vectors: float, width: int, device: Device) -> Search:
    """All vectors are read once, 2 flops for each number, by all cores of the host. Equation (5)."""
    index_bytes = vectors * width * bytes_per_element("fp32")
    seconds = time_s(Cost(2.0 * vectors * width, index_bytes, 0.0, 1), device, "fp32")
    return Search(seconds, float(device.cores or 1), index_bytes)


def compare_s(distances: float, row_bytes: float) -> float:
    """[s] of so many distances to vectors that lie anywhere in memory, by one core. Equation (6)."""
    return distances * (RANDOM_READ_S + row_bytes / CORE_BANDWIDTH_BYTES_PER_S)


def hnsw_distances(vectors: float, top_k: int) -> float:
    """Distances of a search in a graph of layers (Malkov and Yashunin, arXiv 1603.09320, section 4). Equation (7).

    In the lowest layer all 2 M links of each candidate kept; above, ln N / ln M layers of one step over M links.
    """
    above = HNSW_M * max(0.0, math.log(vectors) / math.log(HNSW_M) - 1) if vectors > 1 else 0.0
    return min(vectors, max(HNSW_BEAM, top_k) * 2 * HNSW_M + above)


def hnsw_bytes(vectors: float, row_bytes: float) -> float:
    """[bytes] of vectors and links: N (4 d + 8 M), as the FAISS wiki counts them. Equation (8)."""
    return vectors * (row_bytes + 2 * HNSW_M * LINK_BYTES)


def ivf_cells(vectors: float) -> float:
    """Cells that the vectors are sorted into."""
    return min(float(vectors), IVF_CELLS_PER_SQRT * math.sqrt(vectors))


def ivf_distances(vectors: float) -> float:
    """Distances to the centre of every cell, then to the vectors of the cells searched. Equation (9)."""
    cells = ivf_cells(vectors)
    return cells + min(1.0, IVF_PROBES / cells) * vectors
