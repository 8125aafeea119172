"""The shape of the house: packages listed, imports one way, files and functions of a size that can be read."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import dovetail

ROOT = Path(__file__).parents[1]
FOLDERS = ("ir", "costmodel", "passes", "planner", "backends")
ORDER = {name: level for level, name in enumerate(FOLDERS)}
TOP = (
    "__init__.py", "calibrate_driver.py", "check_driver.py", "driver.py", "explain_driver.py",
    "frontier_driver.py", "opt.py", "partition_driver.py", "program.py", "scratchpad_driver.py", "version.py",
)  # fmt: skip
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def sources() -> list[Path]:
    return [ROOT / name for name in TOP] + sorted(p for f in (*FOLDERS, "cli") for p in (ROOT / f).rglob("*.py"))


def module_path(file: Path) -> tuple[str, ...]:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def relative_imports(file: Path) -> Iterator[tuple[str, int]]:
    """(dotted target from the root, line) of every relative import, wherever it stands in the file."""
    package = file.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            targets = [node.module] if node.module else [alias.name for alias in node.names]
            for target in targets:
                yield ".".join((*base, target)), node.lineno


def test_packages_listed_are_the_folders() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        listed = tomllib.load(file)["tool"]["setuptools"]["packages"]
    found = {".".join(("dovetail", *p.parent.relative_to(ROOT).parts)) for p in sources()}
    assert sorted(found) == sorted(listed)


def test_top_level_files_are_the_known_ones() -> None:
    assert {p.name for p in ROOT.glob("*.py")} == set(TOP)


@pytest.mark.parametrize("file", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_one_way(file: Path) -> None:
    level = ORDER.get(module_path(file)[0] if module_path(file) else "", len(ORDER))
    for target, line in relative_imports(file):
        assert ORDER.get(target.split(".")[0], len(ORDER)) <= level or target == "version", (
            f"{file.name}:{line} imports {target}"
        )


@pytest.mark.parametrize("file", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_can_be_read(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, f"{file.name}: {node.name}"


@pytest.mark.parametrize("file", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_what_it_is(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))


def test_the_checker_shares_no_code_with_the_solver() -> None:
    for file in (ROOT / "planner" / "check").rglob("*.py"):
        for target, line in relative_imports(file):
            assert not target.startswith(("planner.placement", "planner.candidates")), f"{file.name}:{line}"


def test_no_module_is_named_like_a_public_function() -> None:
    tops = {p.stem for p in ROOT.glob("*.py")} | set(FOLDERS)
    assert not tops & set(dovetail.__all__)


def test_every_golden_file_is_read_by_a_test() -> None:
    tests = [file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py")]
    for file in (ROOT / "tests" / "golden").rglob("*.*"):
        # A test names it whole, or puts it together from the name of an example and that of a stage.
        named = (f'"{file.relative_to(ROOT / "tests" / "golden")}"', f'/{file.name}"')
        example = (ROOT / "examples" / file.parent.name).is_dir()
        assert any(named[0] in text or (example and named[1] in text) for text in tests), file


def test_public_names_exist() -> None:
    for name in dovetail.__all__:
        assert getattr(dovetail, name) is not None
