"""The placement problem as data: names and numbers, no IR type in, no solver type out.

Seconds, bytes, joules and dollars throughout; rates are per second. `docs/math/placement.md` has the maths.

What the times mean. A step starts when the last predecessor that it waits for has ended (streaming: has given its
first output) and the transfer on that edge is over; its pieces run in order, with the transfers between them. The
step's first output is its first piece's, its end is its last piece's, and never before the end of a predecessor it
streams from. `ttft` is wait + first of a node's first piece, each visit by itself; `first_output` is that of the
earliest sink, `end_to_end` the end of the last. All laws of one scenario are independent, but for one case: where
`first` and `total` of a visit are the same law they are the same time, for its first output is its end.

Optional fields, added later and safe to leave out: `Option.excluded_by`, `Option.part_load` with `Pool.split`,
`Option.tier_bytes` with `Pool.tier`, `Option.weights_key` and what follows it, `VisitTime.lost`, `Transfer.token_gaps`,
`Route.bytes`, `Pool.spare`, `Pool.zones`, `Pool.model`, `Pool.billed` and `DeviceType.idle_w` with what follows them,
`PlacementProblem.one_of` and what follows, `Scenario.graph`, `Bound.graph`, `Piece.priority` and what follows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ...ir.distribution import Distribution
from ...ir.split import VisitClass

NO_WAIT = Distribution.point(0.0)
UNLIMITED = 1_000_000
"""Devices of a type whose count nothing bounds."""


@dataclass(frozen=True)
class Piece:
    """What is placed as a whole: one part of one node, for all its visits."""

    id: str
    """`node.part`, such as `think.prefill`."""
    node: str
    part: str
    visits_per_request: float
    """Expected visits of the node in one request: the weight of its load."""
    memory_key: str = ""
    """Pieces with the same non-empty key share their weights in one pool (the same model at the same precision)."""
    priority: int = 0
    """Visits of the largest are served first where they wait for one pool."""
    visit_class: VisitClass | None = None
    """Which visits of the user's node `node` has, where its traffic is split: bounds are on all of them together."""
    state_key: str = ""
    """Pieces with the same non-empty key share the room for their state in one pool: the largest is enough for any,
    since a slot holds one visit of whichever piece."""

    @property
    def whole(self) -> str:
        """The user's node."""
        return self.node if self.visit_class is None else self.visit_class.node

    @property
    def share(self) -> float:
        """Of the requests at the user's node, those that are placed here."""
        return 1.0 if self.visit_class is None else self.visit_class.share


@dataclass(frozen=True)
class VisitTime:
    """How long one visit of a piece takes under one option.

    A visit's first output comes `wait + lost + first` after its start, its end `wait + lost + total`. The parts are
    independent, but a `first` equal to its `total` is the same variable.
    """

    first: Distribution
    """From the end of waiting to the first output [s]; never above `total`."""
    total: Distribution
    """From the end of waiting to the end [s]."""
    wait: Distribution = NO_WAIT
    """The law of waiting that the pool's capacity was computed for [s]."""
    lost: tuple[Distribution, ...] = ()
    """Where devices are taken back: times spent in vain by visits that begin anew, and until others are there [s]."""

    @property
    def outputs_at_end(self) -> bool:
        """Whether the first output is the end, one variable and not two of one law."""
        return self.first == self.total


@dataclass(frozen=True)
class Option:
    """One piece in one pool: what it takes there and what it costs there."""

    piece: str
    pool: str
    visits: tuple[VisitTime, ...]
    """By visit number @1, @2, ...: one for each visit that the unrolled graph has."""
    load: float
    """Device-group seconds that one request takes of one replica, over all its visits [s/request].

    Repeats of interrupted visits count, and the time that a replica is down for them."""
    weight_bytes: float = 0.0
    """Memory of one device of a replica, once for each `memory_key` [bytes]."""
    state_bytes: float = 0.0
    """Memory of one device of a replica for each piece: KV cache, activations [bytes]."""
    usd_per_request: float = 0.0
    """Calls, tokens and profile prices that scale with requests, over all visits [USD]."""
    energy_j_per_request: float = 0.0
    """Energy above idle that one request takes on this option, PUE not included [J]."""
    tbt_s: tuple[float, ...] = ()
    """LLM decode only: mean gap between tokens, by visit [s]."""
    quality: tuple[tuple[str, float], ...] = (("data_sheet", 1.0),)
    """Shares of the cost by quality mark: measured, fitted, data_sheet, guess."""
    excluded_by: str = ""
    """Name of the user's constraint that rules this option out (`place[think]`); it is never chosen, but
    when no plan exists the name can stand in the conflict."""
    part_load: float = 0.0
    """In a pool that is split: the load on the piece's own part of the replica [s/request]."""
    weights_key: str = ""
    """Takes the place of the piece's `memory_key` where the pool decides whose weights these are: one of several
    models."""
    adapter_key: str = ""
    """Pieces with the same non-empty key share an adapter on those weights in one pool."""
    adapter_bytes: float = 0.0
    """Memory of one device of a replica, once for each `adapter_key` [bytes]."""
    score: float | None = None
    """Quality of the model's answers, as the user states it; None where nothing is stated."""
    tier_bytes: tuple[float, float] = (0.0, 0.0)
    """Beyond the memory of one device: weights, once for each `memory_key`, and the piece's own caches [bytes]."""


@dataclass(frozen=True)
class Pool:
    """A candidate pool: replicas of one device type in one configuration."""

    id: str
    device: str
    """The fleet's name of the device."""
    location: str
    """Where transfers start and end: equal locations need no transfer."""
    devices_per_replica: int = 1
    tp: int = 1
    pp: int = 1
    ep: int = 1
    dp: int = 1
    max_batch: int = 1
    """Requests that a replica serves at once."""
    stages: int = 1
    """Stages that visits pass one after the other, each free for the next visit when one has left it: a pipeline that
    only prefills. Where work is decoded, a visit keeps its place in all of them, and this is 1."""
    memory_bytes: float = float("inf")
    """Memory of one device [bytes]."""
    whole_nodes: bool = False
    """The pieces of a node are here all together or not at all: prefill and decode in one server."""
    capacity: tuple[float, ...] = ()
    """`capacity[n-1]`: load [replica-seconds/s] that n replicas may carry while the wait law assumed by the
    pool's options holds; empty for pools without a count (hosted APIs)."""
    spare: int = 0
    """Replicas beyond those that the load needs: so many may fail while the wait law holds."""
    zones: int = 1
    """Zones over which the replicas are spread as evenly as can be."""
    billed: float = 1.0
    """Share of the time that its devices are up and paid for. A pool of less goes down when it is idle: the laws of its
    options are those of all their pieces, so that it holds all of them or none."""
    keep_alive_s: float = 0.0
    """Time without a visit after which it goes down [s]."""
    start_s: float = 0.0
    """Time until it is up again [s]."""
    lost_zones: int = 0
    """So many zones may be lost beside the spare replicas while the wait law holds."""
    availability: float = 1.0
    """Share of the time that a replica is up, where devices are taken back; loads count the rest already."""
    down_s: float = 0.0
    """Mean time that a replica is down after an interruption [s]."""
    model: str = ""
    """The language model that it serves, where a node may have one of several; pieces of one node have one model."""
    tier: str = ""
    """Memory beyond the devices' own that holds what `tier_shares` say; all that the pool may take fits there."""
    tier_shares: tuple[float, float] = (0.0, 0.0)
    """Of the weights, and of every cache."""
    split: float | None = None
    """Share of each device that prefills while the rest of it decodes; None where both phases have the whole."""

    def load_of(self, inside: Iterable[Option]) -> float:
        """(33) What one request with these options takes of a replica, the busier part of it where it is split [s]."""
        inside = tuple(inside)
        if self.split is None:
            return sum(o.load for o in inside)
        parts = {o.piece.rpartition(".")[2] for o in inside}
        return max((sum(o.part_load for o in inside if o.piece.endswith(f".{p}")) for p in parts), default=0.0)

    @property
    def goes_down(self) -> bool:
        """Whether it is given back when nothing is in it."""
        return self.billed < 1

    @property
    def slots(self) -> int:
        """Visits that start at once in one replica."""
        return self.max_batch // self.stages


@dataclass(frozen=True)
class DeviceType:
    """A kind of device in the fleet, with what one costs."""

    name: str
    min_count: int
    max_count: int
    """At most so many devices; 0 for hosted APIs, which are not counted."""
    chassis: int = 1
    """Devices are paid for in multiples of this number where they are sold by chassis."""
    owned: int = 0
    """The first `owned` devices are free but for energy."""
    usd_per_hour: tuple[tuple[str, float], ...] = ()
    """Cost of one device by part: capex, interest, rent [USD/h]."""
    idle_usd_per_hour: float = 0.0
    """Energy of one idle device, PUE included [USD/h]."""
    usd_per_joule: float = 0.0
    """Price of energy above idle, PUE included; 0 where the rent includes it [USD/J]."""
    idle_w: float = 0.0
    """Power of one idle device, for the limit `power_w` [W]."""
    peak_w: float = 0.0
    """Power of one busy device, for the limits of racks [W]."""
    rack: str = ""
    """The rack that all of them stand in."""
    drawn_idle_w: float = 0.0
    """Power that one device draws from the grid by being taken, PUE included [W]; all of it where load adds none."""
    drawn_per_joule: float = 0.0
    """Energy drawn from the grid for each joule above idle: the PUE, or 0 where `drawn_idle_w` has all."""
    g_per_joule: float = 0.0
    """Carbon of the energy drawn from the grid [gCO2/J]."""


@dataclass(frozen=True)
class Rack:
    """A limit on the power of some devices together."""

    name: str
    power_w: float
    """[W], PUE not included"""
    exceed: float = 0.0
    """Share of the time that the devices may draw more."""


@dataclass(frozen=True)
class Route:
    """A transfer from one location to another on one edge between pieces."""

    from_location: str
    to_location: str
    latency_s: float
    usd_per_request: float = 0.0
    bytes: float | None = None
    """Where they are not those of the transfer: the KV cache of one of several models."""


@dataclass(frozen=True)
class Transfer:
    """Bytes that move between two pieces; pairs of locations without a route are forbidden."""

    from_piece: str
    to_piece: str
    bytes: float
    routes: tuple[Route, ...]
    """Routes between different locations; the same location is free."""
    token_gaps: float = float("inf")
    """The transfer delays a stream of this many token gaps: `latency_s / token_gaps` adds to the receiving
    piece's `tbt_s`; infinite where it delays none."""


@dataclass(frozen=True)
class Step:
    """One visit of one node in a scenario, by the ids of its pieces in order (prefill before decode)."""

    id: str
    """`node@k`."""
    pieces: tuple[str, ...]
    visit: int
    """k, from 1."""
    after: tuple[tuple[str, bool], ...]
    """Predecessor steps, and whether the edge streams (starts at their first output)."""


@dataclass(frozen=True)
class Scenario:
    """One way a request may go through the graph: its visits, as an acyclic graph."""

    probability: float
    steps: tuple[Step, ...]
    """In topological order."""
    sinks: tuple[str, ...]
    graph: str = ""
    """The graph whose requests take it, where several share the fleet."""


@dataclass(frozen=True)
class Bound:
    """An upper bound on a latency, with the name that plans and errors give it."""

    name: str
    """`slo.ttft[think]`, `slo.tbt[think]`, `slo.first_output`, `slo.end_to_end`."""
    kind: str
    """`ttft`, `tbt`, `first_output` or `end_to_end`."""
    limit_s: float
    percentile: float | None = None
    """0..1, or None where the mean is bounded."""
    node: str | None = None
    graph: str = ""
    """The graph whose requests it ranges over; empty: all requests."""


@dataclass(frozen=True)
class Kind:
    """What two replicas share where one may go on as the other: only the batch and the tenants may differ."""

    device: str
    model: str
    """`Piece.memory_key` of what is loaded; empty where nothing is"""
    role: str
    """`both` (prefill and decode in one server), or the part of the node that runs there"""
    devices: int
    tp: int = 1
    pp: int = 1
    ep: int = 1
    dp: int = 1


@dataclass(frozen=True)
class Previous:
    """What runs when a plan is made, and what it takes to change it."""

    running: tuple[tuple[Kind, int], ...]
    """Replicas of each kind."""
    devices: tuple[tuple[str, int], ...]
    """Devices that they take, by name."""
    starts: tuple[tuple[Kind, float, float], ...]
    """Of each kind that a plan may have: weights that a new replica loads [bytes], and the time from when it gets its
    devices to its first answer [s]."""
    usd_per_request: float
    """What a request that comes while too few replicas are up is worth [USD]."""
    over_s: float
    """What the changes cost is spread over this time [s]."""

    @property
    def start_s(self) -> dict[Kind, float]:
        """Kind -> time that a new replica takes to start [s]."""
        return {kind: seconds for kind, _, seconds in self.starts}


@dataclass(frozen=True)
class QualityBound:
    """A lower bound on the quality of a node's model, or on the mean over nodes by their visits."""

    name: str
    """`slo.quality[think]`, `slo.quality`."""
    least: float
    node: str | None = None
    graph: str = ""
    """The graph over whose nodes the mean goes; empty: all nodes."""


@dataclass(frozen=True)
class PlacementProblem:
    """Everything the placement planner needs to know."""

    pieces: tuple[Piece, ...]
    pools: tuple[Pool, ...]
    options: tuple[Option, ...]
    devices: tuple[DeviceType, ...]
    transfers: tuple[Transfer, ...]
    scenarios: tuple[Scenario, ...]
    bounds: tuple[Bound, ...]
    rate_per_s: float | None
    """Requests per second; None: nothing is sized and the objective is USD per request."""
    objective: str = "cost"
    """What is least: `cost`, `latency` (mean end to end), or `energy` or `carbon` of a request, which need a rate."""
    together: tuple[tuple[str, str], ...] = ()
    """Pairs of pieces that must share a pool's location."""
    apart: tuple[tuple[str, str], ...] = ()
    limits: tuple[tuple[str, float], ...] = field(default=())
    """Fleet-wide bounds by name: `usd_per_hour`, `power_w`, `energy_j_per_request`, `gco2_per_request`; without a rate
    they bind nothing."""
    one_of: tuple[frozenset[tuple[str, str]], ...] = ()
    """Of each of these sets of options, as (piece, pool), a plan takes at least one."""
    racks: tuple[Rack, ...] = ()
    """Power limits of racks; without a rate they bind nothing."""
    previous: Previous | None = None
    """What runs already: the objective `cost` then counts what is brought up in its place."""
    alike: tuple[tuple[str, ...], ...] = ()
    """Pieces that nothing tells apart, the first of nodes that nothing tells apart: any plan may exchange them."""

    def scenarios_of(self, graph: str) -> tuple[Scenario, ...]:
        """(46) The ways of the requests of one graph, as shares of its own requests; all ways for an empty name."""
        if not graph:
            return self.scenarios
        own = [s for s in self.scenarios if s.graph == graph]
        share = sum(s.probability for s in own)
        return tuple(replace(s, probability=s.probability / share) for s in own)

    quality_bounds: tuple[QualityBound, ...] = ()
