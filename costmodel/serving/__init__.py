"""Serving language models: memory of a replica, time of its steps, and what a request sees of it."""

from .adapters import TARGETS, Adapter, adapter_bytes_per_device, missing_target
from .engine_share import given_share
from .engines import Engine, find_engine
from .latency import (
    Service,
    decode_step_s,
    decode_steps_s,
    prefill_s,
    prefills_s,
    serve,
    serve_apart,
    tbt_s,
    transfer_s,
    ttft_s,
)
from .memory import (
    activation_bytes_per_device,
    fits,
    kv_bytes_per_device,
    memory_bytes_per_device,
    sequences_held,
    weight_bytes_per_device,
)
from .parallel import Parallel, fits_shape
from .replica import Batch, Replica
from .split import SplitTimes, part_of, split_times
from .steps import StepTime, step_time
from .tiers import Spill, Tier, tiers_of

__all__ = [
    "TARGETS",
    "Adapter",
    "Batch",
    "Engine",
    "Parallel",
    "Replica",
    "Service",
    "Spill",
    "SplitTimes",
    "StepTime",
    "Tier",
    "activation_bytes_per_device",
    "adapter_bytes_per_device",
    "decode_step_s",
    "decode_steps_s",
    "find_engine",
    "fits",
    "fits_shape",
    "given_share",
    "kv_bytes_per_device",
    "memory_bytes_per_device",
    "missing_target",
    "part_of",
    "prefill_s",
    "prefills_s",
    "sequences_held",
    "serve",
    "serve_apart",
    "split_times",
    "step_time",
    "tbt_s",
    "tiers_of",
    "transfer_s",
    "ttft_s",
    "weight_bytes_per_device",
]
