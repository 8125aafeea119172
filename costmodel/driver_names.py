"""What drivers call the catalogue's devices."""

from __future__ import annotations

import re

from .hardware import Device, find_device


def catalogue_device(name: str) -> Device | None:
    """
    The catalogue's device for what a driver calls `name`: the longest run of words that is one of its ids or aliases.

    "NVIDIA A100-SXM4-80GB" is `a100-sxm`, "NVIDIA GeForce RTX 4090" is `rtx-4090`, "NVIDIA H100 80GB HBM3" `h100`.
    """
    words = re.findall("[a-z0-9]+", re.sub(r"sxm\d", "sxm", name.lower()))
    runs = [words[i:j] for i in range(len(words)) for j in range(i + 1, len(words) + 1)]
    found = (find_device("-".join(run)) for run in sorted(runs, key=len, reverse=True))
    return next((device for device in found if device is not None), None)
