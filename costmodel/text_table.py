"""A table as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], left: bool = False) -> str:
    """Columns as wide as their widest cell, the first to the left and the others to the right, or all to the left."""
    lines = [tuple(heads), *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    text = (
        "  ".join(
            c.rjust(w) if i and not left else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
    return "".join(f"{line.rstrip()}\n" for line in text)
