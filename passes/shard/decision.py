"""A decision how the ops of a network are shared, as data: what the planner makes and `apply` takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .signatures import Mesh
from .states import State


@dataclass(frozen=True)
class Way:
    """The states in which one op takes its operands and gives its results."""

    operands: tuple[State, ...]
    results: tuple[State, ...]

    def __str__(self) -> str:
        return f"{','.join(map(str, self.operands))}->{','.join(map(str, self.results))}"

    @staticmethod
    def read(text: str) -> Way:
        """What `str` gave; ValueError for other text."""
        before, arrow, after = text.partition("->")
        if not arrow:
            raise ValueError(f"`{text}` is no way to share an op, such as B,S(1)->S(1)")
        return Way(_states(before), _states(after))


@dataclass(frozen=True)
class Decision:
    """How a network lies on one mesh axis."""

    mesh: Mesh
    inputs: tuple[State, ...]
    ways: tuple[Way, ...]
    """of the ops of `main` in order, weights among them"""
    outputs: tuple[State, ...]

    def record(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "mesh": {"axis": self.mesh.axis, "ranks": self.mesh.ranks},
            "inputs": [str(s) for s in self.inputs],
            "ops": [str(w) for w in self.ways],
            "outputs": [str(s) for s in self.outputs],
        }


def read_decision(record: Mapping[str, Any]) -> Decision:
    """The decision of plain data; ValueError or KeyError where it is none."""
    mesh = Mesh(str(record["mesh"]["axis"]), int(record["mesh"]["ranks"]))
    inputs, outputs = (tuple(State.read(text) for text in record[end]) for end in ("inputs", "outputs"))
    return Decision(mesh, inputs, tuple(Way.read(text) for text in record["ops"]), outputs)


def _states(text: str) -> tuple[State, ...]:
    return tuple(State.read(part) for part in text.split(",")) if text else ()


def ways_of(states: Sequence[State]) -> tuple[Way, ...]:
    """Ways of an op without operands and one result in each of `states`."""
    return tuple(Way((), (state,)) for state in states)
