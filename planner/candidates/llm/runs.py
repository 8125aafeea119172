"""Calls of one model at one precision, which may share servers, and the devices that may run it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ....costmodel import serving
from ....costmodel.hardware import Device
from ....costmodel.models import LLM
from ....costmodel.roofline import can_compute
from ....ir.alternatives import models_of
from ....ir.llm import PrefillOp
from ..profiles import profile_of
from ..setting import Setting
from .calls import Call, Visit, visits_of
from .degrees import Pins, families, pins_of, stands
from .servers import Server, servers


@dataclass(frozen=True)
class Run:
    """A model as some calls want it."""

    llm: LLM
    precision: str
    """of the weights"""
    kv_precision: str
    pins: Pins
    calls: tuple[Call, ...]

    def devices(self, setting: Setting) -> Iterator[tuple[str, Device]]:
        """Name in the fleet and device, of all that can compute at the precision."""
        for name, device in setting.devices.items():
            if device.kind != "cpu" and can_compute(device, self.precision) and can_compute(device, "bf16"):
                yield name, device

    def replica(self, device: Device, cut: serving.Parallel) -> serving.Replica:
        """The model, cut so, on these devices."""
        return serving.Replica(self.llm, device, cut, self.precision, self.kv_precision)

    def servers(self, setting: Setting, name: str, device: Device) -> Iterator[Server]:
        """Every way to run it on a device of the fleet by its own memory and the whole of it."""
        for family in families(self.llm, self.pins):
            cuts = (cut for cut in family if stands(device, cut) and setting.most_replicas(name, cut.devices) != 0)
            yield from servers([self.replica(device, cut) for cut in cuts], self.calls)

    def of_one_stage(self, device: Device) -> list[serving.Replica]:
        """Replicas that may be split or use a tier: of one stage unless the user asks for more, one attention group."""
        stages = self.pins.pp or 1
        cuts = (cut for family in families(self.llm, self.pins) for cut in family)
        return [self.replica(device, cut) for cut in cuts if (cut.ep, cut.dp, cut.pp) == (1, 1, stages)]


def runs(setting: Setting) -> list[Run]:
    """The models that nodes of the graph call, on whatever device; a node that names several has a call of each."""
    groups: dict[tuple[str, str, str, Pins], list[Call]] = {}
    for node, prefill, decode, _ in setting.llm_nodes:
        if profile_of(setting, prefill) is not None:
            continue
        kv_precision = prefill.kv_precision.data if prefill.kv_precision else "bf16"
        mass = setting.visits[node]
        visits = visits_of(prefill, decode, len(mass))
        for model in fitting_models(setting, prefill, visits[-1]):
            precision = prefill.precision.data if prefill.precision else setting.llms[model].precision
            call = Call(node, prefill, decode, visits, mass, model, setting.adapter(prefill))
            groups.setdefault((model, precision, kv_precision, pins_of(prefill)), []).append(call)
    return [
        Run(setting.llms[model], precision, kv_precision, pins, tuple(calls))
        for (model, precision, kv_precision, pins), calls in groups.items()
    ]


def fitting_models(setting: Setting, prefill: PrefillOp, last: Visit) -> list[str]:
    """The models with figures that a node names; of several, those that its longest visit has room in."""
    named = models_of(prefill)
    known = [model for model in named if model in setting.llms]
    return [m for m in known if len(named) == 1 or last.prompt + last.output <= setting.llms[m].context_tokens]
