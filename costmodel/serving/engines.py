"""Serving engines: what they cost beside the devices' work, and how they schedule prefills.

Figures stand in `catalogue/coefficients/serving.yaml`; those marked `fitted` are written by `scripts/fit_serving.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..figures import read_yaml
from ..variation import varied

FILE = Path(__file__).parents[1] / "catalogue" / "coefficients" / "serving.yaml"
DEFAULT = "vllm"
"""the engine of a plan that names none: the one that manifests start"""


VARIED = "serving engine"
"""what coefficients of engines are known by where they are taken to be off (`variation.py`)"""


@dataclass(frozen=True)
class Engine:
    """Overheads and scheduling of one serving engine."""

    id: str
    prefill_first: bool
    """prompts that wait are prefilled before anything decodes; else prefills ride along with decode steps"""
    prefill_tokens: float
    """most tokens of one step"""
    memory_share: float
    """of a device's memory that it takes unless told otherwise (`engine_share.py`)"""
    attention_share: float
    """time of an attention call over that of the measured kernels"""
    quantise_share: float
    """of the time to bring inputs to 8 bits that stays: engines do it in the kernel before"""
    expert_compute_share: float
    """of peak FLOP/s that the products of experts reach"""
    expert_bandwidth_share: float
    """of bandwidth that they reach"""
    expert_rows: float
    """rows of a tile, to which an expert's tokens are padded"""
    launch_s: float
    """[s] of the device for each small kernel between products"""
    host_launch_s: float
    """[s] of the host for each kernel of a prefill, which is launched one by one; decode steps are replayed graphs"""
    reduce_s: float
    """[s] for each collective beside its kernel"""
    step_s: float
    """[s] of each step: scheduling, sampling"""
    sequence_s: float
    """[s] of each step for each sequence in it"""
    wait_share: float
    """of a prefill that a request waits for others in a closed loop, whatever their number"""
    wait_slope: float
    """of a prefill that it waits for each other request besides"""
    request_s: float
    """[s] of each request outside its steps: tokenizing, the way to the server and back"""
    step_scale: float = 1.0
    """of a decode step's time, by measurements of one model on one device"""
    prefill_scale: float = 1.0
    """of a prefill's time, likewise"""
    quality: str = "fitted"
    """of the coefficients shared by all"""

    @property
    def coefficients(self) -> Mapping[str, tuple[float, str, str]]:
        """The shared ones by name: value, quality mark, source."""
        groups = {"fitted": read_yaml(FILE)["fitted"], "guess": read_yaml(FILE)["assumed"]}
        return {
            name: (value, mark, str(group["source"]))
            for mark, group in groups.items()
            for name, value in _figures(group).items()
        }


@cache
def load_engines() -> Mapping[str, Engine]:
    """The engines by id, each with the shared coefficients."""
    written = read_yaml(FILE)
    shared = {**_figures(written["assumed"]), **_figures(written["fitted"])}
    return {id: Engine(id=id, **{**shared, **_figures(own)}) for id, own in written["engines"].items()}


def _figures(group: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in group.items() if key not in ("source", "date")}


def find_engine(name: str = DEFAULT) -> Engine:
    """The engine of that id; ValueError for one that is not known."""
    if name not in load_engines():
        raise ValueError(f"`{name}` is no engine; known are {', '.join(load_engines())}")
    return varied(VARIED, load_engines()[name])
