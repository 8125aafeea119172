"""Work as data: how much, never how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Work that adds up: floating-point operations, bytes moved to and from memory, kernel launches."""

    flops: float = 0.0
    read_bytes: float = 0.0
    write_bytes: float = 0.0
    launches: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.flops + other.flops,
            self.read_bytes + other.read_bytes,
            self.write_bytes + other.write_bytes,
            self.launches + other.launches,
        )
