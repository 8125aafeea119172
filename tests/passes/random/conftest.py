"""Passes held against the interpreter on random networks, before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from dovetail.ir import nn
from dovetail.ir.random_networks import RandomNetwork
from dovetail.passes.nn import run


@pytest.fixture(scope="session")
def fired() -> Counter[tuple[str, str]]:
    """(pass, pattern) -> how often it fired in this run."""
    return Counter()


@pytest.fixture(scope="session")
def rewritten(fired: Counter[tuple[str, str]]) -> Callable[..., nn.NnModule]:
    """
    `rewritten(case, names, device)`: the network of `case` after the passes in order, which must verify and give the
    same after each.

    `network` is where to begin instead.
    """

    def through(
        case: RandomNetwork, names: Sequence[str], device: str = "gpu", network: nn.NnModule | None = None
    ) -> nn.NnModule:
        network = network or case.network
        for name in names:
            done, patterns = run(network, [name], device)
            fired.update({(name.split("{")[0], pattern): count for pattern, count in patterns.items()})
            if not network.module.is_structurally_equivalent(done.module):
                done.module.verify()
                difference = case.difference(done)
                assert not difference, f"after `{name}` for {device}: {difference}"
            network = done
        return network

    return through
