"""Programs inside programs: calls are read in place, loops of known length unrolled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ... import nn
from .products import reshaped
from .reader import Reader, Rule, Unreadable, Value, element_of, shape_in

MOST_TURNS = 256
"""turns of a loop that are unrolled; a longer one would hide the program behind its copies"""


def _call(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Sequence[Value]:
    inner = next(eqn.params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in eqn.params)
    if hasattr(inner, "consts"):
        return reader.call(inner.jaxpr, [np.asarray(each) for each in inner.consts], operands)
    return reader.call(inner, [], operands)


def _cond(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Sequence[Value]:
    index, *rest = operands
    if not isinstance(index, np.ndarray):
        raise Unreadable("which branch is taken depends on the input: use jnp.where")
    branches = eqn.params["branches"]
    taken = branches[int(np.clip(index, 0, len(branches) - 1))]
    return reader.call(taken.jaxpr, taken.consts, rest)


def _while(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Sequence[Value]:
    """Turns as long as its condition is known while reading, and true."""
    p = eqn.params
    tested, fixed = p["cond_nconsts"], p["cond_nconsts"] + p["body_nconsts"]
    of_test, of_body, carry = operands[:tested], operands[tested:fixed], list(operands[fixed:])
    for _ in range(MOST_TURNS + 1):
        (goes_on,) = reader.call(p["cond_jaxpr"].jaxpr, p["cond_jaxpr"].consts, [*of_test, *carry])
        if not isinstance(goes_on, np.ndarray):
            raise Unreadable("how often it turns depends on the input: use lax.scan, or a Python loop")
        if not goes_on:
            return carry
        carry = reader.call(p["body_jaxpr"].jaxpr, p["body_jaxpr"].consts, [*of_body, *carry])
    raise Unreadable(f"it turns more than {MOST_TURNS} times")


def _scan(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Sequence[Value]:
    """Turn i gets the carry of turn i - 1 and slice i of what is scanned over; its outputs are stacked."""
    p = eqn.params
    if not isinstance(p["length"], int) or p["length"] > MOST_TURNS:
        raise Unreadable(f"it turns {p['length']} times, more than {MOST_TURNS}")
    fixed, carried = p["num_consts"], p["num_carry"]
    consts, carry, scanned = operands[:fixed], list(operands[fixed : fixed + carried]), operands[fixed + carried :]
    outputs: list[list[Value]] = []
    turns = range(p["length"])
    for turn in reversed(turns) if p["reverse"] else turns:
        sliced = [_slice(reader, each, turn) for each in scanned]
        results = reader.call(p["jaxpr"].jaxpr, p["jaxpr"].consts, [*consts, *carry, *sliced])
        carry = list(results[:carried])
        outputs.append(list(results[carried:]))
    if p["reverse"]:
        outputs.reverse()
    if not outputs:
        return [*carry, *(_nothing(each.aval) for each in eqn.outvars[carried:])]
    return [*carry, *(_stack(reader, column) for column in zip(*outputs, strict=True))]


def _nothing(aval: Any) -> Value:
    """What a scan of no turns stacks: as many axes as after some, the first of size 0."""
    element_of(aval.dtype)
    if any(isinstance(n, nn.Size) for n in shape_in(aval.shape)):
        raise Unreadable("it turns 0 times, and what it stacks has open sizes")
    return np.zeros(aval.shape, aval.dtype)


def _slice(reader: Reader, x: Value, at: int) -> Value:
    if isinstance(x, np.ndarray):
        return x[at]
    shape = nn.shape_of(x)
    rest = (0,) * (len(shape) - 1)
    part = reader.add(nn.SliceOp, x, starts=(at, *rest), limits=(at + 1, *shape[1:]))
    return reshaped(reader, part, shape[1:])


def _stack(reader: Reader, parts: Sequence[Value]) -> Value:
    values = [reader.tensor(each) for each in parts]
    return reader.add(nn.ConcatOp, *(reshaped(reader, v, (1, *nn.shape_of(v))) for v in values), axis=0)


CALLS = (
    "jit",
    "pjit",
    "closed_call",
    "core_call",
    "custom_jvp_call",
    "custom_vjp_call",
    "remat",
    "checkpoint",
    "remat2",
)
RULES: Mapping[str, Rule] = {**dict.fromkeys(CALLS, _call), "cond": _cond, "while": _while, "scan": _scan}
