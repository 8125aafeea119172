"""`shard`: write the SPMD program of a decision that is given as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from .apply import apply_decision
from .decision import read_decision

HELP = "`dovetail partition MODEL --devices N --device NAME --json` writes one"


@dataclass(frozen=True)
class ShardPass(ModulePass):
    """
    Replaces `main` by what each rank runs under the decision in `file`, which `dovetail partition` writes.

    Promise: nothing is decided here; ranks that run the program on their parts have the same results together.
    """

    name: ClassVar[str] = "shard"
    file: str

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        try:
            record = json.loads(Path(self.file).read_text(encoding="utf-8"))
            decision = read_decision(record.get("decision", record))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            reason = f"the key {error} is missing" if isinstance(error, KeyError) else reason
            message = f"cannot read the decision `{self.file}`: {reason}"
            raise InputError([Diagnostic("decision", message, help=HELP)]) from error
        try:
            program = apply_decision(nn.NnModule(op, {}, (), ()), decision)
        except ValueError as error:
            raise InputError([Diagnostic("decision", f"the decision does not fit the module: {error}")]) from error
        main = nn.main_of(op)
        local = nn.main_of(program.module)
        local.detach()
        local.location = main.location
        op.body.block.insert_op_before(local, main)
        main.detach()
        main.erase()
