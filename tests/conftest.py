"""Golden files: `pytest --update-golden` accepts what changed, without it a difference fails with a diff."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files that differ")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded as their `summary`, on whatever worker they ran."""
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for text in [text for name, text in report.user_properties if name == "summary"]:
            terminalreporter.section(report.nodeid)
            terminalreporter.write_line(str(text))


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder that DOVETAIL_DATA names: data that the project does not ship."""
    named = os.environ.get("DOVETAIL_DATA")
    if not named or not Path(named).is_dir():
        pytest.skip("set DOVETAIL_DATA to the folder of calibration data")
    return Path(named)


@pytest.fixture
def schemas_folder() -> Path:
    """The folder that DOVETAIL_SCHEMAS names: published schemas that the project does not ship."""
    named = os.environ.get("DOVETAIL_SCHEMAS")
    if not named or not Path(named).is_dir():
        pytest.skip("set DOVETAIL_SCHEMAS to the folder of published schemas")
    return Path(named)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(path, text)` holds `text` against `tests/golden/<path>`."""
    update = request.config.getoption("--update-golden")

    def compare(path: str, text: str) -> None:
        file = GOLDEN / path
        old = file.read_text() if file.exists() else ""
        if old == text and file.exists():
            return
        if update:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            return
        diff = "".join(difflib.unified_diff(old.splitlines(True), text.splitlines(True), f"golden/{path}", "this run"))
        accept = f"pytest {request.node.nodeid.split('[')[0]} --update-golden"
        pytest.fail(f"{diff}\nto accept: {accept}", pytrace=False)

    return compare
