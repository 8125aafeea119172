"""Ctrl-C while a module is imported comes after it."""

from __future__ import annotations

import importlib
import signal
from pathlib import Path
from threading import Event

import pytest

from dovetail.cli.interrupts import raise_interrupts

INTERRUPTED = """
import signal, time

signal.raise_signal(signal.SIGINT)
time.sleep(0.2)
whole = True
"""


def test_an_interrupt_waits_for_a_module_that_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "interrupted_module.py").write_text(INTERRUPTED, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has it ignored
    raise_interrupts()
    try:
        module = importlib.import_module("interrupted_module")
        assert module.whole
        with pytest.raises(KeyboardInterrupt):
            Event().wait(5.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
