"""A graph some of whose operators run in tiles, as a scratchpad problem without tiles that the same engines solve.

A tiled operator touches its whole tensors and a workspace, a tensor of its own that holds its tiles. What it streams
through the tiles lies outside:
- a tensor that is streamed to a reader must have been written: it is an `output` of the new problem;
- a tensor that is streamed from its maker is there already: it is an `input` of the new problem;
and an empty tensor made by its maker keeps readers behind it, for the new problem no longer knows where it comes from.

(66) traffic = compulsory and non-compulsory traffic of the new problem + bytes moved by the tiles;
     beyond the compulsory = traffic - compulsory traffic of the graph itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..problem import Operator, ScratchpadProblem, Tensor
from .search import Tiling

Choice = Mapping[int, Tiling]
"""the tiling of each operator that runs in tiles, by the operator's index"""


@dataclass(frozen=True)
class Rewritten:
    """The problem without tiles, and how to count what it leaves out."""

    problem: ScratchpadProblem
    original: ScratchpadProblem
    choice: Choice
    workspaces: Mapping[int, str]
    """names of the workspaces, by operator"""
    markers: frozenset[str]
    """names of the empty tensors that stand for order alone"""
    written: tuple[int, ...]
    """intermediate tensors that are written so that readers can stream them"""
    loaded: tuple[int, ...]
    """tensors that their maker streams out and that a reader loads whole"""

    @property
    def base_bytes(self) -> int:
        """Traffic beyond the graph's compulsory traffic before anything is spilled, by equation (66)."""
        tiles = sum(bytes for tiling in self.choice.values() for _, bytes in tiling.moved)
        return self.problem.compulsory_bytes + tiles - self.original.compulsory_bytes


def streams(choice: Choice, op: int, name: str) -> bool:
    """Whether the operator streams the tensor `name`."""
    return op in choice and name not in choice[op].whole


def rewrite(problem: ScratchpadProblem, choice: Choice) -> Rewritten:
    """The problem in which the operators of `choice` run in tiles."""
    tensors = list(problem.tensors)
    taken = {t.name for t in tensors}
    reads: list[list[int]] = [list(dict.fromkeys(op.inputs)) for op in problem.operators]
    makes: list[list[int]] = [list(op.outputs) for op in problem.operators]
    markers: set[str] = set()
    written, loaded = [], []
    for index, tensor in enumerate(problem.tensors):
        readers = [op for op in problem.touches[index] if op != problem.producer[index]]
        streamed = [op for op in readers if streams(choice, op, tensor.name)]
        whole = [op for op in readers if op not in streamed]
        for op in streamed:
            reads[op].remove(index)
        maker = problem.producer[index]
        behind = streamed
        if maker is None:
            continue
        if streams(choice, maker, tensor.name):
            makes[maker].remove(index)
            behind = readers
            if whole:
                loaded.append(index)
                tensors[index] = replace(tensor, kind="input")
        elif streamed and tensor.kind == "intermediate":
            written.append(index)
            tensors[index] = replace(tensor, kind="output")
        if behind:
            markers.add(marker := _unique(f"{tensor.name} is made", taken))
            makes[maker].append(len(tensors))
            for op in behind:
                reads[op].append(len(tensors))
            tensors.append(Tensor(marker, 0))
    workspaces: dict[int, str] = {}
    for op, tiling in choice.items():
        workspaces[op] = _unique(f"tiles of {problem.operators[op].name}", taken)
        makes[op].append(len(tensors))
        tensors.append(Tensor(workspaces[op], tiling.workspace_bytes))
    operators = tuple(
        Operator(op.name, tuple(reads[i]), tuple(makes[i]), op.type) for i, op in enumerate(problem.operators)
    )
    return Rewritten(
        replace(problem, tensors=tuple(tensors), operators=operators),
        problem, choice, workspaces, frozenset(markers), tuple(written), tuple(loaded),
    )  # fmt: skip


def _unique(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted} ({number})", number + 1
    taken.add(name)
    return name
