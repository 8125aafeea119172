"""A host pool of one slot: what runs there waits in one line for the whole host, with a network among it or not."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from dovetail import driver
from dovetail.planner.check import check_plan

GRAPH = {
    "version": 1,
    "name": "small",
    "nodes": {"parse": {"kind": "compute", "cpu": "20 ms"}},
    "workload": {"rate": "8 req/s"},
    "fleet": {"devices": {"host": {"model": "epyc-9554", "count": "0..2", "price": {"rent": "2 USD/h"}}}},
}


@pytest.mark.parametrize(("slots", "probability"), [(64, 0.0), (1, 8 * 0.020 / 64)])
def test_small_work_alone_in_a_pool_of_one_slot_waits_for_the_whole_host(
    tmp_path: Path, slots: int, probability: float
) -> None:
    """With 64 slots nearly nobody waits; with one a visit takes 20 ms / 64 of the host, and in M/M/1 rho of them wait.

    Either way the host is as busy, and those who wait do so for the time that 64 cores take to be done with one visit.
    """
    (tmp_path / "graph.yaml").write_text(yaml.safe_dump(GRAPH))
    document = copy.deepcopy(driver.plan(tmp_path).document)
    (pool,) = document["pools"]
    assert (pool["max_batch"], pool["utilisation"]) == (64, pytest.approx(0.0025))
    pool["max_batch"] = slots
    pool["wait"]["probability"] = probability
    assert [fault.message for fault in check_plan(document)] == []
    pool["wait"]["probability"] = 0.5
    (message,) = [fault.message for fault in check_plan(document)]
    stated, derived = message.split("; derived ")
    assert stated == f"pool `{pool['id']}` states wait.probability 0.5"
    assert float(derived) == pytest.approx(probability, abs=1e-9)
