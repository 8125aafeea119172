"""
Dovetail's Triton kernels on this machine's NVIDIA GPU, against torch and against the floor.

    python benchmarks/gpu.py [--only TEXT] [--json FILE] [--device ID]
    python benchmarks/gpu.py --interpret [--only TEXT]

The floor is the roofline of the data sheet: the larger of operations / rate and bytes / bandwidth, each input read
and each output written once, with the catalogue's figures for the device. Times are of a call that is captured in a
CUDA graph, so that neither side pays for Python; `triton.testing.do_bench` replays it with CUDA events around, the L2
cache flushed before each, and the median is taken. Everything is compared with float64 before it is timed: the error is
of the worst row. Tiles are those that the cost model chooses; nothing is tuned here.

`--interpret` needs no GPU: every case at a small size in Triton's interpreter, its result compared with float64, and
torch's, on the CPU, where torch is installed. Nothing is timed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib import import_module
from math import isnan, nan
from pathlib import Path
from typing import Any

from gpu_cases import SPECS, Case, Rival, Spec
from gpu_cases.case import TOLERANCES, row_error
from gpu_cases.machines import (
    Cuda,
    Host,
    Machine,
    found_torch,
    namespace,
    numpy_array,
    torch_tensor,
)

from dovetail.backends.triton.interpreter import Interpreter
from dovetail.backends.triton.tiles import CATALOGUE
from dovetail.costmodel.driver_names import catalogue_device
from dovetail.costmodel.hardware import Device, find_device
from dovetail.ir.diagnostics import InputError


@dataclass(frozen=True)
class Aim:
    """Time of what is compared with over ours, at least this."""

    against: str
    """library: the fastest of torch; floor"""
    least: float


AIMS = {
    "matmul": Aim("library", 0.9), "attention": Aim("library", 0.85), "quantised": Aim("library", 1.0),
    "rows": Aim("floor", 0.9), "conv": None, "copies": None,
}  # fmt: skip
"""by kind of case; None where none is set"""
INTERPRETED = "h100-sxm"
"""the device whose tiles are interpreted unless another is named"""
WARM_MS, TIMED_MS = 50, 300
"""of replays before the measurement and within it"""


@dataclass(frozen=True)
class Measured:
    """One case. Times in microseconds; a fault is said in words and leaves out what comes after it."""

    name: str
    kind: str
    error: float | None = None
    """of the worst row, relative"""
    floor_us: float | None = None
    bound: str = ""
    """what the floor is of: compute or memory"""
    ours_us: float | None = None
    rivals_us: dict[str, float] | None = None
    faults: tuple[str, ...] = ()

    @property
    def of_library(self) -> float | None:
        """Time of the fastest rival over ours."""
        return min(self.rivals_us.values()) / self.ours_us if self.rivals_us and self.ours_us else None

    @property
    def of_floor(self) -> float | None:
        """The floor over our time."""
        return self.floor_us / self.ours_us if self.floor_us and self.ours_us else None

    @property
    def meets_aim(self) -> bool | None:
        """None without an aim, or without the times that it compares."""
        aim = AIMS[self.kind]
        ratio = None if aim is None else self.of_library if aim.against == "library" else self.of_floor
        return None if aim is None or ratio is None else ratio >= aim.least


def floor_us(case: Case, device: Device) -> tuple[float, str]:
    """(least time, what it is bound by) on `device`: Williams et al. 2009, with the rates of the data sheet."""
    rate = device.flops_per_s.get(CATALOGUE[case.dtype])
    compute_us = 1e6 * case.flops / rate if rate else 0.0
    memory_us = 1e6 * case.moved_bytes / device.bandwidth_bytes_per_s
    return max(compute_us, memory_us), "compute" if compute_us > memory_us else "memory"


def wrong(what: str, error: float, case: Case) -> list[str]:
    """What is said of a result that is too far from float64, or is not a number."""
    limit = TOLERANCES[case.dtype]
    return [] if error <= limit else [f"{what} is off by {error:.1e} of a row, more than {limit:.0e}"]


def worst_error(xp: Any, found: Any, expected: Any) -> float:
    """The largest `row_error` of one or several results; not a number if that of one is none."""
    errors = [row_error(xp, one, other) for one, other in zip(_several(found), _several(expected), strict=True)]
    return nan if any(map(isnan, errors)) else max(errors)


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, tuple) else (value,)


def checked(on: Machine, case: Case) -> tuple[float, Any]:
    """(error of the kernel's results, the results in float64 as they should be)."""
    expected = case.expected(on.xp, namespace(on, case.inputs))
    on.run(case)
    found = tuple(on.wide(case.tensors[name]) for name in case.writes)
    return worst_error(on.xp, found, expected), expected


def measured(on: Cuda, spec: Spec) -> Measured:
    """The case at its full size: compared with float64, then timed; what fails is said and the others go on."""
    try:
        case = spec.build(on, **spec.full)
        error, expected = checked(on, case)
        if faults := wrong("the kernel", error, case):
            return Measured(spec.name, spec.kind, error, faults=tuple(faults))
        ours_us = microseconds(on.xp, lambda: on.run(case))
    except Exception as fault:
        return Measured(spec.name, spec.kind, faults=(f"the kernel fails: {_first_line(fault)}",))
    rivals, faults = {}, []
    for rival in case.rivals:
        try:
            call = call_of(on.xp, rival, case)
            off = worst_error(on.xp, tuple(on.wide(each) for each in _several(call())), expected)
            faults += (said := wrong(rival.name, off, case))
            if not said:
                rivals[rival.name] = microseconds(on.xp, call)
        except Exception as fault:
            faults.append(f"{rival.name} fails: {_first_line(fault)}")
    return Measured(spec.name, spec.kind, error, *floor_us(case, on.device), ours_us, rivals, tuple(faults))


def call_of(torch: Any, rival: Rival, case: Case) -> Callable[[], Any]:
    """The rival as a function of nothing."""
    given = [case.inputs[name] for name in rival.takes]

    def function(*tensors: Any) -> Any:
        return rival.function(torch, *tensors)

    if not rival.compiled:
        return lambda: function(*given)
    torch.compiler.reset()  # or the sizes of the case before would make it compile for any size
    ready = torch.compile(function, dynamic=False)
    return lambda: ready(*given)


def microseconds(torch: Any, call: Callable[[], Any]) -> float:
    """The median time of a call on the GPU, from a CUDA graph, with the L2 cache flushed before each."""
    from triton.testing import do_bench

    call()  # compiles, and makes what libraries keep
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    found: Any = do_bench(graph.replay, warmup=WARM_MS, rep=TIMED_MS, return_mode="median")
    return 1e3 * float(found)


def interpreted(on: Host, spec: Spec, torch: Any | None) -> Measured:
    """The case at its small size, and torch's results for it on the CPU, not compiled."""
    case = spec.build(on, **spec.small)
    try:
        error, expected = checked(on, case)
    except ValueError as fault:
        return Measured(spec.name, spec.kind, faults=(f"the kernel fails: {_first_line(fault)}",))
    faults = wrong("the kernel", error, case)
    for rival in case.rivals if torch else ():
        given = [torch_tensor(torch, case.inputs[name]) for name in rival.takes]
        found = tuple(numpy_array(each) for each in _several(rival.function(torch, *given)))
        faults += wrong(rival.name, worst_error(on.xp, found, expected), case)
    return Measured(spec.name, spec.kind, error, faults=tuple(faults))


def _first_line(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}".splitlines()[0].replace("|", "/")  # one cell of the table


def table(rows: Sequence[Measured]) -> Iterator[str]:
    """Markdown."""
    head = ("case", "error", "floor [us]", "Dovetail [us]", "torch [us]", "torch / Dovetail", "floor / Dovetail", "aim")
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        rivals = ", ".join(f"{name} {us:.1f}" for name, us in (row.rivals_us or {}).items())
        floor = "" if row.floor_us is None else f"{row.floor_us:.1f} ({row.bound})"
        ours = "; ".join(row.faults) if row.ours_us is None else f"{row.ours_us:.1f}"
        rivals = "; ".join([rivals, *row.faults] if row.ours_us is not None else [rivals])
        ratios = ("" if ratio is None else f"{ratio:.2f}" for ratio in (row.of_library, row.of_floor))
        error = "" if row.error is None else f"{row.error:.1e}"
        yield f"| {' | '.join((row.name, error, floor, ours, rivals, *ratios, _aim_text(row)))} |"


def _aim_text(row: Measured) -> str:
    aim, meets = AIMS[row.kind], row.meets_aim
    said = "" if meets is None else ", met" if meets else ", **missed**"
    return "none" if aim is None else f"{aim.least:g} of the {aim.against}{said}"


def on_gpu(specs: Sequence[Spec], torch: Any, device: Device, json_file: Path | None) -> int:
    """Measure, print the table, write the figures; 1 if a kernel of ours is wrong or fails."""
    versions = {name: import_module(name).__version__ for name in ("torch", "triton")} | {"cuda": torch.version.cuda}
    named = torch.cuda.get_device_name()
    torch.backends.cudnn.benchmark = True  # the library's best, too
    torch.backends.cudnn.allow_tf32 = False
    on, rows = Cuda(device, torch), []
    for spec in specs:
        rows.append(measured(on, spec))
        print(f"{len(rows)} of {len(specs)}: {spec.name}", file=sys.stderr, flush=True)
        torch.cuda.empty_cache()
    today = date.today().isoformat()
    with_versions = ", ".join(f"{name} {version}" for name, version in versions.items())
    print(f"{named} (floor and tiles of {device.id}), {with_versions}, {today}\n")
    print("\n".join(table(rows)))
    if json_file is not None:
        ratios = ("of_library", "of_floor", "meets_aim")
        each = [asdict(row) | {ratio: getattr(row, ratio) for ratio in ratios} for row in rows]
        head = {"date": today, "gpu": named, "device": device.id, "versions": versions, "cases": each}
        json_file.write_text(json.dumps(head, indent=1) + "\n", encoding="utf-8")
    return int(any(row.ours_us is None for row in rows))


def in_interpreter(specs: Sequence[Spec], torch: Any | None, device: Device) -> int:
    """Check every case at its small size; 1 if something is wrong."""
    whose = f"torch {torch.__version__} on the CPU is compared too" if torch else "torch is absent: kernels alone"
    print(f"small sizes in Triton's interpreter, tiles of {device.id}; {whose}")
    faults = 0
    with Interpreter() as interpreter:
        on = Host(device, interpreter)
        for spec in specs:
            row = interpreted(on, spec, torch)
            faults += bool(row.faults)
            error = "" if row.error is None else f"error {row.error:.1e}"
            print("; ".join([f"{spec.name}: {error}", *row.faults]), flush=True)
    return int(faults > 0)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--device", help="the catalogue's device, where the driver's name for it does not tell")
    parser.add_argument("--interpret", action="store_true", help="check small sizes in Triton's interpreter")
    given = parser.parse_args(arguments)
    specs = [spec for spec in SPECS if given.only in spec.name]
    if not specs:
        return _refused(f"no case has `{given.only}` in its name")
    torch = found_torch()
    gpu = torch is not None and torch.version.cuda is not None and torch.cuda.is_available()
    if not given.interpret and not gpu:
        why = "torch is not installed" if torch is None else "torch sees no NVIDIA GPU"
        return _refused(f"nothing is measured: {why}; `--interpret` checks small sizes without one")
    named = given.device or (INTERPRETED if given.interpret or torch is None else torch.cuda.get_device_name())
    device = find_device(named) if given.device else catalogue_device(named)
    if device is None:
        return _refused(f"the catalogue has no figures of `{named}`: give the nearest with `--device ID`")
    try:
        return in_interpreter(specs, torch, device) if given.interpret else on_gpu(specs, torch, device, given.json)
    except InputError as error:
        return _refused(str(error))


def _refused(message: str) -> int:
    print(f"benchmarks/gpu.py: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
