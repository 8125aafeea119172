"""Where a thing was written: files, spans in them, and a map from a document's keys to spans."""

from __future__ import annotations

from dataclasses import dataclass, field

Path = tuple[str | int, ...]
"""The way from a document's root to one value: `("nodes", "think", "model")`, `("edges", 1, "to")`."""


@dataclass(frozen=True)
class SourceFile:
    """A text that was read, under the name that messages show."""

    name: str
    text: str = field(repr=False)

    def line(self, number: int) -> str:
        """Line `number` (from 1) without its end; empty past the end of the file."""
        lines = self._lines
        return lines[number - 1] if 1 <= number <= len(lines) else ""

    @property
    def _lines(self) -> list[str]:
        cached = self.__dict__.get("_split")
        if cached is None:
            cached = self.text.split("\n")
            object.__setattr__(self, "_split", cached)
        return cached


@dataclass(frozen=True)
class Span:
    """A stretch of one line: `line` and `col` count from 1, `length` in characters, at least 1."""

    source: SourceFile
    line: int
    col: int
    length: int = 1

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.col}"


@dataclass
class SourceMap:
    """Spans of the keys and of the values of one document, by path."""

    source: SourceFile
    keys: dict[Path, Span] = field(default_factory=dict)
    values: dict[Path, Span] = field(default_factory=dict)

    def key(self, path: Path) -> Span:
        """The span of the key at `path`, or of the nearest place above it that has one."""
        return self._nearest(self.keys, path)

    def value(self, path: Path) -> Span:
        """The span of the value at `path`, or of the nearest place above it that has one."""
        return self._nearest(self.values, path)

    def _nearest(self, first: dict[Path, Span], path: Path) -> Span:
        second = self.values if first is self.keys else self.keys
        for end in range(len(path), -1, -1):
            for spans in (first, second):
                if path[:end] in spans:
                    return spans[path[:end]]
        return Span(self.source, 1, 1)
