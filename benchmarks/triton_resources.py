"""
Registers, spills and shared memory of every Triton kernel in its default configuration, compiled with no GPU.

    python benchmarks/triton_resources.py [TARGET ...]

Prints the tables of docs/triton_kernels.md; a configuration that spills is marked. It times nothing: without a GPU
there is no measured time to put beside them.
"""

from __future__ import annotations

import sys

from dovetail.backends.triton.ahead_of_time import TARGETS
from dovetail.backends.triton.defaults import DEVICES, bindings

HEADER = "| kernel | problem | tile | warps | stages | registers | stack and local [B] | shared [B] |"


def main(targets: list[str]) -> None:
    """One table for each target, with whatever the compiler refuses in its place."""
    for target in targets or list(TARGETS):
        print(
            f"### {target} (tiles for {DEVICES[target]})\n\n{HEADER}\n|{'---|' * HEADER.count(' | ')}---|", flush=True
        )
        for b in bindings(target):
            head = f"| {b.kernel} | {b.what} | {b.tiles} | {b.num_warps} | {b.num_stages}"
            try:
                used = b.compile(target).resources
            except Exception as error:
                cause = error.__cause__ or error
                print(f"{head} | refused: {str(cause).splitlines()[-1]} | | |", flush=True)
                continue
            spilled = used.stack_bytes + used.local_bytes
            mark = " **spills**" if used.spills else ""
            print(f"{head} | {used.registers} | {spilled}{mark} | {used.shared_bytes} |", flush=True)
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
