"""Emitted JAX source, run: against onnxruntime, from memory and from a folder, and with inputs that are wrong."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from dovetail.backends import EmitContext
from dovetail.backends.jax.backend import JaxBackend
from dovetail.backends.jax.program import JaxProgram, build_program
from dovetail.backends.run import run_folder
from dovetail.backends.writer import write_folder
from dovetail.ir.diagnostics import InputError
from dovetail.ir.read.onnx import read_onnx
from dovetail.passes.target import lower_for_target


@pytest.fixture
def program(small_onnx) -> JaxProgram:
    return build_program(read_onnx(small_onnx), "small")


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_small_network_gives_what_onnxruntime_gives(kind, small_onnx, small_inputs):
    onnxruntime = pytest.importorskip("onnxruntime")
    expected = onnxruntime.InferenceSession(small_onnx).run(None, small_inputs)
    program = build_program(lower_for_target(read_onnx(small_onnx), kind), "small")
    found = program(*small_inputs.values())
    assert program.outputs == ("scores", "features")
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_inputs_by_name_are_inputs_in_order(program, small_inputs):
    in_order = program(*small_inputs.values())
    by_name = program(bias=small_inputs["bias"], image=small_inputs["image"])
    for one, other in zip(in_order, by_name, strict=True):
        np.testing.assert_array_equal(one, other)


def test_trace_names_the_executor_of_the_piece(program):
    ((piece, executor),) = program.trace
    assert piece == "small.run"
    assert re.fullmatch("jax on (cpu|gpu|tpu)", executor)


@pytest.mark.parametrize(
    ("args", "named", "text"),
    [
        ((0,), {}, "input `bias`"),
        ((0, 0, 0), {}, "takes 2 inputs, not 3"),
        ((0,), {"image": 0}, "`image` is given twice"),
        ((0,), {"bais": 0}, "did you mean `bias`"),
        ((np.zeros((1, 3, 16, 17)), np.zeros(10)), {}, re.escape("has the shape (1, 3, 16, 17), the network takes")),
        ((np.zeros((1, 3, 16, 16)), np.array(["a"] * 10)), {}, "the network takes float32"),
    ],
)
def test_wrong_inputs_are_named(program, args, named, text):
    with pytest.raises(InputError, match=text):
        program(*args, **named)


def test_a_saved_program_gives_the_same_again(program, small_inputs, imported, tmp_path):
    place = program.save(tmp_path / "out") / "jax" / "small"
    assert sorted(p.name for p in place.iterdir()) == ["run.py", "small.py", "small.safetensors", "weights_file.py"]
    for one, other in zip(program(**small_inputs), imported(place)(**small_inputs), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_foreign_folder_is_neither_filled_nor_run(program, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="was not written by Dovetail"):
        program.save(tmp_path)
    with pytest.raises(InputError, match="was not written by Dovetail"):
        run_folder(tmp_path)


def test_run_prints_outputs_and_equal_checksums(program, tmp_path, capsys):
    program.save(tmp_path / "out")
    printed = []
    for _ in range(2):
        assert run_folder(tmp_path / "out", requests=3) == 0
        printed.append(capsys.readouterr().out.splitlines())
    assert printed[0][0] == "jax/small:"
    assert re.fullmatch(r"  first request \(compiles\): [\d.]+ s", printed[0][1])
    assert re.fullmatch(r"  each of 3 more: [\d.]+ s on \w+", printed[0][2])
    assert printed[0][3].startswith("  scores: (1, 10) float32 checksum ")
    assert printed[0][3:] == printed[1][3:]
    assert printed[0][3].split()[-1] != printed[0][4].split()[-1]
    assert not list((tmp_path / "out").rglob("__pycache__"))


def test_run_refuses_what_it_cannot_run(program, tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        run_folder(tmp_path / "absent")
    (tmp_path / ".dovetail").touch()
    with pytest.raises(InputError, match="holds nothing to run"):
        run_folder(tmp_path)
    place = program.save(tmp_path) / "jax" / "small"
    with pytest.raises(InputError, match="cannot run 0 requests"):
        run_folder(tmp_path, requests=0)
    (place / "small.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"run\.py` fails: "):
        run_folder(tmp_path)


def test_links_out_of_the_folder_are_not_followed(program, tmp_path):
    place = program.save(tmp_path / "ours") / "jax" / "small"
    elsewhere = tmp_path / "elsewhere.py"
    (place / "small.py").rename(elsewhere)
    (place / "small.py").symlink_to(elsewhere)
    with pytest.raises(InputError, match="is a link out of"):
        run_folder(tmp_path / "ours")


def test_an_edited_source_that_fails_is_an_error_without_traceback(program, tmp_path):
    place = program.save(tmp_path / "ours") / "jax" / "small"
    (place / "small.py").write_text("INPUTS = {}[0]\n")
    with pytest.raises(InputError, match=r"run\.py` fails: KeyError: 0"):
        run_folder(tmp_path / "ours")


def test_backend_emits_the_networks_of_a_plan(program, small_onnx, small_inputs, imported, tmp_path):
    nodes = {
        "say": {"kind": "model", "graph": small_onnx.name},
        "hear": {"kind": "model", "model": "whisper-large-v3"},
        "think": {"kind": "llm", "model": "llama-3.1-70b"},
    }
    placements = [{"piece": "say.run", "pool": "p1", "device": "cpu0"}]
    inputs = {
        "graph": {"nodes": nodes},
        "fleet": {"devices": {"cpu0": {"kind": "cpu"}}},
        "catalogue": {"devices": {}, "models": {}},
    }
    plan, context = {"inputs": inputs}, EmitContext(base_dir=small_onnx.parent)
    assert JaxBackend().emit(plan, context) == []
    plan = {**plan, "placements": placements}
    files = JaxBackend().emit(plan, context)
    assert [file.path for file in files] == [
        f"jax/say/{name}" for name in ("say.py", "weights_file.py", "run.py", "say.safetensors")
    ]
    place = write_folder(files, tmp_path / "out") / "jax" / "say"
    for one, other in zip(imported(place)(**small_inputs), program(**small_inputs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_the_backend_is_found_without_importing_what_is_slow():
    program = """
import sys
from dovetail.backends.jax.backend import JaxBackend
import dovetail.backends.run
assert JaxBackend().name == "jax"
assert not {"jax", "xdsl", "onnx"} & sys.modules.keys()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
