"""Calls of language models as they were made: one JSON object on each line.

    {"node": "think", "prompt": [128000, 882, 25], "request": "r1"}

`prompt` is a list of token ids, or a text; `request` tells calls of one request from those of others. Lines are in the
order of the calls.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..diagnostics import Diagnostic, Diagnostics, InputError
from ..source import SourceFile, Span
from ..units import shorten

KEYS = ("node", "prompt", "request")
MOST_FAULTS = 20
"""Faults that are reported at once."""


@dataclass(frozen=True)
class Call:
    """One call: the node that made it, its prompt (token ids or text), and the request it served, if that is known."""

    node: str
    prompt: tuple[int, ...] | str
    request: str | None = None


def read_calls(path: Path) -> list[Call]:
    """The calls in the file at `path`, all prompts of one kind; InputError with the lines that are none."""
    try:
        source = SourceFile(str(path), path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise InputError([Diagnostic("file", f"cannot read `{shorten(str(path), 200)}`: {reason}")]) from None
    faults, calls = Diagnostics(), []
    for number, line in enumerate(source.text.split("\n"), start=1):
        if line.strip() and len(faults.found) < MOST_FAULTS:
            call = _call(line, Span(source, number, 1, len(line)), faults)
            if call is not None and calls and isinstance(call.prompt, str) != isinstance(calls[0].prompt, str):
                faults.error(
                    "calls", "some prompts are token ids and some are text", Span(source, number, 1, len(line))
                )
            elif call is not None:
                calls.append(call)
    if not calls and not faults.found:
        faults.error("calls", f"`{shorten(str(path), 200)}` holds no call", help=f"write lines such as {_EXAMPLE}")
    faults.raise_if_errors()
    return calls


_EXAMPLE = '`{"node": "think", "prompt": [1, 2, 3]}`'


def _call(line: str, span: Span, faults: Diagnostics) -> Call | None:
    """The call that `line` says; None with a fault noted at `span`."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        faults.error("calls", "this line is no JSON", span, help=f"write {_EXAMPLE}")
        return None
    fault = _fault(value)
    if fault is not None:
        faults.error("calls", fault, span, help=f"write {_EXAMPLE}")
        return None
    prompt, request = value["prompt"], value.get("request")
    return Call(
        value["node"], prompt if isinstance(prompt, str) else tuple(prompt), None if request is None else str(request)
    )


def _fault(value: Any) -> str | None:
    """Why a JSON value is no call, or None."""
    if not isinstance(value, dict):
        return "this line is no JSON object"
    unknown = [key for key in value if key not in KEYS]
    if unknown:
        return f"a call has no key `{shorten(unknown[0])}`"
    if not isinstance(value.get("node"), str):
        return "a call needs `node`, the name of a node"
    prompt = value.get("prompt")
    if isinstance(prompt, list):
        ids = (isinstance(token, int) and not isinstance(token, bool) and token >= 0 for token in prompt)
        if not all(ids):
            return "`prompt` holds something that is no token id"
    elif not isinstance(prompt, str):
        return "a call needs `prompt`, a list of token ids or a text"
    if not isinstance(value.get("request"), str | int | None):
        return "`request` must be text or a number"
    return None
