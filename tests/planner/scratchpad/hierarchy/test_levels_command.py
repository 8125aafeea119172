"""`dovetail scratchpad --level`: its JSON and text, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dovetail import cli

LEVELS = ["--level", "sram:4KiB:4GB/s", "--level", "dram::1GB/s"]


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A tensor of 4 KiB that must leave and come back; it fits into the middle level."""
    edges = (("x", "a"), ("a", "b"), ("b", "c"))
    ops = [{"name": f"make_{b}", "type": "T", "inputs": [a], "outputs": [b]} for a, b in edges]
    ops.append({"name": "last", "type": "T", "inputs": ["a", "c"], "outputs": ["out"]})
    sizes = {"x": 2048, "a": 4096, "b": 4096, "c": 4096, "out": 2048}
    document = {"name": "net", "ops": ops, "tensor_bytes_int8": sizes, "graph_outputs": ["out"]}
    file = tmp_path / "net.json"
    file.write_text(json.dumps(document))
    return str(file)


def test_json(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scratchpad", model, "--size", "10KiB", *LEVELS, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["status"] == "optimal"
    assert plan["borders"] == [
        {"level": "sram", "compulsory_bytes": 4096, "noncompulsory_bytes": 8192, "lower_bound_bytes": 8192},
        {"level": "dram", "compulsory_bytes": 4096, "noncompulsory_bytes": 0, "lower_bound_bytes": 0},
    ]
    moved = {(x["kind"], x["tensor"], x["source"], *x["targets"]) for x in plan["transfers"]}
    assert moved == {
        ("load", "x", "dram", "scratchpad"),
        ("copy", "a", "scratchpad", "sram"),
        ("reload", "a", "sram", "scratchpad"),
        ("store", "out", "scratchpad", "dram"),
    }


def test_text(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scratchpad", model, "--size", "10KiB", *LEVELS, "--objective", "makespan"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("net: ")
    assert " for makespan, 4 operators\n" in text
    assert "  sram              4,096 B       8,192 B       8,192 B  none: proved\n" in text
    assert "over all orders and plans, gap " in text
    assert "1 copy, 1 load, 1 reload, 1 store" in text


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--objective", "bytes"], "goes with `--level`"),
        ([*LEVELS, "--in-place"], "does not go with `--in-place`"),
        (["--level", "sram:4KiB:4GB/s"], "outermost"),
        (["--level", "dram"], "NAME:SIZE:BANDWIDTH"),
        (["--level", "dram::fast"], "fast"),
    ],
)
def test_refused(model: str, extra: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = cli.main(["scratchpad", model, "--size", "10KiB", *extra])
    except SystemExit as stop:
        code = stop.code
    assert code not in (0, None)
    assert words in capsys.readouterr().err


def test_an_operator_that_does_not_fit_is_named(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scratchpad", model, "--size", "4KiB", *LEVELS, "--json"]) != 0
    said = capsys.readouterr()
    assert "make_b" in said.err
    assert json.loads(said.out)["status"] == "infeasible"
