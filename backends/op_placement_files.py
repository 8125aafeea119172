"""What `partition --over -o` writes: the plan, and the network as a piece for each stretch of ops on one device."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..ir.text import print_module
from ..passes.pieces.emit import Pieces, piece_module
from . import OutputFile


def op_placement_files(
    document: Mapping[str, Any], text: str, pieces: Pieces, devices: Sequence[str]
) -> list[OutputFile]:
    """plan.json, plan.txt, pieces.mlir (`main` calls all pieces, with transfers between) and each piece by itself."""
    table = [{"piece": name, "device": device} for name, device in zip(pieces.names, devices, strict=True)]
    whole = {**document, "emitted": table}
    files = [
        OutputFile("plan.json", json.dumps(whole, indent=2) + "\n"),
        OutputFile("plan.txt", text),
        OutputFile("pieces.mlir", print_module(pieces.module)),
    ]
    for name, device in zip(pieces.names, devices, strict=True):
        files.append(OutputFile(f"pieces/{name}.{device}.mlir", print_module(piece_module(pieces, name))))
    return files
