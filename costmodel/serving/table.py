"""Serving points as rows of a table: which replicas they ask for, and what the model says of them.

Columns are those of the published measurements of github.com/ai-dynamo/aiconfigurator: `batch_size` is the concurrency
for one attention group, a blank `precision` the checkpoint's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..hardware import find_device
from ..models import LLM, find_model
from ..operators.estimate import DTYPES, ELEMENT_BYTES
from .engines import DEFAULT, Engine, find_engine, load_engines
from .latency import Pool, Service, serve, serve_apart, transfer_s
from .memory import fits
from .parallel import Parallel
from .replica import Replica

if TYPE_CHECKING:
    import numpy as np

SITE_BANDWIDTH_BYTES_PER_S = 50e9
"""one direction of 400 Gbit/s, over which a cache goes from a pool to another (guess: usual for such clusters)"""
MOST_DEVICES = 10**6
"""the highest degree, and the most replicas, that a row may ask for"""
MOST = 2.0**53
"""tokens or requests: whole numbers up to here are exact, and no product of two overflows"""
Row = Mapping[str, str]


@dataclass(frozen=True)
class Question:
    """One row: replicas, and the load on them."""

    replica: Replica
    """of both phases, or of decode"""
    prompt: float
    output: float
    concurrency: float
    """of one replica"""
    replicas: int = 1
    prefill: Pool | None = None
    """where prefill is apart"""


def read_question(row: Row, engine: Engine | None = None) -> Question:
    """What a row asks; ValueError, naming the column, for one that cannot be answered."""
    row = {column: cell.strip() for column, cell in row.items()}
    llm = _model(row)
    prompt, output = _number(row, "isl"), _number(row, "osl")
    apart = _is_apart(row)
    replica = _replica(row, llm, "decode_" if apart else "", engine)
    if not apart:
        return Question(replica, prompt, output, _requests(row, llm, ""))
    batch, prefills = _requests(row, llm, "decode_"), _requests(row, llm, "prefill_")
    first = _replica(row, llm, "prefill_", engine)
    pool = Pool(first, _whole(row, "prefill_num_workers"), prefills)
    return Question(replica, prompt, output, batch, _whole(row, "decode_num_workers"), pool)


def _is_apart(row: Row) -> bool:
    """Whether prefill and decode have servers of their own."""
    mode = row.get("mode", "").lower()
    if mode not in ("", "agg", "disagg"):
        raise ValueError(f"`mode` is `{mode}`, neither agg nor disagg")
    return mode == "disagg"


def _model(row: Row) -> LLM:
    name = row.get("model_path", "")
    model = find_model(name)
    if not isinstance(model, LLM):
        raise ValueError(f"`model_path` names `{name}`, no language model of the catalogue")
    return model


def _replica(row: Row, llm: LLM, prefix: str, engine: Engine | None) -> Replica:
    system = row.get("system", "")
    device = find_device(system)
    if device is None:
        raise ValueError(f"`system` names `{system}`, no device of the catalogue")
    written = row.get("precision", "").lower()
    if written and written not in DTYPES:
        raise ValueError(f"`precision` is `{written}`, none of {', '.join(DTYPES)}")
    precision = DTYPES[written] if written else llm.precision
    if ELEMENT_BYTES[precision] > ELEMENT_BYTES[llm.precision]:
        precision = llm.precision  # a checkpoint is not stored wider than it was published
    kv = "fp8" if ELEMENT_BYTES[precision] < ELEMENT_BYTES["bf16"] else "bf16"
    name = row.get("backend", "").lower()
    found = engine or find_engine(name if name in load_engines() else DEFAULT)
    return Replica(llm, device, _parallel(row, llm, prefix), precision, kv, found)


def _is_mixture(llm: LLM) -> bool:
    return any(group.network.experts for group in llm.groups)


def _requests(row: Row, llm: LLM, prefix: str) -> float:
    """At a time, of all attention groups of a replica; those of a model without experts are replicas of their own."""
    groups = _whole(row, f"{prefix}attention_dp_size") if _is_mixture(llm) else 1
    return _number(row, f"{prefix}batch_size") * groups


def _parallel(row: Row, llm: LLM, prefix: str) -> Parallel:
    """The degrees of a row.

    Where both degrees of experts equal g > 1 and tp x dp = g^2, the machine has g devices, each with all heads for its
    own share of the sequences and one of g parts of the experts.
    """
    tp, pp = _whole(row, f"{prefix}tp_size"), _whole(row, f"{prefix}pp_size")
    if not _is_mixture(llm):
        return Parallel(tp, pp)
    dp, ep = _whole(row, f"{prefix}attention_dp_size"), _whole(row, f"{prefix}moe_ep_size")
    expert_tp = _whole(row, f"{prefix}moe_tp_size")
    if row.get(f"{prefix}attention_dp_size") and expert_tp == ep > 1 and tp * dp == ep * ep:
        return Parallel(1, pp, ep, ep)
    if (tp * dp) % ep:
        raise ValueError(f"`{prefix}moe_ep_size` is {ep}, which does not divide {tp * dp} devices")
    return Parallel(tp, pp, ep, dp)


def _number(row: Row, column: str) -> float:
    text = row.get(column) or ""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"`{column}` is `{text}`, no number") from None
    if not 0 < value <= MOST:
        raise ValueError(f"`{column}` is `{text}`, not above 0 and up to {MOST:.0f}")
    return value


def _whole(row: Row, column: str) -> int:
    """A degree; 1 where the table leaves it out or says 0."""
    text = row.get(column) or "0"
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"`{column}` is `{text}`, no number") from None
    if not 0 <= value <= MOST_DEVICES or value != int(value):
        raise ValueError(f"`{column}` is `{text}`, no whole number up to {MOST_DEVICES}")
    return max(1, int(value))


@dataclass(frozen=True)
class Answer:
    """What the model says of one row."""

    ttft_s: float
    tpot_s: float
    fits: bool


def answer(questions: Sequence[Question]) -> list[Answer | str]:
    """An answer for each question, in order, or why there is none; equal replicas are priced at once."""
    groups: dict[object, list[int]] = {}
    for index, question in enumerate(questions):
        apart = question.prefill
        key = (question.replica.key, question.replicas, apart and (apart.replica.key, apart.replicas, apart.batch))
        groups.setdefault(key, []).append(index)
    answers: dict[int, Answer | str] = {}
    for indices in groups.values():
        answers.update(zip(indices, _answer_equal([questions[index] for index in indices]), strict=True))
    return [answers[index] for index in range(len(questions))]


def _answer_equal(questions: Sequence[Question]) -> list[Answer] | list[str]:
    """Answers about equal replicas, or the same fault for all."""
    try:
        service = _serve(questions)
    except ValueError as error:  # devices without a link, or without a rate for the precision
        return [str(error)] * len(questions)
    times = zip(service.ttft_s.tolist(), service.tpot_s.tolist(), questions, strict=True)
    return [Answer(ttft, tpot, _runs(question)) for ttft, tpot, question in times]


def _columns(questions: Sequence[Question]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import numpy as np

    return tuple(np.array([getattr(q, name) for q in questions]) for name in ("prompt", "output", "concurrency"))  # type: ignore[return-value]


def _serve(questions: Sequence[Question]) -> Service:
    """Equal replicas under several loads, as arrays."""
    prompt, output, concurrency = _columns(questions)
    first = questions[0]
    if first.prefill is None:
        return serve(first.replica, concurrency, prompt, output)
    decode = Pool(first.replica, first.replicas, concurrency)
    llm, kv = first.replica.llm, first.replica.kv_precision
    moved = (
        transfer_s(1.0, SITE_BANDWIDTH_BYTES_PER_S) * llm.kv_bytes(prompt, kv) / first.prefill.replica.parallel.devices
    )
    return serve_apart(first.prefill, decode, prompt, output, moved)


def _runs(question: Question) -> bool:
    context = question.prompt + question.output
    pools = [question.replica] + ([question.prefill.replica] if question.prefill else [])
    return all(fits(each, context) for each in pools)


def with_engine(question: Question, engine: Engine) -> Question:
    """The question to another engine, or to the same with other coefficients."""
    prefill = question.prefill and replace(question.prefill, replica=replace(question.prefill.replica, engine=engine))
    return replace(question, replica=replace(question.replica, engine=engine), prefill=prefill)
