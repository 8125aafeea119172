"""What a picture shows, whatever the level: boxes, groups of boxes, and arrows between boxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """One node, op or piece; `kind` decides its colour."""

    id: str
    label: str
    detail: str = ""
    kind: str = "op"
    key: str = ""
    """Boxes of one key may stand for each other where a stretch of them repeats, whatever their details."""


@dataclass(frozen=True)
class Group:
    """Boxes and groups that belong together: a pool, a nested agent, a layer that repeats."""

    id: str
    label: str
    items: tuple[Box | Group, ...]
    kind: str = "group"


@dataclass(frozen=True)
class Arrow:
    """From one box to another; dashed where it is no dependence of every visit."""

    source: str
    target: str
    label: str = ""
    dashed: bool = False


@dataclass(frozen=True)
class Picture:
    """Ids of boxes and groups are all different; arrows join boxes alone."""

    name: str
    items: tuple[Box | Group, ...]
    arrows: tuple[Arrow, ...]

    @property
    def boxes(self) -> Iterator[Box]:
        """All boxes, those inside groups in their groups' place."""
        return boxes_of(self.items)

    def short_ids(self) -> dict[str, str]:
        """Id of a box -> `n0`, `n1`, ...: what nobody wrote cannot break a format."""
        return {box.id: f"n{number}" for number, box in enumerate(self.boxes)}


def boxes_of(items: tuple[Box | Group, ...]) -> Iterator[Box]:
    """The boxes among `items` and inside them, in order."""
    for item in items:
        if isinstance(item, Box):
            yield item
        else:
            yield from boxes_of(item.items)


def printable(text: str) -> str:
    """`text` on one line, without characters that no format can hold."""
    return "".join(c if c.isprintable() else " " for c in text)
