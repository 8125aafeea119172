"""How long static allocation takes on minimalloc's challenging instances, beside minimalloc itself.

    python benchmarks/scratchpad_addresses.py [--runs 3] [--time-limit 60] [--json results.json]

The least processor time of the runs, in one process and after the compiled code is loaded; the time of minimalloc (C++)
was measured on a machine of the same kind (2 cores at 2.5 GHz), not in the same run. Every layout is checked.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from pathlib import Path

from dovetail.planner.scratchpad.addresses import Layout, lay_out
from dovetail.planner.scratchpad.addresses.canonical import prepare
from dovetail.planner.scratchpad.addresses.rectangles import Buffer

DATA = Path(os.environ.get("DOVETAIL_DATA", "data")) / "scratchpad" / "minimalloc"
"""the instances of google/minimalloc (Apache-2.0), which the project does not ship"""
MINIMALLOC_S = {"A": 23.8, "C": 4.3, "E": 22.0, "G": 9.1, "I": 27.5, "K": 2.1}


def read(path: Path) -> tuple[list[Buffer], int]:
    """Buffers of an instance, and the capacity in its name."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [(int(row["lower"]), int(row["upper"]), int(row["size"])) for row in rows], int(path.name.split(".")[1])


def measure(path: Path, runs: int, time_limit_s: float) -> dict[str, object]:
    """One row of the table."""
    buffers, capacity = read(path)
    seconds: list[float] = []
    layout: Layout | None = None
    for _ in range(runs):
        began = time.process_time()
        layout = lay_out(buffers, capacity, time_limit_s=time_limit_s)
        seconds.append(time.process_time() - began)
    name = path.name.split(".")[0]
    return {
        "instance": name,
        "buffers": len(buffers),
        "status": layout.status if layout else None,
        "seconds": round(min(seconds), 3),
        "minimalloc_seconds": MINIMALLOC_S[name],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--time-limit", type=float, default=60.0, metavar="S")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    print(f"loading the compiled search, compiling it if need be: {prepare():.1f} s")
    rows = [measure(DATA / f"{name}.1048576.csv", args.runs, args.time_limit) for name in MINIMALLOC_S]
    print("instance  buffers  status      seconds  minimalloc")
    for row in rows:
        print("{instance:8}  {buffers:7}  {status:10}  {seconds:7.2f}  {minimalloc_seconds:10.1f}".format(**row))
    total = sum(float(str(row["seconds"])) for row in rows)
    print(f"{'all':8}  {'':7}  {'':10}  {total:7.2f}  {sum(MINIMALLOC_S.values()):10.1f}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
