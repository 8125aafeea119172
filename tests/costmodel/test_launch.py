"""Passes launched kernel by kernel, by hand."""

from __future__ import annotations

import pytest

from dovetail.costmodel.launch import LAUNCH_S, host_s, last_host_bound, pass_s, total_launch_and_queue_s


def test_by_hand() -> None:
    assert host_s(100, 2e-6, dispatch_launches=10) == pytest.approx(2e-3)
    assert pass_s(2e-3, 1e-3, 2e-6) == pytest.approx(2.002e-3)
    assert pass_s(2e-3, 3e-3, 2e-6) == pytest.approx(3.002e-3)


def test_queues_grow_only_where_the_device_is_the_slower() -> None:
    free = [total_launch_and_queue_s(4, 1.0, 20.0, device_s) for device_s in (1.0, 10.0, 20.0)]
    assert free == [4.0, 4.0, 4.0]
    # each takes 7 on the device and is sent every 5: the second waits 2, the third 4, the fourth 6
    assert total_launch_and_queue_s(4, 1.0, 20.0, 28.0) == pytest.approx(4 + 2 + 4 + 6)


def test_the_largest_batch_within_the_time_of_the_host() -> None:
    assert last_host_bound(10.0, lambda batch: 1.5 * batch, (1, 2, 4, 8)) == 4
    assert last_host_bound(1.0, lambda batch: 1.5 * batch, (1, 2, 4, 8)) is None


def test_grace_launches_slower_than_the_hosts_over_pci_express() -> None:
    assert LAUNCH_S["grace"] > LAUNCH_S["xeon-8468v"] > LAUNCH_S["epyc-7313"]
