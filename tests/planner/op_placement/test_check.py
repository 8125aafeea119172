"""The check takes what stands, and says what is wrong with what does not."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from small_graphs import heft_paper, small

from dovetail.planner.op_placement.check import pipeline_faults, schedule_faults
from dovetail.planner.op_placement.lists import heft
from dovetail.planner.op_placement.problem import OpPlacementProblem, Schedule
from dovetail.planner.op_placement.solve import pipelined_on


def paper() -> tuple[OpPlacementProblem, Schedule]:
    p = heft_paper()
    s = heft(p)
    assert s is not None
    return p, s


def test_starting_anything_earlier_is_found() -> None:
    """Every piece of HEFT's schedules starts as early as it can: one nanosecond less breaks something."""
    count = 0
    for seed in range(100):
        p = small(seed, pieces=8, devices=2)
        s = heft(p)
        if s is None:
            continue
        for i, at in enumerate(s.start_ns):
            starts = (*s.start_ns[:i], at - 1, *s.start_ns[i + 1 :])
            assert schedule_faults(p, replace(s, start_ns=starts))
            count += 1
    assert count > 500


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"makespan_ns": 79}, "the last piece ends at 80 ns, not 79 ns"),
        ({"sent_ns": {}}, "is not sent to"),
        ({"device": (0,) * 10}, "starts before"),
        ({"device": (0,) * 9}, "9 places for 10 pieces"),
        ({"device": (7,) * 10}, "cannot run on its device"),
        ({"start_ns": (-1,) * 10}, "starts before 0"),
    ],
)
def test_faults_are_named(change: dict[str, object], fault: str) -> None:
    p, s = paper()
    assert any(fault in each for each in schedule_faults(p, replace(s, **change)))  # type: ignore[arg-type]


def test_a_memory_is_held_to_its_last_byte() -> None:
    p, s = paper()
    from dovetail.planner.op_placement.check import schedule_peaks

    peaks = schedule_peaks(p, s)
    fitting = [replace(d, memory_bytes=peak) for d, peak in zip(p.devices, peaks, strict=True)]
    assert not schedule_faults(replace(p, devices=tuple(fitting)), s)
    for d in range(3):
        tight = [replace(each, memory_bytes=peaks[k] - (k == d)) for k, each in enumerate(fitting)]
        faults = schedule_faults(replace(p, devices=tuple(tight)), s)
        assert faults == [f"`P{d + 1}` holds {peaks[d]} bytes, and has {peaks[d] - 1}"]


def test_pipelines_of_random_devices_stand_and_others_do_not() -> None:
    r = random.Random(1)
    for seed in range(100):
        p = small(seed, pieces=8, devices=2)
        p = replace(p, routes={(a, b): next(iter(p.routes.values())) for a, b in ((0, 1), (1, 0))})
        s = pipelined_on(p, tuple(r.choice(allowed) for allowed in p.allowed))
        assert not pipeline_faults(p, s)
        assert pipeline_faults(p, replace(s, period_ns=s.period_ns - 1))
        for i, stage in enumerate(s.stage):
            if stage:
                earlier = (*s.stage[:i], stage - 1, *s.stage[i + 1 :])
                assert pipeline_faults(p, replace(s, stage=earlier))
