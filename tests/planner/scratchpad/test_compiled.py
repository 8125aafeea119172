"""Compiled functions are kept under a name that all their sources decide, and numba's own setting is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from numba import config

from dovetail.planner.scratchpad import compiled as engines


def test_the_folder_changes_with_any_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "HERE", tmp_path)
    (tmp_path / "caller.py").write_text("from compiled import compiled\n")
    (tmp_path / "other.py").write_text("x = 1\n")
    first = engines._digest()
    (tmp_path / "other.py").write_text("x = 2\n")
    assert engines._digest() == first, "nothing in it is compiled"
    (tmp_path / "callee.py").write_text("from compiled import compiled  # 1\n")
    second = engines._digest()
    (tmp_path / "callee.py").write_text("from compiled import compiled  # 2\n")
    assert len({first, second, engines._digest()}) == 3


def test_a_compiled_function_is_kept_there_and_the_setting_restored() -> None:
    before = config.CACHE_DIR  # type: ignore[attr-defined]

    @engines.compiled
    def twice(x: int) -> int:
        return 2 * x

    assert twice(21) == 42
    assert before == config.CACHE_DIR  # type: ignore[attr-defined]
    assert f"compiled-{engines._digest()}" in twice.stats.cache_path
