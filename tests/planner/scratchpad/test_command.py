"""`dovetail scratchpad`: its JSON and text, what it writes, and how it ends for what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dovetail import cli
from dovetail.backends.scratchpad_text import scratchpad_text

KEYS = [
    "status",
    "size_bytes",
    "compulsory_bytes",
    "noncompulsory_bytes",
    "lower_bound_bytes",
    "order",
    "buffers",
    "moves",
]


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A tensor that must leave and come back: 2 + 2 bytes compulsory, 4 out and 4 in."""
    edges = (("x", "a"), ("a", "b"), ("b", "c"))
    ops = [{"name": f"make_{b}", "type": "T", "inputs": [a], "outputs": [b]} for a, b in edges]
    ops.append({"name": "last", "type": "T", "inputs": ["a", "c"], "outputs": ["out"]})
    sizes = {"x": 2048, "a": 4096, "b": 4096, "c": 4096, "out": 2048}
    document = {"name": "net", "ops": ops, "tensor_bytes_int8": sizes, "graph_outputs": ["out"]}
    file = tmp_path / "net.json"
    file.write_text(json.dumps(document))
    return str(file)


def test_json_alone_on_stdout(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scratchpad", model, "--size", "10KiB", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert list(plan) == [*KEYS, "seconds", "inputs"]
    assert [plan[key] for key in KEYS[:5]] == ["optimal", 10240, 4096, 8192, 8192]
    assert plan["order"] == ["make_a", "make_b", "make_c", "last"]
    assert {(move["tensor"], move["kind"], move["bytes"]) for move in plan["moves"]} == {
        ("a", "spill", 4096),
        ("a", "reload", 4096),
    }
    assert set(plan["buffers"][0]) == {"tensor", "start", "end", "offset", "bytes"}


def test_text(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scratchpad", model, "--size", "10240"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("net: optimal, 4 operators on a scratchpad of 10 KiB\n")
    for line in (
        "compulsory traffic           4,096 B",
        "non-compulsory traffic       8,192 B   1 spill, 1 reload, 1 tensor",
        "lower bound                  8,192 B   proved: no order and no plan moves less",
        "most resident at once         10 KiB   100.0 % at step",
        "a            1        1       8,192 B",
    ):
        assert line in text


def test_a_gap_is_told() -> None:
    plan = {"status": "feasible", "size_bytes": 10, "compulsory_bytes": 4, "noncompulsory_bytes": 8}
    plan |= {"lower_bound_bytes": 6, "order": [], "buffers": [], "moves": [], "seconds": 0.0}
    assert "gap 2 B, 25.0 %" in scratchpad_text(plan, "net")


def test_in_place_says_so(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scratchpad", model, "--size", "10KiB", "--json", "--in-place"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["noncompulsory_bytes"] == 0
    assert plan["shares"]


def test_the_plan_is_written(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert cli.main(["scratchpad", model, "--size", "10KiB", "-o", str(out)]) == 0
    assert json.loads((out / "plan.json").read_text())["status"] == "optimal"
    assert (out / "plan.txt").read_text() == capsys.readouterr().out
    assert {file.name for file in out.iterdir() if not file.name.startswith(".")} == {
        "plan.json",
        "plan.txt",
        "memory.svg",
        "trace.json",
        "spills.txt",
    }


def test_what_does_not_fit_is_an_error_with_figures(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["scratchpad", model, "--size", "8KiB", "--json"]) == 1
    output = capsys.readouterr()
    assert json.loads(output.out)["status"] == "infeasible"
    assert "1 of 4 operators do not fit into 8,192 bytes" in output.err
    assert "operator `last` needs 10,240 bytes" in output.err


@pytest.mark.parametrize("size", ["ten", "1.5 B", "-1 KiB", "3 s", "9" * 30, "9" * 5000])
def test_a_size_that_is_none_is_a_usage_error(model: str, size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["scratchpad", model, f"--size={size}"])
    assert end.value.code == 2
    assert "--size" in capsys.readouterr().err


def test_no_alignment_of_nothing(model: str) -> None:
    with pytest.raises(SystemExit):
        cli.main(["scratchpad", model, "--size", "10KiB", "--align", "0"])


def test_a_file_that_is_wrong_is_no_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "broken.json"
    file.write_text("{")
    assert cli.main(["scratchpad", str(file), "--size", "10KiB"]) == 1
    assert "this is not JSON" in capsys.readouterr().err


WITHOUT_THE_EXTRA = """
import sys
sys.modules["numba"] = None
from dovetail import cli
sys.exit(cli.main(["scratchpad", sys.argv[1], "--size", "10KiB"]))
"""


def test_without_the_extra_one_line_says_so(model: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_EXTRA, model], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "dovetail[scratchpad]" in ended.stderr
    assert "Traceback" not in ended.stderr
