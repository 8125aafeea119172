"""Devices that installed packages add to the catalogue, through the entry-point group `dovetail.devices`.

An entry point names a mapping from id to record, in the form of the catalogue's YAML files, or the path of such a
file. It is asked only for a name that the catalogue lacks, and for listings: start-up does not pay for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..ir.diagnostics import Diagnostic, InputError
from .figures import read_yaml

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS = "dovetail.devices"


def added_entries() -> dict[str, Mapping[str, Any]]:
    """Id -> record of every device that packages add; the first package to name an id has it.

    InputError that names the entry point, for one that cannot be loaded or is neither mapping nor path.
    """
    from importlib.metadata import entry_points  # slow to import, and asked for only where our catalogue lacks a name

    entries: dict[str, Mapping[str, Any]] = {}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: (p.name, p.value)):
        for id, entry in _load(point).items():
            entries.setdefault(str(id), entry)
    return entries


def _load(point: EntryPoint) -> Mapping[str, Any]:
    try:
        found = point.load()
        if isinstance(found, str | Path):
            found = read_yaml(Path(found))
    except Exception as error:  # what another's package raises at import cannot be foreseen
        raise _fault(point, f"{type(error).__name__}: {error}") from error
    if not isinstance(found, Mapping) or not all(isinstance(entry, Mapping) for entry in found.values()):
        raise _fault(point, "it is neither a mapping from id to record nor the path of a YAML file of them")
    return found


def _fault(point: EntryPoint, why: str) -> InputError:
    message = f"the package that adds devices as `{point.name}` ({point.value}) cannot be used: {why}"
    return InputError([Diagnostic("added-devices", message, help="uninstall the package or mend it")])
