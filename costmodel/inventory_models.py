"""What the catalogue knows of models: all as a table, one in full, and either as plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from ..ir.diagnostics import Diagnostic, InputError, did_you_mean
from .figures import Figure, worst
from .models import LLM, LayerGroup, find_model, load_models, model_entries
from .models.attention import Attention
from .models.catalogue import names
from .models.entry import MIXERS, NETWORKS, write_llm
from .networks import Network
from .text_table import table

LLM_HEADS = (
    "language model", "parameters", "active", "weights GB", "KV B/token", "states MB", "context", "precision", "mark",
)  # fmt: skip
NETWORK_HEADS = ("network", "parameters", "weights GB", "sized by", "precision", "mark")
NOTE = """
Parameter counts follow from the published shapes; KV in 16 bits for a token of context, where no window cuts it;
states of one sequence, whatever its length. `dovetail models ID` prints one model in full, with its source.
"""


def models_text() -> str:
    """The catalogue's models, one line each, language models before networks."""
    models = load_models().values()
    llms = table(LLM_HEADS, [_llm_row(model) for model in models if isinstance(model, LLM)])
    networks = table(NETWORK_HEADS, [_network_row(model) for model in models if isinstance(model, Network)])
    return f"{llms}{NOTE}\n{networks}"


def _llm_row(llm: LLM) -> tuple[str, ...]:
    return (
        llm.id,
        _count(llm.parameters),
        _count(llm.active_parameters),
        f"{llm.weight_bytes() / 1e9:.4g}",
        f"{llm.kv_bytes_per_token():.0f}",
        f"{llm.state_bytes / 1e6:.3g}" if llm.state_bytes else "-",
        str(llm.context_tokens),
        llm.precision,
        llm.mark.replace("_", " "),
    )


def _network_row(network: Network) -> tuple[str, ...]:
    weights = f"{network.weight_bytes() / 1e9:.3g}"
    return (network.id, _count(network.parameters), weights, network.unit, network.precision, _mark(network))


def _mark(network: Network) -> str:
    return worst(*(figure.quality for figure in network.figures.values())).replace("_", " ")


def _count(number: float) -> str:
    """As `70.6 G` or `335 M`."""
    return f"{number / 1e9:.4g} G" if number >= 1e9 else f"{number / 1e6:.4g} M"


def model_text(name: str) -> str:
    """One model in full; InputError for a name that the catalogue does not have."""
    id, model = _known(name)
    aliases = model_entries()[id].get("aliases", ())
    head = f"{id}, also {', '.join(aliases)}" if aliases else id
    body = _llm_text(model) if isinstance(model, LLM) else _network_text(model)
    return f"{head}\n\n{body}"


def _known(name: str) -> tuple[str, LLM | Network]:
    model = find_model(name)
    if model is None:
        help = did_you_mean(name, names()) or "`dovetail models` lists them"
        raise InputError([Diagnostic("unknown-model", f"`{name}` is no model of the catalogue", help=help)])
    return model.id, model


def _llm_text(llm: LLM) -> str:
    kinds = sorted(llm.parameters_by_kind.items(), key=lambda item: -item[1])
    weights = [
        (kind, _count(count), llm.precision_of(kind), f"{count * llm.bytes_per_parameter(kind) / 1e9:.4g}")
        for kind, count in kinds
        if count
    ]
    rows = [
        ("parameters", f"{llm.parameters:,}"),
        ("active for a token", f"{llm.active_parameters:,}"),
        ("weights", f"{llm.weight_bytes() / 1e9:.4g} GB in {llm.precision}"),
        ("KV cache of a token", f"{llm.kv_bytes_per_token():,.0f} B in 16 bits"),
        ("states of a sequence", f"{llm.state_bytes:,.0f} B"),
        ("hidden, vocabulary", f"{llm.hidden}, {llm.vocab}{' (tied)' if llm.tied_embeddings else ''}"),
        ("longest context", f"{llm.context_tokens} tokens"),
        ("source", f"{llm.source} ({llm.date}), {llm.mark.replace('_', ' ')}"),
    ]
    groups = table(("layers", "mixer", "", "network", ""), [_group_row(group) for group in llm.groups], left=True)
    held = table(("weights", "parameters", "precision", "GB"), weights)
    return f"{table(('', ''), rows, left=True).lstrip()}\n{groups}\n{held}"


def _group_row(group: LayerGroup) -> tuple[str, ...]:
    mixer, network = group.mixer, group.network
    kind = next(name for name, each in MIXERS.items() if type(mixer) is each)
    heads = f"{mixer.heads} heads of {mixer.head_dim}" if mixer.heads else "-"
    if isinstance(mixer, Attention):
        heads += f", {mixer.kv_heads} of keys"
        heads += f", window {mixer.window_tokens}" if mixer.window_tokens else ""
        heads += f", chunks of {mixer.chunk_tokens}" if mixer.chunk_tokens else ""
    form = next(name for name, each in NETWORKS.items() if type(network) is each)
    width = f"{network.experts_per_token} of {network.experts} experts, " if network.experts else ""
    return (str(group.count), kind, heads, form, f"{width}{network.width} wide for a token" if network.width else "-")


def _network_text(network: Network) -> str:
    rows = [
        ("parameters", f"{network.parameters:,}"),
        ("weights", f"{network.weight_bytes() / 1e9:.4g} GB in {network.precision}"),
        ("sized by", network.unit),
    ]
    return f"{table(('', ''), rows, left=True).lstrip()}\n{_figure_lines(network.figures.items())}"


def _figure_lines(figures: Iterable[tuple[str, Figure]]) -> str:
    """One line for each source: where from, when, how far to trust it, and every figure taken from it."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for name, figure in figures:
        key = (figure.source, figure.date, figure.quality.replace("_", " "))
        groups.setdefault(key, []).append(f"{name} {figure.text}")
    lines = (f"{source} ({date}), {mark}: {', '.join(named)}\n" for (source, date, mark), named in groups.items())
    return "".join(lines)


def models_json(name: str | None = None) -> list[dict[str, Any]]:
    """The catalogue's models, or the one of that name, as plain data; InputError for an unknown name."""
    chosen = load_models() if name is None else dict([_known(name)])
    return [_json(id, model) for id, model in chosen.items()]


def _json(id: str, model: LLM | Network) -> dict[str, Any]:
    """Sizes in bytes, KV cache in 16 bits; `shape` is as in the catalogue's files."""
    head = {"id": id, "aliases": list(model_entries()[id].get("aliases", ())), "parameters": model.parameters}
    common: Mapping[str, Any] = {"weight_bytes": model.weight_bytes(), "precision": model.precision}
    if isinstance(model, Network):
        figures = {name: dataclasses.asdict(figure) for name, figure in model.figures.items()}
        return {**head, **common, "kind": "network", "unit": model.unit, "figures": figures}
    return {
        **head,
        **common,
        "kind": "llm",
        "active_parameters": model.active_parameters,
        "kv_bytes_per_token": model.kv_bytes_per_token(),
        "state_bytes": model.state_bytes,
        "layers": model.layers,
        "context_tokens": model.context_tokens,
        "quality": model.mark,
        "source": model.source,
        "date": model.date,
        "shape": write_llm(model),
    }
