"""The command line and environment of one vLLM server."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from typing import Any

from ...ir.distribution import Distribution

Json = Mapping[str, Any]

PORT = 8000
SIDE_CHANNEL_PORT = 5600
"""First port of NIXL's handshake; rank r of a server listens on its first port plus r."""

_LENGTH_STEP = 256
_LENGTH_QUANTILE = 0.999
_DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


def checkpoint(model: str, entry: Json) -> str:
    """
    What vLLM loads for the graph's `model`, of which `entry` is the catalogue's.

    The Hugging Face name of an instruction-tuned checkpoint where the catalogue lists one, since agents talk in chat
    messages; else the first it lists. A path to a config.json stands for its folder.
    """
    published = [alias for alias in entry.get("aliases") or () if "/" in alias]
    tuned = [alias for alias in published if alias.lower().endswith("instruct")]
    return (tuned or published or [model.removesuffix("/config.json")])[0]


def serve_arguments(
    model: str, loaded: str, node: Json, port: int, parallel: Json, max_batch: int, length: int | None
) -> list[str]:
    """Arguments of `vllm` for a server of `loaded`, which clients call `model`, at the precisions of `node`.

    `length` [tokens] is the longest sequence asked for; None leaves the model's own.
    """
    # Each attention group schedules a batch of its own.
    each = str(max(1, max_batch // int(parallel.get("dp") or 1)))
    arguments = ["serve", loaded, "--port", str(port), "--max-num-seqs", each, "--enable-prefix-caching"]
    if loaded != model:
        arguments += ["--served-model-name", model]
    if length is not None:
        arguments += ["--max-model-len", str(length)]
    for key, flag in (("tp", "tensor"), ("pp", "pipeline"), ("dp", "data")):
        degree = int(parallel.get(key) or 1)
        if degree > 1 or key == "tp":
            arguments += [f"--{flag}-parallel-size", str(degree)]
    if int(parallel.get("ep") or 1) > 1:
        arguments.append("--enable-expert-parallel")
    return arguments + _precision_arguments(node)


def host_arguments(hosts: int) -> list[str]:
    """Arguments of each of the processes, one on each host, that serve one replica together; the first leads.

    LeaderWorkerSet says who is who. Source: docs.vllm.ai, "LWS", the example with multiprocessing (read 2026-11-21).
    """
    if hosts == 1:
        return []
    group = ["--nnodes", "$(LWS_GROUP_SIZE)", "--node-rank", "$(LWS_WORKER_INDEX)"]
    return [*group, "--master-addr", "$(LWS_LEADER_ADDRESS)"]


FOLLOWER = "--headless"
"""Argument of the processes that do not lead: they answer no requests."""

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""that `--max-lora-rank` takes"""


def adapter_arguments(adapters: Mapping[str, Json]) -> list[str]:
    """Arguments for serving adapters (name -> as in graph.yaml) on the model's weights, mixed in one batch.

    Source: docs.vllm.ai, "LoRA Adapters" (v0.8.5, read 2026-11-21). Clients ask for an adapter by its name, in place
    of the model's.
    """
    if not adapters:
        return []
    highest = max(int(adapter["rank"]) for adapter in adapters.values())
    rank = next((rank for rank in RANKS if rank >= highest), highest)
    arguments = ["--enable-lora", "--max-loras", str(len(adapters)), "--max-lora-rank", str(rank), "--lora-modules"]
    return arguments + [f"{name}={adapter.get('path') or f'/adapters/{name}'}" for name, adapter in adapters.items()]


def _precision_arguments(node: Json) -> list[str]:
    precision, kv_precision = node.get("precision"), node.get("kv_precision")
    arguments = []
    if precision == "fp8":
        arguments += ["--quantization", "fp8"]
    elif precision in _DTYPES:
        arguments += ["--dtype", _DTYPES[precision]]
    if kv_precision == "fp8":
        arguments += ["--kv-cache-dtype", "fp8"]
    return arguments


def checkpoint_note(node: Json) -> str | None:
    """What the user must see to about the checkpoint: vLLM quantises to fp8 itself, and to nothing else."""
    precision = node.get("precision")
    if precision in (None, "fp8", *_DTYPES):
        return None
    return f"the plan counts on a checkpoint quantised to {precision}"


def transfer_arguments(mixed_vendors: bool) -> list[str]:
    """Arguments for handing the KV cache over; the role is the router's choice, so both sides are `kv_both`."""
    config: dict[str, Any] = {"kv_connector": "NixlConnector", "kv_role": "kv_both"}
    if mixed_vendors:
        config["enable_permute_local_kv"] = "True"
    return ["--kv-transfer-config", json.dumps(config, sort_keys=True, separators=(",", ":"))]


def transfer_environment(port: int) -> list[dict[str, Any]]:
    """Environment for handing the KV cache over: the other side dials the pod's own address."""
    address = {"fieldRef": {"fieldPath": "status.podIP"}}
    return [
        {"name": "VLLM_NIXL_SIDE_CHANNEL_HOST", "valueFrom": address},
        {"name": "VLLM_NIXL_SIDE_CHANNEL_PORT", "value": str(port)},
    ]


def memory_arguments(share: float | None, servers: int) -> list[str]:
    """Arguments that divide a share of each device's memory evenly among `servers` on it; None: the default stands."""
    if share is None:
        return []
    return ["--gpu-memory-utilization", f"{round(100 * share) // servers / 100:.2f}"]


def offload_arguments(tier: Json | None) -> list[str]:
    """Arguments that leave weights in the host's memory, from where they are read in each step; [GiB] of one device.

    vLLM has one for weights in `dram` alone (`cpu_offload_gb` of its engine arguments): what it cannot do is a note.
    """
    if tier is None or offload_note(tier) is not None:
        return []
    return ["--cpu-offload-gb", str(math.ceil(float(tier["bytes_per_device"]) / 2**30))]


def offload_note(tier: Json) -> str | None:
    """What the plan counts on that vLLM has no argument for."""
    if tier["cache"]:
        return f"the plan streams {100 * tier['cache']:g} % of the caches of running requests from {tier['name']}"
    return None if tier["name"] == "dram" else f"the plan streams weights from {tier['name']}"


def priority_arguments(priorities: Collection[int]) -> list[str]:
    """Arguments of a server for requests of several priorities.

    Each then carries `priority`, of which vLLM takes the smallest first (docs.vllm.ai, `SchedulerConfig.policy`).
    """
    return ["--scheduling-policy", "priority"] if len(priorities) > 1 else []


def sequence_length(node: Json, visits: int) -> int | None:
    """Longest sequence [tokens] that `visits` visits of an llm node need, in steps of 256; None if not known.

    The prompt's and the output's 99.9th percentiles, and `prompt_growth` on each visit after the first.
    """
    prompt, output = _upper(node.get("prompt_tokens")), _upper(node.get("output_tokens"))
    growth = _upper(node.get("prompt_growth") or 0)
    if prompt is None or output is None or growth is None:
        return None
    tokens = prompt + output + growth * (visits - 1)
    return -int(-tokens // _LENGTH_STEP) * _LENGTH_STEP


def _upper(written: object) -> float | None:
    """99.9th percentile of a token count as graph.yaml writes it, or None where it lies in another file."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        return float(written)
    if isinstance(written, str) and ".." in written:  # a range: its upper end
        return float(written.partition("..")[2])
    if not isinstance(written, Mapping):
        return None
    if isinstance(written.get("quantiles"), Mapping):
        return float(max(written["quantiles"].values()))
    p95 = written.get("p95")
    if isinstance(p95, int | float) and "mean" in written:
        return Distribution.lognormal_mean_p95(float(written["mean"]), float(p95)).quantile(_LENGTH_QUANTILE)
    if isinstance(p95, int | float) and "p50" in written:
        return Distribution.lognormal_p50_p95(float(written["p50"]), float(p95)).quantile(_LENGTH_QUANTILE)
    return None
