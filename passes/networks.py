"""Networks in files, each read once and lowered once, for those that plan with them and those that emit them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from ..ir.nn import NnModule
    from .nn.set_precision import Reduced

Made = TypeVar("Made")


@dataclass(frozen=True)
class Networks:
    """What was made of networks so far; it is held as long as this is."""

    _made: dict[Hashable, object] = field(default_factory=dict, repr=False)

    def read(self, path: Path, sizes: Mapping[str, float]) -> NnModule:
        """The network in the file at `path` with `sizes` for its open ones; InputError as `read_network`."""
        from ..ir.read.networks import read_network

        return self._once(("read", path, *sorted(sizes.items())), lambda: read_network(path, sizes))

    def runnable(self, path: Path, sizes: Mapping[str, float]) -> NnModule:
        """The same with seeded weights where the file has none."""
        from ..ir.read.networks import with_weights

        return self._once(("run", path, *sorted(sizes.items())), lambda: with_weights(self.read(path, sizes)))

    def lowered(self, network: NnModule, kind: str, device: str | None = None, precision: str | None = None) -> Reduced:
        """One of these networks for a device, as `lower_at_precision` with the precisions that `precision` says."""
        from .nn.precisions import read_precisions
        from .nn.profit import REPRESENTATIVE
        from .target import lower_at_precision

        wanted = None if precision is None else read_precisions(precision)
        decides = device or REPRESENTATIVE.get(kind, kind)
        key = ("lowered", id(network), kind, decides, precision)
        return self._once(key, lambda: lower_at_precision(network, kind, device, wanted))

    def _once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        if key not in self._made:
            self._made[key] = make()
        return cast(Made, self._made[key])
