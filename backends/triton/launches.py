"""A launch whose tile is still open: the tiles that it may have, and what tells it from others on any network."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from ..python_text import Brackets, Expression, call, lay_out

TRIED = 8
"""tiles of a launch that an autotuner measures"""
Tile = Mapping[str, int]
"""the keyword arguments of a wrapper that say how a kernel is launched"""


def tried(ranked: Iterable[Tile]) -> list[Tile]:
    """The first of `ranked`, of which the first is emitted unless others are measured."""
    return list(islice(ranked, TRIED))


@dataclass(frozen=True, eq=False)
class Launch:
    """A call of a wrapper of the library, at one place of a function."""

    wrapper: str
    arguments: tuple[Expression, ...]
    options: Mapping[str, object]
    tiles: tuple[Tile, ...]
    """that it may have, that of the cost model first"""
    comment: str
    """its shapes"""

    def lines(self, tile: Tile) -> list[str]:
        """The call with that tile, as it is emitted."""
        return lay_out(self._call(tile), self.comment)

    def open_line(self, number: int) -> str:
        """The call as one for whoever tries tiles: `tuned(3, lambda **tile: matmul(a, b, c, **tile))`."""
        whole = self._call({})
        given = Brackets(whole.opening, (*whole.items, "**tile"), whole.closing)
        return f"    tuned({number}, lambda **tile: {given})"

    def described(self, meanings: Mapping[str, str]) -> str:
        """The call with each name of `meanings`, a buffer's, a weight's or a function's, as what it stands for."""
        return ast.unparse(_Described(meanings).visit(ast.parse(str(self._call({})))))

    def _call(self, tile: Tile) -> Brackets:
        return call(self.wrapper, *self.arguments, **self.options, **tile)


class _Described(ast.NodeTransformer):
    """Puts the meaning of a name, or of `w["name"]`, in its place."""

    def __init__(self, meanings: Mapping[str, str]) -> None:
        self._meanings = meanings

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._constant(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return self._constant(node)

    def _constant(self, node: ast.expr) -> ast.expr:
        meaning = self._meanings.get(ast.unparse(node))
        return node if meaning is None else ast.Constant(meaning)
