"""List schedules: the HEFT paper's own example, and lists on random graphs."""

from __future__ import annotations

from small_graphs import heft_paper, small

from dovetail.planner.op_placement.check import schedule_faults
from dovetail.planner.op_placement.lists import heft, peft, retimed, upward_ranks
from dovetail.planner.op_placement.solve import place


def test_heft_of_its_paper() -> None:
    """Topcuoglu, Hariri, Wu 2002: the ranks of Table 3, the order of Figure 3, and its makespan of 80."""
    p = heft_paper()
    ranks = [108.0, 77.0, 80.0, 80.0, 69.0, 63.333, 42.667, 35.667, 44.333, 14.667]
    assert [round(rank, 3) for rank in upward_ranks(p)] == ranks
    s = heft(p)
    assert s is not None
    assert s.makespan_ns == 80
    assert not schedule_faults(p, s)


def test_the_least_makespan_of_that_graph() -> None:
    answer = place(heft_paper())
    assert (answer.status, answer.value_ns, answer.bound_ns) == ("optimal", 73, 73)


def test_lists_give_schedules_that_stand_and_none_is_better_for_being_timed_again() -> None:
    found = 0
    for seed in range(200):
        p = small(seed, pieces=12, devices=3)
        for s in (heft(p), peft(p)):
            if s is not None:
                found += 1
                assert not schedule_faults(p, s)
                again = retimed(p, s.device, s.start_ns)
                assert again is not None
                assert not schedule_faults(p, again)
    assert found > 300
