"""The placement model: min (17) subject to (1) to (16) of `docs/math/placement.md`."""

from __future__ import annotations

import pulp

from .constraints_fleet import (
    constrain_capacity,
    constrain_company,
    constrain_device_count,
    constrain_each_piece_placed_once,
    constrain_exclusions,
    constrain_memory,
    constrain_payment,
    constrain_replicas,
    constrain_transfers,
    constrain_whole_nodes,
)
from .constraints_latency import (
    constrain_mean_latency,
    constrain_percentiles,
    constrain_tbt,
    constrain_ttft,
)
from .objective import constrain_limits, minimise
from .problem import PlacementProblem
from .variables import PlacementVars, add_variables


def build(p: PlacementProblem) -> tuple[pulp.LpProblem, PlacementVars]:
    """min (17) subject to (1)-(16)."""
    m, v = add_variables(p)
    constrain_each_piece_placed_once(m, p, v)  # (1)
    constrain_exclusions(m, p, v)  # (2)
    constrain_memory(m, p, v)  # (3)
    constrain_replicas(m, p, v)  # (4)
    constrain_capacity(m, p, v)  # (5)
    constrain_device_count(m, p, v)  # (6)
    constrain_payment(m, p, v)  # (7)
    constrain_transfers(m, p, v)  # (8)
    constrain_company(m, p, v)  # (9)
    constrain_whole_nodes(m, p, v)  # (10)
    constrain_ttft(m, p, v)  # (11)
    constrain_tbt(m, p, v)  # (12)
    constrain_mean_latency(m, p, v)  # (13), (14)
    constrain_percentiles(m, p, v)  # (13), (15)
    constrain_limits(m, p, v)  # (16)
    minimise(m, p, v)  # (17)
    return m, v
