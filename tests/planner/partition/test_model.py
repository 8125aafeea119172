"""The model as a text, and the maths page, the functions and the constraints held against each other."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dovetail.planner.partition import model, stages
from dovetail.planner.partition.check import Broken, check, taken
from dovetail.planner.partition.model import build
from dovetail.planner.partition.problem import Moment, PartitionProblem, Step, Tensor, Way
from dovetail.planner.partition.solve import solve

PAGE = Path(__file__).parents[3] / "docs" / "math" / "partition.md"

TINY = PartitionProblem(
    2,
    (
        Step("x", 1, (Way((), ("B",), 0.0),)),
        Step("w", 1, (Way((), ("B",), 0.0), Way((), ("S(0)",), 0.0))),
        Step("product", 1, (Way(("B", "B"), ("B",), 4e-6), Way(("B", "S(0)"), ("P(sum)",), 2e-6))),
        Step("outputs", 1, (Way(("B",), (), 0.0),)),
    ),
    (
        Tensor("x.0", 1, (0, 0), ((2, 0),), {"B": 8.0}, {("B", "B"): 0.0}),
        Tensor("w.0", 1, (1, 0), ((2, 1),), {"B": 16.0, "S(0)": 8.0}, {
            ("B", "B"): 0.0, ("B", "S(0)"): 1e-6, ("S(0)", "B"): 3e-6, ("S(0)", "S(0)"): 0.0,
        }),
        Tensor("product.0", 1, (2, 0), ((3, 0),), {"B": 4.0, "P(sum)": 4.0}, {("B", "B"): 0.0, ("P(sum)", "B"): 1e-6}),
    ),
    (Moment(((0, 1, 1), (1, 1, 1), (2, 1, 1))),),
    100.0,
)  # fmt: skip
"""A product of x and w on two ranks: whole in 4 us, or in halves in 2 us and an all-reduce of 1 us."""


def table() -> list[tuple[str, str, list[str]]]:
    """Rows of the page's table: equation, function, names of constraints."""
    rows = re.findall(r"^\| (\(\d+\)) \| `(\w+)` \| (.*)\|$", PAGE.read_text(), re.MULTILINE)
    return [(number, function, re.findall(r"`(\w+)`", names)) for number, function, names in rows]


def functions() -> dict[str, str]:
    """Docstrings of all functions of the model and of the stages, by name."""
    found: dict[str, str] = {}
    for module in (model, stages):
        for _, item in inspect.getmembers(module):
            members = [item] if inspect.isfunction(item) else []
            members += [m for _, m in inspect.getmembers(item, inspect.isfunction)] if inspect.isclass(item) else []
            found |= {m.__name__: m.__doc__ or "" for m in members}
    return found


def test_the_text_of_a_tiny_model(golden: Callable[[str, str], None], tmp_path: Path) -> None:
    m, _ = build(TINY)
    m.writeLP(str(tmp_path / "tiny.lp"))
    golden("planner/partition_tiny.lp", (tmp_path / "tiny.lp").read_text())


def test_a_product_in_halves_by_hand() -> None:
    found = solve(TINY)
    assert (found.status, found.ways) == ("optimal", (0, 1, 1, 0))
    assert found.seconds == pytest.approx(3e-6)
    # x 8 bytes, half of w 8, the partial product 4 and its sum 4
    assert taken(TINY, found.ways).peak_bytes == 24
    assert solve(replace(TINY, memory_bytes=23)).status == "infeasible"


def test_every_equation_is_on_the_page_once_and_in_the_table() -> None:
    written = re.findall(r"^    (\(\d+\)) ", PAGE.read_text(), re.MULTILINE)
    assert written == [f"({n})" for n in range(1, len(written) + 1)] == [number for number, _, _ in table()]


@pytest.mark.parametrize(("number", "function"), [row[:2] for row in table()])
def test_each_function_carries_the_number_that_the_page_gives_it(number: str, function: str) -> None:
    assert number in functions()[function]


def test_constraints_have_the_names_that_the_page_lists() -> None:
    m, _ = build(TINY)
    named = {re.match(r"[a-z_]*[a-z]", c.name)[0] for c in m.constraints()}  # type: ignore[index, union-attr]
    assert named == {name for _, _, names in table() for name in names}


@pytest.mark.parametrize(
    ("ways", "seconds", "message"),
    [
        ((0, 1, 1), 3e-6, "3 ways for 4 steps"),
        ((0, 2, 1, 0), 3e-6, "one that its step does not have"),
        ((0, 1, 1, 0), 2e-6, "takes 3e-06 s, not 2e-06 s"),
        ((0, 0, 0, 0), 4e-6, "holds 28 bytes, a device 24"),
    ],
)
def test_the_check_refuses_what_is_no_plan(ways, seconds: float, message: str) -> None:
    with pytest.raises(Broken, match=message):
        check(replace(TINY, memory_bytes=24), ways, seconds)


def test_the_check_refuses_a_state_that_cannot_be_had() -> None:
    tensor = replace(TINY.tensors[2], moves={("B", "B"): 0.0})
    with pytest.raises(Broken, match=r"made as P\(sum\) and cannot be had as B"):
        taken(replace(TINY, tensors=(*TINY.tensors[:2], tensor)), (0, 1, 1, 0))
