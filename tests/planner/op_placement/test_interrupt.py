"""Ctrl-C in the middle of a search gives the best so far, with its gap."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
sys.path.insert(0, sys.argv[1])
from small_graphs import small
from dovetail.planner.op_placement.check import schedule_faults
from dovetail.planner.op_placement.solve import place
p = small(11, pieces=60, devices=3)
answer = place(p, on_progress=lambda value, bound: print(value, bound, flush=True))
print(json.dumps([answer.status, answer.value_ns, answer.bound_ns, schedule_faults(p, answer.best)]))
"""


def test_an_interrupt_leaves_the_best_so_far() -> None:
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        last = process.stdout.read().splitlines()[-1]
        assert process.wait() == 0
    status, value, bound, faults = json.loads(last)
    assert (status, faults) == ("feasible", [])
    assert 0 < bound < value
