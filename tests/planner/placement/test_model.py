"""The model as a text, and the maths page, the functions and the constraints held against each other."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from test_migration import running

from dovetail.ir.distribution import Distribution
from dovetail.planner.placement.model.build import build
from dovetail.planner.placement.problem import (
    Bound,
    DeviceType,
    Option,
    Piece,
    PlacementProblem,
    Pool,
    QualityBound,
    Rack,
    Route,
    Scenario,
    Step,
    Transfer,
    VisitTime,
)

PLANNER = Path(__file__).parents[3] / "planner"
PAGE = Path(__file__).parents[3] / "docs" / "math" / "placement.md"


def table() -> list[tuple[str, str, list[str]]]:
    """Rows of the page's last table: equation, function, names of constraints."""
    rows = re.findall(r"^\| (\(\d+\)) \| `(\w+)` \| (.*)\|$", PAGE.read_text(), re.MULTILINE)
    return [(number, function, re.findall(r"`(\w+)`", names)) for number, function, names in rows]


@cache
def functions() -> dict[str, list[str]]:
    """Docstrings of all functions of the planner, by name."""
    found: dict[str, list[str]] = {}
    for path in sorted(PLANNER.rglob("*.py")):
        for item in ast.walk(ast.parse(path.read_text())):
            if isinstance(item, ast.FunctionDef):
                found.setdefault(item.name, []).append(ast.get_docstring(item) or "")
    return found


def tiny() -> PlacementProblem:
    """Prefill and decode of one node on two devices, by hand."""

    def visit(first_s: float, total_s: float) -> tuple[VisitTime, ...]:
        return (VisitTime(Distribution.point(first_s), Distribution.point(total_s)),)

    return PlacementProblem(
        pieces=(Piece("a.prefill", "a", "prefill", 1.0), Piece("a.decode", "a", "decode", 1.0)),
        pools=(
            Pool("fast", "f", "f", memory_bytes=80.0, capacity=(0.8, 1.7)),
            Pool("slow", "s", "s", memory_bytes=40.0, capacity=(0.8, 1.7, 2.6)),
        ),
        options=(
            Option("a.prefill", "fast", visit(0.1, 0.1), load=0.1, weight_bytes=30.0, state_bytes=5.0),
            Option("a.decode", "fast", visit(0.01, 1.0), load=0.5, weight_bytes=30.0, state_bytes=20.0),
            Option("a.decode", "slow", visit(0.02, 2.0), load=1.0, weight_bytes=30.0, state_bytes=5.0),
        ),
        devices=(
            DeviceType("f", 0, 4, usd_per_hour=(("rent", 4.0),)),
            DeviceType("s", 0, 4, owned=1, usd_per_hour=(("rent", 1.0),), idle_usd_per_hour=0.1),
        ),
        transfers=(Transfer("a.prefill", "a.decode", 1e9, (Route("f", "s", 0.05),)),),
        scenarios=(Scenario(1.0, (Step("a@1", ("a.prefill", "a.decode"), 1, ()),), ("a@1",)),),
        bounds=(Bound("slo.end_to_end", "end_to_end", 2.5),),
        rate_per_s=1.0,
    )


def test_the_text_of_a_tiny_model(golden: Callable[[str, str], None], tmp_path: Path) -> None:
    m, _ = build(tiny())
    m.writeLP(str(tmp_path / "model.lp"))
    golden("planner/placement/tiny.lp", (tmp_path / "model.lp").read_text())


def test_every_equation_is_on_the_page_once_and_in_the_table() -> None:
    numbers = re.findall(r"^(\(\d+\)) ", PAGE.read_text(), re.MULTILINE)
    numbers = [n for n in numbers if n in {row[0] for row in table()}]
    assert set(numbers) == {row[0] for row in table()}
    assert len(table()) == len(set(numbers))


@pytest.mark.parametrize(("number", "function"), [row[:2] for row in table()])
def test_each_function_carries_the_number_that_the_page_gives_it(number: str, function: str) -> None:
    assert any(text.startswith(number) for text in functions()[function])


def test_constraints_have_the_names_that_the_page_lists(
    random_problem: Callable[[int], PlacementProblem],
) -> None:
    listed = {name for _, _, names in table() for name in names}
    found: set[str] = set()
    for seed in range(200):
        p = random_problem(seed)
        racked = tuple(replace(d, rack="r") for d in p.devices)
        every = frozenset((o.piece, o.pool) for o in p.options)
        p = replace(p, alike=((p.pieces[0].id, p.pieces[-1].id),))
        idle = tuple(replace(g, billed=0.5, model=f"m{k % 2}") for k, g in enumerate(p.pools))
        changed = replace(p, pools=idle, devices=racked, racks=(Rack("r", 1000.0, 0.01),), one_of=(every,))
        scored = tuple(replace(o, score=0.5) for o in p.options)
        changed = replace(changed, options=scored, quality_bounds=(QualityBound("slo.quality", 0.4),))
        m, _ = build(replace(changed, previous=running(p, seed)))
        for constraint in m.constraints():
            prefixes = [name for name in listed if re.match(rf"{name}(_|$)", str(constraint.name))]
            assert prefixes, constraint.name
            found.add(max(prefixes, key=len))
    assert found == listed
