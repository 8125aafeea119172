"""Progress where nobody watches: lines now and then, and none for what is done at once."""

from __future__ import annotations

from threading import Event

import pytest

from dovetail.cli import terminal


def test_log_has_the_last_message_of_each_stretch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "LINE_EVERY_S", 0.05)
    with terminal.progress() as told:
        told("best 3, bound 1")
        told("best 2, bound 1")
        Event().wait(0.5)
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert {line.partition(": ")[2] for line in lines} == {"best 2, bound 1"}


def test_log_has_nothing_of_quick_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.progress() as told:
        told("best 3, bound 1")
    assert capsys.readouterr().err == ""
