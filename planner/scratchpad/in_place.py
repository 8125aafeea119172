"""Operators in place: an output takes over the buffer of an input that is used for the last time.

What is promised: an output may lie at the address of one input of its operator, of at least its size, whose last
touch that operator is; at that step both count once. Each input is taken over by one output at most, and nobody
else uses the rest of the buffer before the next step. Whether a kernel can work so is for the caller to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .problem import Operator, ScratchpadProblem, Tensor
from .residency import Residency, Stay

Pair = tuple[int, int]
"""(output, the input whose buffer it takes over), as indices of tensors"""


@dataclass(frozen=True)
class SharedResidency:
    """A residency in which some outputs take over buffers of inputs."""

    residency: Residency
    pairs: tuple[Pair, ...]


def may_follow(problem: ScratchpadProblem, output: int, given: int) -> bool:
    """Whether the buffer of `given` is large enough for `output`, and `output` is worth the trouble."""
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
class Split:
    """A problem in which outputs come into being one step after their operator's other touches.

    The operator runs as two: one touches all but those outputs, the other these. Run one after the other, with as many
    inputs ending as outputs following, they need what the operator needs in place; as other orders are allowed as
    well, the split of all outputs that may follow an input somewhere is a relaxation: its least traffic is a bound
    for every plan in place.
    """

    problem: ScratchpadProblem
    whole: tuple[int, ...]
    """the operator that each operator is, or is a half of"""

    def order_of_whole(self, order: Sequence[int]) -> list[int]:
        """Operators of the whole problem in the order of their (first) halves."""
        return list(dict.fromkeys(self.whole[half] for half in order))


def split(problem: ScratchpadProblem, late: Mapping[int, Sequence[int]]) -> Split:
    """The problem with the outputs `late[v]` of each operator v one step late."""
    tensors, operators, whole = list(problem.tensors), [], []
    for v, op in enumerate(problem.operators):
        behind = tuple(late.get(v, ()))
        if not behind:
            operators.append(op)
            whole.append(v)
            continue
        token = len(tensors)
        tensors.append(Tensor(f"{op.name} (halfway)", 0))
        first = (*(t for t in op.outputs if t not in behind), token)
        operators += [Operator(op.name, op.inputs, first, op.type), Operator(f"{op.name} (in place)", (token,), behind)]
        whole += [v, v]
    halves = ScratchpadProblem(
        problem.name, tuple(tensors), tuple(operators), problem.size_bytes, problem.alignment_bytes
    )
    return Split(halves, tuple(whole))


def relaxed(problem: ScratchpadProblem) -> Split:
    """The split that bounds every plan in place."""
    late = {
        v: [b for b in op.outputs if any(may_follow(problem, b, a) for a in may_end(problem, v))]
        for v, op in enumerate(problem.operators)
    }
    return split(problem, late)


def pairs_in_order(problem: ScratchpadProblem, order: Sequence[int]) -> dict[int, tuple[Pair, ...]]:
    """The pairs of each operator that save most when they run in this order."""
    last = {tensor: v for v in order for tensor in problem.operators[v].touched}
    ending = {v: [a for a in dict.fromkeys(problem.operators[v].inputs) if last[a] == v] for v in order}
    return {v: pairings(problem, v, ending[v]) for v in order}


def keep_in_place(problem: ScratchpadProblem, order: Sequence[int]) -> SharedResidency:
    """The residency with the least traffic for this order, in place wherever that saves bytes; addresses apart."""
    from .search import gap

    pairs = pairs_in_order(problem, order)
    halves = split(problem, {v: [output for output, _ in found] for v, found in pairs.items()})
    first_half: dict[int, list[int]] = {}
    for half, v in enumerate(halves.whole):
        first_half.setdefault(v, []).append(half)
    fine_order = [half for v in order for half in first_half[v]]
    step_of = [step for step, v in enumerate(order) for _ in first_half[v]]
    found = gap.keep(halves.problem, fine_order)
    stays = (Stay(s.tensor, step_of[s.start], step_of[s.end]) for s in found.stays if s.tensor < len(problem.tensors))
    residency = Residency(problem, tuple(order), tuple(stays))
    return SharedResidency(residency, tuple(pair for v in order for pair in pairs[v]))


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
