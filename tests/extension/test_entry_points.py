"""A device, a cost rule, a pass and a backend, installed from outside the tree and found by their entry points."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dovetail

OUTSIDE = Path(__file__).parent / "outside"
GRAPH = """\
version: 1
name: chat
nodes:
  chat: {kind: llm, model: llama-3.1-8b, prompt_tokens: 500, output_tokens: 100}
workload: {rate: 1 req/s}
fleet: {devices: {npu: {model: outside-npu, count: 0..8}}, site: {electricity: 0.10 USD/kWh}}
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that has the package installed."""
    folder = tmp_path_factory.mktemp("outside")
    source, target = folder / "source", folder / "installed"
    shutil.copytree(OUTSIDE, source)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(target), str(source)], check=True)
    home = Path(dovetail.__file__).parent.parent
    paths = [str(target), str(home), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def run(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_device(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "graph.yaml").write_text(GRAPH)
    shown = run(environment, "-m", "dovetail.cli", "plan", str(tmp_path))
    assert "npu" in shown
    assert "proved optimal" in shown
    assert "outside-npu" in run(environment, "-m", "dovetail.cli", "devices")


def test_without_the_package_the_device_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "graph.yaml").write_text(GRAPH)
    with pytest.raises(dovetail.InputError, match="`outside-npu` is no device of the catalogue"):
        dovetail.plan(tmp_path)


def test_a_cost_rule(environment: dict[str, str]) -> None:
    script = (
        "from dovetail.costmodel.cost import cost_of\n"
        "from dovetail_outside.rules import OutsideOp\n"
        "print(cost_of(OutsideOp()).flops)"
    )
    assert run(environment, "-c", script) == "7.0\n"


def test_a_pass(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "graph.yaml").write_text(GRAPH)
    shown = run(environment, "-m", "dovetail.opt", str(tmp_path / "graph.yaml"), "-p", "outside-rename")
    assert 'sym_name = "renamed"' in shown


def test_a_backend(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "graph.yaml").write_text(GRAPH)
    run(environment, "-m", "dovetail.cli", "plan", str(tmp_path), "-o", str(tmp_path / "out"))
    assert (tmp_path / "out" / "outside" / "pools.txt").read_text().startswith("p1 npu ")
    assert (tmp_path / "out" / "plan.json").is_file()
