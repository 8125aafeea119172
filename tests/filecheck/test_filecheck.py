"""Runs lit over this folder: `dovetail-opt` on each .mlir file, its output held against the CHECK lines there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dovetail.passes.nn import PASSES

HERE = Path(__file__).parent
LIT = "from lit.main import main; main()"


def test_every_file_checks(tmp_path):
    pytest.importorskip("lit")
    command = [sys.executable, "-c", LIT, "-v", "-j2", "--order=lexical", str(_copied(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_check_fails(tmp_path):
    pytest.importorskip("lit")
    folder = _copied(tmp_path, "remove_dead_code.mlir")
    file = folder / "remove_dead_code.mlir"
    file.write_text(file.read_text().replace("nn.relu", "nn.tanh", 1))
    done = subprocess.run([sys.executable, "-c", LIT, str(folder)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Failed: 1" in done.stdout


def test_every_pass_has_a_file():
    called = {file.read_text().split("\n")[0] for file in HERE.glob("*.mlir")}
    for name in (each.partition("{")[0] for each in PASSES):
        assert any(name in line for line in called), name


def _copied(folder: Path, *names: str) -> Path:
    """The settings and the named files (all, if none are named) in a folder of their own: lit writes beside them."""
    for file in (HERE / "lit.cfg.py", *HERE.glob("*.mlir")):
        if not names or file.name in names or file.suffix == ".py":
            (folder / file.name).write_text(file.read_text())
    return folder
