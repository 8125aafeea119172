"""What a sound plan warns of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dovetail.driver import plan_files
from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph

GRAPH: dict[str, Any] = {
    "version": 1,
    "name": "one",
    "nodes": {"a": {"kind": "compute", "cpu": "200 ms"}},
    "workload": {"rate": "4 req/s"},
}
BOUGHT = {"capex": "5000 USD", "life": "4 years", "interest": "5 %"}


@pytest.mark.parametrize(
    ("price", "site", "is_warned"),
    [
        (BOUGHT, {}, True),
        (BOUGHT, {"electricity": "0.2 USD/kWh"}, False),
        ({"rent": "1 USD/h"}, {}, False),
        ({"rent": "1 USD/h", "energy": "extra"}, {}, True),
    ],
)
def test_energy_that_costs_nothing_is_said(price: dict[str, str], site: dict[str, str], is_warned: bool) -> None:
    fleet = {"devices": {"host": {"model": "epyc-9554", "count": 1, "price": price}}, "site": site}
    found = plan_files(parse_graph(GRAPH), parse_fleet(fleet), Path())
    said = "the fleet says no price of electricity: the energy of `host` costs nothing"
    assert (said in found.warnings) == is_warned
