"""What visits take of a server in each of its roles, repeats after interruptions among it.

Times of one visit with prompt p, of which c tokens are cached, and o output tokens (the first from prefill):

    apart     prefill  T_p(p - c | c)             decode  (o - 1) s(B, p + o/2)        TBT = s + KV transfer / (o - 1)
    together  the same, but each of the other B - 1 requests of the batch is prefilled once while this one decodes:
                                                  decode  (o - 1) (s + (B - 1) (T_p - e) / o)

e being what the engine adds to any step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ....costmodel.interruptions import NEVER, Interruptions
from ....ir.distribution import Distribution
from ..setting import Setting
from .calls import Call
from .servers import Server, weights


@dataclass(frozen=True)
class Times:
    """Seconds of the visits of one call in one role."""

    prefill: tuple[float, ...]
    gap: tuple[float, ...]
    """Between tokens."""
    decode: tuple[float, ...]
    """All tokens after the first, but for repeats."""
    again: tuple[float, ...]
    """What a decode that is interrupted does again: its prefill too where its server has both."""
    interruptions: Interruptions = NEVER

    def worked_s(self, part: str) -> tuple[float, ...]:
        """How long the `prefill` or `decode` of each visit takes of a slot of the batch, repeats among it."""
        whole, again = (self.prefill, self.prefill) if part == "prefill" else (self.decode, self.again)
        return tuple(self.interruptions.repeated_s(s, w) for s, w in zip(whole, again, strict=True))

    def lost(self, part: str) -> Iterator[Distribution]:
        """What each visit loses to interruptions of its `prefill` or `decode`."""
        whole, again = (self.prefill, self.prefill) if part == "prefill" else (self.decode, self.again)
        return (self.interruptions.lost(s, w) for s, w in zip(whole, again, strict=True))

    def slot_s(self, role: str) -> tuple[float, ...]:
        """How long each visit keeps a slot of the batch, down time among it."""
        parts = ("prefill", "decode") if role == "both" else (role,)
        visits = zip(*(self.worked_s(part) for part in parts), strict=True)
        return tuple(self.interruptions.capacity_s(sum(visit)) for visit in visits)


def times_of(setting: Setting, name: str, server: Server, call: Call, role: str) -> Times:
    timing = server.timings[call.node]
    gap = timing.gap if role == "both" else timing.step
    decode = tuple((v.output - 1) * g for v, g in zip(call.visits, gap, strict=True))
    again = tuple(p + d for p, d in zip(timing.prefill, decode, strict=True)) if role == "both" else decode
    taken_back = setting.interruptions(name, weights(server.replica), server.parallel.devices)
    return Times(timing.prefill, gap, decode, again, taken_back)
