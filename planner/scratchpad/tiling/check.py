"""The independent validator of plans with tiles: what moves through them is counted again from the loop nests, and what
lies whole is checked as in any plan. Shares nothing with the choice of tilings but the nests themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, replace

from ..check import check_plan
from ..plan import PlannedMove, ScratchpadPlan
from ..problem import Operator, ScratchpadProblem, Tensor
from .below import TiledOperator, TiledPlan
from .nest import Nest
from .recount import Recount


def check_tiled(problem: ScratchpadProblem, nests: Mapping[str, Nest], plan: ScratchpadPlan) -> list[str]:
    """The faults of `plan`, one sentence each; `nests` has at least the operators that run in tiles."""
    if not isinstance(plan, TiledPlan):
        return check_plan(problem, plan)
    faults = _listed(problem, nests, plan)
    if faults:
        return faults
    for tiled in plan.tiles:
        op = next(op for op in problem.operators if op.name == tiled.operator)
        faults += _operator_faults(problem, op, nests[op.name], tiled)
    return faults or _Streams(problem, plan).faults()


def _listed(problem: ScratchpadProblem, nests: Mapping[str, Nest], plan: TiledPlan) -> list[str]:
    """Every operator once, and each that runs in tiles with a nest and a workspace of its own."""
    names = [op.name for op in problem.operators]
    faults = [] if Counter(plan.order) == Counter(names) else ["the order does not run every operator once"]
    taken = Counter([t.name for t in problem.tensors] + [tiled.workspace for tiled in plan.tiles])
    for name, count in Counter(tiled.operator for tiled in plan.tiles).items():
        if name not in names or name not in nests or count > 1:
            faults.append(f"`{name}` is no operator with a loop nest, or runs in tiles twice")
    faults += [
        f"the workspace `{t.workspace}` of `{t.operator}` has another's name"
        for t in plan.tiles
        if taken[t.workspace] > 1
    ]
    return faults


def _operator_faults(problem: ScratchpadProblem, op: Operator, nest: Nest, tiled: TiledOperator) -> list[str]:
    """The tiles of one operator: its nest is of its tensors, loops are cut as said, bytes counted again agree."""
    name, touched = f"`{op.name}`", {problem.tensors[t].name: problem.tensors[t].bytes for t in op.touched}
    if {o.tensor: nest.whole_bytes(o) for o in nest.tensors} != touched:
        return [f"the loop nest of {name} is not of the tensors that it touches"]
    if tiled.tiles.keys() != nest.extent.keys():
        return [f"the tiles of {name} are not of its loops"]
    cut = {loop for loop, size in tiled.tiles.items() if size < nest.extent[loop]}
    if set(tiled.loops) != cut or len(tiled.loops) > len(cut) or cut & nest.whole:
        return [f"{name} lists other loops than it cuts, or cuts one that must not be"]
    if any(not 1 <= size <= nest.extent[loop] for loop, size in tiled.tiles.items()):
        return [f"{name} has a tile larger than its loop, or of nothing"]
    wide = {o.tensor for o in nest.tensors if o.role == "output" and o.held_bytes != o.element_bytes}
    if not set(tiled.whole) <= touched.keys() - wide:
        return [f"{name} keeps whole what it does not touch, or what has wider partial sums"]
    inner = nest.without(tiled.whole)
    count = Recount(inner, tiled.loops, tiled.tiles)
    held: Counter[str] = Counter()
    moved: Counter[str] = Counter()
    for operand in inner.operands:
        held[operand.tensor] += count.held_bytes(operand, problem.alignment_bytes)
        moved[operand.tensor] += count.moved_bytes(operand)
    faults = []
    if dict(held) != tiled.held:
        faults.append(f"the tiles of {name} hold {dict(held)} bytes, the plan says {tiled.held}")
    if dict(moved) != tiled.moved:
        faults.append(f"the tiles of {name} move {dict(moved)} bytes, the plan says {tiled.moved}")
    traffic = sum(moved.values()) + sum(touched[tensor] for tensor in tiled.whole)
    if traffic != tiled.traffic_bytes or not 0 <= tiled.bound_bytes <= traffic:
        faults.append(
            f"{name} moves {traffic} bytes by itself, the plan says {tiled.traffic_bytes}, or its bound is above"
        )
    return faults


class _Streams:
    """What is streamed has its copy outside in time; the rest is a plan without tiles, and checked as one."""

    def __init__(self, problem: ScratchpadProblem, plan: TiledPlan) -> None:
        self.problem, self.plan = problem, plan
        self.tiled = {tiled.operator: tiled for tiled in plan.tiles}
        self.step = {name: step for step, name in enumerate(plan.order)}
        self.found: list[str] = []
        self.rest = list(plan.moves)
        """moves that a plan without tiles would have too"""

    def faults(self) -> list[str]:
        tensors = [self._tensor(index, tensor) for index, tensor in enumerate(self.problem.tensors)]
        operators = [self._operator(op) for op in self.problem.operators]
        for name, tiled in self.tiled.items():
            place = next(i for i, op in enumerate(operators) if op.name == name)
            operators[place] = replace(operators[place], outputs=(*operators[place].outputs, len(tensors)))
            tensors.append(Tensor(tiled.workspace, sum(tiled.held.values())))
        self._order()
        whole = replace(self.problem, tensors=tuple(tensors), operators=tuple(operators))
        moved = sum(move.bytes for move in self.rest)
        plain = {f.name: getattr(self.plan, f.name) for f in fields(ScratchpadPlan)} | {
            "moves": tuple(self.rest),
            "compulsory_bytes": whole.compulsory_bytes,
            "noncompulsory_bytes": moved,
            "lower_bound_bytes": moved,
            "status": "optimal",
        }
        return [*self.found, *check_plan(whole, ScratchpadPlan(**plain)), *self._bytes()]

    def _streamed_by(self, op: Operator, name: str) -> bool:
        return op.name in self.tiled and name not in self.tiled[op.name].whole

    def _operator(self, op: Operator) -> Operator:
        """The operator without the tensors that it streams."""

        def whole(tensors: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(t for t in tensors if not self._streamed_by(op, self.problem.tensors[t].name))

        return replace(op, inputs=whole(op.inputs), outputs=whole(op.outputs))

    def _tensor(self, index: int, tensor: Tensor) -> Tensor:
        """The tensor as the rest of the plan sees it: with a copy outside where it is streamed out or for streaming."""
        maker = self.problem.producer[index]
        if maker is None:
            return tensor
        made = self.problem.operators[maker]
        readers = [self.problem.operators[v] for v in self.problem.touches[index] if v != maker]
        streaming = [op for op in readers if self._streamed_by(op, tensor.name)]
        if self._streamed_by(made, tensor.name):
            self._load(tensor, made, whole=len(streaming) < len(readers))
            return replace(tensor, kind="input")
        if streaming and tensor.kind == "intermediate":
            self._write(tensor, min(self.step[op.name] for op in streaming))
            return replace(tensor, kind="output")
        return tensor

    def _load(self, tensor: Tensor, maker: Operator, whole: bool) -> None:
        """What its maker streams out, and a reader wants whole, is loaded once for its first buffer, after that."""
        starts = [b.start for b in self.plan.buffers if b.tensor == tensor.name]
        if not whole or not starts:
            return
        load = PlannedMove(min(starts), tensor.name, "reload", tensor.bytes)
        if min(starts) <= self.step[maker.name] or load not in self.rest:
            self.found.append(f"`{tensor.name}`, which tiles write, is not loaded for its first buffer")
        else:
            self.rest.remove(load)

    def _write(self, tensor: Tensor, wanted: int) -> None:
        """What is streamed in was written back once before, while it was resident, and before it is reloaded."""
        mine = [move for move in self.rest if move.tensor == tensor.name]
        writes = [move for move in mine if move.kind == "spill"]
        wanted = min([wanted, *(move.step for move in mine if move.kind == "reload")])
        held = [b for b in self.plan.buffers if b.tensor == tensor.name]
        if len(writes) != 1 or writes[0].step >= wanted or writes[0].bytes != tensor.bytes:
            self.found.append(f"`{tensor.name}`, which tiles read, is not written back once before")
        elif not any(b.start <= writes[0].step <= b.end for b in held):
            self.found.append(f"`{tensor.name}` is written back at step {writes[0].step}, when it is not resident")
        else:
            self.rest.remove(writes[0])

    def _order(self) -> None:
        for v, op in enumerate(self.problem.operators):
            for before in self.problem.predecessors[v]:
                if self.step[self.problem.operators[before].name] >= self.step[op.name]:
                    self.found.append(
                        f"`{op.name}` runs before `{self.problem.operators[before].name}`, which it needs"
                    )

    def _bytes(self) -> list[str]:
        """All traffic: tiles, moves, first loads of what lies whole, outputs that are not streamed out."""
        problem, plan = self.problem, self.plan
        total = sum(sum(tiled.moved.values()) for tiled in plan.tiles) + sum(move.bytes for move in plan.moves)
        resident = {buffer.tensor for buffer in plan.buffers}
        for index, tensor in enumerate(problem.tensors):
            maker = problem.producer[index]
            if tensor.is_loaded:
                total += tensor.bytes if tensor.name in resident else 0
            elif tensor.kind == "output" and maker is not None:
                total += 0 if self._streamed_by(problem.operators[maker], tensor.name) else tensor.bytes
        faults = []
        if plan.compulsory_bytes != problem.compulsory_bytes:
            faults.append(f"there are {problem.compulsory_bytes} bytes of compulsory traffic")
        if plan.noncompulsory_bytes != total - problem.compulsory_bytes:
            faults.append(
                f"{total - problem.compulsory_bytes} bytes move beyond the compulsory, the plan says otherwise"
            )
        if not 0 <= plan.lower_bound_bytes <= plan.tiling_bound_bytes <= plan.noncompulsory_bytes:
            faults.append("a bound is above the traffic, or above a tighter one")
        if (plan.lower_bound_bytes == plan.noncompulsory_bytes) != (plan.status == "optimal"):
            faults.append(f"the status is {plan.status}, which the bound does not say")
        if plan.minimum_bytes > plan.size_bytes:
            faults.append("the plan is for fewer bytes than it says are needed")
        return faults
