"""`dovetail run DIR`: executes on this machine the networks that `plan -o`, `compile -o` or `partition -o` wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ..ir.diagnostics import Diagnostic, InputError
from .jax import FOLDER
from .writer import MARKER

SCRIPT = "run.py"


def run_folder(path: Path, requests: int = 1) -> int:
    """
    Run every network under `path` on seeded random inputs, `requests` times after the first, and print what it prints:
    seconds, and its outputs with checksums.

    Each runs by its own script, in a process of its own: Triton's interpreter, or several devices, cannot be had in one
    that has imported Triton or JAX before. Returns 0; raises `InputError` for a folder that is not ours, that holds
    nothing to run, or whose code fails.
    """
    if requests < 1:
        raise InputError([Diagnostic("run", f"cannot run {requests} requests", help="give `--requests 1` or more")])
    for script in _scripts_in(path):
        place = script.parent.relative_to(path).as_posix()
        print(f"{path.name if place == '.' else place}:")
        for line in _printed_by(script, requests):
            print(f"  {line}")
    return 0


def _scripts_in(path: Path) -> list[Path]:
    """The script of a compiled network, which runs all its pieces; else one for each network of a plan."""
    if not path.is_dir():
        raise InputError([Diagnostic("run", f"there is no folder `{path}`")])
    if not (path / MARKER).is_file():
        raise InputError([Diagnostic("run", f"`{path}` was not written by Dovetail, so nothing in it is run")])
    root = path.resolve()
    if outside := [each for each in sorted(path.rglob("*")) if not each.resolve().is_relative_to(root)]:
        raise InputError([Diagnostic("run", f"`{outside[0]}` is a link out of `{path}`")])
    if (path / SCRIPT).is_file():
        return [path / SCRIPT]
    scripts = sorted(path.glob(f"{FOLDER}/**/{SCRIPT}"))
    if not scripts:
        help = "only networks given as files (`graph: model.onnx`) become code that runs here"
        raise InputError([Diagnostic("run", f"`{path}` holds nothing to run", help=help)])
    return scripts


def _printed_by(script: Path, requests: int) -> list[str]:
    """The lines that a script prints; InputError with its last word where it fails."""
    command = [sys.executable, "-B", script.name, "--requests", str(requests)]
    done = subprocess.run(command, cwd=script.parent, capture_output=True, text=True)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise InputError([Diagnostic("run", f"`{script}` fails: {said[-1]}")])
    return done.stdout.splitlines()
