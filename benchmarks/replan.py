"""How much moves when a plan is made anew, and how long that takes: `plan --from` beside planning without it.

    python benchmarks/replan.py [--json results.json]

The voice agent on its five types of devices runs at 5 req/s. For each change the table has the replicas that are
brought up with `--from` (each piece of a pool counted by itself), and those of a plan made without it; what both cost
an hour and what the change costs once; processor time of solving alone, and of the whole command, whose compiled
modules are kept from one run to the next, as where it is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dovetail.planner.placement.search.solve import solve
from dovetail.planner.sensitivity.question import question_of

ROOT = Path(__file__).parents[1]
PLAN = str(Path(sys.executable).parent / "plan")
AGENT = ROOT / "examples" / "voice_agent"


@dataclass(frozen=True)
class Change:
    """What is other than when the old plan was made."""

    name: str
    rate: float = 5.0
    options: tuple[str, ...] = ()


CHANGES = (
    Change("nothing"),
    *(Change(f"rate {100 * (rate / 5 - 1):+.0f} %", rate) for rate in (4.0, 4.5, 4.75, 5.25, 5.5, 6.0, 7.5)),
    *(Change(f"rate {100 * (rate / 5 - 1):+.0f} %, for 1 h", rate, ("--over", "1h")) for rate in (4.75, 5.25)),
    Change("a mi300x fails", options=("--lost", "mi300x=1")),
    Change("all mi300x fail", options=("--lost", "mi300x")),
    Change("a gaudi3 fails", options=("--lost", "gaudi3=1")),
    Change("all gaudi3 fail", options=("--lost", "gaudi3")),
)


def planned(graph: Path, *options: str) -> tuple[dict[str, Any], float]:
    """plan.json and the processor time of the command [s]."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    kept["PYTHONPYCACHEPREFIX"] = str(graph / "compiled")
    command = [PLAN, str(graph), "--json", *options]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=kept)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return json.loads(done.stdout), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def solving(plan: dict[str, Any]) -> float:
    """Processor time of solving the problem of a plan, what binds included [s]."""
    problem = question_of(plan).problem()
    began = time.process_time()
    solve(problem, with_latency=False)
    return time.process_time() - began


def kinds(plan: dict[str, Any]) -> dict[str, int]:
    """Replicas by device, cut and pieces."""
    found: dict[str, int] = {}
    for pool in plan["pools"]:
        pieces = sorted(e["piece"] for e in plan["placements"] if e["pool"] == pool["id"])
        for piece in pieces if pool["replicas"] else ():
            key = f"{pool['device']} {pool['parallel']} {piece}"
            found[key] = found.get(key, 0) + pool["replicas"]
    return found


def brought_up(old: dict[str, Any], new: dict[str, Any], lost: dict[str, int]) -> int:
    """Replicas of the new plan that the old one has not, each piece of a pool by itself."""
    was = kinds(old)
    for name, number in lost.items():
        for key in [key for key in was if key.startswith(f"{name} ")]:
            was[key] = max(0, was[key] - number)
    return sum(max(0, n - was.get(key, 0)) for key, n in kinds(new).items())


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """One for each change."""
    graph = yaml.safe_load((AGENT / "graph.yaml").read_text())
    (folder / "fleet.yaml").write_text((AGENT / "fleet.yaml").read_text())
    (folder / "graph.yaml").write_text(yaml.safe_dump(graph))
    old, _ = planned(folder)
    (folder / "plan.json").write_text(json.dumps(old))
    for change in CHANGES:
        graph["workload"]["rate"] = f"{change.rate} req/s"
        (folder / "graph.yaml").write_text(yaml.safe_dump(graph))
        new, seconds = planned(folder, "--from", str(folder / "plan.json"), *change.options)
        (folder / "rest.yaml").write_text(yaml.safe_dump(new["inputs"]["fleet"]))
        anew, _ = planned(folder, "--fleet", str(folder / "rest.yaml"))
        lost = new["inputs"]["previous"].get("lost", {})
        yield {
            "change": change.name,
            "brought_up": brought_up(old, new, lost),
            "brought_up_without": brought_up(old, anew, lost),
            "usd_per_hour": new["cost"]["usd_per_hour"],
            "usd_per_hour_without": anew["cost"]["usd_per_hour"],
            "usd_once": new["migration"]["usd"],
            "ready_s": new["migration"]["seconds"],
            "solve_s": solving(new),
            "processor_s": seconds,
        }


def main() -> None:
    """Print the table, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print("| change | up | without `--from` | USD/h | without | USD once | ready [s] | solving [s] | command [s] |")
    print("|---|---|---|---|---|---|---|---|---|")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(Path(folder)):
            found.append(row)
            shown = [f"{x:.4g}" if isinstance(x, float) else str(x) for x in row.values()]
            print(f"| {' | '.join(shown)} |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
