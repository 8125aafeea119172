"""When devices and links are busy, while a schedule is put together piece by piece."""

from __future__ import annotations

from bisect import insort

from .problem import OpPlacementProblem, Pair, Schedule

Interval = tuple[int, int]


class Timeline:
    """The busy times of what does one thing at a time."""

    def __init__(self) -> None:
        self.busy: list[Interval] = []

    def first_gap(self, ready_ns: int, length_ns: int) -> int:
        """[ns] the earliest start, not before `ready_ns`, from which it is free for so long."""
        at = ready_ns
        first = self._behind(ready_ns)
        for start, end in self.busy[first:]:
            if at + length_ns <= start:
                break
            at = max(at, end)
        return at

    def _behind(self, ready_ns: int) -> int:
        """Index of the first busy time that ends after `ready_ns`: they are apart, so their ends are in order too."""
        low, high = 0, len(self.busy)
        while low < high:
            middle = (low + high) // 2
            if self.busy[middle][1] <= ready_ns:
                low = middle + 1
            else:
                high = middle
        return low

    def add(self, start_ns: int, length_ns: int) -> None:
        """Be busy from then on for so long."""
        if length_ns:
            insort(self.busy, (start_ns, start_ns + length_ns))

    def remove(self, start_ns: int, length_ns: int) -> None:
        """Take back what was added."""
        if length_ns:
            self.busy.remove((start_ns, start_ns + length_ns))


class Timelines:
    """A schedule in the making: a timeline for each device and link."""

    def __init__(self, p: OpPlacementProblem) -> None:
        self.p = p
        self.devices = [Timeline() for _ in p.devices]
        self.links = [Timeline() for _ in p.links]
        self.weight_bytes = [0] * len(p.devices)
        self.device = [-1] * len(p.pieces)
        self.start_ns = [0] * len(p.pieces)
        self.end_ns = [0] * len(p.pieces)
        self.sent_ns: dict[Pair, int] = {}

    def finish_ns(self, piece: int, device: int) -> int | None:
        """[ns] when the piece would end there; None where its weights have no room or an input has no way."""
        placed = self._try(piece, device)
        if placed is None:
            return None
        start, sent = placed
        for t, at in sent:
            self._unsend(t, device, at)
        return start + self.p.time_ns(piece, device)

    def place(self, piece: int, device: int) -> bool:
        """Run the piece there as early as can be; False where it cannot."""
        placed = self._try(piece, device)
        if placed is None:
            return False
        start, sent = placed
        self.sent_ns |= {(t, device): at for t, at in sent}
        length = self.p.time_ns(piece, device)
        self.devices[device].add(start, length)
        self.weight_bytes[device] += self.p.pieces[piece].weight_bytes
        self.device[piece], self.start_ns[piece], self.end_ns[piece] = device, start, start + length
        return True

    def schedule(self) -> Schedule:
        """What was put together."""
        return Schedule(tuple(self.device), tuple(self.start_ns), dict(self.sent_ns), max(self.end_ns, default=0))

    def _try(self, piece: int, device: int) -> tuple[int, list[Pair]] | None:
        """The start of the piece, and (tensor, start) of the transfers that it needs, which are on their links now."""
        p, memory = self.p, self.p.devices[device].memory_bytes
        if memory is not None and self.weight_bytes[device] + p.pieces[piece].weight_bytes > memory:
            return None
        ready, sent = 0, list[Pair]()
        for t in sorted(p.inputs[piece], key=lambda t: self.end_ns[p.tensors[t].producer]):
            source = self.device[p.tensors[t].producer]
            length = p.transfer_ns(t, source, device)
            if length is None:
                for known, at in sent:
                    self._unsend(known, device, at)
                return None
            made = self.end_ns[p.tensors[t].producer]
            if source == device:
                ready = max(ready, made)
                continue
            at = self.sent_ns.get((t, device))
            if at is None:
                at = self._send(source, device, made, length)
                sent.append((t, at))
            ready = max(ready, at + length)
        return self.devices[device].first_gap(ready, p.time_ns(piece, device)), sent

    def _send(self, source: int, target: int, made_ns: int, length_ns: int) -> int:
        """[ns] the start of a transfer, in the first gap that its links have in common."""
        lines = [self.links[link] for link in self.p.routes[source, target].links]
        at, before = made_ns, -1
        while at != before:
            before = at
            for line in lines:
                at = line.first_gap(at, length_ns)
        for line in lines:
            line.add(at, length_ns)
        return at

    def _unsend(self, tensor: int, target: int, at_ns: int) -> None:
        source = self.device[self.p.tensors[tensor].producer]
        route = self.p.routes[source, target]
        for link in route.links:
            self.links[link].remove(at_ns, route.transfer_ns(self.p.tensors[tensor].bytes))
