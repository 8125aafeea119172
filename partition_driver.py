"""The partition driver: reads a network and shares it among devices, equal ones or unlike ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .ir.diagnostics import Diagnostic, InputError

if TYPE_CHECKING:
    from .costmodel.hardware import Device
    from .driver import Where
    from .ir.nn import NnModule
    from .passes.pieces.emit import Pieces
    from .planner.op_placement.problem import OpPlacementProblem

Sizes = Mapping[str, int]


def partition(
    model: str, devices: int, device: str, memory_bytes: int | None = None, sizes: Sizes | None = None
) -> dict[str, Any]:
    """
    How the network in the file `model` is best shared among `devices` of the catalogue's `device`, as plain data.

    `sizes` gives a number to each open size. InputError for what is wrong in the file or with the device, Infeasible
    where the network does not fit.
    """
    from .planner.partition.plan import plan_partition

    network, found = _read(model, devices, device, sizes)
    document, _ = plan_partition(network, devices, found, memory_bytes)
    return {"model": Path(model).name, **document}


def pipeline(
    model: str, devices: int, device: str, memory_bytes: int | None = None, sizes: Sizes | None = None
) -> dict[str, Any]:
    """As `partition`, but as stages of whole ops in file order, one on each device, with the least period."""
    from .planner.partition.plan import plan_pipeline

    network, found = _read(model, devices, device, sizes)
    return {"model": Path(model).name, **plan_pipeline(network, devices, found, memory_bytes)}


@dataclass(frozen=True)
class OpPlacement:
    """The ops of a network over unlike devices."""

    document: dict[str, Any]
    """plan.json, as plain data"""
    pieces: Pieces
    """the network as a piece for each stretch of ops on one device, with transfers between"""
    piece_devices: Sequence[str]
    """the device of each piece"""
    warnings: Sequence[str]


def place_ops(
    model: str,
    over: str,
    fleet: Where | None = None,
    objective: str = "makespan",
    ends_at: str | None = None,
    sizes: Sizes | None = None,
    time_limit_s: float | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> OpPlacement:
    """
    Where each op of the network in the file `model` runs, for the least makespan or (`throughput`) the least period.

    `over` names devices of the fleet, or of the catalogue, as `epyc-9554,h100-sxm*2`; inputs come from and outputs go
    to the one that `ends_at` names, if any. Time over or Ctrl-C: the best so far, with its gap. InputError for what is
    wrong with any of these, Infeasible where no placement fits.
    """
    from .planner.op_placement.plan import placed_pieces, placement_document
    from .planner.op_placement.solve import place

    def tell(value: int | None, bound: int) -> None:
        if on_progress is not None:
            best = "nothing yet" if value is None else f"best {value / 1e6:.3f} ms"
            on_progress(f"{best}, nothing under {bound / 1e6:.3f} ms")

    network, problem, warnings = _pose_ops(model, over, fleet, ends_at, sizes)
    answer = place(problem, objective == "throughput", time_limit_s, tell)
    asked = {"model": Path(model).name, "over": over, "ends_at": ends_at, "sizes": dict(sizes or {})}
    document = placement_document(problem, objective == "throughput", answer, asked)
    assert answer.best is not None
    return OpPlacement(document, *placed_pieces(network, problem, answer.best), warnings)


def op_placement_problem(model: Where, fleet: Where | None, asked: Mapping[str, Any]) -> OpPlacementProblem:
    """The problem that a model poses, over what `inputs` of a plan asks for; InputError as for `place_ops`."""
    return _pose_ops(str(model), asked["over"], fleet, asked["ends_at"], asked["sizes"])[1]


def _pose_ops(
    model: str, over: str, fleet: Where | None, ends_at: str | None, sizes: Sizes | None
) -> tuple[NnModule, OpPlacementProblem, Sequence[str]]:
    """The network after the passes that every kind of device wants, and its problem."""
    from .ir.read.fleet import read_fleet
    from .ir.read.networks import read_network
    from .passes.pieces.prepare import prepare
    from .planner.op_placement.places import party, read_over
    from .planner.op_placement.to_problem import pose

    who = party(read_over(over), None if fleet is None else read_fleet(Path(fleet)))
    names = [place.name for place in who.places]
    if ends_at is not None and ends_at not in names:
        help = f"one of {', '.join(names)}"
        raise InputError([Diagnostic("device", f"`{ends_at}` is none of the devices", help=help)])
    network = prepare(read_network(Path(model), sizes))
    at = None if ends_at is None else names.index(ends_at)
    return network, pose(network, who.places, who.wires, at), who.warnings


def _read(model: str, devices: int, device: str, sizes: Sizes | None) -> tuple[NnModule, Device]:
    """The network, without open sizes, and the device; InputError for what is wrong with either."""
    from .costmodel.hardware import find_device
    from .ir.read.networks import read_network

    found = find_device(device)
    if found is None:
        message = f"`{device}` is no device of the catalogue"
        raise InputError([Diagnostic("device", message, help="`dovetail devices` lists them")])
    if devices < 1:
        raise InputError([Diagnostic("device", f"a network cannot be shared among {devices} devices")])
    if devices > 1 and not found.link_bandwidth_bytes_per_s:
        help = "`dovetail devices` lists others"
        raise InputError([Diagnostic("device", f"`{device}` has no link to others of its kind", help=help)])
    return read_network(Path(model), sizes), found
