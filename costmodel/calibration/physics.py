"""Measured times that no device can have shown: below what its data sheet allows, or far above every prediction.

Equations are numbered as in `docs/math/calibration.md`.
"""

from __future__ import annotations

import numpy as np

from ...ir.diagnostics import Diagnostics
from ...ir.read.csv_table import CsvTable
from ..hardware import Device
from ..roofline import compute_dtype
from .cell import CellRows
from .operator_rows import OperatorRows

LEAST_S = 0.5e-6
"""[s] that no kernel is under: the host starts one in about a microsecond"""
FLOOR_SHARE = 0.5
"""of the data sheet's least time that a measurement may take: clocks are boosted, sheets round"""
ABOVE, BELOW = 100.0, 0.01
"""times a prediction that are past belief"""


def least_operator_s(rows: OperatorRows, device: Device) -> np.ndarray:
    """[s] that arithmetic or links take at the data sheet's peak, whatever the caches hold. Equation (6)."""
    floor = np.full(len(rows), LEAST_S)
    if rows.kind == "comm":
        size, devices = rows.columns
        link = device.link_bandwidth_bytes_per_s
        return np.maximum(floor, FLOOR_SHARE * (devices - 1) / devices * size / link) if link else floor
    if rows.kind == "gemm":
        m, n, k = rows.columns
        flops = 2 * m * n * k
        peak = np.array([device.flops_per_s[compute_dtype(device, dtype)] for dtype in rows.groups.tolist()])
    else:
        batch, new, seen, heads, _, head_dim, window = rows.columns
        keys = seen + (new + 1) / 2
        flops = 4 * batch * heads * head_dim * new * np.where(window > 0, np.minimum(keys, window / 2), keys)
        peak = np.array([max(device.flops_per_s.values())] * len(rows))
    return np.maximum(floor, FLOOR_SHARE * flops / peak)


def least_tpot_s(rows: CellRows) -> np.ndarray:
    """[s] to read each device's share of the parameters that a token passes, at the data sheet's bandwidth."""
    least = []
    for question in rows.questions:
        replica = question.replica
        llm, device = replica.llm, replica.device
        active = llm.weight_bytes(replica.precision) * llm.active_parameters / llm.parameters
        least.append(FLOOR_SHARE * active / replica.parallel.devices / device.bandwidth_bytes_per_s)
    return np.array(least)


def check_times(
    table: CsvTable, column: str, measured_s: np.ndarray, least_s: np.ndarray, predicted_s: np.ndarray, to: Diagnostics
) -> None:
    """Note a wrong unit of the whole column, or else each row that is past belief."""
    ratio = measured_s / predicted_s
    known = np.flatnonzero(np.isfinite(ratio))
    typical = float(np.median(ratio[known])) if len(known) else 1.0
    if typical > ABOVE or typical < BELOW:
        unit = "micro- or nanoseconds" if typical > ABOVE else "seconds"
        message = (
            f"`{column}` must be in milliseconds: half of the rows are {_times(typical)} what the model says, "
            f"as if written in {unit}"
        )
        to.error("unit", message, table.span(int(known[0]), column), f"predicted: {predicted_s[known[0]] * 1e3:.3g} ms")
        return
    for row in known[(measured_s < least_s)[known]].tolist():
        message = f"`{column}`: no such device does this in under {least_s[row] * 1e3:.3g} ms, by its data sheet"
        to.error("impossible", message, table.span(row, column), help="is it in milliseconds, and of this device?")
    for row in known[(ratio > ABOVE)[known]].tolist():
        message = f"`{column}`: this is {_times(float(ratio[row]))} what the model says"
        help = f"predicted: {predicted_s[row] * 1e3:.3g} ms; is it in milliseconds?"
        to.error("impossible", message, table.span(row, column), help=help)


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio > 1 else f"1/{1 / ratio:,.0f} of"
