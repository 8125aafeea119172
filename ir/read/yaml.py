"""YAML text to plain values, with the place of every key and value.

Built on the parser's events alone: nothing in a file can construct an object. Scalars follow the YAML 1.2 core
schema (`on`, `yes` and `12:30` are strings). A key that stands twice is an error, as are tags, several documents
and aliases that expand without bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..diagnostics import Diagnostic, InputError, Label
from ..source import Path as DocumentPath
from ..source import SourceFile, SourceMap, Span
from ..units import shorten
from .text_files import read_text

DEEPEST_NESTING = 50
MOST_ALIASED_NODES = 20_000
MOST_VALUES = 200_000

_NO_BREAKS = str.maketrans(dict.fromkeys("\x85\u2028\u2029", " "))
"""Characters that end no line for YAML 1.2 and for editors, but do for the parser, which would count lines by them."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_WORDS |= {s + w: float(s + "inf") for s in ("", "-", "+") for w in (".inf", ".Inf", ".INF")}
_WORDS |= {w: float("nan") for w in (".nan", ".NaN", ".NAN")}


@dataclass(frozen=True)
class Document:
    """A parsed file: plain dicts, lists and scalars, where each stands, and the hash of its bytes."""

    value: Any
    sources: SourceMap
    sha256: str


@dataclass
class _Node:
    """A value with its span; children carry the span of their key. Shared by the aliases that name it."""

    span: Span
    value: Any = None
    children: list[tuple[str | int, Span | None, _Node]] | None = None
    size: int = 1


def read_yaml(path: Path, name: str | None = None) -> Document:
    """The document in the file at `path`, called `name` in messages (the path itself unless given)."""
    name = name or str(path)
    text, sha256 = read_text(path, name, "YAML")
    return parse_yaml(text, name, sha256)


def parse_yaml(text: str, name: str, sha256: str = "") -> Document:
    """The document in `text`; InputError with its place where it is not one YAML document."""
    source = SourceFile(name, text)
    sources = SourceMap(source)
    try:
        root = _Composer(source).document()
    except yaml.MarkedYAMLError as fault:
        raise _syntax_error(fault, source) from None
    except yaml.YAMLError as fault:
        raise _error("syntax", f"`{name}` is not YAML: {shorten(str(fault), 80)}", _start(source)) from None
    if root is None:
        raise _error("empty-file", f"`{name}` is empty", None)
    return Document(_record(root, (), sources), sources, sha256)


class _Composer:
    """Builds nodes from the parser's events."""

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self.events: Iterator[Any] = iter(yaml.parse(source.text.translate(_NO_BREAKS), Loader=_LOADER))
        self.anchors: dict[str, _Node | None] = {}
        self.twice: list[Diagnostic] = []
        """keys that stand twice"""
        self.aliased = 0
        self.values = 0

    def document(self) -> _Node | None:
        """The one document of the text, or None where it holds nothing."""
        root: _Node | None = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise _error("syntax", "a second document starts here; a file holds one", self.span(event))
                root = self.node(next(self.events), 0)
        if self.twice:
            raise InputError(self.twice)
        if root is not None and root.children is None and root.value is None:
            return None
        return root

    def node(self, event: Any, depth: int) -> _Node:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if event.tag is not None and event.tag != "!":
            raise _error("syntax", f"the tag `{shorten(event.tag)}` is not supported", self.span(event))
        if depth > DEEPEST_NESTING:
            raise _error("syntax", f"values are nested more than {DEEPEST_NESTING} deep", self.span(event))
        self.values += 1
        if self.values > MOST_VALUES:
            raise _error("too-large", f"`{self.source.name}` has more than {MOST_VALUES} values", None)
        if event.anchor:
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = _Node(self.span(event), event.value if event.style else _resolve(event.value))
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self.sequence(event, depth)
        else:
            node = self.mapping(event, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def alias(self, event: Any) -> _Node:
        node = self.anchors.get(event.anchor)
        if node is None:
            why = "stands inside what it names" if event.anchor in self.anchors else "names no anchor above it"
            raise _error("syntax", f"the alias `*{shorten(event.anchor)}` {why}", self.span(event))
        self.aliased += node.size
        if self.aliased > MOST_ALIASED_NODES:
            message = f"aliases expand to more than {MOST_ALIASED_NODES} values"
            raise _error("too-large", message, self.span(event))
        return node

    def sequence(self, start: Any, depth: int) -> _Node:
        node = _Node(self.span(start), children=[], value=[])
        assert node.children is not None
        for number, event in enumerate(iter(lambda: next(self.events), None)):
            if isinstance(event, yaml.SequenceEndEvent):
                break
            child = self.node(event, depth + 1)
            node.children.append((number, None, child))
            node.size += child.size
        return node

    def mapping(self, start: Any, depth: int) -> _Node:
        node = _Node(self.span(start), children=[], value={})
        assert node.children is not None
        seen: dict[str, Span] = {}
        for event in iter(lambda: next(self.events), None):
            if isinstance(event, yaml.MappingEndEvent):
                break
            span = self.span(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise _error("syntax", "a key must be a plain word", span)
            if event.value in seen:
                message = f"the key `{shorten(event.value)}` stands twice"
                labels = (Label(span, "again here"), Label(seen[event.value], "first here", primary=False))
                self.twice.append(Diagnostic("duplicate-key", message, labels, "keep one of them"))
            seen.setdefault(event.value, span)
            child = self.node(next(self.events), depth + 1)
            node.children.append((event.value, span, child))
            node.size += child.size
        return node

    def span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        if isinstance(event, yaml.CollectionStartEvent):
            return Span(self.source, start.line + 1, start.column + 1, 1)
        line_end = len(self.source.line(start.line + 1))
        last = end.column if end.line == start.line else line_end
        return Span(self.source, start.line + 1, start.column + 1, max(1, last - start.column))


def _resolve(text: str) -> Any:
    """The value of a plain scalar, by the core schema of YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 400:
        return text
    if _INT.fullmatch(text):
        return int(text) if len(text) <= 18 else float(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _record(node: _Node, path: DocumentPath, sources: SourceMap) -> Any:
    """The plain value of `node`; notes the spans of it and of all below it."""
    sources.values[path] = node.span
    if node.children is None:
        return node.value
    pairs: list[tuple[str | int, Any]] = []
    for key, key_span, child in node.children:
        if key_span is not None:
            sources.keys[(*path, key)] = key_span
        pairs.append((key, _record(child, (*path, key), sources)))
    return dict(pairs) if isinstance(node.value, dict) else [value for _, value in pairs]


def _syntax_error(fault: yaml.MarkedYAMLError, source: SourceFile) -> InputError:
    mark, start = fault.problem_mark or fault.context_mark, fault.context_mark
    span = Span(source, mark.line + 1, mark.column + 1) if mark else _start(source)
    if source.line(span.line)[span.col - 1 : span.col] == "\t":
        return _error("syntax", "this is not YAML: a tab stands where spaces must be", span, "indent with spaces")
    labels = [Label(span)]
    if start and fault.context and "flow" in fault.context:
        opened = Span(source, start.line + 1, start.column + 1)
        labels.append(Label(opened, "opened here", primary=False))
    return InputError([Diagnostic("syntax", f"this is not YAML: {fault.problem or fault.context}", tuple(labels))])


def _start(source: SourceFile) -> Span:
    return Span(source, 1, 1)


def _error(id: str, message: str, span: Span | None, help: str | None = None) -> InputError:
    return InputError([Diagnostic(id, message, (Label(span),) if span else (), help)])
