"""`apply-plan`: write a plan that is given as data into the module, so that the plan prints as IR."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import DictionaryAttr, FloatAttr, IntegerAttr, ModuleOp, StringAttr, SymbolRefAttr, f64, i64
from xdsl.ir import Attribute, Operation
from xdsl.passes import ModulePass

from ..ir.diagnostics import Diagnostic, InputError
from ..ir.plan import PlaceOp, PoolOp, TransferOp, plan_of

DEGREES = ("tp", "pp", "ep", "dp")


@dataclass(frozen=True)
class ApplyPlanPass(ModulePass):
    """
    Adds the pools, placements and transfers of the plan.json `file` to the module's `plan.plan`.

    Promise: nothing is decided here; what the plan says is written down, and the verifier of `plan.plan` says
    whether it places every piece.
    """

    name: ClassVar[str] = "apply-plan"
    file: str

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        try:
            plan = json.loads(Path(self.file).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError([Diagnostic("plan", f"cannot read the plan `{self.file}`: {error}")]) from error
        apply_plan(op, plan)


def apply_plan(module: ModuleOp, plan: Mapping[str, Any]) -> None:
    """Add `pools`, `placements` and `transfers` of `plan`, in the form of plan.json, to the module's `plan.plan`.

    InputError where the module has no pieces yet, or where the plan lacks a field, has one of the wrong kind or
    places nothing.
    """
    target = plan_of(module)
    if target is None:
        raise InputError([Diagnostic("pass", "`apply-plan` needs the pieces that `partition-pieces` adds")])
    try:
        ops: list[Operation] = [_pool(pool) for pool in plan["pools"]]
        ops += [_place(place) for place in plan["placements"]]
        ops += [_transfer(transfer) for transfer in plan["transfers"]]
    except KeyError as error:
        raise InputError([Diagnostic("plan", f"the plan lacks the field {error}")]) from error
    except (TypeError, ValueError) as error:
        raise InputError([Diagnostic("plan", f"the plan is not of the form of plan.json: {error}")]) from error
    if not plan["placements"]:
        raise InputError([Diagnostic("plan", f"the plan places nothing; its status is `{plan.get('status')}`")])
    for op in ops:
        op.location = target.location
    target.body.block.add_ops(ops)


def _pool(pool: Mapping[str, Any]) -> PoolOp:
    attributes: dict[str, Attribute] = {
        "sym_name": StringAttr(_text(pool, "id")),
        "device": StringAttr(_text(pool, "device")),
        "replicas": _integer(pool, "replicas"),
    }
    attributes |= {degree: _integer(pool["parallel"], degree) for degree in DEGREES}
    attributes["max_batch"] = _integer(pool, "max_batch")
    return PoolOp(attributes=attributes)


def _place(place: Mapping[str, Any]) -> PlaceOp:
    attributes: dict[str, Attribute] = {
        "piece": SymbolRefAttr(_text(place, "piece")),
        "pool": SymbolRefAttr(_text(place, "pool")),
        "share": _float(place, "share"),
        "latency_s": _float(place, "latency_s"),
    }
    when = {} if place["when"] is None else {"when": StringAttr(_text(place, "when"))}
    return PlaceOp(attributes=attributes | when)


def _transfer(transfer: Mapping[str, Any]) -> TransferOp:
    attributes: dict[str, Attribute] = {
        "from": SymbolRefAttr(_text(transfer, "from")),
        "to": SymbolRefAttr(_text(transfer, "to")),
        "bytes": _float(transfer, "bytes"),
        "latency_s": _float(transfer, "latency_s"),
    }
    when = {node: StringAttr(_text(transfer["when"], node)) for node in transfer.get("when", {})}
    return TransferOp(attributes=attributes | ({"when": DictionaryAttr(when)} if when else {}))


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields[key]
    if not isinstance(value, str):
        raise TypeError(f"`{key}` is {value!r}, not a name")
    return value


def _integer(fields: Mapping[str, Any], key: str) -> IntegerAttr:
    value = fields[key]
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"`{key}` is {value!r}, not a whole number")
    return IntegerAttr(value, i64)


def _float(fields: Mapping[str, Any], key: str) -> FloatAttr:
    value = fields[key]
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
        raise TypeError(f"`{key}` is {value!r}, not a number")
    return FloatAttr(float(value), f64)
