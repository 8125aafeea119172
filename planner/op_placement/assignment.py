"""
Which device each piece runs on, and what is sent for it: the part of the constraint programs that knows no time.

Equations are numbered as in `docs/math/op_placement.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .bounds import Table
from .problem import OpPlacementProblem, Pair

Sending = tuple[int, int, int]
"""(tensor, from, to)"""


class Assignment:
    """Choices of a constraint program: pieces on devices, and tensors sent."""

    def __init__(self, p: OpPlacementProblem, model: Any, through: Table, most_ns: float) -> None:
        """`through` is that of (13): where it exceeds `most_ns`, a piece is not placed."""
        self.p, self.model = p, model
        self.x: list[dict[int, Any]] = []
        """piece -> device -> it runs there"""
        self.is_sent: dict[Pair, Any] = {}
        """(tensor, to) -> it is sent there"""
        self.sends: dict[Sending, Any] = {}
        """it is sent from there to there"""
        self._place(through, most_ns)
        self._send()

    def _place(self, through: Table, most_ns: float) -> None:
        """Each piece on one device. Equation (2)."""
        for i in range(len(self.p.pieces)):
            row = {d: self.model.new_bool_var(f"x {i} {d}") for d in self.p.allowed[i] if through[i][d] <= most_ns}
            self.model.add_exactly_one(row.values())
            self.x.append(row)

    def _send(self) -> None:
        """A tensor that is used where it is not made is sent there, once. Equation (3)."""
        for t, tensor in enumerate(self.p.tensors):
            made = self.x[tensor.producer]
            for b in sorted({d for v in tensor.users for d in self.x[v]}):
                if list(made) == [b]:
                    continue
                on = self.is_sent[t, b] = self.model.new_bool_var(f"sent {t} {b}")
                home = [made[b]] if b in made else []
                users = self.users_on(t, b)
                for v in users:
                    self.model.add_bool_or(on, ~self.x[v][b], *home)
                self.model.add_bool_or(~on, *(self.x[v][b] for v in users))
                for literal in home:
                    self.model.add_implication(on, ~literal)
                self._send_from(t, b, on)

    def _send_from(self, t: int, b: int, on: Any) -> None:
        """Where a tensor comes from that is sent; it cannot be sent where there is no route."""
        for a, x in self.x[self.p.tensors[t].producer].items():
            if a == b:
                continue
            if (a, b) not in self.p.routes:
                self.model.add_implication(on, ~x)
                continue
            both = self.sends[t, a, b] = self.model.new_bool_var(f"sends {t} {a} {b}")
            self.model.add_implication(both, on)
            self.model.add_implication(both, x)
            self.model.add_bool_or(both, ~on, ~x)

    def users_on(self, tensor: int, device: int) -> list[int]:
        """The users of a tensor that may run on a device."""
        return [v for v in self.p.tensors[tensor].users if device in self.x[v]]

    def on_links(self) -> Iterator[tuple[int, int, Sending, Any]]:
        """(link, time on it [ns], what is sent, whether it is) for everything that may occupy a link."""
        for (t, a, b), on in self.sends.items():
            for link in self.p.routes[a, b].links:
                if length := self.p.transfer_ns(t, a, b):
                    yield link, length, (t, a, b), on

    def sending_ns(self, tensor: int, target: int) -> Any:
        """[ns] that it takes to send a tensor to a device, as an expression."""
        of = ((a, on) for (t, a, b), on in self.sends.items() if (t, b) == (tensor, target))
        return sum((self.p.transfer_ns(tensor, a, target) or 0) * on for a, on in of)

    def bound_loads(self, most: Any) -> None:
        """No device is busy for longer than `most`. Equation (4), summed up."""
        for d in range(len(self.p.devices)):
            of = [self.p.time_ns(i, d) * row[d] for i, row in enumerate(self.x) if d in row]
            if of:
                self.model.add(most >= sum(of))

    def weights(self, device: int, unit: int = 1) -> Any:
        """[units of bytes] of the weights on a device, each rounded up, as an expression."""
        of = ((i, row[device]) for i, row in enumerate(self.x) if device in row)
        return sum(-(-self.p.pieces[i].weight_bytes // unit) * x for i, x in of)

    def bound_weights(self) -> None:
        """Weights fit each device: the part of (6) and (10) that does not depend on time."""
        for d, device in enumerate(self.p.devices):
            if device.memory_bytes is not None:
                self.model.add(self.weights(d) <= device.memory_bytes)

    def device_of(self, solver: Any) -> tuple[int, ...]:
        """The device of each piece that the solver found."""
        return tuple(next(d for d, x in row.items() if solver.boolean_value(x)) for row in self.x)

    def hint(self, device: tuple[int, ...]) -> None:
        """Begin the search with these devices."""
        for i, row in enumerate(self.x):
            for d, x in row.items():
                self.model.add_hint(x, d == device[i])
        for (t, b), on in self.is_sent.items():
            u = self.p.tensors[t].producer
            self.model.add_hint(on, device[u] != b and any(device[v] == b for v in self.p.tensors[t].users))
