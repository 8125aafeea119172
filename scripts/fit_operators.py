"""Fit the operators' coefficients to measured latencies and write costmodel/catalogue/coefficients/operators.yaml.

    DOVETAIL_DATA=... python scripts/fit_operators.py [KERNEL ...]

Rows are read from `silicon/ops` of that folder; none are kept. Deterministic.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from dovetail.costmodel.calibration.fit import fit
from dovetail.costmodel.calibration.kernels import KERNELS
from dovetail.costmodel.calibration.tables import read_folder
from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.operators.chip import chip_of
from dovetail.costmodel.operators.coefficients import FILE, likeness


def rounded(value: Any) -> Any:
    """Numbers to four digits, so that the file is the same on every machine."""
    if isinstance(value, Mapping):
        return {key: rounded(part) for key, part in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main(names: Sequence[str]) -> None:
    tables = read_folder(Path(os.environ["DOVETAIL_DATA"]) / "silicon" / "ops")
    chips = {id: chip_of(device) for id in tables if (device := find_device(id)) is not None}
    old = yaml.safe_load(FILE.read_text())["kernels"] if names and FILE.exists() else {}
    kernels = dict(old)
    for kernel in KERNELS:
        if names and kernel.name not in names:
            continue
        used = [(id, chips[id], part) for id, table in tables.items() if len(part := table.where(kernel.rows(table)))]
        kernels[kernel.name] = rounded(fit(kernel, used))
        for id, chip, part in used:
            c = {**kernels[kernel.name]["shared"], **kernels[kernel.name]["devices"][id]}
            off = np.abs(kernel.predict(chip, c, part) / part["latency"] - 1)
            print(f"{kernel.name} {id}: {len(part)} rows, mean error {off.mean():.3f}, median {np.median(off):.3f}")
    head = {
        "quality": "fitted",
        "source": "fit to latencies measured by ai-dynamo/aiconfigurator (commit 095f58a5), scripts/fit_operators.py",
        "date": "2026-11",
        "likeness": {id: rounded(list(likeness(chip))) for id, chip in chips.items()},
    }
    FILE.write_text(
        "# Written by scripts/fit_operators.py: times in s, shares of the data sheet's figures.\n"
        + yaml.safe_dump({**head, "kernels": kernels}, sort_keys=False)
    )


if __name__ == "__main__":
    main(sys.argv[1:])
