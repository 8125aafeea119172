"""A placement of a network's ops, by hand or of `dovetail partition --over`: pieces, and where each of them stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...costmodel.hardware import find_device
from ...ir.diagnostics import Diagnostic, InputError, did_you_mean
from ...passes.pieces.emit import Pieces, emit_pieces, working_ops
from .executors import Target

if TYPE_CHECKING:
    from ...ir.fleet import DeviceSpec
    from ...ir.nn import NnModule

Placement = Mapping[str, Any] | Sequence[str]
"""plan.json of `partition --over` (or of `--devices`, which has no pieces), or the device of each op in file order"""


def placed_pieces(network: NnModule, placement: Placement) -> tuple[Pieces, list[str]]:
    """
    A piece for each stretch of ops that run on one device one after another, and the name of each piece's device.

    `network` is prepared for placement. Raises `InputError` unless every op has a device, and runs after what it uses.
    """
    devices, when = _read(placement)
    count = len(working_ops(network))
    if len(devices) != count:
        help = "weights are not placed; `passes.pieces.prepare` gives the network whose ops are"
        raise _wrong(f"the network has {count} ops to place, and {len(devices)} are placed", help)
    piece_of, device_of = [0] * count, list[str]()
    for i in sorted(range(count), key=lambda i: (when[i], i)):
        if not device_of or device_of[-1] != devices[i]:
            device_of.append(devices[i])
        piece_of[i] = len(device_of) - 1
    try:
        return emit_pieces(network, piece_of), device_of
    except ValueError as error:
        raise _wrong(f"in this placement {error}") from error


def _read(placement: Placement) -> tuple[list[str], list[int]]:
    """The device of each op, and when it starts: of a plan its time or stage, else none before another."""
    from ...planner.op_placement.to_problem import INPUTS, OUTPUTS

    if not isinstance(placement, Mapping):
        return [str(name) for name in placement], [0] * len(placement)
    try:
        rows = [row for row in placement["pieces"] if row["piece"] not in (INPUTS, OUTPUTS)]
        return [str(row["device"]) for row in rows], [int(row.get("start_ns", row.get("stage", 0))) for row in rows]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _wrong(f"this is no plan of `dovetail partition --over`: {error!r}") from error


def target_named(name: str, fleet: Sequence[DeviceSpec] | None) -> Target:
    """
    The device `name` of `fleet`, or without one of the catalogue; `h100-sxm.1` is the second of that type.

    Raises `InputError` where there is none.
    """
    for wanted in (name, name.rpartition(".")[0]):
        spec = next((each for each in fleet or () if each.name == wanted), None)
        known = find_device((spec and spec.model) or wanted) if spec or fleet is None else None
        kind = (spec and spec.kind) or (known.kind if known else None)
        if kind in ("cpu", "gpu", "npu"):
            own = spec.scratchpad_bytes if spec else None
            return Target(name, kind, known, own or (known.scratchpad_bytes if known else None))
    where = "the catalogue" if fleet is None else "the fleet"
    help = did_you_mean(name, [each.name for each in fleet]) if fleet else "`dovetail devices` lists them"
    raise _wrong(f"`{name}` is no device of {where} on which an op can be placed", help)


def placement_document(pieces: Pieces, targets: Sequence[Target], traces: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """plan.json of a program in pieces: where each stands, what executes it, and what passes between them."""
    rows = zip(pieces.names, targets, traces, strict=True)
    return {
        "format": 1,
        "plan": "pieces",
        "pieces": [
            {"piece": name, "device": target.name, "kind": target.kind, "executor": text}
            for name, target, (_, text) in rows
        ],
        "transfers": [{"from": a, "to": b, "bytes": size} for a, b, size in pieces.transfers],
    }


def _wrong(message: str, help: str | None = None) -> InputError:
    return InputError([Diagnostic("placement", message, help=help)])
