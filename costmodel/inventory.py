"""What the catalogue knows of models, as text: a compact table, and beneath it where each figure comes from."""

from __future__ import annotations

from collections.abc import Iterable

from .figures import Figure
from .models import LLM, load_models, model_entries
from .networks import Network
from .text_table import table


def models_text() -> str:
    """The catalogue's models, one line each, language models before networks; then the sources."""
    models = load_models()
    llms = [model for model in models.values() if isinstance(model, LLM)]
    networks = [model for model in models.values() if isinstance(model, Network)]
    llm_heads = ("language model", "parameters", "layers", "experts", "KV kB/token", "context", "precision")
    network_heads = ("network", "parameters", "sized by", "precision")
    text = table(llm_heads, [_llm_row(llm) for llm in llms])
    text += "\nParameter counts follow from the published shapes; KV at 16 bits.\n\n"
    text += table(network_heads, [(n.id, _count(n.parameters), n.unit, n.precision) for n in networks])
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


def _model_names(id: str) -> str:
    aliases = model_entries()[id].get("aliases", ())
    return f"{id} (also {', '.join(aliases)})" if aliases else id


def _figure_lines(figures: Iterable[tuple[str, Figure]]) -> str:
    """One line for each source: where from, when, how far to trust it, and every figure taken from it."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for name, figure in figures:
        key = (figure.source, figure.date, figure.quality.replace("_", " "))
        groups.setdefault(key, []).append(f"{name} {figure.text}")
    lines = (f"    {source} ({date}), {mark}: {', '.join(named)}\n" for (source, date, mark), named in groups.items())
    return "".join(lines)
