"""
The schedule of least makespan, as a constraint program of optional intervals.

Equations are numbered as in `docs/math/op_placement.md`. Variables are whole nanoseconds.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from .assignment import Assignment
from .bounds import Table
from .problem import OpPlacementProblem, Pair, Schedule

MEMORY_UNITS = 1 << 20
"""a memory of more bytes is counted in that many units, sizes rounded up: products stay within 64 bits"""


class MakespanModel:
    """The program of (2) to (5), and of (6) where memory is bound over time."""

    linearisation = 0
    """intervals have a poor linear program: with none, proofs of 20 pieces take a second, not twenty"""

    def __init__(
        self, p: OpPlacementProblem, model: Any, heads: Table, through: Table, most_ns: int, least_ns: int
    ) -> None:
        """`heads` and `through` are those of (11) and (13); no schedule takes less than `least_ns`."""
        self.p, self.model, self.most_ns = p, model, most_ns
        self.makespan = model.new_int_var(min(least_ns, most_ns), most_ns, "makespan")
        self.choice = Assignment(p, model, through, most_ns)
        self.start: list[Any] = []
        self.end: list[Any] = []
        self.sent: dict[Pair, Any] = {}
        self.arrived: dict[Pair, Any] = {}
        self._run(heads, through)
        self._follow()
        self._one_at_a_time()
        model.minimize(self.makespan)

    def _time(self) -> Any:
        return self.model.new_int_var(0, self.most_ns, "")

    def _run(self, heads: Table, through: Table) -> None:
        """From the start of each piece to its end, within what its paths leave it. Equations (2), (13)."""
        for i, row in enumerate(self.choice.x):
            start, end = self._time(), self._time()
            self.model.add(end == start + sum(self.p.time_ns(i, d) * x for d, x in row.items()))
            self.model.add(start >= sum(int(heads[i][d]) * x for d, x in row.items()))
            left = sum(int(through[i][d] - heads[i][d]) * x for d, x in row.items())
            self.model.add(self.makespan >= start + left)
            self.start.append(start)
            self.end.append(end)

    def _follow(self) -> None:
        """A tensor is sent when it is made, and used when it is there. Equation (3)."""
        for tensor in self.p.tensors:
            for v in tensor.users:
                self.model.add(self.start[v] >= self.end[tensor.producer])
        for (t, b), on in self.choice.is_sent.items():
            sent, arrived = self.sent[t, b], self.arrived[t, b] = self._time(), self._time()
            self.model.add(sent >= self.end[self.p.tensors[t].producer])
            self.model.add(arrived == sent + self.choice.sending_ns(t, b))
            for v in self.choice.users_on(t, b):
                self.model.add(self.start[v] >= arrived).only_enforce_if(on, self.choice.x[v][b])

    def _one_at_a_time(self) -> None:
        """Devices run one piece, links carry one tensor at a time. Equations (4), (5)."""
        fixed = self.model.new_optional_fixed_size_interval_var
        devices: dict[int, list[Any]] = defaultdict(list)
        links: dict[int, list[Any]] = defaultdict(list)
        for i, row in enumerate(self.choice.x):
            for d, x in row.items():
                if length := self.p.time_ns(i, d):
                    devices[d].append(fixed(self.start[i], length, x, ""))
        for link, length, (t, _, b), on in self.choice.on_links():
            links[link].append(fixed(self.sent[t, b], length, on, ""))
        for intervals in (*devices.values(), *links.values()):
            self.model.add_no_overlap(intervals)
        self.choice.bound_loads(self.makespan)

    def bound_memory(self) -> None:
        """Weights, and at each moment the tensors there and the work of what runs, fit. Equation (6)."""
        fixed = self.model.new_optional_fixed_size_interval_var
        for d, device in enumerate(self.p.devices):
            if device.memory_bytes is None:
                continue
            unit = max(1, -(-device.memory_bytes // MEMORY_UNITS))
            room = device.memory_bytes // unit
            left = self.model.new_int_var(0, room, "")
            self.model.add(left + self.choice.weights(d, unit) == room)
            held: list[tuple[Any, int]] = []
            for i, row in enumerate(self.choice.x):
                if d in row:
                    interval = fixed(self.start[i], self.p.time_ns(i, d), row[d], "")
                    held.append((interval, self.p.pieces[i].work_bytes))
            for t, tensor in enumerate(self.p.tensors):
                held += [(interval, tensor.bytes) for interval in (*self._made_there(t, d), *self._sent_there(t, d))]
            held = [(interval, size) for interval, size in held if size]
            self.model.add_cumulative([each for each, _ in held], [-(-size // unit) for _, size in held], left)

    def _made_there(self, t: int, d: int) -> list[Any]:
        """From the start of a tensor's producer on a device to its last use there, or to its last transfer away."""
        u = self.p.tensors[t].producer
        if d not in self.choice.x[u]:
            return []
        home, last = self.choice.x[u][d], self._time()
        self.model.add(last >= self.end[u])
        for v in self.choice.users_on(t, d):
            self.model.add(last >= self.end[v]).only_enforce_if(home, self.choice.x[v][d])
        for (sent, a, b), on in self.choice.sends.items():
            if (sent, a) == (t, d):
                self.model.add(last >= self.arrived[t, b]).only_enforce_if(on)
        return [self.model.new_optional_interval_var(self.start[u], self._time(), last, home, "")]

    def _sent_there(self, t: int, d: int) -> list[Any]:
        """From the start of a transfer to a device to the tensor's last use there."""
        if (t, d) not in self.sent:
            return []
        on, last = self.choice.is_sent[t, d], self._time()
        for v in self.choice.users_on(t, d):
            self.model.add(last >= self.end[v]).only_enforce_if(on, self.choice.x[v][d])
        return [self.model.new_optional_interval_var(self.sent[t, d], self._time(), last, on, "")]

    def found(self, solver: Any) -> Schedule:
        """The schedule that the solver found."""
        on = (key for key, literal in self.choice.is_sent.items() if solver.boolean_value(literal))
        sent = {key: int(solver.value(self.sent[key])) for key in on}
        starts = tuple(int(solver.value(s)) for s in self.start)
        ends = (int(solver.value(e)) for e in self.end)
        return Schedule(self.choice.device_of(solver), starts, sent, max(ends, default=0))

    def hint(self, s: Schedule) -> None:
        """Begin the search at a schedule."""
        self.choice.hint(s.device)
        for i, start in enumerate(self.start):
            self.model.add_hint(start, s.start_ns[i])
        for key, sent in self.sent.items():
            if key in s.sent_ns:
                self.model.add_hint(sent, s.sent_ns[key])
