"""YAML text that YAML 1.1 and 1.2 readers understand alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

_READ_OTHERWISE = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null|none|nan|inf)|[-+.]?[0-9].*|")
"""Strings that some reader takes for a boolean, a null, a number, a time or a date."""


class _Dumper(yaml.SafeDumper):
    """Sequences indented under their key; no anchors, which reviewers and some tools misread."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_str(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else '"' if _READ_OTHERWISE.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_str)


def dump(documents: Iterable[Mapping[str, Any]]) -> str:
    """`documents` as one YAML stream: keys sorted, lines never folded, the same bytes each time."""
    return yaml.dump_all(
        list(documents), Dumper=_Dumper, sort_keys=True, width=1 << 20, allow_unicode=True, explicit_start=True
    )
