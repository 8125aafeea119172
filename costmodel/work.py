"""What one visit of a network takes, whatever the network was read from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .cost import Cost
from .hardware import Device
from .networks import Network
from .roofline import can_compute, time_s

Phases = tuple[tuple[Cost, float], ...]
"""Work, and how many times it is done, one after the other."""


@dataclass(frozen=True)
class Work:
    """The work of one visit, and the memory it needs."""

    key: str
    """Networks with the same key share their weights."""
    precision: str
    weight_bytes: float
    activation_bytes: float
    phases: Phases
    """as the network was written"""
    lowered: Mapping[str, Phases] = field(default_factory=dict)
    """Kind of device -> after the passes for such devices."""
    needs: tuple[str, ...] = ()
    """precisions that a device must have a rate for, since code for it would be refused"""

    def runs_on(self, device: Device) -> bool:
        """Whether `device` computes in its precision, or in what stands in for that, and has what it needs."""
        return can_compute(device, self.precision) and all(device.flops_per_s.get(each) for each in self.needs)

    def seconds(self, device: Device) -> float:
        """[s] of one visit on one device."""
        phases = self.lowered.get(device.kind, self.phases)
        return sum(times * time_s(cost, device, self.precision) for cost, times in phases)


def network_work(network: Network, precision: str | None, inputs: Mapping[str, float]) -> Work:
    """One visit of a catalogue network; ValueError where `inputs` lacks what the network is sized by.

    What one layer of the encoder writes is taken to be alive at once: phases count the writes of all layers.
    """
    used = precision or network.precision
    phases = network.phases(used, inputs)
    activations = phases[0][0].write_bytes / max(1, network.encoder.layers)
    return Work(f"{network.id}.{used}", used, network.weight_bytes(used), activations, phases)


def file_key(graph: str, precision: str | None) -> str:
    """What the work of a network in the file `graph` goes by, at a precision or at its own."""
    return graph if precision is None else f"{graph}@{precision}"


def work_record(work: Work) -> dict[str, Any]:
    """`work` as plain data, which `read_work` reads back."""
    record: dict[str, Any] = {
        "key": work.key,
        "precision": work.precision,
        "weight_bytes": work.weight_bytes,
        "activation_bytes": work.activation_bytes,
        "phases": _record(work.phases),
    }
    if work.needs:
        record["needs"] = list(work.needs)
    if work.lowered:
        record["lowered"] = {kind: _record(phases) for kind, phases in sorted(work.lowered.items())}
    return record


def read_work(record: Mapping[str, Any]) -> Work:
    """The work of a record that `work_record` made."""
    return Work(
        record["key"],
        record["precision"],
        record["weight_bytes"],
        record["activation_bytes"],
        _phases(record["phases"]),
        {kind: _phases(phases) for kind, phases in record.get("lowered", {}).items()},
        tuple(record.get("needs", ())),
    )


def _record(phases: Phases) -> list[dict[str, Any]]:
    return [{**asdict(cost), "times": times} for cost, times in phases]


def _phases(records: Iterable[Mapping[str, Any]]) -> Phases:
    return tuple((Cost(**{k: v for k, v in each.items() if k != "times"}), each["times"]) for each in records)
