"""The inputs of a question that may be wrong: a name, how well it is known and by whom, and how to change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace

from ...costmodel.device import FIGURES, device_of
from ...costmodel.figures import Figure
from ...costmodel.hardware import USER
from ...costmodel.models import LLM
from ...costmodel.operators import quality_of_fit
from ...costmodel.quality import GIVEN
from ...costmodel.roofline import efficiency
from ...costmodel.serving.engines import VARIED, find_engine
from ...costmodel.tco import is_rented
from ...ir.fleet import DeviceSpec
from .graph_inputs import Change, graph_inputs
from .question import Question

HARM = {"memory": -1, "flops": -1, "tdp": 1, "idle": 0, "list_price": 1, "rent": 1, "spot": 1}
"""Direction in which no plan gets better: 1 up, -1 down, 0 none is known. Bandwidths and latencies go by their name."""
LEFT_OUT = frozenset({"chassis", "cores", "interruptions", "clock", "rack_devices"})
"""Counts, and figures that no price or time of a plan comes from."""


@dataclass(frozen=True)
class Knob:
    """One input that may be off by a factor."""

    name: str
    quality: str
    """one of `costmodel.figures.QUALITIES`"""
    source: str
    apply: Callable[[Question, float], Question]
    """The question with the input times the factor."""
    harm: int = 0
    """1 where more of it makes no plan better, -1 where less does not, 0 where neither is known."""
    device: str | None = None
    """Fleet name of the device that it is a figure of."""


def knobs(question: Question) -> list[Knob]:
    """Every input that can be changed by a factor, the graph's first."""
    found = [_graph_knob(*each) for each in graph_inputs(question.graph)]
    found += [*_site_knobs(question), *_link_knobs(question), *_engine_knobs(question)]
    for spec in question.fleet.devices:
        found += [*_price_knobs(question, spec), *_device_knobs(question, spec), *_coefficient_knobs(question, spec)]
    return found


def _graph_knob(name: str, harm: int, change: Change) -> Knob:
    def apply(question: Question, factor: float) -> Question:
        return replace(question, graph=change(dict(question.graph), factor))

    return Knob(name, GIVEN, "graph.yaml", apply, harm)


def _site_knobs(question: Question) -> Iterator[Knob]:
    names = {"electricity_usd_per_kwh": ("electricity", 1), "pue": ("pue", 1)}
    names |= {"network_bandwidth_bytes_per_s": ("network bandwidth", -1), "network_latency_s": ("network latency", 1)}
    for field, (words, harm) in names.items():
        if getattr(question.fleet.site, field):

            def apply(q: Question, factor: float, field: str = field) -> Question:
                # Cooling and losses are what is above 1.
                value = getattr(q.fleet.site, field)
                changed = max(1.0, value * factor) if field == "pue" else value * factor
                return replace(q, fleet=replace(q.fleet, site=replace(q.fleet.site, **{field: changed})))

            yield Knob(f"site.{words}", GIVEN, "fleet.yaml", apply, harm)


def _link_knobs(question: Question) -> Iterator[Knob]:
    for number, link in enumerate(question.fleet.links):
        for field, harm in (("bandwidth_bytes_per_s", -1), ("latency_s", 1)):
            if link.between is None or not getattr(link, field):
                continue

            def apply(q: Question, factor: float, number: int = number, field: str = field) -> Question:
                links = list(q.fleet.links)
                links[number] = replace(links[number], **{field: getattr(links[number], field) * factor})
                return replace(q, fleet=replace(q.fleet, links=tuple(links)))

            words = field.partition("_")[0]
            yield Knob(f"link[{link.between[0]},{link.between[1]}].{words}", GIVEN, "fleet.yaml", apply, harm)


PRICES = {
    "capex_usd": ("capex", 1),
    "rent_usd_per_hour": ("rent", 1),
    "interruptions_per_hour": ("interruptions", 1),
    "life_years": ("life", -1),
    "interest": ("interest", 1),
    "input_usd_per_token": ("price of input", 1),
    "output_usd_per_token": ("price of output", 1),
}


def _price_knobs(question: Question, spec: DeviceSpec) -> Iterator[Knob]:
    for field, (words, harm) in PRICES.items():
        if getattr(spec.price, field):

            def scaled(of: DeviceSpec, factor: float, field: str = field) -> DeviceSpec:
                return replace(of, price=replace(of.price, **{field: getattr(of.price, field) * factor}))

            yield _fleet_knob(f"{spec.name}.{words}", spec.name, scaled, harm)
    for field in ("ttft_s", "tbt_s"):
        if spec.kind == "api" and getattr(spec, field):

            def slower(of: DeviceSpec, factor: float, field: str = field) -> DeviceSpec:
                return replace(of, **{field: getattr(of, field) * factor})

            yield _fleet_knob(f"{spec.name}.{field.removesuffix('_s')}", spec.name, slower, 1)


def _fleet_knob(name: str, device: str, change: Callable[[DeviceSpec, float], DeviceSpec], harm: int) -> Knob:
    def apply(question: Question, factor: float) -> Question:
        devices = tuple(change(s, factor) if s.name == device else s for s in question.fleet.devices)
        return replace(question, fleet=replace(question.fleet, devices=devices))

    return Knob(name, GIVEN, "fleet.yaml", apply, harm, device)


def _device_knobs(question: Question, spec: DeviceSpec) -> Iterator[Knob]:
    device = question.devices.get(spec.name)
    if device is None:
        return
    rented = is_rented(spec.price, device)
    own_price = spec.price.capex_usd is not None or spec.price.rent_usd_per_hour is not None
    for name, figure in device.figures.items():
        is_spot = spec.price.is_spot
        price = {"list_price": not rented, "rent": rented and not is_spot, "spot": is_spot}.get(name)
        counted = name in FIGURES and FIGURES[name].dimension == "count"
        if name in LEFT_OUT or counted or not figure.value or (price is not None and (own_price or not price)):
            continue
        source = "fleet.yaml" if figure.source == USER else f"{figure.source} ({figure.date})".removesuffix(" ()")
        yield Knob(
            f"{spec.name}.{name}", figure.quality, source, _scale_figure(spec.name, name), _harm(name), spec.name
        )


def _harm(name: str) -> int:
    if name.endswith("bandwidth"):
        return -1
    return 1 if name.endswith("latency") else HARM.get(name.partition(".")[0], 0)


def _scale_figure(device: str, name: str) -> Callable[[Question, float], Question]:
    def apply(question: Question, factor: float) -> Question:
        old = question.devices[device]
        figure = old.figures[name]
        figures: dict[str, Figure] = {**old.figures, name: replace(figure, value=figure.value * factor)}
        new = device_of(old.id, old.kind, old.vendor, figures, old.calibration)
        return replace(question, devices={**question.devices, device: new})

    return apply


COEFFICIENT_HARM = {"compute": -1, "bandwidth": -1}
"""Shares of the data sheet; all others are times."""
KERNEL_SHARES = {"compute_share": "share of FLOP/s in kernels", "bandwidth_share": "share of bandwidth in kernels"}
"""Coefficients of the fitted kernels that are a share of the device's data sheet"""
ENGINE_SHARES = ("expert_compute_share", "expert_bandwidth_share")
"""Coefficients of serving engines of which more is better"""


def _vary(owner: str, coefficient: str) -> Callable[[Question, float], Question]:
    """A coefficient of `owner` (`variation.py`) times the factor."""

    def apply(question: Question, factor: float) -> Question:
        return replace(question, factors={**question.factors, (owner, coefficient): factor})

    return apply


def _engine_knobs(question: Question) -> Iterator[Knob]:
    """What a serving engine adds to its kernels, where the workflow calls a language model on devices of its own."""
    if not any(isinstance(model, LLM) for model in question.catalogue.models.values()):
        return
    for name, (value, quality, source) in find_engine().coefficients.items():
        if value:
            harm = -1 if name in ENGINE_SHARES else 1
            words = name.removesuffix("_s").replace("_", " ")
            yield Knob(f"serving engine: {words}", quality, source, _vary(VARIED, name), harm)


def _coefficient_knobs(question: Question, spec: DeviceSpec) -> Iterator[Knob]:
    """What the cost model assumes of the device: what it reaches of its data sheet, and overheads.

    Coefficients of one catalogue id belong to every device of the fleet with it: the first of them stands for all.
    """
    device = question.devices.get(spec.name)
    first = next((n for n, d in question.devices.items() if device is not None and d.id == device.id), None)
    if device is None or first != spec.name:
        return
    reached = efficiency(device)
    assert is_dataclass(reached)
    for field in fields(reached):
        value = getattr(reached, field.name)
        if not isinstance(value, float) or not value:
            continue
        words = {"compute": "share of FLOP/s reached", "bandwidth": "share of bandwidth reached"}
        name = words.get(field.name, field.name.removesuffix("_s") + " overhead")
        harm = COEFFICIENT_HARM.get(field.name, 1)
        yield Knob(
            f"{spec.name}: {name}", reached.quality, reached.source, _vary(device.id, field.name), harm, spec.name
        )
    if device.kind == "gpu":
        source = "fit to kernels of other devices" if quality_of_fit(device) == "guess" else "fit to its own kernels"
        for name, words in KERNEL_SHARES.items():
            apply = _vary(device.id, name)
            yield Knob(f"{spec.name}: {words}", quality_of_fit(device), source, apply, -1, spec.name)
