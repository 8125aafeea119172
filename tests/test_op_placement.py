"""`dovetail partition --over`: the plan, its files, its check, and what is wrong with what it is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from xdsl.dialects.builtin import TensorType, bf16
from xdsl.ir import Block

from dovetail import cli
from dovetail.ir import nn
from dovetail.ir.text import print_module

OVER = "epyc-9554,h100-sxm"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """relu(x @ up) @ down with a branch beside it, in a file."""
    block = Block(arg_types=[TensorType(bf16, [64, 4096])])
    up = nn.WeightOp.make(type=TensorType(bf16, [4096, 8192]), weight="up")
    down = nn.WeightOp.make(type=TensorType(bf16, [8192, 4096]), weight="down")
    first = nn.MatmulOp.make(block.args[0], up.result)
    inner = nn.ReluOp.make(first.result)
    last = nn.MatmulOp.make(inner.results[0], down.result)
    beside = nn.TanhOp.make(block.args[0])
    both = nn.AddOp.make(last.result, beside.results[0])
    block.add_ops([up, down, first, inner, last, beside, both])
    path = tmp_path / "net.mlir"
    path.write_text(print_module(nn.build_main(block, [both.results[0]])))
    return path


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(list(arguments))
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_text(network: Path, capsys, golden: Callable[[str, str], None]) -> None:
    code, out, _ = ask(capsys, "partition", str(network), "--over", OVER, "--ends-at", "epyc-9554")
    assert code == 0
    golden("op_placement/makespan.txt", out)
    code, out, _ = ask(capsys, "partition", str(network), "--over", OVER, "--objective", "throughput")
    assert code == 0
    golden("op_placement/throughput.txt", out)


@pytest.mark.parametrize("objective", ["makespan", "throughput"])
def test_what_is_written_passes_the_check(network: Path, capsys, tmp_path: Path, objective: str) -> None:
    out = tmp_path / "out"
    asked = ("partition", str(network), "--over", OVER, "--objective", objective, "-o", str(out))
    assert ask(capsys, *asked)[0] == 0
    plan = json.loads((out / "plan.json").read_text())
    assert plan["status"] == "optimal"
    assert len(list((out / "pieces").glob("*.mlir"))) == len(plan["emitted"])
    assert ask(capsys, "check", str(out))[0] == 0
    assert ask(capsys, "check", str(out), "--graph", str(network))[0] == 0
    for key, value in (("value_ns", plan["value_ns"] + 1), ("bound_ns", plan["value_ns"] + 1), ("gap", 0.5)):
        (out / "plan.json").write_text(json.dumps({**plan, key: value}))
        code, _, err = ask(capsys, "check", str(out))
        assert (code, "error[check.plan]" in err) == (1, True)
    del plan["pieces"][0]["device"]
    (out / "plan.json").write_text(json.dumps(plan))
    code, _, err = ask(capsys, "check", str(out))
    assert (code, "the plan cannot be understood: it lacks 'device'" in err) == (1, True)


def test_a_fleet_has_links_and_warns_of_those_it_lacks(network: Path, capsys, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(
        "devices:\n"
        "  host: {model: epyc-9554, count: 1, price: {rent: 2 USD/h}}\n"
        "  gpu: {model: h100-sxm, count: 2, price: {rent: 2 USD/h}}\n"
        "  npu0: {kind: npu, memory: 16 GB, bandwidth: 819 GB/s, flops: {bf16: 197 TFLOP/s}, price: {rent: 1 USD/h}}\n"
        "links:\n  - {between: [host, gpu], bandwidth: 63 GB/s, latency: 5 us}\n"
    )
    asked = ("partition", str(network), "--fleet", str(fleet), "--over", "host,gpu*2,npu0", "--json")
    code, out, err = ask(capsys, *asked)
    assert code == 0
    document = json.loads(out)
    assert [d["name"] for d in document["devices"]] == ["host", "gpu.0", "gpu.1", "npu0"]
    assert "no link is listed between gpu and npu0" in err
    assert "no link is listed between gpu and host" not in err
    routes = {(r["from"], r["to"]): r for r in document["inputs"]["problem"]["routes"]}
    assert (routes[0, 1]["bytes_per_s"], routes[0, 1]["latency_ns"]) == (63e9, 5000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--over", "epyc-9554,h1000"], "`h1000` is no device of the catalogue"),
        (["--over", "epyc-9554,h100-sxm*0"], "`h100-sxm*0` in `--over` is no device"),
        (["--over", "epyc-9554,"], "`` in `--over` is no device"),
        (["--over", "epyc-9554,epyc-9554"], "stands there twice"),
        (["--over", "h100-sxm*64,epyc-9554"], "64 devices at most"),
        (["--over", OVER, "--ends-at", "tpu"], "`tpu` is none of the devices"),
        (["--over", OVER, "--devices", "2"], "`--devices` does not go with `--over`"),
        (["--devices", "2", "--device", "h100-sxm", "--objective", "throughput"], "does not go with `--devices`"),
        (["--devices", "2"], "nothing says which devices share the network"),
        (["--over", "ethos-u55-256"], "`nn.matmul` can run on none of `ethos-u55-256`"),
    ],
)
def test_wrong_arguments_are_named(network: Path, capsys, arguments: list[str], message: str) -> None:
    code, _, err = ask(capsys, "partition", str(network), *arguments)
    assert (code, message in err) == (1, True), err


def test_what_does_not_fit_is_infeasible(network: Path, capsys, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    device = "{kind: npu, memory: 10 MB, bandwidth: 819 GB/s, flops: {bf16: 197 TFLOP/s}, price: {rent: 1 USD/h}}"
    fleet.write_text(f"devices:\n  small: {device}\n")
    code, _, err = ask(capsys, "partition", str(network), "--fleet", str(fleet), "--over", "small")
    assert (code, "no placement of the network fits these devices" in err) == (1, True), err
