"""Collectives beyond a chassis, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dovetail.costmodel.hardware import Device, find_device
from dovetail.costmodel.link_levels import HOP_S, outer_bandwidth_bytes_per_s, spanning_s
from dovetail.costmodel.operators import collective_s

SIZE = 64e6


def device(name: str) -> Device:
    found = find_device(name)
    assert found is not None
    return found


H100, RACK = device("h100-sxm"), device("gb200")


def test_a_chassis_takes_its_own_links() -> None:
    for op in ("all_reduce", "all_gather", "reduce_scatter", "all_to_all"):
        assert spanning_s(H100, op, SIZE, 8) == collective_s(H100, op, SIZE, 8)


def test_a_rack_has_links_of_its_own_up_to_its_size() -> None:
    assert outer_bandwidth_bytes_per_s(RACK, 72) == 900e9
    assert outer_bandwidth_bytes_per_s(RACK, 73) < 900e9


def test_an_all_reduce_over_two_chassis() -> None:
    # Each of eight devices sums an eighth with its partner over 50 GB/s: one shot, 5 us + 8 MB / 50 GB/s.
    within = float(collective_s(H100, "reduce_scatter", SIZE, 8) + collective_s(H100, "all_gather", SIZE, 8))
    assert spanning_s(H100, "all_reduce", SIZE, 16) == pytest.approx(within + 5e-6 + 8e6 / 50e9)


def test_gathers_and_scatters_over_two_chassis() -> None:
    outside = HOP_S + 0.5 * 8e6 / 50e9
    for op in ("all_gather", "reduce_scatter"):
        assert spanning_s(H100, op, SIZE, 16) == pytest.approx(float(collective_s(H100, op, SIZE, 8)) + outside)


def test_all_to_all_sends_what_leaves_the_chassis_over_the_network() -> None:
    near = float(collective_s(H100, "all_to_all", SIZE / 4, 8))
    assert spanning_s(H100, "all_to_all", SIZE, 32) == pytest.approx(near + HOP_S + SIZE * 0.75 / 50e9)


def test_devices_that_stand_alone_go_over_the_network_at_once() -> None:
    alone = replace(H100, chassis=1)
    assert spanning_s(alone, "point_to_point", SIZE, 2) == pytest.approx(HOP_S + SIZE / 50e9)
    assert spanning_s(alone, "all_to_all", SIZE, 4) == pytest.approx(HOP_S + SIZE * 0.75 / 50e9)


def test_many_sizes_at_once() -> None:
    sizes = np.array([1e3, 1e6, 1e9])
    several = spanning_s(H100, "all_reduce", sizes, 16)
    assert np.asarray(several).tolist() == pytest.approx([float(spanning_s(H100, "all_reduce", s, 16)) for s in sizes])


def test_wider_groups_are_never_faster() -> None:
    for op in ("all_reduce", "all_gather", "reduce_scatter", "all_to_all"):
        times = [float(spanning_s(H100, op, SIZE, n)) for n in (2, 4, 8, 16, 64, 256)]
        assert times == sorted(times)


def test_a_link_that_nobody_told_of_is_an_error() -> None:
    with pytest.raises(ValueError, match="`h100-sxm` has no link to other devices beyond a chassis of 8"):
        spanning_s(replace(H100, network_bandwidth_bytes_per_s=None), "all_reduce", SIZE, 16)
