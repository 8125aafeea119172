"""The experiment of COSMA (arXiv 2311.18246), whole: fourteen networks, three sizes of scratchpad, with
and without parameters, the planner against four baselines. Prints Markdown.

    python benchmarks/scratchpad.py [--nets NAME ...] [--time-limit 20] [--runs 1] [--json results.json]

M_R is what the largest operator needs, M_P the least peak over all orders, M_H their mean. Seconds are those of one
`plan_scratchpad`, on one thread but for the last resort of the addresses, after one that loads compiled code.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import statistics
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from dovetail.planner.scratchpad.baselines import baselines
from dovetail.planner.scratchpad.check import check_plan
from dovetail.planner.scratchpad.peak import LeastPeak, least_peak
from dovetail.planner.scratchpad.problem import ScratchpadProblem
from dovetail.planner.scratchpad.read import read_problem
from dovetail.planner.scratchpad.solve import plan_scratchpad

sys.path.insert(0, str(Path(__file__).parents[1]))
from examples.nets import DESIGNED, SEARCHED
from examples.nets.builder import Net
from examples.nets.densenet import densenet121
from examples.nets.transformer import transformer

PAPER = {"designed": {"reduction": 0.84, "seconds": 0.3}, "searched": {"reduction": 0.85, "seconds": 120.0}}
"""Mean reduction at M_R below the mean of the baselines, and mean seconds of a solve on a commercial solver."""
AIM_S = {"designed": 0.3, "searched": 10.0}
"""of the mean over the designed networks, of each searched one"""


@dataclass(frozen=True)
class Row:
    """One network on one scratchpad."""

    net: str
    kind: str
    operators: int
    parameters: bool
    budget: str
    size_bytes: int
    peak_is_least: bool
    baselines: dict[str, int | None]
    status: str
    bytes: int
    bound: int
    seconds: float
    faults: list[str]

    @property
    def mean(self) -> float | None:
        """Mean of the baselines that ran [bytes]."""
        ran = [moved for moved in self.baselines.values() if moved is not None]
        return statistics.fmean(ran) if ran else None

    @property
    def reduction(self) -> float | None:
        """Share of the mean baseline's traffic that is saved; None where there is none to save."""
        return 1 - self.bytes / self.mean if self.mean else None


def measure(path: Path, kind: str, parameters: bool, limit_s: float, runs: int) -> Iterable[Row]:
    """The rows of one network."""
    problem = read_problem(path, 0, parameters)
    peak = least_peak(problem, time_limit_s=60.0)
    for budget, size in budgets(problem.least_size_bytes, peak.peak_bytes).items():
        yield one(problem.with_size(size), kind, parameters, budget, peak, limit_s, runs)


def budgets(least: int, peak: int) -> dict[str, int]:
    """M_R, M_H and M_P; one where they are the same."""
    if least == peak:
        return {"all": least}
    return {"M_R": least, "M_H": (least + peak) // 2, "M_P": peak}


def one(
    problem: ScratchpadProblem, kind: str, parameters: bool, budget: str, peak: LeastPeak, limit_s: float, runs: int
) -> Row:
    """One row: the plan, checked, and the baselines."""
    plans = [plan_scratchpad(problem, time_limit_s=limit_s) for _ in range(runs)]
    plan = min(plans, key=lambda p: p.seconds)
    return Row(
        problem.name,
        kind,
        len(problem.operators),
        parameters,
        budget,
        problem.size_bytes,
        peak.is_least,
        baselines(problem, peak.order),
        plan.status,
        plan.noncompulsory_bytes,
        plan.lower_bound_bytes,
        plan.seconds,
        check_plan(problem, plan),
    )


def kib(count: float | None) -> str:
    """Bytes in KiB."""
    return "-" if count is None else f"{count / 1024:,.1f}".removesuffix(".0")


def line(row: Row) -> str:
    """A row of the table."""
    reduction = "" if row.reduction is None else f"{row.reduction:.0%}"
    proof = {"optimal": "proved"}.get(row.status, f"bound {kib(row.bound)}")
    size = kib(row.size_bytes) + ("" if row.peak_is_least else " (peak not proved)")
    cells = [row.net, str(row.operators), row.budget, size, *map(kib, row.baselines.values())]
    return f"| {' | '.join([*cells, kib(row.bytes), proof, reduction, f'{row.seconds:.2f}'])} |"


def faults(rows: list[Row]) -> list[str]:
    """What falls short of the aims."""
    found = []
    for row in rows:
        where = f"{row.net}, {'with' if row.parameters else 'without'} parameters, {row.budget}"
        found += [f"{where}: {fault}" for fault in row.faults]
        worse = [f"{name} ({kib(moved)})" for name, moved in row.baselines.items() if (moved or 0) < row.bytes]
        worse = [name for name in worse if row.baselines[name.rsplit(" (", 1)[0]] is not None]
        if worse:
            found.append(f"{where}: {kib(row.bytes)} KiB, above {', '.join(worse)}")
        if row.budget in ("M_P", "all") and row.bytes:
            found.append(f"{where}: {kib(row.bytes)} KiB at M_P")
        if row.reduction is not None and row.reduction <= 0 and row.status != "optimal":
            found.append(f"{where}: no reduction, and no proof that there is none")
        if row.kind == "searched" and row.seconds > AIM_S["searched"]:
            found.append(f"{where}: {row.seconds:.1f} s")
    designed = [row.seconds for row in rows if row.kind == "designed"]
    if designed and statistics.fmean(designed) > AIM_S["designed"]:
        slow = max((row for row in rows if row.kind == "designed"), key=lambda row: row.seconds)
        found.append(f"{statistics.fmean(designed):.2f} s a solve on average, most of it {slow.net} at {slow.budget}")
    return found


def summary(rows: list[Row]) -> Iterable[str]:
    """Means beside the paper's, degenerate networks, and what falls short."""
    for kind, paper in PAPER.items():
        mine = [row for row in rows if row.kind == kind]
        if not mine:
            continue
        saved = [row.reduction for row in mine if row.budget in ("M_R", "all") and row.reduction is not None]
        times = [row.seconds for row in mine]
        proved = sum(row.status == "optimal" for row in mine)
        least = f"{statistics.fmean(saved):.1%}" if saved else "-"
        yield (
            f"- {kind}: mean reduction at M_R {least} (the paper: {paper['reduction']:.0%}) over {len(saved)} cases "
            f"in which a baseline moves anything; {statistics.fmean(times):.2f} s a solve on average (the paper: "
            f"{paper['seconds']:g} s), {max(times):.2f} s at worst; {proved} of {len(mine)} proved over all orders"
        )
    for parameters in (False, True):
        names = [row.net for row in rows if row.budget == "all" and row.parameters == parameters]
        if names:
            what = f"degenerate {'with' if parameters else 'without'} parameters"
            yield f"- {what} (M_R = M_P: nothing need move at any size that fits): {', '.join(names)}"
    short = faults(rows)
    yield "- below the aims: " + ("; ".join(short) if short else "nothing")


def written(net: Net, folder: Path) -> Path:
    """A network as a file that the planner reads."""
    path = folder / f"{net.name}.json"
    path.write_text(json.dumps(net.graph()), encoding="utf-8")
    return path


def warm_up(folder: Path) -> None:
    """Load compiled code, or compile it: plan networks small and large, with little room and with enough."""
    for net in (densenet121(), transformer()):
        for _ in measure(written(net, folder), "", True, 10.0, 1):
            pass


def processor() -> str:
    """The name of the processor, where the system tells."""
    info = Path("/proc/cpuinfo")
    names = [text for text in info.read_text().splitlines() if text.startswith("model name")] if info.exists() else []
    return names[0].split(":")[1].strip() if names else platform.machine()


def main() -> None:
    """Run all cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="*", default=[])
    parser.add_argument("--time-limit", type=float, default=20.0)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print(f"{datetime.date.today()}, {processor()}, Python {platform.python_version()}.", end=" ")
    print(f"Time limit {arguments.time_limit:g} s; of {arguments.runs} run(s) the quickest.")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        warm_up(folder)
        for parameters in (False, True):
            print(f"\n### {'With' if parameters else 'Without'} parameters [KiB]\n")
            print("| network | ops | budget | size | default, Belady | default, greedy | least peak, Belady |", end="")
            print(" least peak, greedy | ours | proof | reduction | seconds |\n" + "|---" * 12 + "|")
            for kind, makers in (("designed", DESIGNED), ("searched", SEARCHED)):
                for net in (make() for make in makers):
                    if arguments.nets and net.name not in arguments.nets:
                        continue
                    for row in measure(written(net, folder), kind, parameters, arguments.time_limit, arguments.runs):
                        rows.append(row)
                        print(line(row), flush=True)
    print("\n### Summary\n")
    print("\n".join(summary(rows)))
    if arguments.json:
        documents = [asdict(row) | {"mean": row.mean, "reduction": row.reduction} for row in rows]
        arguments.json.write_text(json.dumps(documents, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
