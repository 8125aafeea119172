"""What a request sees of a replica: time to first token, time between tokens.

Equations are numbered as in `docs/math/serving.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..models.elementwise import least, most
from .memory import sequences_held
from .replica import Batch, Replica
from .steps import host_launch_s, layers_time, through_stages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..models.elementwise import Values


def prefill_s(replica: Replica, prompt_tokens: Values, cached_tokens: Values = 0.0, batch: Values = 1.0) -> Values:
    """[s] to the first token of `batch` prompts of `prompt_tokens`, of which `cached_tokens` are in the cache.

    Equation (4): what the devices do, or what it takes the host to launch it where that is longer, and the engine.
    """
    return prefills_s([replica], prompt_tokens, cached_tokens, batch)[0]


def prefills_s(
    replicas: Sequence[Replica], prompt_tokens: Values, cached_tokens: Values = 0.0, batch: Values = 1.0
) -> list[Values]:
    """`prefill_s` of replicas that differ in the number of their stages alone: the layers are costed once."""
    first = replicas[0]
    new = most(1.0, prompt_tokens - cached_tokens)
    each = most(1.0, batch / first.parallel.dp)
    work = Batch(each, new, most(0.0, prompt_tokens - new), decoding=False)
    layers, host_s = layers_time(first, work), host_launch_s(first)
    times = [through_stages(replica, work, layers) for replica in replicas]
    return [first.engine.prefill_scale * (most(time.device_s, host_s) + time.engine) for time in times]


def decode_step_s(replica: Replica, batch: Values, context_tokens: Values) -> Values:
    """[s] between two tokens of `batch` sequences, each with `context_tokens` behind it. Equation (5).

    Stages of a pipeline work on parts of the batch in turn: a token passes all of them with 1/pp of the sequences.
    """
    each = most(1.0, batch / (replica.parallel.dp * replica.parallel.pp))
    return decode_steps_s([replica], each, context_tokens)[0]


def decode_steps_s(replicas: Sequence[Replica], sequences: Values, context_tokens: Values) -> list[Values]:
    """`decode_step_s` of replicas that differ in the number of their stages alone, whose layers are costed once.

    `sequences` are those of one attention group in one stage.
    """
    first, work = replicas[0], Batch(sequences, 1.0, context_tokens, decoding=True)
    layers = layers_time(first, work)
    return [first.engine.step_scale * through_stages(replica, work, layers).total for replica in replicas]


def tbt_s(replica: Replica, step_s: Values, prefill_s: Values, batch: Values, prompt: Values, output: Values) -> Values:
    """[s] between tokens under continuous batching, prefill and decode in one server. Equation (6).

    The decode step at the mean context, and the prefills of the others that stop it. Where prefills ride along, each
    of the others in the batch starts once while a request writes its output. Where prompts go first, requests of even
    length fall into step: only those behind one's own prompt stop it, half of them on average, and those of the same
    step of prefill do not.
    """
    each = batch / replica.parallel.dp
    others = most(0.0, each - 1)
    if replica.engine.prefill_first:
        others = most(0.0, each - _prefilled_at_once(replica, each, prompt)) / 2
    return step_s + others / most(1.0, output) * most(0.0, prefill_s - replica.engine.step_s)


def _prefilled_at_once(replica: Replica, batch: Values, prompt: Values) -> Values:
    """Prompts of one attention group that one step takes."""
    return least(batch, most(1.0, replica.engine.prefill_tokens / prompt))


def ttft_s(replica: Replica, prefill_s: Values, batch: Values, prompt: Values) -> Values:
    """[s] from a request to its first token, with `batch` requests in a closed loop. Equation (7).

    Its own prefill, what it waits for the prefills of others, and its own way to the server. Where prompts go first
    they come in step, and half of them are prefilled before.
    """
    engine, each = replica.engine, most(1.0, batch / replica.parallel.dp)
    if engine.prefill_first:
        return (each + _prefilled_at_once(replica, each, prompt)) / 2 * prefill_s + engine.request_s
    waits = engine.wait_share * (1 - 1 / each) + engine.wait_slope * (each - 1)
    return (1 + waits) * prefill_s + engine.request_s


@dataclass(frozen=True)
class Service:
    """A replica, or several, under a constant number of requests, each followed by the next: a closed loop."""

    ttft_s: Values
    tpot_s: Values
    sequences: Values
    """that run at once: fewer than the requests where the cache has no room for all"""
    tokens_per_s: Values
    """output tokens of all"""


def serve(replica: Replica, concurrency: Values, prompt: Values, output: Values) -> Service:
    """`concurrency` requests of `prompt` and `output` tokens at a time, prefill and decode in one server. Equation (8).

    Requests beyond what the cache has room for wait until one that runs has ended.
    """
    context = prompt + output / 2
    running = least(concurrency, most(1.0, sequences_held(replica, context)))
    prefill = prefill_s(replica, prompt)
    tpot = tbt_s(replica, decode_step_s(replica, running, context), prefill, running, prompt, output)
    waiting = (concurrency / running - 1) * (output * tpot + prefill)
    ttft = ttft_s(replica, prefill, running, prompt) + waiting
    return Service(ttft, tpot, running, concurrency * output / (ttft + most(0.0, output - 1) * tpot))


@dataclass(frozen=True)
class Pool:
    """So many equal replicas of one phase, each with a batch of its own."""

    replica: Replica
    replicas: int
    batch: Values


def serve_apart(prefill: Pool, decode: Pool, prompt: Values, output: Values, moved_s: Values = 0.0) -> Service:
    """Prefill and decode in pools of their own; `moved_s` is what the cache takes from one to the other. Equation (9).

    The slower pool bounds the rate; where that is prefill, decode runs at less than its batch.
    """
    context = prompt + output / 2
    first = prefill_s(prefill.replica, prompt, batch=prefill.batch)
    step = decode_step_s(decode.replica, decode.batch, context)
    prefills = prefill.replicas * prefill.batch / first
    decodes = decode.replicas * decode.batch / (step * most(1.0, output - 1))
    rate = least(prefills, decodes)
    ttft = first + prefill.replica.engine.request_s + moved_s
    return Service(ttft, step, decode.replicas * decode.batch * least(1.0, rate / decodes), rate * output)


def transfer_s(size_bytes: float, bandwidth_bytes_per_s: float, latency_s: float = 0.0) -> float:
    """[s] to move a KV cache over a link: latency + bytes / bandwidth; 0 bytes take no time. Equation (18)."""
    return latency_s + size_bytes / bandwidth_bytes_per_s if size_bytes else 0.0
