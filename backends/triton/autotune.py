"""
Tiles from runs on this machine's GPU: an option, never the default.

    tuner = Tuner(Autotune())                   # InputError where no GPU is here
    source, rows = tuner.tuned(source)          # the network with the fastest tiles, and what was measured

The network runs once, in a process of its own (`tuning_process.py`), so that every launch is timed on what it is given.
Launches that are equal but for their weights are timed once, and times are kept beside Triton's compiled kernels.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ...costmodel.driver_names import catalogue_device
from ...ir.diagnostics import Diagnostic, InputError
from .launches import Launch
from .messages import Named
from .network_source import NetworkSource, kernel_texts
from .tuning_process import Times, fastest

if TYPE_CHECKING:
    from ..placed.executors import Target


@dataclass(frozen=True)
class Autotune:
    """How tiles are timed."""

    clock: Named | None = None
    """
    `clock(run)` gives the ms of `run()`, in place of Triton's `do_bench`; the measuring process imports it. With a
    clock, tiles of any GPU are timed: where there is none here, in Triton's interpreter.
    """


class Tuner:
    """Times launches, each once."""

    def __init__(self, given: Autotune) -> None:
        """InputError where nothing could be timed: without triton or torch, and without a GPU."""
        self._clock = given.clock
        self._gpu = None if given.clock else _gpu_here()
        self._known: dict[str, Times] = {}

    def require(self, target: Target) -> None:
        """InputError if `target` is a GPU of another type than the one here."""
        if self._gpu is not None and target.kind == "gpu":
            require_same(self._gpu, target)

    def tuned(self, source: NetworkSource) -> tuple[NetworkSource, list[dict[str, Any]]]:
        """`source` with the fastest tiles, and a row for each launch that differs; InputError where none runs."""
        meanings = _meanings(source)
        keys = {each: _key(each, meanings) for each in source.body if isinstance(each, Launch) and len(each.tiles) > 1}
        first = {key: launch for launch, key in reversed(keys.items())}
        missing = {key: first[key] for key in dict.fromkeys(keys.values()) if key not in self._known}
        if missing:
            numbers = {key: number for number, key in enumerate(missing)}
            text = source.open_text({each: numbers[key] for each, key in keys.items() if key in numbers})
            self._known |= dict(zip(missing, _times(source, text, missing, self._clock), strict=True))
        tiles = {each: each.tiles[fastest(self._known[key])] for each, key in keys.items()}
        count = list(keys.values()).count
        rows = [_row(first[key], count(key), self._known[key]) for key in dict.fromkeys(keys.values())]
        return replace(source, tiles=tiles), rows


def require_same(gpu: str, target: Target) -> None:
    """InputError unless what a driver calls `gpu` is of the type of `target`."""
    here = catalogue_device(gpu)
    if target.device is None or here is None or here.id != target.device.id:
        known = f"the catalogue's `{here.id}`" if here else "which the catalogue does not know"
        wanted = (
            f"`{target.name}`" if target.device is None else f"`{target.name}`, the catalogue's `{target.device.id}`,"
        )
        message = f"tiles for {wanted} cannot be timed here: this machine's GPU is {gpu}, {known}"
        raise _error(message, "without autotuning the cost model chooses tiles")


def _row(launch: Launch, count: int, times: Times) -> dict[str, Any]:
    """What is said of one launch: its kernel and shapes, how often it stands there, and its tiles with their times."""
    return {
        "kernel": launch.wrapper,
        "shape": launch.comment,
        "launches": count,
        "tile": dict(launch.tiles[fastest(times)]),
        "of_cost_model": dict(launch.tiles[0]),
        "times": [{"tile": dict(tile), "ms": ms} for tile, ms in zip(launch.tiles, times, strict=True)],
    }


def _meanings(source: NetworkSource) -> dict[str, str]:
    """What names in launches stand for: buffers and weights for type and shape, functions for their text."""
    weights = {f"w[{key!r}]": f"{array.dtype} {array.shape}" for key, array in source.weights.items()}
    return {**source.buffers, **weights, **source.functions}


def _key(launch: Launch, meanings: Mapping[str, str]) -> str:
    """What its times depend on, but for the machine and the clock: the kernels, what it is given, and the tiles."""
    content = [_kernels(), launch.described(meanings), [dict(tile) for tile in launch.tiles]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@cache
def _kernels() -> str:
    return hashlib.sha256(json.dumps(kernel_texts()).encode()).hexdigest()


def _times(source: NetworkSource, text: str, launches: Mapping[str, Launch], clock: Named | None) -> list[Times]:
    """Times of the tiles of each of `launches`, by their keys, in the module `text`."""
    named = clock and [clock.module, clock.function, str(clock.folder) if clock.folder else None]
    rows = [{"key": key, "tiles": [dict(tile) for tile in each.tiles]} for key, each in launches.items()]
    asked = {"name": source.name, "clock": named, "launches": rows}
    with TemporaryDirectory(prefix="dovetail-autotune-") as name:
        folder = Path(name)
        for file in source.files("network"):
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content.encode() if isinstance(file.content, str) else file.content)
        (folder / "network" / f"{source.name}.py").write_text(text, encoding="utf-8")
        (folder / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
        _process("times", name)
        return json.loads((folder / "times.json").read_text(encoding="utf-8"))


def _gpu_here() -> str:
    """What the driver calls this machine's GPU; InputError without one, and without torch or triton."""
    for package, help in (("triton", "pip install 'dovetail[triton]' (Linux)"), ("torch", "pip install torch")):
        if find_spec(package) is None:
            raise _error(f"autotuning times kernels on a GPU, and {package} is not installed", help)
    name = _process("gpu").strip()
    if not name:
        message = "autotuning times kernels on a GPU, and torch finds none on this machine"
        raise _error(message, "without autotuning the cost model chooses tiles")
    return name


def _process(*arguments: str) -> str:
    """What the measuring process prints; InputError with its last line where it fails."""
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-m", f"{__package__}.tuning_process", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise _error(f"timing tiles fails: {lines[-1]}")
    return done.stdout


def _error(message: str, help: str | None = None) -> InputError:
    return InputError([Diagnostic("autotune", message, help=help)])
