"""Backends are found by name, ours and registered ones, and imported only when asked for."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

import dovetail.backends as registry
from dovetail.backends import ENTRY_POINT_GROUP, EmitContext, OutputFile, backends, emit_all
from dovetail.backends.manifests.emit import ManifestsBackend
from dovetail.ir.diagnostics import InputError

Json = dict[str, Any]

PLUGIN = """
from dovetail.backends import OutputFile

class Nomad:
    name = "nomad"

    def emit(self, plan, context):
        return [OutputFile("nomad/job.hcl", plan["status"] + " in " + context.base_dir.name)]
"""


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`register(name)` makes the plugin above known under that name, as an installed package does."""
    (tmp_path / "dovetail_test_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "dovetail_test_plugin", raising=False)

    def add(name: str, attribute: str = "Nomad") -> None:
        point = EntryPoint(name, f"dovetail_test_plugin:{attribute}", ENTRY_POINT_GROUP)
        monkeypatch.setattr(registry, "entry_points", lambda group: EntryPoints([point]).select(group=group))

    return add


def test_ours_are_there() -> None:
    found = backends()
    assert {"manifests", "report"} <= set(found)
    assert all(backend.name == name for name, backend in found.items())


def test_registered_backend_writes_beside_ours(register: Any, mixed_plan: Json) -> None:
    register("nomad")
    files = emit_all(mixed_plan, EmitContext(Path("here")))
    assert OutputFile("nomad/job.hcl", "optimal in here") in files
    assert "report.html" in {file.path for file in files}
    assert "manifests/kustomization.yaml" in {file.path for file in files}


def test_registered_backend_replaces_ours_of_that_name(register: Any) -> None:
    register("manifests")
    assert not isinstance(backends()["manifests"], ManifestsBackend)


def test_registered_backend_that_does_not_load_is_named(register: Any) -> None:
    register("nomad", "Monad")
    with pytest.raises(InputError, match=r"backend `nomad` \(dovetail_test_plugin:Monad\) does not load"):
        backends()


def test_no_two_backends_write_the_same_file(any_plan: Json) -> None:
    paths = [file.path for file in emit_all(any_plan)]
    assert len(paths) == len(set(paths))


def test_a_plan_without_a_solution_gives_a_report_and_nothing_else(mixed_plan: Json) -> None:
    plan = {"format": 1, "dovetail": "0.1.0", "status": "infeasible", "inputs": mixed_plan["inputs"], "conflict": []}
    assert [file.path for file in emit_all(plan)] == ["report.html"]


def test_the_registry_imports_no_backend() -> None:
    program = (
        "import sys, dovetail.backends as b\n"
        "assert not any(name.startswith('dovetail.backends.') for name in sys.modules)\n"
        "b.backends()\n"
        "assert 'dovetail.backends.report' in sys.modules\n"
        "assert not {'jax', 'triton', 'xdsl'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
