"""
The process in which tiles are timed: `python -m ...tuning_process gpu|times FOLDER`.

`gpu` prints what the driver calls the GPU. `times` reads `asked.json` in FOLDER and runs the network in
`FOLDER/network` once, as the script beside it does: on the GPU, or without one in Triton's interpreter. Each launch
that is asked about is timed with each of its tiles, and launched with the fastest, so that those behind it are given
what they would be. It writes `times.json`. Times are kept where Triton keeps compiled kernels, under a hash of all that
they depend on.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

Times = list[float | None]
"""[ms] of each tile; None where it is refused"""
Clock = Callable[[Callable[[], None]], float]
"""milliseconds of a call"""


def main(verb: str, *rest: str) -> None:
    """Do `verb`."""
    if verb == "gpu":
        print(_gpu())
    else:
        _answer(Path(rest[0]))


def timed(launch: Callable[..., None], tiles: Sequence[Mapping[str, int]], clock: Clock) -> Times:
    """What `launch` takes with each tile; RuntimeError, with a reason, where all are refused."""
    from triton.errors import TritonError

    found, faults = Times(), list[str]()
    for tile in tiles:
        try:
            found.append(clock(lambda tile=tile: launch(**tile)))
        except (RuntimeError, ValueError, TritonError) as error:
            found.append(None)
            faults.append(str(error))
    if len(faults) == len(found):
        raise RuntimeError(f"none of {len(found)} tiles runs: {faults[0]}")
    return found


def fastest(times: Times) -> int:
    """Which tile takes least, of equals the first; RuntimeError where none runs."""
    timed = [(ms, index) for index, ms in enumerate(times) if ms is not None]
    if not timed:
        raise RuntimeError(f"none of {len(times)} tiles runs")
    return min(timed)[1]


def _answer(folder: Path) -> None:
    asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    host = _script(folder / "network")
    launches, clock = asked["launches"], _clock(asked["clock"])
    caches = [_cache(each["key"], _gpu() or "interpreter", asked["clock"]) for each in launches]
    times = [_kept(cache) for cache in caches]

    def tuned(number: int, launch: Callable[..., None]) -> None:
        tiles = launches[number]["tiles"]
        known = times[number]
        if known is None:
            known = times[number] = timed(launch, tiles, clock)
            caches[number].put(json.dumps(known), "times.json", binary=False)
        launch(**tiles[fastest(known)])

    if None in times:
        weights = host.read_safetensors(folder / "network" / "weights.safetensors")
        tensors = {key: host.tensor(array) for key, array in weights.items()}
        given = (host.tensor(array) for array in host.random_inputs().values())
        getattr(host, asked["name"])(tuned, tensors, host.empty, *given)
    (folder / "times.json").write_text(json.dumps(times), encoding="utf-8")


def _script(folder: Path) -> Any:
    """The `run.py` beside the network, which decides before Triton is imported whether it interprets."""
    sys.path.insert(0, str(folder))
    spec = spec_from_file_location("network_script", folder / "run.py")
    assert spec
    assert spec.loader
    host = module_from_spec(spec)
    spec.loader.exec_module(host)
    return host


def _cache(key: str, machine: str, clock: Sequence[str | None] | None) -> Any:
    """Where Triton's cache keeps the times of a launch."""
    import triton
    from triton.runtime.cache import get_cache_manager

    content = [key, triton.__version__, machine, clock]
    return get_cache_manager(hashlib.sha256(json.dumps(content).encode()).hexdigest())


def _kept(cache: Any) -> Times | None:
    path = cache.get_file("times.json")
    return None if path is None else json.loads(Path(path).read_text(encoding="utf-8"))


def _clock(named: Sequence[str | None] | None) -> Clock:
    """The one that is named, or the median of many runs on the GPU."""
    if named is None:
        from triton.testing import do_bench

        return lambda run: float(do_bench(run, return_mode="median"))  # pyright: ignore[reportArgumentType]
    module, function, folder = named
    if folder is not None:
        sys.path.insert(0, folder)
    return getattr(import_module(str(module)), str(function))


def _gpu() -> str:
    """What the driver calls it; nothing where there is none."""
    try:
        torch = import_module("torch")
    except ImportError:
        return ""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


if __name__ == "__main__":
    main(*sys.argv[1:])
