"""Errors on measured shapes, and on a measured device, that the fit did not see; `benchmarks/accuracy.py` tells all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dovetail.costmodel.calibration.fit import fit
from dovetail.costmodel.calibration.kernels import KERNELS, Kernel
from dovetail.costmodel.calibration.tables import Table, read_folder
from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.operators.chip import Chip, chip_of
from dovetail.costmodel.operators.coefficients import blend, likeness, shares

ROWS_OF_A_FIT = 500
SHAPE = {"gemm": ("n", "k"), "decode": ("h", "g"), "prefill": ("h", "g")}


@pytest.fixture(scope="module")
def tables(data_folder: Path) -> dict[str, Table]:
    return read_folder(data_folder / "silicon" / "ops")


def rows_of(kernel: Kernel, tables: dict[str, Table]) -> list[tuple[str, Chip, Table]]:
    found = [(id, find_device(id), table.where(kernel.rows(table))) for id, table in tables.items()]
    return [(id, chip_of(device), table) for id, device, table in found if device is not None and len(table)]


def left_out(table: Table) -> np.ndarray:
    """Every fifth shape."""
    columns = SHAPE[str(table.text["kind"][0])]
    _, index = np.unique(np.stack([table[name] for name in columns]), axis=1, return_inverse=True)
    return np.random.default_rng(1).permutation(index.max() + 1)[index] % 5 == 0


def mean_error(kernel: Kernel, chip: Chip, values: dict[str, float], table: Table) -> float:
    return float(np.abs(kernel.predict(chip, values, table) / table["latency"] - 1).mean())


@pytest.mark.parametrize("name", ["gemm_plain", "decode_16_bit", "decode_8_bit", "prefill_16_bit"])
def test_unseen_shapes_within_12_per_cent(name: str, tables: dict[str, Table]) -> None:
    kernel = next(kernel for kernel in KERNELS if kernel.name == name)
    used = rows_of(kernel, tables)
    found = fit(kernel, [(id, chip, table.where(~left_out(table))) for id, chip, table in used], ROWS_OF_A_FIT)
    errors = [
        mean_error(kernel, chip, {**found["shared"], **found["devices"][id]}, table.where(left_out(table)))
        for id, chip, table in used
    ]
    assert np.mean(errors) < 0.12


def test_products_on_an_unseen_device_within_20_per_cent(tables: dict[str, Table]) -> None:
    kernel = next(kernel for kernel in KERNELS if kernel.name == "gemm_plain")
    used, errors = rows_of(kernel, tables), []
    for id, chip, table in used:
        others = [entry for entry in used if entry[0] != id]
        found = fit(kernel, others, ROWS_OF_A_FIT)
        weights = shares(chip, {other: likeness(its) for other, its, _ in others})
        errors.append(mean_error(kernel, chip, {**found["shared"], **blend(weights, found["devices"])}, table))
    assert np.mean(errors) < 0.20
