"""The canonical search and constraint programming, each alone and against each other, where the load is 100 %."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from dovetail.planner.scratchpad.addresses import allocate, lay_out, portfolio
from dovetail.planner.scratchpad.addresses.canonical import CanonicalSearch, prepare
from dovetail.planner.scratchpad.addresses.cpsat import solve_cpsat
from dovetail.planner.scratchpad.addresses.rectangles import Buffer, components
from dovetail.planner.scratchpad.addresses.verify import clashes

NO_LAYOUT: list[Buffer] = [
    *[(0, 1, 2), (0, 1, 8), (0, 1, 5), (1, 2, 5), (1, 2, 2), (1, 2, 2), (2, 3, 3), (1, 3, 3), (1, 3, 3), (0, 4, 2)],
    *[(4, 5, 1), (2, 5, 1), (3, 6, 2), (3, 6, 1), (4, 6, 1), (6, 7, 1), (3, 7, 3), (0, 8, 2), (5, 8, 2), (2, 8, 5)],
    *[(7, 9, 1), (0, 9, 2), (9, 10, 2), (8, 10, 4), (9, 10, 1), (10, 11, 2), (8, 11, 1), (11, 12, 2), (7, 12, 3)],
    *[(3, 13, 3), (6, 13, 3), (8, 13, 4), (10, 13, 4), (10, 13, 1), (11, 13, 1), (12, 13, 2), (12, 13, 1), (12, 13, 1)],
    (12, 13, 1),
]
"""Its load never exceeds 21, and yet it does not fit into 21"""


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    """Time limits count searching, not compiling."""
    prepare()


def full_load(rng: random.Random, capacity: int, steps: int) -> list[Buffer]:
    """Buffers that fill the capacity at every step: some end, and others of the same total begin."""

    def parts(total: int) -> list[int]:
        found: list[int] = []
        while total:
            found.append(rng.randint(1, min(total, 5)))
            total -= found[-1]
        return found

    alive = [(0, size) for size in parts(capacity)]
    buffers: list[Buffer] = []
    for step in range(1, steps):
        ended = [alive.pop(rng.randrange(len(alive))) for _ in range(min(len(alive), 2))]
        alive += [(step, x) for x in parts(sum(s for _, s in ended))]
        buffers += [(begin, step, size) for begin, size in ended]
    return [*buffers, *((begin, steps, size) for begin, size in alive)]


@pytest.mark.parametrize("seed", range(30))
def test_both_searches_agree_at_full_load(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short runs and a small memory, so that restarts and forgetting take part."""
    monkeypatch.setattr("dovetail.planner.scratchpad.addresses.canonical.FIRST_NODES", 30)
    monkeypatch.setattr("dovetail.planner.scratchpad.addresses.canonical.REMEMBERED", 1 << 10)
    rng = random.Random(seed)
    capacity = rng.choice([8, 13, 16])
    buffers = full_load(rng, capacity, rng.randint(4, 10))
    for group in components(buffers, capacity):
        found = CanonicalSearch(group).run(30)
        assert found.status == solve_cpsat(group, 30).status != "unknown"
        if found.offsets is not None:
            stacked = list(zip(group.first, group.last, group.sizes, strict=True))
            assert not clashes(stacked, found.offsets, group.capacity)


def test_no_layout_below_the_load_is_proved() -> None:
    assert lay_out(NO_LAYOUT, 21).status == "infeasible"
    assert lay_out(NO_LAYOUT, 22).status == "found"
    (group,) = components(NO_LAYOUT, 21)
    assert max(group.loads) == 21
    assert solve_cpsat(group).status == "infeasible"


def test_out_of_time_is_not_a_proof() -> None:
    assert lay_out(NO_LAYOUT, 21, time_limit_s=0).status == "unknown"
    assert CanonicalSearch(components(NO_LAYOUT, 21)[0]).run(0).status == "unknown"


def test_turns_go_on_where_they_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portfolio, "FIRST_TURN_S", 0.001)
    assert lay_out(NO_LAYOUT, 21).status == "infeasible"


def read(path: Path) -> tuple[list[Buffer], int]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [(int(r["lower"]), int(r["upper"]), int(r["size"])) for r in rows], int(path.name.split(".")[1])


@pytest.mark.parametrize("name", "ACEGIK")
def test_minimalloc(name: str, data_folder: Path) -> None:
    """The challenging instances of google/minimalloc."""
    buffers, capacity = read(data_folder / "scratchpad" / "minimalloc" / f"{name}.1048576.csv")
    offsets = allocate(buffers, capacity, 60)
    assert offsets is not None
    assert not clashes(buffers, offsets, capacity)
