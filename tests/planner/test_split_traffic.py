"""Traffic split over pools, from files to plans: what it saves, what the validator finds, and what is refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

import dovetail
from dovetail.ir.diagnostics import InputError
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.check import check_plan

EXAMPLE = Path(__file__).parents[2] / "examples" / "long_prompts"


@pytest.fixture(scope="module")
def plan() -> dict[str, Any]:
    return dovetail.plan(EXAMPLE).document


def test_long_prompts_are_read_at_the_other_site(plan: dict[str, Any]) -> None:
    devices = {(row["piece"], row["when"]): row["device"] for row in plan["placements"]}
    assert devices["answer.prefill", "prompt_tokens <= 8000"] == "old"
    assert devices["answer.prefill", "prompt_tokens > 8000"] == "new"


def test_the_validator_finds_wrong_shares(plan: dict[str, Any]) -> None:
    wrong = copy.deepcopy(plan)
    for row, by in zip((r for r in wrong["placements"] if r["piece"] == "answer.prefill"), (0.1, -0.1), strict=True):
        row["share"] += by
    assert "check.placement" in {fault.id for fault in check_plan(wrong)}


@pytest.mark.parametrize(
    "split",
    [
        {"parts": 0},
        {"parts": 2, "prompt_tokens": 3},
        {"prompt_tokens": [3000, 2000]},
        {"prompt_tokens": [1e9]},
        {"prompt_tokens": [2000, 2000]},
        {},
    ],
)
def test_a_split_that_means_nothing_is_refused(split: dict[str, Any]) -> None:
    tokens = {"p50": 2000, "p95": 8000}
    node = {"kind": "llm", "model": "llama-3.1-8b", "prompt_tokens": tokens, "output_tokens": 10, "split": split}
    with pytest.raises(InputError):
        parse_graph({"version": 1, "nodes": {"a": node}})
