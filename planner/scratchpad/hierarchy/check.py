"""The independent validator of hierarchy plans: replays operators, transfers and holds in time, without the engine."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from ..problem import ScratchpadProblem
from .level import Level
from .plan import HierarchyPlan, TimedHold, TimedTransfer

NEAREST = "scratchpad"
CLOSE = 1e-6
"""an optimal makespan is as near to its bound"""
SLACK = 1e-9
"""of the makespan: what seconds as floating-point numbers may be off"""


def check_hierarchy(
    problem: ScratchpadProblem,
    levels: Sequence[Level],
    plan: HierarchyPlan,
    operator_s: Sequence[float] | None = None,
) -> list[str]:
    """The faults of a plan, one sentence each: the order, durations, channels, room in each level at each moment, data
    that is where it is read, bytes and makespan counted again. Without `operator_s` durations of operators are free."""
    check = _Check(problem, levels, plan)
    faults = check.order(operator_s) or [*check.each_transfer(), *check.room()]
    if faults:  # what follows takes levels and tensors as known
        return faults
    return [*check.channels(), *check.data(), *check.outside(), *check.figures()]


class _Check:
    def __init__(self, problem: ScratchpadProblem, levels: Sequence[Level], plan: HierarchyPlan) -> None:
        self.problem, self.levels, self.plan = problem, levels, plan
        self.rank = {NEAREST: 0} | {level.name: i for i, level in enumerate(levels, 1)}
        self.outermost = levels[-1].name
        self.slack = SLACK * max(plan.makespan_s, 0.0)
        self.tensors = {t.name: t for t in problem.tensors}
        self.runs = {o.operator: o for o in plan.operators}
        self.holds: dict[tuple[str, str], list[TimedHold]] = defaultdict(list)
        for hold in plan.holds:
            self.holds[hold.level, hold.tensor].append(hold)

    def order(self, operator_s: Sequence[float] | None) -> list[str]:
        """Every operator runs once, one after the other, as long as it takes, after all that it depends on."""
        names = [op.name for op in self.problem.operators]
        if sorted(names) != sorted(self.plan.order) or [o.operator for o in self.plan.operators] != [*self.plan.order]:
            return ["the order does not run every operator once"]
        faults, now, done = [], 0.0, set()
        number = {name: v for v, name in enumerate(names)}
        for run in self.plan.operators:
            v = number[run.operator]
            if run.start_s < now - self.slack:
                faults.append(f"`{run.operator}` starts before the operator before it ends")
            if operator_s is not None and run.end_s - run.start_s < operator_s[v] - self.slack:
                faults.append(f"`{run.operator}` is shorter than it takes")
            if not self.problem.predecessors[v] <= done:
                faults.append(f"`{run.operator}` runs before what it depends on")
            done.add(v)
            now = run.end_s
        return faults

    def crossed(self, x: TimedTransfer) -> range:
        """The borders that a transfer crosses, 0 being the scratchpad's."""
        ranks = [self.rank[name] for name in (x.source, *x.targets)]
        return range(min(ranks), max(ranks))

    def each_transfer(self) -> list[str]:
        """A transfer moves a tensor whole, between levels that there are, no faster than its borders allow."""
        faults = []
        for x in self.plan.transfers:
            if x.tensor not in self.tensors or not {x.source, *x.targets} <= self.rank.keys() or not x.targets:
                faults.append(f"{_shown(x)} has no such tensor or levels")
                continue
            crossed = [self.levels[b] for b in self.crossed(x)]
            if not crossed or x.bytes != self.tensors[x.tensor].bytes:
                faults.append(f"{_shown(x)} crosses no border, or moves another number of bytes than it has")
                continue
            least = sum(c.latency_s for c in crossed) + x.bytes / min(c.bytes_per_s for c in crossed) if x.bytes else 0
            if x.end_s - x.start_s < least - self.slack or x.start_s < 0:
                faults.append(f"{_shown(x)} takes {x.end_s - x.start_s} s, it needs {least} s")
        return faults

    def channels(self) -> list[str]:
        """No border has more transfers at a time than channels."""
        faults = []
        for border, level in enumerate(self.levels):
            events = []
            for x in self.plan.transfers:
                if x.end_s - x.start_s > 2 * self.slack and border in self.crossed(x):
                    events += [(x.start_s + self.slack, 1), (x.end_s - self.slack, -1)]
            busy = 0
            for moment, change in sorted(events):
                busy += change
                if busy > level.channels:
                    faults.append(f"{busy} transfers cross the border of `{level.name}` at {moment} s")
                    break
        return faults

    def room(self) -> list[str]:
        """Every hold lies within its level, and shares no byte with another at any moment."""
        sizes = {NEAREST: self.problem.size_bytes} | {x.name: x.size_bytes for x in self.levels[:-1]}
        faults, live = [], defaultdict(list)
        for new in sorted(self.plan.holds, key=lambda h: h.from_s):
            size, tensor = sizes.get(new.level), self.tensors.get(new.tensor)
            if size is None or tensor is None or new.bytes != tensor.bytes:
                faults.append(f"{_held(new)} has no such level, tensor or size")
                continue
            if new.offset < 0 or new.offset + new.bytes > size or new.offset % self.problem.alignment_bytes:
                faults.append(f"{_held(new)} lies at {new.offset}, beyond the level or its alignment")
            live[new.level] = [old for old in live[new.level] if old.to_s > new.from_s + self.slack]
            for old in live[new.level]:
                if max(old.offset, new.offset) < min(old.offset + old.bytes, new.offset + new.bytes):
                    faults.append(f"{_held(new)} overlaps {_held(old)}")
            live[new.level].append(new)
        return faults

    def data(self) -> list[str]:
        """Operators and transfers read what has arrived and still lies there; what is filled has room while it is."""
        valid: dict[TimedHold, float] = {}
        for op in self.problem.operators:
            run = self.runs[op.name]
            for t in op.outputs:
                around = self._around(NEAREST, self.problem.tensors[t].name, run.start_s, run.end_s)
                valid.update(dict.fromkeys(around, run.end_s))
        faults = []
        for x in self.plan.transfers:
            for target in x.targets:
                if target != self.outermost:
                    around = self._around(target, x.tensor, x.start_s, x.end_s)
                    faults += [] if around else [f"{_shown(x)} finds no room in `{target}`"]
                    valid.update({hold: min(valid.get(hold, x.end_s), x.end_s) for hold in around})
        for x in self.plan.transfers:
            if x.source != self.outermost:
                around = self._around(x.source, x.tensor, x.start_s, x.end_s)
                if not self._arrived(valid, around, x.start_s):
                    faults.append(f"{_shown(x)} reads what is not in `{x.source}`")
        for op in self.problem.operators:
            run = self.runs[op.name]
            for t in op.touched:
                name = self.problem.tensors[t].name
                around = self._around(NEAREST, name, run.start_s, run.end_s)
                if not (around if t in op.outputs else self._arrived(valid, around, run.start_s)):
                    faults.append(f"`{name}` is not in the scratchpad while `{op.name}` runs")
        return faults

    def _around(self, level: str, tensor: str, start_s: float, end_s: float) -> list[TimedHold]:
        """The holds of a tensor that span a time."""
        return [
            hold
            for hold in self.holds[level, tensor]
            if hold.from_s <= start_s + self.slack and end_s <= hold.to_s + self.slack
        ]

    def _arrived(self, valid: dict[TimedHold, float], holds: Iterable[TimedHold], moment: float) -> bool:
        return any(valid.get(hold, float("inf")) <= moment + self.slack for hold in holds)

    def outside(self) -> list[str]:
        """What is read from outside has a copy there; every output that is made ends there; copies are stored once."""
        faults, stored = [], {}
        for x in self.plan.transfers:
            if self.outermost in x.targets:
                if x.tensor in stored:
                    faults.append(f"{_shown(x)} is a second one")
                stored[x.tensor] = x.end_s
        for x in self.plan.transfers:
            tensor = self.tensors[x.tensor]
            if x.source == self.outermost and not tensor.is_loaded:
                if stored.get(x.tensor, float("inf")) > x.start_s + self.slack:
                    faults.append(f"{_shown(x)} reads outside what is not there yet")
            elif tensor.is_loaded and self.outermost in x.targets:
                faults.append(f"{_shown(x)} stores what has its copy outside")
        made = {self.problem.tensors[t] for op in self.problem.operators for t in op.outputs}
        faults += [f"`{t.name}` is never stored" for t in made if t.kind == "output" and t.name not in stored]
        return faults

    def figures(self) -> list[str]:
        """Bytes of each border, the makespan, and bounds that are bounds."""
        plan, moved = self.plan, Counter()
        for x in plan.transfers:
            for border in self.crossed(x):
                moved[border] += self.tensors[x.tensor].bytes
        used = {t for op in self.problem.operators for t in op.touched}
        compulsory = sum(self.problem.tensors[t].bytes for t in used if self.problem.tensors[t].kind != "intermediate")
        faults = []
        if [border.level for border in plan.borders] != [level.name for level in self.levels]:
            return ["the plan has not one border for each level"]
        for border, said in enumerate(plan.borders):
            if said.compulsory_bytes != compulsory or said.noncompulsory_bytes != moved[border] - compulsory:
                faults.append(f"{moved[border]} bytes cross the border of `{said.level}`, the plan says otherwise")
            if not 0 <= said.lower_bound_bytes <= said.noncompulsory_bytes:
                faults.append(f"the bound of the border of `{said.level}` is above its bytes")
        end = max([x.end_s for x in (*plan.operators, *plan.transfers)], default=0.0)
        if abs(end - plan.makespan_s) > self.slack:
            faults.append(f"the makespan is {end} s, the plan says {plan.makespan_s} s")
        if max(plan.makespan_bound_s, plan.schedule_bound_s) > plan.makespan_s + self.slack:
            faults.append("a bound of the makespan is above it")
        closed = all(b.lower_bound_bytes == b.noncompulsory_bytes for b in plan.borders)
        if plan.objective == "makespan":
            closed = plan.makespan_s <= plan.makespan_bound_s * (1 + CLOSE)
        if closed != (plan.status == "optimal"):
            faults.append(f"the status is {plan.status}, which the bounds do not say")
        return faults


def _shown(x: TimedTransfer) -> str:
    return f"the {x.kind} of `{x.tensor}` from `{x.source}` at {x.start_s} s"


def _held(hold: TimedHold) -> str:
    return f"the hold of `{hold.tensor}` in `{hold.level}` from {hold.from_s} s"
