"""
Work of programs in JAX by our rules, by hand and by XLA: the tables of docs/work_counts.md.

    python benchmarks/work_counts.py

XLA's figures are `jax.jit(f).lower(x).compile().cost_analysis()` on this machine's CPU: flops, transcendentals (which
our rules count as flops, one each), and bytes accessed. Nothing is run, and nothing is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
from jax_programs import PROGRAMS, Program

from dovetail.costmodel.cost import Cost
from dovetail.costmodel.tensor_graph import total
from dovetail.ir.read.jaxpr import read_jax
from dovetail.passes.target import lower_for_target

DEVICE = "gpu"
"""kind of device whose passes fuse"""


@dataclass(frozen=True)
class Counts:
    """What one program takes, by each way of counting."""

    program: Program
    written: Cost
    """by our rules, as JAX traces it"""
    fused: Cost
    """by our rules, after the passes for DEVICE"""
    xla_flops: float
    """with transcendentals, all turns of loops"""
    xla_as_written: float
    """as XLA counts loops: their body once"""
    xla_bytes: float


def count(program: Program) -> Counts:
    """The counts of one program."""
    network = read_jax(program.function, program.inputs)
    asked = analysis(program.same_in_xla or program.function, program)
    as_written = analysis(program.function, program) if program.same_in_xla else asked
    return Counts(
        program,
        total(network),
        total(lower_for_target(network, DEVICE)),
        flops_in(asked),
        flops_in(as_written),
        asked["bytes accessed"],
    )


def analysis(function: Callable[..., Any], program: Program) -> dict[str, float]:
    """XLA's cost analysis of the compiled program; RuntimeError where XLA gives none."""
    found = jax.jit(function).lower(*program.inputs).compile().cost_analysis()
    if found is None:
        raise RuntimeError(f"XLA gives no cost analysis of `{program.name}`")
    return found


def flops_in(found: dict[str, float]) -> float:
    """Flops and transcendentals together."""
    return found["flops"] + found.get("transcendentals", 0.0)


def flops_table(rows: list[Counts]) -> Iterator[str]:
    """Flops: by hand (products alone), ours, XLA's; the ratio with and without taps on padding."""
    yield "| program | by hand [Mflop] | ours | XLA | ours / XLA | without padding | after passes | loop once |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        ours, padding = row.written.flops, row.program.on_padding
        once = f"{row.xla_as_written / row.xla_flops:.4f}" if row.program.same_in_xla else ""
        yield (
            f"| {row.program.name} | {row.program.products / 1e6:.1f} | {ours / 1e6:.1f} | {row.xla_flops / 1e6:.1f} "
            f"| {ours / row.xla_flops:.4f} | {(ours - padding) / row.xla_flops:.4f} "
            f"| {(row.fused.flops - padding) / row.xla_flops:.4f} | {once} |"
        )


def bytes_table(rows: list[Counts]) -> Iterator[str]:
    """Bytes and launches: before the passes, after them, and XLA's bytes."""
    yield "| program | as written [MB] | launches | after passes | launches | XLA | after passes / XLA |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        written, fused = row.written, row.fused
        yield (
            f"| {row.program.name} | {written.moved_bytes / 1e6:.2f} | {written.launches:.0f} "
            f"| {fused.moved_bytes / 1e6:.2f} | {fused.launches:.0f} | {row.xla_bytes / 1e6:.2f} "
            f"| {fused.moved_bytes / row.xla_bytes:.2f} |"
        )


def main() -> None:
    """Print both tables."""
    rows = [count(program) for program in PROGRAMS]
    print("\n".join(flops_table(rows)))
    print()
    print("\n".join(bytes_table(rows)))


if __name__ == "__main__":
    main()
