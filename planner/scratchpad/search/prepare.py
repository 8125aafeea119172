"""Loading the compiled engines before any clock starts."""

from __future__ import annotations

import time
from functools import cache

from ..problem import Operator, ScratchpadProblem, Tensor


def prepare() -> float:
    """Load the compiled engines and the solver, or compile them where that was never done; seconds that it took.

    InputError without the extra `scratchpad`.
    """
    began = time.perf_counter()
    _load()
    return time.perf_counter() - began


@cache
def _load() -> None:
    """Run each engine once on a problem in which one tensor has to leave."""
    require_compiler()
    from .beam import beam_order
    from .bounds import cut_bound
    from .exact import Search
    from .gap import keep_piece
    from .local import LocalSearch
    from .prices import Prices
    from .split import whole
    from .stream import stream

    tensors = tuple(Tensor(f"t{i}", 1) for i in range(4))
    operators = tuple(
        Operator(f"op{i}", inputs, (i,) if i < 4 else ()) for i, inputs in enumerate(((), (0,), (1,), (0, 1), (2, 3)))
    )
    piece = whole(ScratchpadProblem("none", tensors, operators, 3))
    search = Search(piece)
    search.run(1 << 30, 1, 1 << 30)
    search.grow(2 * len(search.store.cost))
    search.look_ahead(1 << 10)
    prices = Prices(search.tables, search.table.done, search.table.slots)
    prices.settle(1 << 30)
    prices.improve()
    prices.start_from(prices, range(len(operators)), range(len(piece.tensors)))
    search.price(prices)
    search.run(1 << 30, 1 << 10, 1 << 30)
    beam_order(search.tables, 2, 1.0, 0, 1 << 30)
    LocalSearch(search.tables, tuple(range(len(operators))), 0).run(1)
    keep_piece(piece, range(len(operators)))
    cut_bound(piece)
    stream(piece, 1 << 30, None, 1 << 10)


def require_compiler() -> None:
    """InputError unless numba is installed."""
    try:
        import numba  # noqa: F401
    except ImportError:
        from ....ir.diagnostics import Diagnostic, InputError

        raise InputError(
            [Diagnostic("scratchpad", "the scratchpad planner needs the extra `dovetail[scratchpad]`")]
        ) from None
