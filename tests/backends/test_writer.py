"""The output folder is whole or absent, ours or refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dovetail.backends import OutputFile, writer
from dovetail.backends.writer import MARKER, write_folder
from dovetail.ir.diagnostics import InputError

FILES = [OutputFile("plan.json", "{}\n"), OutputFile("manifests/pool-p1.yaml", "kind: Deployment\n")]


def tree(folder: Path) -> dict[str, str]:
    """All files under `folder`, hidden ones too, with their text."""
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_writes_every_file_and_the_marker_and_leaves_nothing_beside(tmp_path: Path) -> None:
    out = write_folder(FILES, tmp_path / "a" / "out")
    assert out == tmp_path / "a" / "out"
    assert set(tree(out)) == {MARKER, "plan.json", "manifests/pool-p1.yaml"}
    assert (out / "manifests" / "pool-p1.yaml").read_text() == "kind: Deployment\n"
    assert os.listdir(out.parent) == ["out"]


def test_own_folder_is_replaced_whole(tmp_path: Path) -> None:
    write_folder(FILES, tmp_path / "out")
    write_folder([OutputFile("plan.json", "new")], tmp_path / "out")
    assert set(tree(tmp_path / "out")) == {MARKER, "plan.json"}
    assert (tmp_path / "out" / "plan.json").read_text() == "new"


def test_foreign_folder_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years")
    with pytest.raises(InputError, match="was not written by Dovetail"):
        write_folder(FILES, tmp_path / "out")
    assert tree(tmp_path) == {"out/thesis.tex": "years"}


def test_foreign_folder_is_replaced_with_force(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").write_text("old")
    write_folder(FILES, tmp_path / "out", force=True)
    assert set(tree(tmp_path / "out")) == {MARKER, "plan.json", "manifests/pool-p1.yaml"}


def test_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_folder(FILES, tmp_path / "out")
    assert (tmp_path / "out" / MARKER).is_file()


def test_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match="is a file, not a folder"):
        write_folder(FILES, tmp_path / "out", force=True)
    assert (tmp_path / "out").read_text() == "a file"


@pytest.mark.parametrize("place", [".", "..", "/"])
def test_the_folder_we_stand_in_is_refused_even_with_force(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(InputError, match="holds the folder that this command runs in"):
        write_folder(FILES, place, force=True)
    assert (tmp_path / "work").is_dir()


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "", ".", "a\\..\\x", "a\0b"])
def test_path_that_leaves_the_folder_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="leaves the output folder"):
        write_folder([OutputFile(path, "x")], tmp_path / "out")
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("paths", [["a", "a"], ["a", "./a"], ["a", "a/b"], [MARKER], [f"{MARKER}/a"]])
def test_colliding_paths_are_refused(paths: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="output path"):
        write_folder([OutputFile(path, "x") for path in paths], tmp_path / "out")
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("moment", range(3))
def test_failure_leaves_the_old_folder_as_it_was(
    error: type[BaseException] | BaseException, moment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moment 0: while files are written; 1: as the old folder moves away; 2: as the new one moves in."""
    write_folder(FILES, tmp_path / "out")
    before = tree(tmp_path)
    rename, calls = os.rename, 0

    def failing_rename(source: Path, target: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == moment:
            raise error
        rename(source, target)

    def failing_fill(aside: Path, contents: object) -> None:
        (aside / "new").mkdir()
        raise error

    if moment:
        monkeypatch.setattr(writer.os, "rename", failing_rename)
    else:
        monkeypatch.setattr(writer, "_fill", failing_fill)
    with pytest.raises((KeyboardInterrupt, InputError)):
        write_folder([OutputFile("plan.json", "new")], tmp_path / "out")
    assert tree(tmp_path) == before
    assert os.listdir(tmp_path) == ["out"]


def test_interrupt_right_after_the_old_folder_moved_restores_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(FILES, tmp_path / "out")
    before, rename, interrupted = tree(tmp_path), os.rename, False

    def interrupting_rename(source: Path, target: Path) -> None:
        nonlocal interrupted
        rename(source, target)
        if not interrupted:
            interrupted = True
            raise KeyboardInterrupt

    monkeypatch.setattr(writer.os, "rename", interrupting_rename)
    with pytest.raises(KeyboardInterrupt):
        write_folder([OutputFile("plan.json", "new")], tmp_path / "out")
    assert tree(tmp_path) == before


def test_system_refusal_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_folder(FILES, tmp_path / "file" / "out")
