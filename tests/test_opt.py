"""`dovetail-opt`: what it reads and prints, and that bad input ends in a message and exit code 1."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dovetail.ir.mlir import INSTALL, find_bindings
from dovetail.ir.text import parse_module
from dovetail.opt import main

CASES = Path(__file__).parent / "cases"
VOICE = str(CASES / "agent_voice.mlir")
PLAN = str(CASES / "plan_voice.json")

BINDINGS = find_bindings()
needs_mlir = pytest.mark.skipif(BINDINGS is None or BINDINGS.irdl is None, reason=INSTALL)

GRAPH = """version: 1
name: two-steps
nodes:
  think: {kind: llm, model: llama-3.1-8b, prompt_tokens: 1000, output_tokens: 200}
  clean: {kind: compute, cpu: 10 ms}
edges:
  - think -> clean
fleet: fleet.yaml
"""


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_a_module_is_printed_again(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, VOICE)
    assert (code, err) == (0, "")
    again = parse_module(out, "out.mlir")
    assert again.is_structurally_equivalent(parse_module(Path(VOICE).read_text(), "in.mlir"))


def test_the_generic_form(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, VOICE, "--generic")
    assert code == 0
    assert out.startswith('"builtin.module"() ({\n  "agent.graph"() ({')


def test_locations(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, VOICE, "--locations")
    assert f'loc("{VOICE}":2:3)' in out


def test_stdin_is_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(Path(VOICE).read_text()))
    code, out, _ = run(capsys)
    assert code == 0
    assert '"agent.graph"' in out


def test_passes_run_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, VOICE, "-p", "lower-llm-call,partition-pieces")
    assert code == 0
    assert '"llm.prefill"' in out
    assert '"plan.piece"() {sym_name = "think.decode"' in out


def test_the_pipeline_and_then_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, VOICE, "--pipeline", "-p", f'apply-plan{{file="{PLAN}"}}')
    assert code == 0
    assert out == (CASES / "plan_voice.mlir").read_text()


def test_the_output_goes_to_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, VOICE, "-o", str(tmp_path / "out.mlir"))
    assert (code, out) == (0, "")
    assert '"agent.graph"' in (tmp_path / "out.mlir").read_text()


def test_passes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--list-passes")
    assert code == 0
    assert {"apply-plan", "lower-llm-call", "partition-pieces"} <= set(out.split())


@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
def test_a_graph_yaml_is_read(capsys: pytest.CaptureFixture[str], tmp_path: Path, folder: bool) -> None:
    file = tmp_path / "graph.yaml"
    file.write_text(GRAPH)
    code, out, _ = run(capsys, str(tmp_path if folder else file), "--pipeline", "--locations")
    assert code == 0
    assert '"llm.prefill"() {sym_name = "think.prefill"' in out
    assert f'loc("{file}":4:3)' in out


def test_an_onnx_file_is_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    sizes = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "net", sizes[:1], sizes[1:])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]), tmp_path / "net.onnx")
    code, out, _ = run(capsys, str(tmp_path / "net.onnx"))
    assert code == 0
    assert '"nn.relu"(%0) : (tensor<1x4xf32>) -> tensor<1x4xf32>' in out


@needs_mlir
def test_mlir_verifies_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, VOICE, "--pipeline", "-p", f'apply-plan{{file="{PLAN}"}}', "--verify-in-mlir")
    assert (code, err) == (0, "")
    assert '"plan.transfer"' in out


@needs_mlir
def test_mlir_refuses_at_the_place_in_the_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "extract.mlir"
    file.write_text(
        '%a = "tensor.empty"() : () -> tensor<4x4xf32>\n%b = "tensor.extract"(%a) : (tensor<4x4xf32>) -> f32\n'
    )
    assert run(capsys, str(file))[0] == 0  # xDSL does not count the indices
    code, out, err = run(capsys, str(file), "--verify-in-mlir")
    assert (code, out) == (1, "")
    assert err.startswith("error[mlir]: MLIR refuses the module: 'tensor.extract' op incorrect number of indices")
    assert f"{file}:2:1" in err


WRONG = [
    ("no operation", "hello ^", "error[parse]: Expected suffix identifier\n --> bad.mlir:1:7\n"),
    ("half an op", '"agent.store"() {bytes = ', "error[parse]: "),
    ("an unknown op", '"agent.stone"() {} : () -> ()', "error[parse]: Operation agent.stone is not registered"),
    ("a missing attribute", '\n "agent.store"() {} : () -> ()', " --> bad.mlir:2:2\n"),
    (
        "a broken rule",
        '"agent.store"() {sym_name = "a", bytes = #agent.dist<"x", [], 0.0 : f64>} : () -> ()',
        "(C1) `x`",
    ),
    ("a call in no graph", "LLM", "error[verify]: `llm.kv_transfer`"),
]


@pytest.mark.parametrize(("text", "says"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_text_that_is_wrong(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    transfer = '"llm.kv_transfer"() {from = @a, to = @b, bytes_per_prompt_token = 1.0 : f64} : () -> ()'
    Path("bad.mlir").write_text(transfer if text == "LLM" else text)
    code, out, err = run(capsys, "bad.mlir")
    assert (code, out) == (1, "")
    assert says in err
    assert "bad.mlir:" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.mlir"], "error[file]: cannot read `nowhere.mlir`"),
        (["nowhere.yaml"], "nowhere.yaml"),
        (["nowhere.onnx"], "nowhere.onnx"),
        ([VOICE, "-p", "lower-llm-cal"], "did you mean `lower-llm-call`?"),
        ([VOICE, "-p", "apply-plan"], "error[pass]: `apply-plan`: apply-plan requires argument"),
        ([VOICE, "-p", "lower-llm-call{"], "error[pass]: Error parsing pass pipeline"),
        ([VOICE, "-p", "partition-pieces"], "error[pass]: `partition-pieces` met `think`"),
        ([VOICE, "-p", f'apply-plan{{file="{PLAN}"}}'], "needs the pieces"),
        ([VOICE, "--pipeline", "-p", 'apply-plan{file="nowhere.json"}'], "cannot read the plan `nowhere.json`"),
        ([VOICE, "-o", "nowhere/out.mlir"], "error[file]: cannot write `nowhere/out.mlir`"),
    ],
)
def test_what_cannot_be_done_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (1, "")
    assert err.startswith("error[")
    assert says in err


def test_bytes_that_are_no_text_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "bad.mlir").write_bytes(b"\xff\xfe\x00")
    code, _, err = run(capsys, str(tmp_path / "bad.mlir"))
    assert code == 1
    assert "error[file]: cannot read" in err


def test_it_runs_as_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dovetail.opt", "--pipeline"], input="x", capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error[parse]: ")
    assert "<stdin>:1:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "dovetail.opt", VOICE]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_passes_leave_what_is_not_theirs_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declared = "builtin.module {\n  func.func private @main(tensor<2xf32>) -> tensor<2xf32>\n}\n"
    other = declared.replace("private @main(", "@main(%x: ").replace(
        "tensor<2xf32>\n",
        'tensor<2xf32> {\n    %y = "other.op"(%x) : (tensor<2xf32>) -> tensor<2xf32>\n'
        "    func.return %y : tensor<2xf32>\n  }\n",
    )
    for index, text in enumerate((declared, other)):
        path = tmp_path / f"{index}.mlir"
        path.write_text(text)
        passes = "canonicalise,infer-shapes,fold-constants,fuse-elementwise"
        assert run(capsys, str(path), "--allow-unregistered-dialect", "-p", passes) == (0, text, "")


def test_text_that_is_no_mlir_at_all_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "notes.mlir"
    path.write_text("\n  # a note\n")
    code, _, err = run(capsys, str(path))
    assert (code, f"{path}:2:3" in err) == (1, True)
