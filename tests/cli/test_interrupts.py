"""Ctrl-C while a module is imported comes after it."""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from dovetail.cli.interrupts import raise_interrupts

INTERRUPTED = """
import signal, time

signal.raise_signal(signal.SIGINT)
signal.raise_signal(signal.SIGINT)
time.sleep(0.2)
whole = True
"""
ENDS = """
import os, signal, sys
from dovetail.cli.terminal import ended

print("told", flush=True)
status = ended(7)
signal.raise_signal(signal.SIGINT)
os.kill(os.getpid(), signal.SIGTERM)
sys.exit(status)
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
        Event().wait(0.3)  # asked for twice, it comes once
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def test_what_is_done_keeps_its_status_whatever_comes_at_the_end() -> None:
    done = subprocess.run([sys.executable, "-c", ENDS], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (7, "told\n", "")
