"""Hosted APIs: no devices to count, a price for each token, and the latency that the provider states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...ir.adapters import served_name
from ...ir.alternatives import models_of, quality_of
from ...ir.distribution import Distribution
from ...ir.fleet import DeviceSpec
from ...ir.llm import DecodeOp, PrefillOp
from ..placement.problem import Option, Pool, VisitTime
from .llm.calls import decode_time, first_of, visits_of
from .setting import Setting, excluded_by


def api_candidates(setting: Setting) -> Iterator[tuple[Pool, tuple[Option, ...]]]:
    """One pool for each hosted API, with every language-model node whose model it serves.

    Where nodes have several models to choose from it is one for each model.
    """
    for spec in setting.fleet.devices:
        if spec.kind != "api":
            continue
        bare = Pool(id=f"{spec.name}/api", device=spec.name, location=spec.name, whole_nodes=True)
        models = spec.api_models if setting.chooses_models else ("",)
        for model in models:
            pool = replace(bare, id=f"{bare.id}/{model}", model=model) if model else bare
            options = [
                replace(option, score=quality_of(prefill, served))
                for node, prefill, decode, _ in setting.llm_nodes
                for served in models_of(prefill)
                if served_name(prefill, served) in ((model,) if model else spec.api_models)
                for option in _options(setting, spec, pool, node, prefill, decode)
            ]
            if options:
                yield pool, tuple(options)


def _options(
    setting: Setting, spec: DeviceSpec, pool: Pool, node: str, prefill: PrefillOp, decode: DecodeOp
) -> Iterator[Option]:
    """Input tokens are paid at prefill and output tokens at decode; a cached prefix is paid like the rest."""
    shares = setting.visits[node]
    visits = visits_of(prefill, decode, len(shares))
    price, gap = spec.price, spec.tbt_s or 0.0
    ttft = Distribution.point(spec.ttft_s or 0.0)
    paid_in = sum(share * v.prompt for share, v in zip(shares, visits, strict=True))
    paid_out = sum(share * v.output for share, v in zip(shares, visits, strict=True))
    yield Option(
        f"{node}.prefill",
        pool.id,
        (VisitTime(ttft, ttft),) * len(visits),
        load=0.0,
        usd_per_request=paid_in * (price.input_usd_per_token or 0.0),
        excluded_by=excluded_by(prefill, spec.name),
    )
    total = decode_time(decode.output_tokens.value, gap)
    yield Option(
        f"{node}.decode",
        pool.id,
        (VisitTime(first_of(total, gap), total),) * len(visits),
        load=0.0,
        usd_per_request=paid_out * (price.output_usd_per_token or 0.0),
        tbt_s=(gap,) * len(visits),
        excluded_by=excluded_by(prefill, spec.name),
    )
