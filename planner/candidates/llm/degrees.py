"""How a language model may be cut over devices: degrees of tensor, pipeline, expert and data parallelism."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ....costmodel.hardware import Device
from ....costmodel.link_levels import joined
from ....costmodel.models import LLM
from ....costmodel.serving import Parallel, fits_shape
from ....ir.agent import LLMCallOp
from ....ir.llm import PhaseOp

TENSOR = (1, 2, 4, 8)
STAGES = (1, 2, 4, 8)
ATTENTION_GROUPS = (1, 2, 4, 8, 16, 32)
MOST_DEVICES = 64
"""Devices of one replica, where the user does not ask for more."""


class Pins(NamedTuple):
    """Degrees that the user names; None for what the planner chooses."""

    tp: int | None = None
    pp: int | None = None
    ep: int | None = None
    dp: int | None = None


FREE = Pins()


def pins_of(op: LLMCallOp | PhaseOp) -> Pins:
    """What `parallel` of a node says."""
    return Pins(*(None if each is None else each.value.data for each in (op.tp, op.pp, op.ep, op.dp)))


def families(llm: LLM, pins: Pins) -> Iterator[list[Parallel]]:
    """Every cut of the model that the pins allow; those of one family differ in the number of stages alone.

    Experts are cut like the rest (ep 1) or spread over all devices of a stage (ep = tp x dp), which are the two ways
    of today's engines; with several attention groups they are spread. Models without experts have neither.
    """
    for tp in TENSOR if pins.tp is None else (pins.tp,):
        for dp in _groups(llm, pins, tp):
            for ep in dict.fromkeys((1, tp) if dp == 1 else (tp * dp,)):
                if pins.ep not in (None, ep):
                    continue
                cuts = [Parallel(tp, pp, ep, dp) for pp in (STAGES if pins.pp is None else (pins.pp,))]
                family = [cut for cut in cuts if fits_shape(llm, cut) and _is_modest(cut, pins)]
                if family:
                    yield family


def _groups(llm: LLM, pins: Pins, tp: int) -> tuple[int, ...]:
    """Numbers of attention groups of `tp` devices each."""
    if pins.dp is not None:
        return (pins.dp,)
    if not has_experts(llm):
        return (1,)
    if pins.ep is not None and pins.ep > 1:
        return (pins.ep // tp,) if pins.ep % tp == 0 else ()
    return ATTENTION_GROUPS


def _is_modest(cut: Parallel, pins: Pins) -> bool:
    return cut.devices <= MOST_DEVICES or pins != FREE


def has_experts(llm: LLM) -> bool:
    """Whether some of its layers route tokens to experts."""
    return any(group.network.experts for group in llm.groups)


def stands(device: Device, cut: Parallel) -> bool:
    """Whether links and chassis allow a replica: attention groups stay in a chassis, and what spans several fills them.

    Stages share a chassis evenly or take whole ones.
    """
    chassis, stage = device.chassis, cut.stage_devices
    if cut.tp > chassis or not joined(device, cut.devices):
        return False
    return cut.devices <= chassis or (cut.devices % chassis == 0 and (chassis % stage == 0 or stage % chassis == 0))


def cut_fault(llm: LLM, pins: Pins) -> tuple[str, str] | None:
    """(key under `parallel`, why) where no cut of the model has the degrees that are asked for."""
    if any(True for _ in families(llm, pins)):
        return None
    for key, degree in (("ep", pins.ep), ("dp", pins.dp)):
        if (degree or 1) > 1 and not has_experts(llm):
            return key, f"`{llm.id}` has no experts, and `{key}: {degree}` is for mixtures of experts alone"
    if pins.pp is not None and llm.layers % pins.pp:
        return "pp", f"the {llm.layers} layers of `{llm.id}` do not divide into {pins.pp} stages"
    if pins.ep is not None and any(True for _ in families(llm, pins._replace(ep=None))):
        return "ep", "experts are cut like the rest (`ep: 1`, with `dp: 1`), or spread over a stage (`ep` = tp x dp)"
    key = next(key for key, degree in pins._asdict().items() if degree is not None)
    asked = ", ".join(f"{name} {degree}" for name, degree in pins._asdict().items() if degree is not None)
    return key, f"heads, widths or experts of `{llm.id}` do not divide into {asked}"
