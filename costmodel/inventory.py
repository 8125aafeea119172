"""What the catalogue knows, as text: a compact table, and beneath it where each figure comes from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .figures import Figure
from .hardware import Device, canonical, catalogue_entries, load_devices
from .models import LLM, load_models, model_entries
from .networks import Network

QUALITY_SIGNS = {"measured": "!", "fitted": "+", "data_sheet": "", "guess": "?"}
"""what stands behind a figure in the table"""
LEGEND = "! measured   + fitted   ? guess   (no sign) data sheet or published figure\n"


def devices_text() -> str:
    """The catalogue's devices, one line each, with the quality of each figure; then the sources, device by device.

    InputError where an installed package adds devices that cannot be read.
    """
    devices = load_devices()
    heads = ("device", "kind", "memory GB", "GB/s", "bf16 TFLOP/s", "fp8 TFLOP/s", "W", "idle W", "USD", "USD/h")
    columns = (
        ("memory", 1e9),
        ("bandwidth", 1e9),
        ("flops.bf16", 1e12),
        ("flops.fp8", 1e12),
        ("tdp", 1.0),
        ("idle", 1.0),
        ("list_price", 1.0),
        ("rent", 1.0),
    )
    rows = [
        (id, device.kind, *(_cell(device.figures.get(name), scale) for name, scale in columns))
        for id, device in devices.items()
    ]
    sources = (f"{_named(id)}\n{_sources(device)}" for id, device in devices.items())
    return f"{_table(heads, rows)}\n{LEGEND}FLOP/s are dense.\n\nSources\n\n" + "\n".join(sources)


def models_text() -> str:
    """The catalogue's models, one line each, language models before networks; then the sources."""
    models = load_models()
    llms = [model for model in models.values() if isinstance(model, LLM)]
    networks = [model for model in models.values() if isinstance(model, Network)]
    llm_heads = ("language model", "parameters", "layers", "experts", "KV kB/token", "context", "precision")
    network_heads = ("network", "parameters", "sized by", "precision")
    text = _table(llm_heads, [_llm_row(llm) for llm in llms])
    text += "\nParameter counts follow from the published shapes; KV at 16 bits.\n\n"
    text += _table(network_heads, [(n.id, _count(n.parameters), n.unit, n.precision) for n in networks])
    text += "\nSources\n\n"
    for llm in llms:
        text += f"{_model_names(llm.id)}\n    {llm.source} ({llm.date}), data sheet: every figure\n"
    return text + "".join(f"{_model_names(n.id)}\n{_figure_lines(n.figures.items())}" for n in networks)


def _llm_row(llm: LLM) -> tuple[str, ...]:
    widest = max((group.network for group in llm.groups), key=lambda network: network.experts)
    experts = f"{widest.experts_per_token} of {widest.experts}" if widest.experts else "-"
    kv = f"{llm.kv_bytes_per_token() / 1e3:.1f}"
    return (llm.id, _count(llm.parameters), str(llm.layers), experts, kv, str(llm.context_tokens), llm.precision)


def _count(number: float) -> str:
    return f"{number / 1e9:.3g} G" if number >= 1e9 else f"{number / 1e6:.3g} M"


def _cell(figure: Figure | None, scale: float) -> str:
    """A figure with the sign of its quality; signs stand in a column of their own, so that digits line up."""
    if figure is None:
        return "- "
    return f"{figure.value / scale:.6g}" + (QUALITY_SIGNS[figure.quality] or " ")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, the first to the left and the others to the right."""
    lines = [tuple(heads), *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    text = (
        "  ".join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
        for line in lines
    )
    return "".join(f"{line.rstrip()}\n" for line in text)


def _named(id: str) -> str:
    aliases = catalogue_entries()[id].get("aliases", ())
    return f"{id} (also {', '.join(map(canonical, aliases))})" if aliases else id


def _model_names(id: str) -> str:
    aliases = model_entries()[id].get("aliases", ())
    return f"{id} (also {', '.join(aliases)})" if aliases else id


def _sources(device: Device) -> str:
    return _figure_lines(device.figures.items())


def _figure_lines(figures: Iterable[tuple[str, Figure]]) -> str:
    """One line for each source: where from, when, how far to trust it, and every figure taken from it."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for name, figure in figures:
        key = (figure.source, figure.date, figure.quality.replace("_", " "))
        groups.setdefault(key, []).append(f"{name} {figure.text}")
    lines = (f"    {source} ({date}), {mark}: {', '.join(named)}\n" for (source, date, mark), named in groups.items())
    return "".join(lines)
