"""Names in emitted code: of networks, and of variables, one that flows from line to line, others numbered by kind."""

from __future__ import annotations

import keyword
import re
import sys
from collections import Counter
from collections.abc import Iterable

LIBRARIES = ("jax", "jaxlib", "numpy", "scipy", "ml_dtypes", "opt_einsum", "torch", "triton")
BESIDE = ("run", "weights_file", "host_tensor", "kernels", "pallas_kernels")
"""files and folders beside an emitted network"""
OF_SCRIPTS = (
    "main", "read_inputs", "declared", "random_inputs", "crc32", "tensor", "empty", "array", "numpy_type",
    "round_as_gpus_do", "read_safetensors", "load_weights", "np",
)  # fmt: skip
"""what `run.py` has under its own names"""


def network_name(text: str, reserved: Iterable[str]) -> str:
    """
    The name of an emitted network: of its file, and of the function in it.

    That is `text` as an identifier, with `_2` behind it where the file has that name for something else (`reserved`),
    where the file would hide a module that it or the script beside it imports, and where the script has it.
    """
    return Names([*reserved, *LIBRARIES, *BESIDE, *OF_SCRIPTS, *sys.stdlib_module_names]).claim(text)


def identifier(text: str) -> str:
    """`text` as a Python name: other characters become `_`, and a leading digit or a keyword is led by `_`."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII).strip("_") or "value"
    return f"_{name}" if name[0].isdigit() or keyword.iskeyword(name) else name


class Names:
    """Hands out names that are not taken, `conv_1`, `conv_2`, ... by kind."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._counts: Counter[str] = Counter()

    def copy(self) -> Names:
        """The same names, for a function of its own."""
        return Names(self._taken)

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
