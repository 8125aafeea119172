"""Errors as a product: what is wrong, where it stands, and what was checked to help."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .source import Span


@dataclass(frozen=True)
class Label:
    """A place underlined in a diagnostic, with a few words beside the underline."""

    span: Span
    text: str = ""
    primary: bool = True


@dataclass(frozen=True)
class Diagnostic:
    """One fault: a short id, a sentence that stands alone, places, and a line of help."""

    id: str
    message: str
    labels: tuple[Label, ...] = ()
    help: str | None = None
    severity: Literal["error", "warning"] = "error"

    def render(self) -> str:
        """The text shown to people, without colour."""
        parts = [f"{self.severity}[{self.id}]: {visible(self.message)}"]
        gutter = max((len(str(label.span.line)) for label in self.labels), default=0)
        for label in self.labels:
            parts.extend(_render_label(label, gutter))
        if self.help:
            parts.append(f"{' ' * gutter} = help: {visible(self.help)}")
        return "\n".join(parts)


def _render_label(label: Label, gutter: int) -> list[str]:
    span, blank = label.span, " " * gutter
    text, col = _window(span.source.line(span.line).expandtabs(1), span.col)
    before, marked = text[: col - 1], text[col - 1 : col - 1 + span.length]
    mark = ("^" if label.primary else "-") * max(1, _columns(visible(marked)))
    underline = " " * _columns(visible(before)) + mark + (f" {visible(label.text)}" if label.text else "")
    text = visible(text)
    lines = [f"{blank}--> {span}"]
    if text.strip():
        lines += [f"{blank} |", f"{span.line:>{gutter}} | {text}", f"{blank} | {underline}"]
    elif label.text:
        lines.append(f"{blank} | {label.text}")
    return lines


def visible(text: str) -> str:
    """`text` with escapes for what a terminal would obey or not show: `\\x1b`, `\\u200b`."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _columns(text: str) -> int:
    """Columns that printable text takes in a terminal: two for wide characters, none for those put on another."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


WIDEST = 200
"""Characters of a source line that are shown; of a longer one, the part about the fault."""


def _window(text: str, col: int) -> tuple[str, int]:
    """What is shown of a line, and the column of the fault in it."""
    if len(text) <= WIDEST:
        return text, col
    start = max(0, min(col - WIDEST // 2, len(text) - WIDEST))
    before, after = "..." if start else "", "..." if start + WIDEST < len(text) else ""
    return before + text[start : start + WIDEST] + after, col - start + len(before)


class DovetailError(Exception):
    """What Dovetail raises for bad input and infeasible plans; `str()` is the rendered text.

    There many of one kind are told as one.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n\n".join(d.render() for d in _joined(self.diagnostics)))


class InputError(DovetailError):
    """The input is wrong; every independent fault is in `diagnostics`, with spans."""


class Infeasible(DovetailError):
    """No plan exists; `conflict` names an irreducible set of constraints that exclude each other.

    `document` is plan.json without a plan: the inputs, the status and the conflict.
    """

    def __init__(
        self,
        diagnostics: Iterable[Diagnostic],
        conflict: Iterable[str] = (),
        document: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(diagnostics)
        self.conflict = tuple(conflict)
        self.document = document


@dataclass
class Diagnostics:
    """Collects faults while reading goes on, so that one run shows all that are independent."""

    found: list[Diagnostic] = field(default_factory=list)

    def error(self, id: str, message: str, span: Span | None = None, label: str = "", help: str | None = None) -> None:
        """Note an error at `span`."""
        self.found.append(Diagnostic(id, message, _labels(span, label), help))

    def warning(
        self, id: str, message: str, span: Span | None = None, label: str = "", help: str | None = None
    ) -> None:
        """Note something that the user should know and that stops nothing."""
        self.found.append(Diagnostic(id, message, _labels(span, label), help, "warning"))

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(d for d in self.found if d.severity == "error")

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        return tuple(d for d in self.found if d.severity == "warning")

    def raise_if_errors(self) -> None:
        """Raise `InputError` with all errors noted so far, if there is one."""
        if self.errors:
            raise InputError(self.errors)


def _labels(span: Span | None, text: str) -> tuple[Label, ...]:
    return (Label(span, text),) if span else ()


MOST_ALIKE = 3
"""Errors that differ in what they quote alone, up to which each is told by itself."""
QUOTED = re.compile("`[^`]*`")


def _joined(faults: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The faults in order, those alike with the places of the first few; those without a place say what they are of."""
    kinds: dict[tuple[str, str, str | None], list[Diagnostic]] = {}
    for d in faults:
        kinds.setdefault((d.id, QUOTED.sub("``", d.message) if d.labels else d.message, d.help), []).append(d)
    found: list[Diagnostic] = []
    for alike in kinds.values():
        if len(alike) <= MOST_ALIKE:
            found += alike
            continue
        others = (replace(label, primary=False) for d in alike[1:MOST_ALIKE] for label in d.labels)
        places = (*alike[0].labels, *others)
        message = f"{alike[0].message} (and {len(alike) - 1} more like this)"
        found.append(replace(alike[0], message=message, labels=places))
    return found


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A help line with the known names that begin with `name`, or the one nearest to it; None where none is near."""
    names = sorted(other for other in known if other != name)
    longer = [other for other in names if other.startswith(name) and len(name) > 1]
    if longer:
        return f"did you mean {' or '.join(f'`{other}`' for other in longer[:3])}?"
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else None
