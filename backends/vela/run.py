"""Runs Vela on a TFLite model, in a process of its own, and reads what it estimates."""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ...ir.diagnostics import Diagnostic, InputError


@dataclass(frozen=True)
class VelaFigures:
    """What Vela says of one network on one accelerator; estimates of its own, nothing measured."""

    accelerator: str
    sram_bytes: int
    """the most that lies in SRAM at a time: feature maps and weights on their way"""
    flash_bytes: int
    """of the encoded weights and the commands"""
    macs: int
    cycles: int
    """the whole network"""
    npu_cycles: int
    """of the arithmetic alone"""
    moved_bytes: int
    """to and from memory beyond the SRAM"""
    cpu_operators: int
    """operators that the accelerator cannot run"""


def run_vela(
    model: bytes, *, sram_bytes: int, accelerator: str = "ethos-u55-256", optimise: str = "Performance"
) -> VelaFigures:
    """
    Vela's figures for `model` where it may use `sram_bytes` [bytes] of SRAM; `optimise` is `Performance` or `Size`.

    InputError where ethos-u-vela is not installed, and where it refuses the model, with what it says.
    """
    if find_spec("ethosu") is None:
        help = "install it with `pip install dovetail[vela]`"
        raise InputError([Diagnostic("vela", "Arm's compiler ethos-u-vela is not installed", help=help)])
    with tempfile.TemporaryDirectory(prefix="dovetail-") as folder:
        path = Path(folder) / "network.tflite"
        path.write_bytes(model)
        options = ["--accelerator-config", accelerator, "--arena-cache-size", str(sram_bytes), "--optimise", optimise]
        command = [sys.executable, "-m", "ethosu.vela", str(path), *options, "--output-dir", folder]
        done = subprocess.run([*command, "--verbose-performance"], capture_output=True, text=True, check=False)
        summaries = list(Path(folder).glob("*_summary_*.csv"))
        if done.returncode or not summaries:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise InputError([Diagnostic("vela", f"ethos-u-vela refuses the network: {' '.join(said)}")])
        with summaries[0].open() as file:
            (row,) = csv.DictReader(file)
        with next(Path(folder).glob("*_per-layer.csv")).open() as file:
            cpu = sum(layer["Target"] != "NPU" for layer in csv.DictReader(file))
    return _figures(accelerator, row, cpu)


def _figures(accelerator: str, row: dict[str, str], cpu_operators: int) -> VelaFigures:
    beyond = ("dram_total_bytes", "on_chip_flash_total_bytes", "off_chip_flash_total_bytes")
    return VelaFigures(
        accelerator=accelerator,
        sram_bytes=round(float(row["sram_memory_used"]) * 1024),
        flash_bytes=round(float(row["off_chip_flash_memory_used"]) * 1024),
        macs=int(row["nn_macs"]),
        cycles=int(row["cycles_total"]),
        npu_cycles=int(row["cycles_npu"]),
        moved_bytes=sum(int(row[name]) for name in beyond),
        cpu_operators=cpu_operators,
    )
