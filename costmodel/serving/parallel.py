"""How one replica of a language model spreads over devices."""

from __future__ import annotations

from dataclasses import dataclass

from ..models import LLM
from ..models.feed_forward import FeedForward
from ..models.mixers import Mixer


@dataclass(frozen=True)
class Parallel:
    """`tp` x `dp` devices in each of `pp` stages.

    Attention is cut over `tp` devices, and `dp` such groups each serve their own share of the sequences (data-parallel
    attention). Routed experts are spread over `ep` parts of all `tp` x `dp` devices of a stage, each expert being cut
    over the devices of its part; what every token passes is cut over `tp` and repeated in each group.
    """

    tp: int = 1
    pp: int = 1
    ep: int = 1
    dp: int = 1

    def __post_init__(self) -> None:
        if min(self.tp, self.pp, self.ep, self.dp) < 1 or (self.tp * self.dp) % self.ep:
            raise ValueError(f"{self} is not costed: degrees are 1 or more, and ep divides tp x dp")

    @property
    def devices(self) -> int:
        """Devices of one replica."""
        return self.tp * self.dp * self.pp

    @property
    def stage_devices(self) -> int:
        """Devices of one stage."""
        return self.tp * self.dp

    @property
    def expert_tp(self) -> int:
        """Devices over which one expert is cut."""
        return self.stage_devices // self.ep


ONE_DEVICE = Parallel()


def fits_shape(llm: LLM, parallel: Parallel) -> bool:
    """Whether the model can be cut so: heads, widths of networks, experts and layers divide evenly.

    KV heads may be fewer than `tp` if they divide it; each is then held by several devices, as latent vectors are.
    Without routed experts there is nothing for `ep` to spread, and copies of attention are replicas.
    """
    if llm.layers % parallel.pp:
        return False
    if not any(group.network.experts for group in llm.groups) and (parallel.ep, parallel.dp) != (1, 1):
        return False
    return all(_group_fits(group.mixer, group.network, parallel) for group in llm.groups)


def _group_fits(mixer: Mixer, network: FeedForward, parallel: Parallel) -> bool:
    tp, kv = parallel.tp, mixer.kv_parts
    attention = mixer.heads % tp == 0 and (kv % tp == 0 or tp % kv == 0)
    dense = all(product.k % tp == 0 for product in network.products if product.split == "rows")
    routed = all(p.k % parallel.expert_tp == 0 for p in network.expert_products if p.split == "rows")
    return attention and dense and routed and network.experts % parallel.ep == 0
