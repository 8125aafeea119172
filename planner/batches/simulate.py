"""A plan of a batch run event by event, with sampled latencies and lengths: how long it takes, by an independent way.

It knows the setups and shares of a plan, and none of its times. An engine batches continuously: each visit's prompt
is read by itself while the engine's decoding stands still, then it takes a slot until its tokens are written; the time
between tokens goes by the sequences that run. Engines side by side take turns in proportion to their planned work.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor, inf

from .instances import cut, depths, ways
from .phases import Phases
from .problem import Tool, Workers

ROUNDING = 1e-6
"""Shares may miss a whole number of visits by this, as solvers round."""


@dataclass(frozen=True)
class Run:
    """One simulated batch."""

    makespan_s: float
    busy_s: tuple[float, ...]
    """by worker: reading or writing"""
    reused: float
    """share of the visits that continued from a cache, of those that may"""


def simulate(plan: Phases, seed: int = 0) -> Run:
    """Run the batch once."""
    return _Simulation(plan, seed).run()


@dataclass
class _Prompt:
    """A visit whose prompt is not read yet."""

    call: str
    instance: int
    left_s: float


@dataclass
class _Engine:
    """Sequences of one model on one worker: `written` tokens by each since the start, and when each will be done."""

    slots: int
    steps: Sequence[float]
    """[s] between tokens, by sequences that run"""
    weight: float
    """of its turns, beside other engines"""
    written: float = 0.0
    running: list[tuple[float, str, int]] = field(default_factory=list)
    """heap of (`written` at the end, call, instance)"""
    prompts: deque[_Prompt] = field(default_factory=deque)
    """that wait to be read; the first is being read, and nothing is written meanwhile"""

    @property
    def step_s(self) -> float:
        """[s] between tokens of those that run."""
        return self.steps[len(self.running)]

    @property
    def free(self) -> bool:
        return self.load < self.slots

    @property
    def load(self) -> int:
        """Sequences that it has."""
        return len(self.running) + len(self.prompts)

    @property
    def left_s(self) -> float:
        """[s] of the worker until a prompt is read or a sequence has ended; infinite where it has nothing to do."""
        if self.prompts:
            return max(0.0, self.prompts[0].left_s)
        return max(0.0, self.running[0][0] - self.written) * self.step_s if self.running else inf

    def go_on(self, seconds: float) -> None:
        """Read or write for so long."""
        if self.prompts:
            self.prompts[0].left_s -= seconds
        elif self.running:
            self.written += seconds / self.step_s


@dataclass
class _Worker:
    """One worker on its way through the phases."""

    number: int
    bundle: int
    kind: Workers
    quotas: list[dict[str, int]]
    """by phase: visits of each call that are left to it"""
    phase: int = -1
    engines: dict[str, _Engine] = field(default_factory=dict)
    own: dict[str, list[int]] = field(default_factory=dict)
    """call -> instances that continue from its cache"""
    held: tuple[str, ...] = ()
    since: float = 0.0
    version: int = 0
    loading: bool = False
    busy_s: float = 0.0

    @property
    def load(self) -> int:
        """Sequences on it."""
        return sum(engine.load for engine in self.engines.values())

    @property
    def turns(self) -> float:
        """Of all engines that have something to do."""
        return sum(engine.weight for engine in self.engines.values() if engine.load)


class _Simulation:
    def __init__(self, plan: Phases, seed: int) -> None:
        import numpy as np

        self.plan, self.p = plan, plan.problem
        rng = np.random.default_rng(seed)
        self.taken = ways(self.p, rng)
        self.waits = self._waits()
        self.tokens = {c.name: c.output.sample(rng, self.p.size) for c in self.p.calls}
        self.latency = {t.name: t.latency.sample(rng, self.p.size) for t in self.p.tools}
        self.after = {name: [b for a, b in self.p.edges if a == name] for name in self.p.order}
        self.depth = depths(self.p)
        self.phase_of = {name: self._phases(name) for name in self.p.call}
        self.ready = {(name, k): list[int]() for name in self.p.call for k in range(len(plan.setups))}
        self.queues: dict[str, deque[int]] = {t.name: deque() for t in self.p.tools}
        self.flying = dict.fromkeys(self.queues, 0)
        self.cores = self.p.cores
        self.events: list[tuple[float, int, int, object]] = []
        self.now, self.count, self.reused, self.may_reuse = 0.0, 0, 0, 0
        self.place: dict[str, dict[int, tuple[int, int]]] = {c.continues: {} for c in self.p.calls if c.continues}
        self.workers = self._workers()

    def _waits(self) -> dict[str, list[int]]:
        """Operator -> how many operators each instance waits for there; -1 where it does not go there."""
        waits = {}
        for name in self.p.order:
            visited = self.taken[name][name]
            into = [self.taken[name][a] for a in self.p.before[name]]
            waits[name] = [sum(way[i] for way in into) if visited[i] else -1 for i in range(self.p.size)]
        return waits

    def _phases(self, call: str) -> list[int]:
        """Phase of each instance's visit. The first instances go first in every call."""
        share, done = [], 0.0
        for k in range(len(self.plan.setups)):
            done += sum(sum(pair) for (name, at, _), pair in self.plan.shares.items() if (name, at) == (call, k))
            share.append(floor(done * self.p.size + ROUNDING * self.p.size))
        share[-1] = self.p.size
        return [next(k for k, end in enumerate(share) if i < end) for i in range(self.p.size)]

    def _workers(self) -> list[_Worker]:
        """One for each worker of each bundle, with what is left to it by phase."""
        found: list[_Worker] = []
        for b, (kind, workers) in enumerate(self.plan.bundles):
            for _ in range(workers):
                found.append(_Worker(len(found), b, kind, [{} for _ in self.plan.setups]))
        for call in self.p.call:
            made = [0] * len(self.plan.setups)
            for i, k in enumerate(self.phase_of[call]):
                made[k] += self.waits[call][i] >= 0
            for k, visits in enumerate(made):
                weights = [sum(self.plan.shares.get((call, k, w.bundle), (0.0, 0.0))) for w in found]
                many = [sum(o.bundle == w.bundle for o in found) for w in found]
                parts = cut(visits, [weight / n for weight, n in zip(weights, many, strict=True)])
                for worker, part in zip(found, parts, strict=True):
                    if part:
                        worker.quotas[k][call] = part
        return found

    def run(self) -> Run:
        """Until nothing is left to do."""
        for worker in self.workers:
            self._next_phase(worker)
        for name in self.p.order:
            for i in range(self.p.size):
                if self.waits[name][i] == 0:
                    self._arrive(name, i)
        while self.events:
            self.now, _, kind, what = heapq.heappop(self.events)
            if kind == 0:
                self._tool_done(*what)  # type: ignore[misc]
            elif what[1] == self.workers[what[0]].version:  # type: ignore[index]
                self._step(self.workers[what[0]])  # type: ignore[index]
        left = sum(sum(q.values()) for w in self.workers for q in w.quotas)
        if left:
            raise AssertionError(f"the plan stands still with {left} visits left")
        share = self.reused / self.may_reuse if self.may_reuse else 0.0
        return Run(self.now, tuple(w.busy_s for w in self.workers), share)

    def _push(self, at: float, kind: int, what: object) -> None:
        self.count += 1
        heapq.heappush(self.events, (at, self.count, kind, what))

    def _arrive(self, name: str, i: int) -> None:
        """Instance `i` may do `name` now."""
        if name not in self.p.call:
            self.queues[name].append(i)
            self._start_tools()
            return
        k, source = self.phase_of[name][i], self.p.call[name].continues
        if source is not None:
            number, phase = self.place[source].get(i, (-1, -1))
            if phase == k:
                worker = self.workers[number]
                own = worker.own.setdefault(name, [])
                if worker.phase == k and worker.quotas[k].get(name, 0) > len(own):
                    heapq.heappush(own, i)
                    self._wake(worker)
                    return
        heapq.heappush(self.ready[name, k], i)
        able = [worker for worker in self.workers if self._may_take(worker, name, k)]
        if able:
            self._wake(min(able, key=lambda worker: (worker.load, worker.number)))

    def _may_take(self, worker: _Worker, call: str, k: int) -> bool:
        if worker.loading or worker.phase != k or worker.quotas[k].get(call, 0) <= len(worker.own.get(call, ())):
            return False
        return worker.engines[self.p.call[call].model].free

    def _start_tools(self) -> None:
        for tool in self.p.tools:
            queue = self.queues[tool.name]
            while queue and self._has_room(tool):
                i = queue.popleft()
                self.flying[tool.name] += 1
                self.cores -= tool.cpus
                self._push(self.now + float(self.latency[tool.name][i]), 0, (tool, i))

    def _has_room(self, tool: Tool) -> bool:
        limit = inf if tool.concurrency is None else tool.concurrency
        return self.flying[tool.name] < limit and self.cores >= tool.cpus

    def _tool_done(self, tool: Tool, i: int) -> None:
        self.flying[tool.name] -= 1
        self.cores += tool.cpus
        self._done(tool.name, i)
        self._start_tools()

    def _done(self, name: str, i: int) -> None:
        for after in self.after[name]:
            if self.taken[after][name][i]:
                self.waits[after][i] -= 1
                if self.waits[after][i] == 0:
                    self._arrive(after, i)

    def _next_phase(self, worker: _Worker) -> None:
        """Go on to the next phase with work for it, loading what its setup lacks."""
        first = worker.phase < 0
        worker.phase += 1
        while worker.phase < len(worker.quotas) and not worker.quotas[worker.phase]:
            worker.phase += 1
        if worker.phase == len(worker.quotas):
            return
        setup = self.plan.setups[worker.phase][worker.bundle]
        if first:
            ever = {m for k, q in enumerate(worker.quotas) if q for m in self.plan.setups[k][worker.bundle].models}
            seconds = sum(worker.kind.start_s[m] for m in ever)
        else:
            seconds = sum(worker.kind.load_s[m] for m in setup.models if m not in worker.held)
        worker.held, worker.loading = setup.models, True
        worker.engines = {
            m: _Engine(setup.batch[m], _steps(worker.kind, m, setup.batch[m]), self._weight(worker, m))
            for m in setup.models
        }
        worker.version += 1
        self._push(self.now + seconds, 1, (worker.number, worker.version))

    def _weight(self, worker: _Worker, model: str) -> float:
        """[s] that the engine is busy in this phase by the plan: engines side by side take turns in that proportion."""
        rates = self.plan.setups[worker.phase][worker.bundle].rates
        quotas = worker.quotas[worker.phase]
        calls = [call for call in quotas if self.p.call[call].model == model]
        return sum(quotas[c] * rates[c].fresh_s for c in calls) or 1e-9

    def _wake(self, worker: _Worker) -> None:
        """New work may be there for it."""
        if not worker.loading:
            self._advance(worker)
            self._fill(worker)
            self._plan_next(worker)

    def _step(self, worker: _Worker) -> None:
        """A worker's own event: it is loaded, a prompt is read, or sequences have ended."""
        if worker.loading:
            worker.loading, worker.since = False, self.now
        else:
            self._advance(worker)
            self._end_prompts(worker)
            self._end_sequences(worker)
        self._fill(worker)
        if not worker.quotas[worker.phase] and not worker.load:
            self._next_phase(worker)
        else:
            self._plan_next(worker)

    def _advance(self, worker: _Worker) -> None:
        """Read and write from its last event to now, engines in turns."""
        passed, worker.since = self.now - worker.since, self.now
        turns = worker.turns
        if turns:
            worker.busy_s += passed
            for engine in worker.engines.values():
                engine.go_on(passed * engine.weight / turns)

    def _end_prompts(self, worker: _Worker) -> None:
        for engine in worker.engines.values():
            if engine.prompts and engine.prompts[0].left_s <= 1e-9:
                prompt = engine.prompts.popleft()
                tokens = max(0.0, float(self.tokens[prompt.call][prompt.instance]) - 1)
                heapq.heappush(engine.running, (engine.written + tokens, prompt.call, prompt.instance))

    def _end_sequences(self, worker: _Worker) -> None:
        for engine in worker.engines.values():
            while engine.running and engine.running[0][0] <= engine.written + 1e-6:
                _, call, i = heapq.heappop(engine.running)
                if call in self.place:
                    self.place[call][i] = (worker.number, worker.phase)
                self._done(call, i)

    def _fill(self, worker: _Worker) -> None:
        """Take what is ready into free slots: the lowest instance first, of one instance the deepest call."""
        while True:
            found = [
                (queue[0], -self.depth[call], call, queue)
                for call, left in worker.quotas[worker.phase].items()
                if worker.engines[self.p.call[call].model].free
                for queue in self._open(worker, call, left)
            ]
            if not found:
                return
            i, _, call, queue = min(found, key=lambda each: each[:3])
            heapq.heappop(queue)
            self._take(worker, call, i, queue is worker.own.get(call))

    def _open(self, worker: _Worker, call: str, left: int) -> list[list[int]]:
        """Heaps of instances that it may take: those whose cache it has, and what it has room for beside them."""
        own, ready = worker.own.get(call, []), self.ready[call, worker.phase]
        return [heap for heap in (own, ready if left > len(own) else []) if heap]

    def _take(self, worker: _Worker, call: str, i: int, kept: bool) -> None:
        quotas = worker.quotas[worker.phase]
        quotas[call] -= 1
        if not quotas[call]:
            del quotas[call]
        self.may_reuse += self.p.call[call].continues is not None
        self.reused += kept
        rates = self.plan.setups[worker.phase][worker.bundle].rates
        prompt = _Prompt(call, i, rates[call].read_s[kept])
        worker.engines[self.p.call[call].model].prompts.append(prompt)

    def _plan_next(self, worker: _Worker) -> None:
        """When the worker's next event is, as things stand."""
        worker.version += 1
        turns = worker.turns
        if turns:
            first = min(engine.left_s / engine.weight for engine in worker.engines.values() if engine.load)
            self._push(self.now + first * turns, 1, (worker.number, worker.version))


def _steps(kind: Workers, model: str, most: int) -> list[float]:
    """[s] between tokens of 0, 1, ... `most` sequences: linear between those that are known."""
    import numpy as np

    sizes, seconds = zip(*kind.steps[model], strict=True)
    return np.interp(np.arange(most + 1), sizes, seconds).tolist()


def percentiles(runs: Sequence[Run]) -> Mapping[str, float]:
    """[s] of the makespan: mean, and the order statistics at 50 % and 95 %."""
    ordered = sorted(run.makespan_s for run in runs)
    at = {name: ordered[min(len(ordered) - 1, floor(q * len(ordered)))] for name, q in (("p50", 0.5), ("p95", 0.95))}
    return {"mean": sum(ordered) / len(ordered), **at}
