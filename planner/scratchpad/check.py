"""The independent validator of scratchpad plans: everything a plan says is derived again, without any engine's code."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

from .plan import Buffer, ScratchpadPlan
from .problem import Operator, ScratchpadProblem, Tensor


def check_plan(problem: ScratchpadProblem, plan: ScratchpadPlan) -> list[str]:
    """The faults of `plan` as a plan of `problem`, one sentence each; none where it can be executed as it says."""
    if plan.status in ("infeasible", "unknown"):
        empty = not (plan.order or plan.buffers or plan.moves)
        return [] if empty else [f"a plan that is {plan.status} has an order, buffers or moves"]
    check = _Check(problem, plan)
    faults = check.order()
    if faults:  # what follows counts steps by the order
        return faults
    faults = [*check.each_buffer(), *check.each_share()]
    if faults:
        return faults
    return [*check.overlaps(), *check.touches(), *check.lives(), *check.spills(), *check.bytes()]


class _Check:
    def __init__(self, problem: ScratchpadProblem, plan: ScratchpadPlan) -> None:
        self.problem, self.plan = problem, plan
        self.tensors = {tensor.name: tensor for tensor in problem.tensors}
        self.operators = {op.name: op for op in problem.operators}
        self.step_of = {name: step for step, name in enumerate(plan.order)}
        self.made_at: dict[str, int] = {}
        """step at which each tensor is made"""
        self.buffers: dict[str, list[Buffer]] = defaultdict(list)
        for buffer in sorted(plan.buffers, key=lambda b: (b.start, b.end)):
            self.buffers[buffer.tensor].append(buffer)
        for op in problem.operators:
            for tensor in self.names(op.outputs):
                self.made_at[tensor] = self.step_of.get(op.name, -1)

    def names(self, indices: tuple[int, ...]) -> list[str]:
        return [self.problem.tensors[i].name for i in indices]

    def operator_at(self, step: int) -> Operator:
        return self.operators[self.plan.order[step]]

    def order(self) -> list[str]:
        """Every operator runs once, after all that make what it reads."""
        if Counter(self.plan.order) != Counter(self.operators.keys()):
            return ["the order does not run every operator once"]
        return [
            f"`{name}` runs at step {step}, before `{tensor}` is made"
            for step, name in enumerate(self.plan.order)
            for tensor in self.names(self.operators[name].inputs)
            if self.made_at.get(tensor, -1) >= step
        ]

    def each_buffer(self) -> list[str]:
        """Every buffer holds a tensor that there is, whole, at an aligned address inside the scratchpad."""
        faults = []
        if self.plan.size_bytes != self.problem.size_bytes:
            faults.append(f"the plan is for {self.plan.size_bytes} bytes, not for {self.problem.size_bytes}")
        for b in self.plan.buffers:
            tensor = self.tensors.get(b.tensor)
            if tensor is None:
                faults.append(f"there is no tensor `{b.tensor}`")
                continue
            if b.bytes != tensor.bytes:
                faults.append(f"{_shown(b)} has {b.bytes} bytes, the tensor {tensor.bytes}")
            if not 0 <= b.start <= b.end < len(self.plan.order):
                faults.append(f"{_shown(b)} lies outside the steps of the order")
            if b.offset < 0 or b.offset + tensor.bytes > self.problem.size_bytes:
                faults.append(f"{_shown(b)} reaches beyond the scratchpad")
            if b.offset % self.problem.alignment_bytes:
                faults.append(f"{_shown(b)} is at {b.offset}, no multiple of {self.problem.alignment_bytes}")
        return faults

    def each_share(self) -> list[str]:
        """An output takes over the address of an input of its operator, of at least its size, that ends there."""
        faults, taken = [], set()
        for output, given in self.plan.shares:
            step = self.made_at.get(output, -1)
            if step < 0 or given not in self.names(self.operator_at(step).inputs):
                faults.append(f"`{output}` cannot take over `{given}`, which is no input of its operator")
                continue
            if not self.buffers.get(output) or not self.buffers.get(given):
                faults.append(f"`{output}` or `{given}` is never resident")
                continue
            first, last = self.buffers[output][0], self.buffers[given][-1]
            if self.tensors[output].bytes > self.tensors[given].bytes:
                faults.append(f"`{output}` is larger than `{given}`, which it takes over")
            if first.start != step or last.end != step or first.offset != last.offset:
                faults.append(f"`{output}` does not start at step {step} where `{given}` ends")
            if given in taken:
                faults.append(f"`{given}` is taken over twice")
            taken.add(given)
        return faults

    def overlaps(self) -> list[str]:
        """No byte belongs to two buffers at one step, but for what an output takes over from its operator's input."""
        shares = set(self.plan.shares)
        starting: dict[int, list[Buffer]] = defaultdict(list)
        for buffer in self.plan.buffers:
            starting[buffer.start].append(buffer)
        faults, live = [], []
        for step in range(len(self.plan.order)):
            live = [b for b in live if b.end >= step]
            for new in starting[step]:
                for old in live:
                    apart = new.offset + new.bytes <= old.offset or old.offset + old.bytes <= new.offset
                    if not (apart or not new.bytes or not old.bytes or self._shared(new, old, shares)):
                        faults.append(f"{_shown(new)} overlaps {_shown(old)} at step {step}")
                live.append(new)
        return faults

    def _shared(self, one: Buffer, other: Buffer, shares: set[tuple[str, str]]) -> bool:
        """Whether one is the first buffer of an output and the other that of the input it takes over, at one step."""
        for new, old in ((one, other), (other, one)):
            if (new.tensor, old.tensor) in shares and old.end == new.start == self.made_at[new.tensor]:
                return True
        return False

    def touches(self) -> list[str]:
        """Everything an operator reads or makes is resident while it runs."""
        return [
            f"`{tensor}` is not resident at step {step}, when `{name}` runs"
            for step, name in enumerate(self.plan.order)
            for tensor in self.names((*self.operators[name].inputs, *self.operators[name].outputs))
            if not any(b.start <= step <= b.end for b in self.buffers.get(tensor, ()))
        ]

    def lives(self) -> list[str]:
        """A tensor's first buffer starts where it is made or loaded; each later one follows, with a reload."""
        faults = []
        reloads = Counter((m.tensor, m.step) for m in self.plan.moves if m.kind == "reload")
        for tensor, buffers in self.buffers.items():
            made = self.made_at.get(tensor)
            if made is not None and buffers[0].start != made:
                faults.append(f"{_shown(buffers[0])} starts before or after step {made}, which makes it")
            for before, after in pairwise(buffers):
                if after.start <= before.end:
                    faults.append(f"`{tensor}` has two buffers at step {after.start}")
            for later in buffers[1:]:
                reloads[tensor, later.start] -= 1
        for (tensor, step), count in reloads.items():
            if count < 0:
                faults.append(f"the buffer of `{tensor}` from step {step} is filled by no reload")
            elif count > 0:
                faults.append(f"the reload of `{tensor}` at step {step} fills no buffer of its own")
        return faults

    def spills(self) -> list[str]:
        """Only intermediate tensors are spilled, once, while resident, before they are reloaded."""
        faults, spilled = [], {}
        for move in self.plan.moves:
            tensor = self.tensors.get(move.tensor)
            if tensor is None:
                faults.append(f"there is no tensor `{move.tensor}` to move")
                continue
            if move.bytes != tensor.bytes:
                faults.append(f"the {move.kind} of `{move.tensor}` moves {move.bytes} bytes, of {tensor.bytes}")
            if move.kind == "spill":
                faults += self._spill(tensor, move.step, spilled)
        for move in self.plan.moves:
            tensor = self.tensors.get(move.tensor)
            if move.kind == "reload" and tensor is not None and tensor.kind == "intermediate":
                if move.tensor not in spilled:
                    faults.append(f"`{move.tensor}` is reloaded at step {move.step}, but was never written back")
                elif spilled[move.tensor] >= move.step:
                    faults.append(f"`{move.tensor}` is reloaded at step {move.step}, before it was written back")
        return faults

    def _spill(self, tensor: Tensor, step: int, spilled: dict[str, int]) -> list[str]:
        if tensor.kind != "intermediate":
            return [f"`{tensor.name}` is written back, but has a copy outside"]
        if tensor.name in spilled:
            return [f"`{tensor.name}` is written back twice"]
        spilled[tensor.name] = step
        if not any(b.start <= step <= b.end for b in self.buffers.get(tensor.name, ())):
            return [f"`{tensor.name}` is written back at step {step}, when it is not resident"]
        return []

    def bytes(self) -> list[str]:
        """Traffic as counted here equals what the plan says; the bound is no higher, and equal where it is optimal."""
        plan, faults = self.plan, []
        used = {t for op in self.problem.operators for t in self.names((*op.inputs, *op.outputs))}
        compulsory = sum(self.tensors[name].bytes for name in used if self.tensors[name].kind != "intermediate")
        moved = sum(self.tensors[m.tensor].bytes for m in plan.moves if m.tensor in self.tensors)
        for what, said, counted in (
            ("compulsory", plan.compulsory_bytes, compulsory),
            ("non-compulsory", plan.noncompulsory_bytes, moved),
        ):
            if said != counted:
                faults.append(f"the plan says {said} bytes of {what} traffic, there are {counted}")
        if not 0 <= plan.lower_bound_bytes <= plan.noncompulsory_bytes:
            faults.append(f"the lower bound {plan.lower_bound_bytes} is no bound of {plan.noncompulsory_bytes}")
        closed = plan.lower_bound_bytes == plan.noncompulsory_bytes
        if closed != (plan.status == "optimal"):
            faults.append(f"the status is {plan.status}, but the bound is {'' if closed else 'not '}reached")
        return faults


def _shown(buffer: Buffer) -> str:
    return f"the buffer of `{buffer.tensor}` from step {buffer.start} to {buffer.end}"
