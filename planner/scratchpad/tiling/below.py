"""Plans for scratchpads smaller than the largest operator needs: operators that do not fit run in tiles."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ....ir.diagnostics import Diagnostic, Infeasible
from ..plan import PlannedMove, ScratchpadPlan
from ..problem import ScratchpadProblem
from .bounds import inner_bound_bytes
from .choose import options
from .nest import Nest
from .pick import Pick
from .rewrite import Rewritten
from .search import Tiling, least_bytes
from .traffic import held_bytes, one_tiling

Progress = Callable[[str], None]
SEARCH_SHARE = 0.7
"""of the time limit for choosing; the rest is for the plan of the best choice"""
GROWN_SHARE = 0.5
"""of that rest, for the plan with tiles as large as they can be"""


@dataclass(frozen=True)
class TiledOperator:
    """How one operator runs in tiles."""

    operator: str
    workspace: str
    """the buffer that holds the tiles, one operand behind the other in the order of `held`"""
    loops: tuple[str, ...]
    """loops that are cut, outermost first; within a tile the order is free"""
    tiles: dict[str, int]
    """iterations of each loop in a tile"""
    whole: tuple[str, ...]
    """tensors that lie whole in the scratchpad meanwhile; the others stream through the tiles"""
    held: dict[str, int]
    """bytes of each operand's tile"""
    moved: dict[str, int]
    """bytes of each operand in and out of the tiles"""
    traffic_bytes: int
    """of the operator by itself: what its tiles move, and its whole tensors once each"""
    bound_bytes: int
    """no way of running it on the whole scratchpad moves less"""


@dataclass(frozen=True)
class TiledPlan(ScratchpadPlan):
    """
    A plan with operators in tiles.

    `noncompulsory_bytes` is all traffic, that of the tiles included, less the compulsory traffic of the graph. `moves`
    has, beside spills and reloads, the tensors that are written to be streamed and those loaded after they were
    streamed out.
    """

    tiles: tuple[TiledOperator, ...] = ()
    minimum_bytes: int = 0
    """the smallest scratchpad for which there is a plan"""
    tiling_bound_bytes: int = 0
    """no order, no spills and no choice among the tilings that were tried move fewer bytes beyond the compulsory;
    `lower_bound_bytes` holds for every tiling"""

    def to_json(self) -> dict[str, Any]:
        document = super().to_json()
        if not self.tiles:
            for key in ("tiles", "minimum_bytes", "tiling_bound_bytes"):
                del document[key]
        return document


def minimum_bytes(problem: ScratchpadProblem, nests: Mapping[str, Nest]) -> int:
    """The smallest scratchpad on which every operator runs, whole or in tiles; `nests` by operator name."""
    return max((_least(problem, op, nests) for op in range(len(problem.operators))), default=0)


def _least(problem: ScratchpadProblem, op: int, nests: Mapping[str, Nest]) -> int:
    nest = nests.get(problem.operators[op].name)
    need = problem.need_bytes[op]
    return need if nest is None else min(need, least_bytes(nest, problem.alignment_bytes))


def plan_below(
    problem: ScratchpadProblem,
    nests: Mapping[str, Nest],
    *,
    time_limit_s: float | None = None,
    on_progress: Progress | None = None,
) -> ScratchpadPlan:
    """
    A plan in which the operators that do not fit run in tiles, chosen together with order and spills.

    `nests` are the loop nests of operators by name (`read_nests`). A graph whose operators all fit gets an ordinary
    plan. Infeasible, naming each operator and the least it needs, where the scratchpad is below `minimum_bytes`.
    """
    from ..search import prepare
    from ..solve import plan_scratchpad

    if problem.operators:
        prepare()  # loading compiled engines, or compiling them once, is no part of the time given
    start = time.perf_counter()

    def left_s(share: float) -> float | None:
        """A share of the time that is left."""
        return None if time_limit_s is None else max(0.05, share * (time_limit_s - (time.perf_counter() - start)))

    nests = {name: nest for name, nest in nests.items() if _covers(problem, name, nest)}
    require_least(problem, nests)
    large = [op for op, need in enumerate(problem.need_bytes) if need > problem.size_bytes]
    if not large:
        return plan_scratchpad(problem, time_limit_s=time_limit_s, on_progress=on_progress)
    given = {op: options(problem, op, nests[problem.operators[op].name]) for op in large}
    deadline = None if time_limit_s is None else start + SEARCH_SHARE * time_limit_s
    pick = Pick(problem, given, deadline, on_progress or (lambda _: None))
    best = pick.run()
    grown = pick.coarser()
    plan = plan_scratchpad(grown.problem, time_limit_s=left_s(GROWN_SHARE), on_progress=on_progress)
    if grown.base_bytes + plan.noncompulsory_bytes > pick.best_bytes:  # no addresses for tiles that fill everything
        plan = plan_scratchpad(best.problem, time_limit_s=left_s(1), on_progress=on_progress)
    else:
        best = grown
    bounds = (least_traffic_bytes(problem, nests) - problem.compulsory_bytes, pick.bound_bytes)
    return assemble_tiled(best, plan, nests, bounds, time.perf_counter() - start)


def _covers(problem: ScratchpadProblem, name: str, nest: Nest) -> bool:
    """Whether a nest accounts for exactly the tensors that its operator touches, at their sizes."""
    op = next((op for op in problem.operators if op.name == name), None)
    if op is None:
        return False
    named = {problem.tensors[t].name: problem.tensors[t].bytes for t in op.touched}
    return named == {operand.tensor: nest.whole_bytes(operand) for operand in nest.tensors}


def require_least(problem: ScratchpadProblem, nests: Mapping[str, Nest]) -> None:
    """Infeasible unless every operator runs, whole or in tiles."""
    needs = {op: _least(problem, op, nests) for op in range(len(problem.operators))}
    large = sorted((op for op in needs if needs[op] > problem.size_bytes), key=lambda op: -needs[op])
    if not large:
        return
    shown = [Diagnostic("scratchpad", _need(problem, op, needs[op], nests)) for op in large[:8]]
    message = f"{len(large)} of {len(needs)} operators do not fit into {problem.size_bytes:,} bytes, not even in tiles"
    help = f"give at least {needs[large[0]]:,} bytes"
    if any(problem.operators[op].name not in nests for op in large):
        help += ", or the shapes of the operators without any, under `attributes`"
    conflict = [f"need[{problem.operators[op].name}]" for op in large]
    document = ScratchpadPlan("infeasible", problem.size_bytes, problem.compulsory_bytes, 0, 0, (), (), (), 0.0)
    raise Infeasible([Diagnostic("scratchpad", message, help=help), *shown], conflict, document.to_json())


def _need(problem: ScratchpadProblem, op: int, need: int, nests: Mapping[str, Nest]) -> str:
    name = problem.operators[op].name
    if name in nests:
        return f"operator `{name}` needs {need:,} bytes in its smallest tiles"
    return f"operator `{name}` needs {need:,} bytes, and without its shapes it cannot be cut into tiles"


def least_traffic_bytes(problem: ScratchpadProblem, nests: Mapping[str, Nest]) -> int:
    """
    What no order, tiling and spilling can beat, as long as one operator runs at a time and nothing is computed twice.

    (67) the larger of two sums: over operators, of what each moves while it runs, whatever lies in the scratchpad
         before and after; and of the compulsory traffic and, over tensors a that are made and read, of s_a - M once for
         graph outputs and twice for others. For when its maker ends, all but M bytes of a are outside: these were
         written, which graph outputs are anyway, and will be read.
    """
    names = (op.name for op in problem.operators)
    inside = sum(inner_bound_bytes(nests[name], problem.size_bytes) for name in names if name in nests)
    apart = problem.compulsory_bytes
    for tensor, maker, touches in zip(problem.tensors, problem.producer, problem.touches, strict=True):
        if maker is not None and len(touches) > 1:
            beyond = max(0, tensor.bytes - problem.size_bytes)
            apart += beyond if tensor.kind == "output" else 2 * beyond
    return max(apart, inside)


def assemble_tiled(
    rewritten: Rewritten, plan: ScratchpadPlan, nests: Mapping[str, Nest], bounds: tuple[int, int], seconds: float
) -> TiledPlan:
    """The plan of the original graph from that of the rewritten one; `bounds`: over all plans, and over the tilings."""
    problem = rewritten.original
    moved = rewritten.base_bytes + plan.noncompulsory_bytes
    lower = max(0, bounds[0])
    tiles = [
        _tiled(problem.operators[op].name, rewritten.workspaces[op], rewritten.choice[op], problem.alignment_bytes)
        for op in sorted(rewritten.choice, key=lambda op: plan.order.index(problem.operators[op].name))
    ]
    whole = {f.name: getattr(plan, f.name) for f in fields(ScratchpadPlan)}
    whole |= {
        "status": "optimal" if moved <= lower else "feasible",
        "compulsory_bytes": problem.compulsory_bytes,
        "noncompulsory_bytes": moved,
        "lower_bound_bytes": lower,
        "buffers": tuple(b for b in plan.buffers if b.tensor not in rewritten.markers),
        "moves": tuple(sorted((*plan.moves, *_extra_moves(rewritten, plan)), key=lambda m: (m.step, m.kind, m.tensor))),
        "seconds": seconds,
    }
    tiling_bound = max(lower, min(bounds[1], moved))
    return TiledPlan(
        **whole, tiles=tuple(tiles), minimum_bytes=minimum_bytes(problem, nests), tiling_bound_bytes=tiling_bound
    )


def _extra_moves(rewritten: Rewritten, plan: ScratchpadPlan) -> list[PlannedMove]:
    """Tensors written for tiles to stream, and first loads of tensors that tiles streamed out."""
    problem = rewritten.original
    starts = {b.tensor: b.start for b in sorted(plan.buffers, key=lambda b: -b.start)}
    named = [(problem.tensors[t], "spill") for t in rewritten.written]
    loaded = [(problem.tensors[t], "reload") for t in rewritten.loaded]
    return [PlannedMove(starts[t.name], t.name, kind, t.bytes) for t, kind in (*named, *loaded)]  # type: ignore[arg-type]


def _tiled(operator: str, workspace: str, tiling: Tiling, alignment: int) -> TiledOperator:
    nest, tiles = tiling.nest, dict(tiling.tiles)
    grid = one_tiling(nest, [loop for loop, _ in tiling.tiles], tiles)
    held: dict[str, int] = {}
    for operand in nest.operands:
        held[operand.tensor] = held.get(operand.tensor, 0) + held_bytes(grid, operand, alignment).item()
    return TiledOperator(
        operator,
        workspace,
        tiling.order,
        tiles,
        tiling.whole,
        held,
        dict(tiling.moved),
        tiling.traffic_bytes,
        tiling.bound_bytes,
    )
