"""The placement model: min (17) of `docs/math/placement.md`, subject to the equations that `build` names."""

from __future__ import annotations

import pulp

from ..problem import PlacementProblem
from ..search.clock import NO_LIMIT, Clock
from .fleet import (
    constrain_capacity,
    constrain_company,
    constrain_device_count,
    constrain_each_piece_placed_once,
    constrain_exclusions,
    constrain_idle_pools,
    constrain_memory,
    constrain_one_of,
    constrain_order_of_alike,
    constrain_payment,
    constrain_replicas,
    constrain_transfers,
    constrain_whole_nodes,
)
from .latency import (
    constrain_mean_latency,
    constrain_percentiles,
    constrain_tbt,
    constrain_ttft,
)
from .migration import constrain_side_by_side, constrain_starts
from .objective import constrain_limits, minimise
from .quality import constrain_one_model, constrain_quality
from .racks import constrain_racks
from .variables import PlacementVars, add_variables


def build(p: PlacementProblem, clock: Clock = NO_LIMIT) -> tuple[pulp.LpProblem, PlacementVars]:
    """min (17) subject to (1)-(16), (24), (28), (43), (50), (51); TimeUp where the clock is over before that."""
    m, v = add_variables(p)
    for constrain in (
        constrain_each_piece_placed_once,  # (1)
        constrain_exclusions,  # (2)
        constrain_memory,  # (3)
        constrain_replicas,  # (4)
        constrain_capacity,  # (5)
        constrain_device_count,  # (6)
        constrain_payment,  # (7)
        constrain_transfers,  # (8)
        constrain_company,  # (9)
        constrain_whole_nodes,  # (10)
        constrain_ttft,  # (11), (36)
        constrain_tbt,  # (12)
        constrain_mean_latency,  # (13), (14)
        constrain_percentiles,  # (13), (15)
        constrain_limits,  # (16)
        constrain_racks,  # (28)
        constrain_one_of,  # (24)
        constrain_starts,  # (50)
        constrain_side_by_side,  # (51)
        constrain_one_model,  # (39)
        constrain_quality,  # (40)
        constrain_idle_pools,  # (43)
        constrain_order_of_alike,  # (38)
    ):
        clock.check()
        constrain(m, p, v)
    minimise(m, p, v)  # (17)
    return m, v
