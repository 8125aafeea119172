"""How long `plan` takes as a whole process, import included, beside the floor of this machine in the same run.

    python benchmarks/plan_speed.py [--runs 5] [--json results.json]

The floor is `python -c pass`, and `import numpy, pulp, highspy, xdsl.ir`: what any planner of this kind must load. The
peer is a figure from its own documentation of one query, not a run here: aiconfigurator 0.12 takes 26 s for one LLM.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
PEER_S = 26.0
CASES: tuple[tuple[str, Sequence[str], float | None], ...] = (
    ("python -c pass", (sys.executable, "-c", "pass"), None),
    ("import numpy, pulp, highspy, xdsl.ir", (sys.executable, "-c", "import numpy, pulp, highspy, xdsl.ir"), None),
    ("plan --help", (str(BIN / "plan"), "--help"), 0.5),
    ("plan examples/table3", (str(BIN / "plan"), str(ROOT / "examples/table3")), None),
    ("plan examples/voice_agent", (str(BIN / "plan"), str(ROOT / "examples/voice_agent")), 1.5),
)
"""Name, command, aim [s]."""


def seconds(command: Sequence[str], runs: int) -> list[float]:
    """Wall-clock seconds of `runs` runs, after one that warms the disk cache."""
    found = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found.append(time.perf_counter() - began)
    return found[1:]


def main() -> None:
    """Run all cases, print a table and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for name, command, aim in CASES:
        times = seconds(command, arguments.runs)
        rows.append({"case": name, "median_s": statistics.median(times), "least_s": min(times), "aim_s": aim})
    floor = rows[1]["median_s"]
    print(f"{'case':38} {'median':>8} {'least':>8} {'aim':>6} {'to the floor':>13} {'peer / ours':>12}")
    for row in rows:
        aim = f"{row['aim_s']:.1f} s" if row["aim_s"] else ""
        peer = f"{PEER_S / row['median_s']:.0f}" if row["case"].startswith("plan examples") else ""
        ratio = f"{row['median_s'] / floor:.2f}"
        print(f"{row['case']:38} {row['median_s']:6.2f} s {row['least_s']:6.2f} s {aim:>6} {ratio:>13} {peer:>12}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
