"""Fitted coefficients of the kernels, and how a device without measurements inherits them.

A kernel's coefficients are shared by all devices (constants of the algorithm) or belong to one (what it reaches of its
data sheet). A device that was not measured takes those of measured ones, weighed by how alike the chips are. Equations
are numbered as in `docs/math/operators.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import exp, log
from pathlib import Path
from typing import Any

from ..figures import read_yaml
from ..hardware import own_devices
from ..variation import varied
from .chip import Chip, chip_of

FILE = Path(__file__).parents[1] / "catalogue" / "coefficients" / "operators.yaml"
Values = Mapping[str, float]
CHOICES = frozenset({"narrow_rows", "packs_groups", "splits_plain_heads"})
"""coefficients that are choices of a kernel, not quantities: the most alike device's is taken, not a mean"""


@cache
def read(path: Path = FILE) -> Mapping[str, Any]:
    """The file of coefficients: `kernels` by name, each with `shared` and `devices`; `likeness` of each device."""
    return read_yaml(path)


def likeness(chip: Chip) -> tuple[float, float]:
    """Log of FLOP/s and of bytes/s a multiprocessor: the balance of a chip's core. Equation (12)."""
    cores = chip.multiprocessors
    return 2 * log(chip.matrix_flops_per_s / cores), log(chip.bandwidth_bytes_per_s / cores)


@cache
def _listed() -> Mapping[str, tuple[float, float]]:
    """Likeness of each of the catalogue's devices, by id."""
    return {id: likeness(chip_of(device)) for id, device in own_devices().items()}


def place(chip: Chip) -> tuple[float, float]:
    """The likeness by which `chip` inherits: that of the catalogue's device of its id, whatever figures it has here.

    A device whose rates a fleet or a study changes still runs the kernels that it ran: were they to change with the
    figures, a faster device could come out slower.
    """
    return _listed().get(chip.id) or likeness(chip)


def shares(chip: Chip, known: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Weight of each measured device for `chip`: inverse square of the distance, or 1 for itself. Equation (13)."""
    if chip.id in known:
        return {chip.id: 1.0}
    here = place(chip)
    raw = {id: 1 / (1e-3 + sum((a - b) ** 2 for a, b in zip(here, there, strict=True))) for id, there in known.items()}
    return {id: weight / sum(raw.values()) for id, weight in raw.items()}


def blend(weights: Mapping[str, float], devices: Mapping[str, Values]) -> dict[str, float]:
    """Weighed geometric mean of the devices' coefficients; of choices, the heaviest device's. Equation (14)."""
    first = max(weights, key=lambda id: weights[id])
    return {
        name: value if name in CHOICES else exp(sum(w * log(devices[id][name]) for id, w in weights.items()))
        for name, value in devices[first].items()
    }


def coefficients(kernel: str, chip: Chip) -> Values:
    """All coefficients of `kernel` on `chip`, over them its calibrated ones; KeyError for an unknown kernel."""
    inherited, own = _inherited(kernel, chip), chip.calibrated.get(kernel)
    return varied(chip.id, {**inherited, **own} if own else inherited)


def _inherited(kernel: str, chip: Chip) -> Values:
    key = (kernel, chip.id, *place(chip))
    if key not in _FOUND:
        entry = read()["kernels"][kernel]
        known = {id: tuple(point) for id, point in read()["likeness"].items() if id in entry["devices"]}
        _FOUND[key] = {**entry["shared"], **blend(shares(chip, known), entry["devices"])}
    return _FOUND[key]


_FOUND: dict[tuple[str, str, float, float], Values] = {}


def nearest(chip: Chip) -> str:
    """The measured device that is most like `chip`."""
    known = {id: tuple(point) for id, point in read()["likeness"].items()}
    weights = shares(chip, known)
    return max(weights, key=lambda id: weights[id])


def quality_of_fit(chip: Chip) -> str:
    """`fitted` where the device itself was measured, `guess` where it inherits."""
    return "fitted" if chip.calibrated or chip.id in read()["likeness"] else "guess"
