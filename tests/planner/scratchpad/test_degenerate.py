"""Degenerate graphs with every option: a plan that its own check accepts, or one clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dovetail import cli


def relu(name: str, inputs: list[str], outputs: list[str], type: str = "Relu") -> dict[str, Any]:
    return {"name": name, "type": type, "inputs": inputs, "outputs": outputs}


Graph = tuple[list[dict[str, Any]], dict[str, int], list[str]]
GRAPHS: dict[str, Graph] = {
    "nothing": ([], {}, []),
    "no operators": ([], {"x": 5}, ["x"]),
    "one operator": ([relu("a", ["x"], ["y"])], {"x": 10, "y": 10}, ["y"]),
    "a tensor larger than the scratchpad": ([relu("a", ["x"], ["y"])], {"x": 1000, "y": 1000}, ["y"]),
    "no connection": ([relu("a", ["x"], ["y"]), relu("b", ["u"], ["v"])], dict.fromkeys("xyuv", 10), ["y", "v"]),
    "thirty equal operators": (
        [relu(f"a{i}", ["x"], [f"y{i}"]) for i in range(30)],
        {"x": 10, **{f"y{i}": 10 for i in range(30)}},
        [f"y{i}" for i in range(30)],
    ),
    "tensors of no bytes": ([relu("a", ["x"], ["y"]), relu("b", ["y"], ["z"])], {"x": 0, "y": 0, "z": 4}, ["z"]),
    "a tensor listed twice": ([relu("a", ["x", "x"], ["y"], "Add")], {"x": 4, "y": 4}, ["y"]),
    "no input": ([relu("a", [], ["y"])], {"y": 4}, ["y"]),
    "no output": ([relu("a", ["x"], [])], {"x": 4}, []),
    "an input of two operators": ([relu("a", ["x"], ["y"]), relu("b", ["x"], ["z"])], dict.fromkeys("xyz", 4), ["y"]),
}  # fmt: skip
OPTIONS = {
    "plain": [],
    "tiles": ["--tile", "--params", "--align", "2"],
    "in place": ["--in-place", "--params"],
    "one level": ["--level", "dram::1GB/s"],
    "an empty level": ["--level", "sram:0:4GB/s", "--level", "dram::1GB/s", "--objective", "makespan"],
}


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", GRAPHS)
def test_a_plan_that_holds_or_one_clear_error(
    name: str, options: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ops, sizes, outputs = GRAPHS[name]
    model, out = tmp_path / "net.json", str(tmp_path / "out")
    document = {"ops": ops, "tensor_bytes_int8": sizes, "graph_outputs": outputs, "parameters": []}
    model.write_text(json.dumps(document))
    for size in (0, 7, 25):
        code = cli.main(["scratchpad", str(model), "--size", str(size), *OPTIONS[options], "--json", "-o", out])
        output = capsys.readouterr()
        status = json.loads(output.out)["status"]
        assert (code, status == "infeasible") in ((0, False), (1, True))
        if code:
            assert "fit" in output.err
        else:
            assert cli.main(["check", out, "--graph", str(model)]) == 0
            assert capsys.readouterr().out == f"{out}: ok\n"
