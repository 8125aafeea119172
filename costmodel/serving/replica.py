"""A language model on the devices of one replica, and what it does in a step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..hardware import Device
from ..models import LLM
from .engines import Engine, find_engine
from .parallel import ONE_DEVICE, Parallel

if TYPE_CHECKING:
    from ..models.elementwise import Values
    from .adapters import Adapter


@dataclass(frozen=True)
class Replica:
    """A model on devices in some precision, run by an engine.

    Where the device was calibrated with that model and engine, `engine` has the coefficients that were fitted.
    """

    llm: LLM
    device: Device
    parallel: Parallel = ONE_DEVICE
    precision: str | None = None
    """of the weights; None for the checkpoint's own"""
    kv_precision: str = "bf16"
    engine: Engine = field(default_factory=find_engine)
    adapter: Adapter | None = None
    """of every sequence, where they have one"""

    def __post_init__(self) -> None:
        cell = self.device.calibration.engine(self.llm.id, self.engine.id, self.precision or self.llm.precision)
        if cell:
            object.__setattr__(self, "engine", replace(self.engine, **cell))

    @property
    def key(self) -> tuple[str | Parallel | None, ...]:
        """Equal for replicas of one catalogue that cost the same."""
        return (self.llm.id, self.device.id, self.parallel, self.precision, self.kv_precision, self.engine.id)

    def weight(self, kind: str) -> tuple[str, float]:
        """(dtype of the arithmetic's operands, bytes of a stored weight) of products of that kind."""
        return self.llm.precision_of(kind, self.precision), self.llm.bytes_per_parameter(kind, self.precision)


@dataclass(frozen=True)
class Batch:
    """What one attention group does in a step; numbers, or arrays of one shape."""

    sequences: Values
    new: Values
    """tokens of each sequence: of its prompt in prefill, 1 in decode"""
    seen: Values
    """tokens of each sequence that are in the cache"""
    decoding: bool

    @property
    def tokens(self) -> Values:
        """New tokens of all sequences."""
        return self.sequences * self.new
