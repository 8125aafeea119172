"""Operators in place: an output takes over the buffer of an input that is used for the last time.

What is promised: an output may lie at the address of one input of its operator, of at least its size, whose last
touch that operator is; at that step both count once. Each input is taken over by one output at most, and nobody
else uses the rest of the buffer before the next step. Whether a kernel can work so is for the caller to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from .problem import ScratchpadProblem
from .residency import Residency

Pair = tuple[int, int]
"""(output, the input whose buffer it takes over), as indices of tensors"""


@dataclass(frozen=True)
class SharedResidency:
    """A residency in which some outputs take over buffers of inputs."""

    residency: Residency
    pairs: tuple[Pair, ...]


def may_follow(problem: ScratchpadProblem, output: int, given: int) -> bool:
    """Whether the buffer of `given` is allowed and large enough for `output`, and `output` is worth the trouble."""
    if problem.in_place is not None and (output, given) not in problem.in_place:
        return False
    fits = problem.tensors[output].bytes <= problem.tensors[given].bytes
    return fits and 0 < problem.sizes[output] <= problem.sizes[given]


def pairings(problem: ScratchpadProblem, operator: int, ending: Iterable[int]) -> tuple[Pair, ...]:
    """The pairs of `operator` that save most, where `ending` are the inputs that nobody touches after it."""
    return _best(problem, problem.operators[operator].outputs, tuple(ending))[1]


def _best(problem: ScratchpadProblem, outputs: tuple[int, ...], given: tuple[int, ...]) -> tuple[int, tuple[Pair, ...]]:
    """Bytes saved and pairs, over all ways to give each output an input or none."""
    if not outputs or not given:
        return 0, ()
    first, rest = outputs[0], outputs[1:]
    found = _best(problem, rest, given)
    for a in given:
        if may_follow(problem, first, a):
            saved, pairs = _best(problem, rest, tuple(x for x in given if x != a))
            found = max(found, (saved + problem.sizes[first], ((first, a), *pairs)))
    return found


def saved_bytes(problem: ScratchpadProblem, operator: int, ending: Iterable[int]) -> int:
    """[bytes] that `operator` needs less in place, where `ending` are the inputs that nobody touches after it."""
    return sum(problem.sizes[output] for output, _ in pairings(problem, operator, ending))


def may_end(problem: ScratchpadProblem, operator: int) -> list[int]:
    """The inputs of `operator` that nobody must touch after it: in some order they end there."""
    inputs = dict.fromkeys(problem.operators[operator].inputs)
    return [a for a in inputs if not any(problem.ancestors[u] >> operator & 1 for u in problem.touches[a])]


def least_need_bytes(problem: ScratchpadProblem, operator: int) -> int:
    """[bytes] that `operator` needs in place, in the order that is best for it."""
    return problem.need_bytes[operator] - saved_bytes(problem, operator, may_end(problem, operator))


@dataclass(frozen=True)
class SavingProblem(ScratchpadProblem):
    """The same problem where operators need less than they touch, by `saved` [bytes], one for each."""

    saved: tuple[int, ...] = ()

    @cached_property
    def need_bytes(self) -> tuple[int, ...]:
        """Bytes that each operator needs."""
        plain = (sum(self.sizes[t] for t in op.touched) for op in self.operators)
        return tuple(need - saved for need, saved in zip(plain, self.saved, strict=True))


def saving(problem: ScratchpadProblem, saved: Iterable[int]) -> SavingProblem:
    """`problem` where its operators need `saved` bytes less, one for each."""
    p = problem
    return SavingProblem(
        p.name, p.tensors, p.operators, p.size_bytes, p.alignment_bytes, p.in_place, saved=tuple(saved)
    )


def relaxed(problem: ScratchpadProblem) -> SavingProblem:
    """Each operator saves what it saves in the order that is best for it: the optimum bounds every plan in place."""
    return saving(problem, (saved_bytes(problem, v, may_end(problem, v)) for v in range(len(problem.operators))))


def pairs_in_order(problem: ScratchpadProblem, order: Sequence[int]) -> dict[int, tuple[Pair, ...]]:
    """The pairs of each operator that save most when they run in this order."""
    last = {tensor: v for v in order for tensor in problem.operators[v].touched}
    ending = {v: [a for a in dict.fromkeys(problem.operators[v].inputs) if last[a] == v] for v in order}
    return {v: pairings(problem, v, ending[v]) for v in order}


def fits_in_place(problem: ScratchpadProblem, order: Sequence[int]) -> bool:
    """Whether each operator fits alone, in place, in this order."""
    return in_place_need_bytes(problem, order) <= problem.size_bytes


def in_place_need_bytes(problem: ScratchpadProblem, order: Sequence[int]) -> int:
    """[bytes] that the largest operator needs alone, in place, in this order."""
    return max(_in_order(problem, order)[0].need_bytes, default=0)


def keep_in_place(
    problem: ScratchpadProblem, order: Sequence[int], time_limit_s: float | None = None
) -> SharedResidency:
    """The residency with the least traffic for this order, in place wherever that saves bytes; addresses apart.

    Optimal unless the time limit [s] ends the integer program early; with no time at all, by Belady's rule."""
    from .search import gap

    alone, pairs = _in_order(problem, order)
    kept = gap.belady(alone, order) if time_limit_s == 0 else gap.keep(alone, order, time_limit_s=time_limit_s)
    return SharedResidency(Residency(problem, kept.order, kept.stays), pairs)


def _in_order(problem: ScratchpadProblem, order: Sequence[int]) -> tuple[SavingProblem, tuple[Pair, ...]]:
    """What operators need in this order, and the pairs by which they save."""
    pairs = pairs_in_order(problem, order)
    saved = (sum(problem.sizes[output] for output, _ in pairs[v]) for v in range(len(order)))
    return saving(problem, saved), tuple(pair for v in order for pair in pairs[v])


def needed_pairs(shared: SharedResidency) -> SharedResidency:
    """The same with the pairs alone of operators that do not fit without: the fewer, the freer the addresses."""
    residency = shared.residency
    step_of = {op: step for step, op in enumerate(residency.order)}
    loads = residency.load_bytes
    producer = residency.problem.producer

    def is_needed(pair: Pair) -> bool:
        maker = producer[pair[0]]
        return maker is not None and loads[step_of[maker]] > residency.problem.size_bytes

    return SharedResidency(residency, tuple(pair for pair in shared.pairs if is_needed(pair)))
