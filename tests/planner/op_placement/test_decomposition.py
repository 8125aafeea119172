"""Large graphs: cut at necks, joined into fewer pieces, improved; always with a bound, and never over time."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

from small_graphs import layers, small

from dovetail.planner.op_placement.check import pipeline_faults, schedule_faults
from dovetail.planner.op_placement.coarsen import coarsened
from dovetail.planner.op_placement.problem import Pipeline, Schedule
from dovetail.planner.op_placement.segments import find_necks
from dovetail.planner.op_placement.solve import _Search, place


def test_layers_are_cut_at_their_necks_and_the_whole_is_proved() -> None:
    p = layers(1, 14)
    assert find_necks(p).at == tuple(range(5, 70, 5))
    answer = place(p)
    assert (answer.status, answer.way) == ("optimal", "segments")
    assert isinstance(answer.best, Schedule)
    assert not schedule_faults(p, answer.best)


def test_segments_agree_with_the_whole() -> None:
    for seed in range(6):
        p = layers(seed, 2, width=3)
        search = _Search(p, False, None, None)
        search.by_segments()
        value = search.value()
        assert value == search.bound_ns == place(replace(p, links=("bus", "x"))).value_ns


def test_joined_pieces_answer_for_the_whole() -> None:
    for seed in range(20):
        p = small(seed, pieces=30, devices=2, memory=1.0)
        coarse, piece_of = coarsened(p, 6)
        assert sorted(set(piece_of)) == list(range(len(coarse.pieces)))
        for pipelined in (False, True):
            found = place(coarse, pipelined, time_limit_s=2)
            search = _Search(p, pipelined, None, None)
            search.offer(search.unfolded(found.best, piece_of), "joined")
            if found.value_ns is not None and search.best is not None:
                assert search.value() <= found.value_ns


def test_thousands_of_pieces_have_an_answer_and_a_bound_in_time() -> None:
    p = small(3, pieces=1000, devices=3)
    p = replace(p, tensors=tuple(replace(tensor, users=tensor.users[:3]) for tensor in p.tensors))
    for pipelined in (False, True):
        began = monotonic()
        answer = place(p, pipelined, time_limit_s=6)
        assert monotonic() - began < 30
        assert answer.value_ns is not None
        assert 0 < answer.bound_ns <= answer.value_ns
        if pipelined:
            assert isinstance(answer.best, Pipeline)
            assert not pipeline_faults(p, answer.best)
        else:
            assert isinstance(answer.best, Schedule)
            assert not schedule_faults(p, answer.best)
