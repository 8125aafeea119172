"""Progress where nobody watches: lines now and then, and none for what is done at once."""

from __future__ import annotations

import argparse
import os
import signal
from threading import Event

import pytest

from dovetail import cli
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


def test_sigterm_is_heeded_as_ctrl_c_is(capsys: pytest.CaptureFixture[str]) -> None:
    def end_us(_: argparse.Namespace) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        Event().wait(5.0)
        return 0

    parser = argparse.ArgumentParser()
    parser.set_defaults(do=end_us)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert cli._run(parser, []) == 130
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err == "interrupted\n"
