"""The peer's query of Llama-3.1-70B on 32 GPUs: what its README says, and how far off the peer's answers are."""

from __future__ import annotations

from pathlib import Path

import pytest

import dovetail
from examples.one_query import query
from examples.one_query.query import GPUS, OUTPUT, PEER, THEIRS, Query

FOLDER = Path(query.__file__).parent


def test_the_readme_shows_what_the_query_prints(capsys: pytest.CaptureFixture[str]) -> None:
    query.main()
    assert capsys.readouterr().out in (FOLDER / "README.md").read_text()


def test_with_the_peers_allowances_four_of_five_are_within_a_tenth() -> None:
    off = {asked: query.apart(asked, THEIRS)[0] / peer - 1 for asked, (peer, _) in PEER.items()}
    assert {asked for asked, each in off.items() if abs(each) > 0.1} == {Query("h200-sxm", "h200-sxm", "bf16")}
    assert max(off.values()) < 0.25


def test_allowances_only_lower_the_rate() -> None:
    for asked in PEER:
        assert query.apart(asked, THEIRS)[0] < query.apart(asked)[0]


@pytest.mark.parametrize(
    ("gpu", "prefill", "decode", "tokens_per_s"),
    [("h200-sxm", (22, 1), (5, 2), 722), ("h100-sxm", (20, 1), (3, 4), 634)],
)
def test_the_planner_finds_the_peers_placement(
    gpu: str, prefill: tuple[int, int], decode: tuple[int, int], tokens_per_s: float, tmp_path: Path
) -> None:
    """22 servers of TP 1 for prefill and 5 of TP 2 for decode are the peer's, for H200s."""
    (tmp_path / "graph.yaml").write_text((FOLDER / "graph.yaml").read_text().replace("h200-sxm", gpu))
    plan = dovetail.plan(tmp_path)
    pools = {pool["id"]: (pool["replicas"], pool["parallel"]["tp"]) for pool in plan.pools}
    found = {placed["piece"]: pools[placed["pool"]] for placed in plan.placements}
    assert found == {"chat.prefill": prefill, "chat.decode": decode}
    assert plan.status == "optimal"
    assert plan.document["objective"]["value"] * OUTPUT / GPUS == pytest.approx(tokens_per_s, rel=0.002)
