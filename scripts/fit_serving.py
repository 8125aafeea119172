"""Fit the engines' overheads to measured serving points and write costmodel/catalogue/coefficients/serving.yaml.

    DOVETAIL_DATA=... python scripts/fit_serving.py

Rows are read from `silicon/serving_calibrate.csv` of that folder; none are kept. Deterministic. The other figures
of the file (what engines document, what is assumed) stay as they are.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import yaml

from dovetail.costmodel.calibration.serving import fit, predict, read_points
from dovetail.costmodel.serving.engines import FILE


def main() -> None:
    points = read_points(Path(os.environ["DOVETAIL_DATA"]) / "silicon" / "serving_calibrate.csv")
    found = {name: float(f"{value:.4g}") for name, value in fit(points).items()}
    ttft, tpot = predict(points, found)
    for cell in dict.fromkeys(points.cells.tolist()):
        rows = points.cells == cell
        off = [np.abs(p[rows] / m[rows] - 1) for p, m in ((tpot, points.tpot_s), (ttft, points.ttft_s))]
        print(f"{cell}: {rows.sum()} points, mean error of TPOT {off[0].mean():.3f}, of TTFT {off[1].mean():.3f}")
    written = yaml.safe_load(FILE.read_text())
    comment = "".join(line + "\n" for line in FILE.read_text().splitlines() if line.startswith("#"))
    FILE.write_text(comment + yaml.safe_dump({**written, "fitted": {**written["fitted"], **found}}, sort_keys=False))


if __name__ == "__main__":
    main()
