"""Searches among vectors by hand."""

from __future__ import annotations

import math

import pytest

from dovetail.costmodel.hardware import load_devices
from dovetail.costmodel.lookup import search

HOST = load_devices()["epyc-9554"]
ROW = 768 * 4
"""bytes"""


def test_a_graph_of_ten_million() -> None:
    found = search(10_000_000, 768, 10, "hnsw", HOST)
    # 64 candidates of 32 links, and ln 1e7 / ln 16 - 1 layers of 16
    distances = 64 * 32 + 16 * (math.log(1e7) / math.log(16) - 1)
    assert found.seconds == pytest.approx(distances * (100e-9 + ROW / 10e9))
    assert found.index_bytes == 10_000_000 * (ROW + 128)
    assert found.cpus == 1


def test_more_results_than_the_beam_widen_it() -> None:
    few, many = (search(10_000_000, 768, k, "hnsw", HOST).seconds for k in (64, 128))
    assert many / few == pytest.approx(2, rel=0.03)


def test_cells_of_a_million() -> None:
    found = search(1_000_000, 768, 10, "ivf", HOST)
    # 4,000 cells of 250 vectors, 16 of them searched
    assert found.seconds == pytest.approx((4000 + 16 * 250) * (100e-9 + ROW / 10e9))
    assert found.index_bytes == 1_004_000 * ROW


@pytest.mark.parametrize("index", ["hnsw", "ivf"])
@pytest.mark.parametrize("vectors", [1, 10])
def test_an_index_of_few_vectors_compares_no_more_than_there_are(index: str, vectors: int) -> None:
    distances = search(vectors, 8, 5, index, HOST).seconds / (100e-9 + 32 / 10e9)
    assert distances <= 2 * vectors * (1 + 1e-9)  # cells have centres of their own
