"""How long it takes until a replica that was not there answers: weights are fetched and loaded, and its engine starts.

Equations are numbered as in `docs/math/nodes.md`.
"""

from __future__ import annotations

import math

from ..ir.fleet import DeviceSpec, SiteSpec
from .hardware import Device

DOWNLOAD_BYTES_PER_S = 5e9
"""[bytes/s] from storage of the site: 130 GB take 26 s (ServerlessLLM, arXiv 2401.14351, section 2, 2024)"""
LOADER_BYTES_PER_S = 1.7e9
"""[bytes/s] from the server's own disk into its devices with usual loaders: 34 s for OPT-30B, 84 s for LLaMA-2-70B in
16 bits (measured; the same paper, whose own loader is 3.6-8.2 times as fast)"""
ENGINE_START_S = 34.0
"""[s] of profiling, code compiled before, and capture of graphs (measured: vLLM with a 1B model, vllm issue 20264,
2025-06; compiling anew took 145 s for Llama-70B on eight devices, issue 19824)"""


def load_s(weight_bytes: float, loader_bytes_per_s: float = LOADER_BYTES_PER_S) -> float:
    """[s] to bring the weights of a replica from the server's disk into its devices. Equation (11)."""
    return weight_bytes / loader_bytes_per_s


def cold_start_s(
    weight_bytes: float,
    download_bytes_per_s: float = math.inf,
    loader_bytes_per_s: float = LOADER_BYTES_PER_S,
    engine_s: float = ENGINE_START_S,
) -> float:
    """[s] from the start of a server's process to its first answer. Equation (12).

    `download_bytes_per_s` is infinite where the weights are on the server's disk; `DOWNLOAD_BYTES_PER_S` is usual.
    """
    return weight_bytes / download_bytes_per_s + load_s(weight_bytes, loader_bytes_per_s) + engine_s


def start_s(spec: DeviceSpec, device: Device | None, site: SiteSpec, weight_bytes: float) -> float:
    """[s] until a new replica on devices of `spec` answers, `weight_bytes` of a model in all of them.

    `cold_start` of the device where it is written, else `cold_start_s`. Weights come over the site's network, but no
    faster than storage gives them; CPU hosts have no engine to start, and what loads no weights is there at once. In
    whole seconds: it is known no better, and that a split repeats a few weights should make no difference.
    """
    if spec.cold_start_s is not None:
        return spec.cold_start_s
    if not weight_bytes:
        return 0.0
    download = min(site.network_bandwidth_bytes_per_s, DOWNLOAD_BYTES_PER_S)
    has_engine = device is None or device.kind != "cpu"
    return float(round(cold_start_s(weight_bytes, download, engine_s=ENGINE_START_S if has_engine else 0.0)))
