"""JSON text to plain values, with the place of every key and value, as `yaml.py` has them of YAML.

Python's own parser judges the text; a walk over what it accepted finds the places. A key that stands twice is an error.
Whole numbers of more than 18 digits are read as floating point.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..diagnostics import Diagnostic, InputError, Label
from ..source import Path as DocumentPath
from ..source import SourceFile, SourceMap, Span
from ..units import shorten
from .text_files import read_text
from .yaml import DEEPEST_NESTING, Document

MOST_DIGITS = 18
_SPACE = re.compile(r"[ \t\n]*")
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"?|[^\s\[\]{},:"]+|.')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_PLAIN = re.compile(r"[^\s,\]}]+")
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OF_PYTHON = {"True": "true", "False": "false", "None": "null"}
_SAID = {
    "Expecting property name": "a key in double quotes must stand here",
    "Expecting value": "a value must stand here",
    "Expecting ',' delimiter": "a comma is missing before this",
    "Expecting ':' delimiter": "a colon is missing before this",
    "Extra data": "it ends before this",
    "Unterminated string": "this text has no end",
    "Invalid control character": "text holds no line breaks and tabs as they are",
    "Invalid \\": "there is no such escape",
}
"""what Python's parser says, as we do"""
_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}


def read_json_object(path: Path) -> Document:
    """The object in the file at `path`; InputError with its place where it is not one JSON object."""
    text, sha256 = read_text(path, str(path), "JSON")
    source = SourceFile(str(path), text)
    if not text.strip():
        raise InputError([Diagnostic("empty-file", f"`{path}` is empty")])
    try:
        value = json.loads(text, parse_int=_whole)
    except json.JSONDecodeError as fault:
        raise InputError([_syntax(fault, source)]) from None
    except RecursionError:
        raise InputError([Diagnostic("syntax", f"`{path}` is nested more than {DEEPEST_NESTING} deep")]) from None
    walk = _Walk(source)
    walk.value(_SPACE.match(text).end(), ())  # type: ignore[union-attr]
    if walk.twice:
        raise InputError(walk.twice)
    if not isinstance(value, dict):
        message = f"`{path}` must be a JSON object, and is {_KINDS.get(type(value), 'a number')}"
        raise InputError([Diagnostic("config", message, (Label(walk.sources.value(())),))])
    return Document(value, walk.sources, sha256)


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= MOST_DIGITS else float(digits)


class _Walk:
    """Goes over text that is JSON, and notes where everything stands."""

    def __init__(self, source: SourceFile) -> None:
        self.text, self.source = source.text, source
        self.sources = SourceMap(source)
        self.twice: list[Diagnostic] = []
        """keys that stand twice"""

    def value(self, at: int, path: DocumentPath) -> int:
        """Where the value that begins at `at` ends."""
        if len(path) > DEEPEST_NESTING:
            message = f"values are nested more than {DEEPEST_NESTING} deep"
            raise InputError([Diagnostic("syntax", message, (Label(_span(self.source, at)),))])
        match self.text[at]:
            case "{":
                self.sources.values[path] = _span(self.source, at)
                return self._members(at, path)
            case "[":
                self.sources.values[path] = _span(self.source, at)
                return self._elements(at, path)
            case '"':
                end = _STRING.match(self.text, at).end()  # type: ignore[union-attr]
            case _:
                end = _PLAIN.match(self.text, at).end()  # type: ignore[union-attr]
        self.sources.values[path] = _span(self.source, at, end)
        return end

    def _members(self, at: int, path: DocumentPath) -> int:
        at = self._skip(at + 1)
        seen: dict[str, Span] = {}
        while self.text[at] != "}":
            end = _STRING.match(self.text, at).end()  # type: ignore[union-attr]
            key, span = json.loads(self.text[at:end]), _span(self.source, at, end)
            if key in seen:
                message = f"the key `{shorten(key)}` stands twice"
                labels = (Label(span, "again here"), Label(seen[key], "first here", primary=False))
                self.twice.append(Diagnostic("duplicate-key", message, labels, "keep one of them"))
            self.sources.keys[(*path, key)] = seen[key] = span
            colon = self._skip(end)
            at = self._next(self.value(self._skip(colon + 1), (*path, key)))
        return at + 1

    def _elements(self, at: int, path: DocumentPath) -> int:
        at, number = self._skip(at + 1), 0
        while self.text[at] != "]":
            at = self._next(self.value(at, (*path, number)))
            number += 1
        return at + 1

    def _next(self, end: int) -> int:
        """What follows a value: the next after a comma, or the bracket that closes."""
        at = self._skip(end)
        return self._skip(at + 1) if self.text[at] == "," else at

    def _skip(self, at: int) -> int:
        return _SPACE.match(self.text, at).end()  # type: ignore[union-attr]


def _span(source: SourceFile, start: int, end: int = 0) -> Span:
    line = source.text.count("\n", 0, start) + 1
    col = start - (source.text.rfind("\n", 0, start) + 1) + 1
    return Span(source, line, col, max(1, end - start))


def _syntax(fault: json.JSONDecodeError, source: SourceFile) -> Diagnostic:
    """What is wrong, under the word where the text stops being JSON."""
    text = source.text
    at = _SPACE.match(text, fault.pos).end()  # type: ignore[union-attr]
    if at >= len(text):
        label = Label(_span(source, len(text.rstrip()) - 1), "after this")
        return Diagnostic("syntax", "this is not JSON: the file ends too early", (label,))
    said = next((ours for theirs, ours in _SAID.items() if fault.msg.startswith(theirs)), fault.msg)
    before = text[:at].rstrip()
    if before.endswith(",") and text[at] in "}]":
        span = _span(source, len(before) - 1)
        return Diagnostic("syntax", "this is not JSON: nothing follows this comma", (Label(span),), "leave it out")
    span = _span(source, at, _TOKEN.match(text, at).end())  # type: ignore[union-attr]
    return Diagnostic("syntax", f"this is not JSON: {said}", (Label(span),), _help(text, at, fault.msg))


def _help(text: str, at: int, said: str) -> str | None:
    """How to mend what people write most that is no JSON."""
    if said.startswith("Invalid control"):
        return "a line break is written `\\n` and a tab `\\t`"
    if text.startswith(("//", "/*", "#"), at):
        return "JSON has no comments"
    if text[at] == "'":
        return "text stands in double quotes"
    word = _BARE.match(text, at)
    if word is None or not said.startswith("Expecting value"):
        return None
    return f"it is written `{_OF_PYTHON[word[0]]}`" if word[0] in _OF_PYTHON else "text stands in double quotes"
