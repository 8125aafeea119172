"""Bad inputs and the exact text that a user sees: one folder for each, `--update-golden` accepts what changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import dovetail
from dovetail.driver import plan
from dovetail.ir.diagnostics import DovetailError
from dovetail.ir.read.inputs import read_inputs

HERE = Path(__file__).parent
CASES = sorted({file.parent.name for name in ("graph.yaml", "expected.txt") for file in HERE.glob(f"*/{name}")})
Golden = Callable[[str, str], None]


def rendered(graph: Path, fleet: Path | None = None) -> str:
    """What a user sees of the faults of `graph`."""
    with pytest.raises(DovetailError) as caught:
        plan(graph, fleet=fleet)
    return f"{caught.value}\n"


@pytest.mark.parametrize("case", CASES)
def test_text_of_the_error(case: str, monkeypatch: pytest.MonkeyPatch, golden: Golden) -> None:
    """Names in messages are as the user typed them, so the command runs in the folder of the case."""
    monkeypatch.chdir(HERE / case)
    golden(f"../errors/{case}/expected.txt", rendered(Path("graph.yaml")))


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 50


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Path("graph.yaml").open("wb") as file:
        file.truncate(50_000_000)
    assert rendered(Path("graph.yaml")) == "error[too-large]: `graph.yaml` has 50.0 MB; the limit is 10 MB\n"


def test_a_file_of_countless_values_is_refused_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("graph.yaml").write_text("version: 1\nnodes: [" + "1,\n" * 1_000_000 + "]")
    assert rendered(Path("graph.yaml")) == "error[too-large]: `graph.yaml` has more than 200000 values\n"


def test_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert rendered(Path("graph.yaml")) == "error[no-file]: there is no file `graph.yaml`\n"


def test_a_folder_without_a_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    assert rendered(Path("empty")) == "error[no-file]: the folder `empty` holds no graph.yaml\n"


def test_a_folder_called_as_a_network_is(tmp_path: Path) -> None:
    """Not told to be missing: it is there, and no file."""
    (tmp_path / "net.onnx").mkdir()
    with pytest.raises(DovetailError) as caught:
        dovetail.compile(tmp_path / "net.onnx")
    (found,) = caught.value.diagnostics
    assert found.message == f"`{tmp_path / 'net.onnx'}` is a folder, not a file"
    with pytest.raises(DovetailError, match=r"there is no file `.*gone\.onnx`"):
        dovetail.compile(tmp_path / "gone.onnx")


def test_a_name_that_no_file_can_have() -> None:
    assert "cannot be read" in rendered(Path("a" * 5000))
    assert rendered(Path("a\0b")).startswith("error[no-file]")


def test_faults_of_both_files_come_in_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet named on the command line is read even where the graph is no YAML at all."""
    monkeypatch.chdir(tmp_path)
    Path("graph.yaml").write_text("version: [1")
    Path("other.yaml").write_text("devices: {}")
    text = rendered(Path("graph.yaml"), Path("other.yaml"))
    assert "error[syntax]" in text
    assert "error[empty-fleet]" in text


def test_a_fleet_given_on_the_command_line_stands_in_for_the_one_in_the_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("graph.yaml").write_text("version: 1\nnodes: {r: {kind: router}}\nfleet: {devices: {}}\n")
    Path("other.yaml").write_text("devices: {h100: {model: h100-sxm}}")
    _, fleet = read_inputs(Path("graph.yaml"), Path("other.yaml"))
    assert [device.name for device in fleet.spec.devices] == ["h100"]
