"""Names of the variables in emitted code: one that flows from line to line, and numbered ones for what stays."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterable


def identifier(text: str) -> str:
    """`text` as a Python name: other characters become `_`, and a leading digit or a keyword is led by `_`."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII).strip("_") or "value"
    return f"_{name}" if name[0].isdigit() or keyword.iskeyword(name) else name


class Names:
    """Hands out names that are not taken, `conv_1`, `conv_2`, ... by kind."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._counts: Counter[str] = Counter()

    def claim(self, *wanted: str) -> str:
        """The first of `wanted` that is free as an identifier, else the last with `_2`, `_3`, ... behind it."""
        candidates = [identifier(name) for name in wanted]
        base = name = next((c for c in candidates if c not in self._taken), candidates[-1])
        number = 1
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name

    def number(self, kind: str) -> str:
        """The next name of its kind."""
        while True:
            self._counts[kind] += 1
            name = f"{kind}_{self._counts[kind]}"
            if name not in self._taken:
                self._taken.add(name)
                return name
