"""The op of a name among those of a graph or a plan.

xDSL's `SymbolTable.lookup_symbol` asks each op for its traits; a plan of a thousand nodes looks thousands of names up.
"""

from __future__ import annotations

from xdsl.dialects.builtin import StringAttr, SymbolRefAttr
from xdsl.ir import Operation


def named_op(table: Operation, name: SymbolRefAttr) -> Operation | None:
    """The op in the one block of `table` whose `sym_name` is `name`; None where there is none."""
    wanted = StringAttr(name.string_value())
    return next((op for op in table.regions[0].block.ops if op.attributes.get("sym_name") == wanted), None)
