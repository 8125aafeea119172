"""The choices that every small problem has: each changes the answer, as trying every plan with and without it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from test_brute_force import agrees, best

from dovetail.planner.placement.problem import PlacementProblem

Without = Callable[[PlacementProblem], PlacementProblem]


def one_device(p: PlacementProblem) -> PlacementProblem:
    """All on devices of one kind, or hosted."""
    kept = {g.id for g in p.pools if g.device == "a" or not g.capacity}
    return replace(p, options=tuple(o for o in p.options if o.pool in kept))


def one_replica(p: PlacementProblem) -> PlacementProblem:
    return replace(p, pools=tuple(replace(g, capacity=g.capacity[:1]) for g in p.pools))


def nothing_hosted(p: PlacementProblem) -> PlacementProblem:
    kept = {g.id for g in p.pools if g.capacity}
    return replace(p, options=tuple(o for o in p.options if o.pool in kept))


def nothing_apart(p: PlacementProblem) -> PlacementProblem:
    """Prefill and decode of a node in one pool."""
    return replace(p, pools=tuple(replace(g, whole_nodes=True) for g in p.pools))


def no_pins(p: PlacementProblem) -> PlacementProblem:
    options = tuple(replace(o, excluded_by="") for o in p.options)
    return replace(p, options=options, together=(), apart=())


def nothing_shared(p: PlacementProblem) -> PlacementProblem:
    """Each piece with weights of its own."""
    return replace(p, pieces=tuple(replace(q, memory_key="") for q in p.pieces))


CHOICES: dict[str, tuple[Without, tuple[int, ...]]] = {
    "device mix": (
        one_device,
        (
            6,
            9,
            15,
            23,
            24,
            30,
            37,
            41,
            46,
            47,
            49,
            62,
            68,
            69,
            76,
            88,
            103,
            112,
            114,
            118,
            124,
            126,
            128,
            129,
            134,
            139,
            148,
            153,
            159,
            165,
            166,
            178,
        ),
    ),
    "replicas": (
        one_replica,
        (
            13,
            39,
            41,
            65,
            66,
            76,
            118,
            126,
            147,
            153,
            165,
            192,
            194,
            199,
            209,
            240,
            269,
            275,
            283,
            289,
            298,
            306,
            308,
            315,
            344,
            347,
            358,
            383,
            407,
            427,
            434,
            471,
        ),
    ),
    "hosted APIs": (
        nothing_hosted,
        (
            21,
            24,
            31,
            55,
            57,
            62,
            63,
            73,
            83,
            98,
            102,
            114,
            126,
            144,
            145,
            147,
            162,
            167,
            175,
            176,
            177,
            209,
            218,
            223,
            225,
            227,
            230,
            246,
            252,
            254,
            257,
            259,
        ),
    ),
    "disaggregation": (
        nothing_apart,
        (
            6,
            23,
            24,
            118,
            128,
            145,
            166,
            194,
            200,
            221,
            225,
            275,
            291,
            308,
            323,
            355,
            426,
            427,
            501,
            537,
            587,
            880,
            916,
            917,
            939,
            1025,
            1031,
            1038,
            1052,
            1060,
            1134,
            1158,
        ),
    ),
    "pins": (
        no_pins,
        (
            5,
            12,
            16,
            47,
            68,
            104,
            109,
            114,
            115,
            122,
            126,
            146,
            156,
            180,
            210,
            217,
            226,
            261,
            286,
            294,
            381,
            388,
            414,
            422,
            431,
            482,
            489,
            490,
            495,
            496,
            498,
            507,
        ),
    ),
    "shared weights": (
        nothing_shared,
        (
            13,
            98,
            126,
            129,
            144,
            162,
            232,
            283,
            330,
            339,
            341,
            344,
            411,
            419,
            435,
            442,
            460,
            473,
            488,
            579,
            650,
            657,
            669,
            670,
            697,
            742,
            752,
            823,
            901,
            941,
            976,
            1004,
        ),
    ),
}
"""The problem without the choice, and the first seeds with which that changes the answer."""


@pytest.mark.parametrize("choice", CHOICES)
def test_each_choice_changes_answers_that_trying_everything_finds_too(
    choice: str, random_problem: Callable[[int], PlacementProblem]
) -> None:
    without, seeds = CHOICES[choice]
    changed = 0
    for p in map(random_problem, seeds):
        agrees(p, "highs")
        agrees(without(p), "highs")
        changed += best(without(p)) != best(p)
    assert changed >= 30
