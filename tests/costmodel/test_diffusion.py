"""Diffusion models: figures of the catalogue counted layer by layer, and DiT's work against its paper."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from dovetail.costmodel.models import find_model
from dovetail.costmodel.networks import Network


def network(name: str) -> Network:
    found = find_model(name)
    assert isinstance(found, Network)
    return found


@dataclass
class Counter:
    """Parameters and multiply-adds of layers, as they are named."""

    parameters: int = 0
    products: int = 0
    embedding: int = field(default=0)

    def linear(self, inner: int, outer: int, times: int, bias: bool = True) -> None:
        self.parameters += inner * outer + outer * bias
        self.products += inner * outer * times

    def conv(self, inner: int, outer: int, kernel: int, side: int) -> None:
        self.parameters += inner * outer * kernel**2 + outer
        self.products += inner * outer * kernel**2 * side**2

    def norm(self, width: int) -> None:
        self.parameters += 2 * width

    def residual(self, inner: int, outer: int, side: int) -> None:
        self.norm(inner)
        self.conv(inner, outer, 3, side)
        if self.embedding:
            self.linear(self.embedding, outer, 1)
        self.norm(outer)
        self.conv(outer, outer, 3, side)
        if inner != outer:
            self.conv(inner, outer, 1, side)

    def transformer(self, width: int, side: int, depth: int, context: int) -> None:
        """Self-attention, attention to 77 tokens of the prompt, and a gated network, `depth` times."""
        places = side**2
        if depth:
            self.norm(width)
            self.linear(width, width, places)
            self.linear(width, width, places)
        for _ in range(depth):
            for keys, source, read in ((places, width, places), (77, context, 77)):
                self.norm(width)
                self.linear(width, width, places, bias=False)
                self.linear(source, width, read, bias=False)
                self.linear(source, width, read, bias=False)
                self.linear(width, width, places)
                self.products += 2 * places * keys * width
            self.norm(width)
            self.linear(width, 8 * width, places)
            self.linear(4 * width, width, places)


def u_net(levels: list[tuple[int, int]], middle: int, context: int, side: int, added: int) -> Counter:
    """Of a U-Net over latents of side x side; `levels` are (width, depth of transformers)."""
    widths, depths = zip(*levels, strict=True)
    count = Counter(embedding=4 * widths[0])
    for inner in filter(None, (widths[0], added)):
        count.linear(inner, count.embedding, 1)
        count.linear(count.embedding, count.embedding, 1)
    count.conv(4, widths[0], 3, side)
    skips, now, last = [widths[0]], widths[0], len(widths) - 1
    for level, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        for _ in range(2):
            count.residual(now, width, side)
            count.transformer(width, side, depth, context)
            now = width
            skips.append(now)
        if level < last:
            side //= 2
            count.conv(now, now, 3, side)
            skips.append(now)
    count.residual(now, now, side)
    count.transformer(now, side, middle, context)
    count.residual(now, now, side)
    for level, (width, depth) in enumerate(zip(widths[::-1], depths[::-1], strict=True)):
        for _ in range(3):
            count.residual(now + skips.pop(), width, side)
            count.transformer(width, side, depth, context)
            now = width
        if level < last:
            side *= 2
            count.conv(now, now, 3, side)
    count.norm(now)
    count.conv(now, 4, 3, side)
    return count


def latent_decoder(side: int) -> Counter:
    """Of Stable Diffusion's autoencoder, from latents of side x side to pixels."""
    count, now = Counter(), 512
    count.conv(4, 4, 1, side)
    count.conv(4, 512, 3, side)
    count.residual(512, 512, side)
    count.norm(512)
    for _ in range(4):
        count.linear(512, 512, side**2)
    count.products += 2 * side**4 * 512
    count.residual(512, 512, side)
    for level, width in enumerate((512, 512, 256, 128)):
        for _ in range(3):
            count.residual(now, width, side)
            now = width
        if level < 3:
            side *= 2
            count.conv(now, now, 3, side)
    count.norm(128)
    count.conv(128, 3, 3, side)
    return count


@pytest.mark.parametrize(
    ("name", "count", "pixels"),
    [
        ("stable-diffusion-v1-5", u_net([(320, 1), (640, 1), (1280, 1), (1280, 0)], 1, 768, 64, 0), 512**2),
        ("stable-diffusion-xl-base-1.0", u_net([(320, 0), (640, 2), (1280, 10)], 10, 2048, 128, 2816), 1024**2),
    ],
)
def test_u_nets_are_counted_layer_by_layer(name: str, count: Counter, pixels: int) -> None:
    model = network(name)
    assert model.encoder.parameters == count.parameters
    (step, times), *_ = model.phases("fp16", {"pixels": pixels})
    assert step.flops == pytest.approx(2 * 2 * count.products, rel=1e-6)  # with and without the prompt
    assert times == 50


def test_the_decoder_of_latents_is_counted_layer_by_layer() -> None:
    count = latent_decoder(64)
    model = network("stable-diffusion-v1-5")
    assert model.extra_flops_per_unit * 512**2 == pytest.approx(2 * count.products, rel=1e-3)
    assert count.parameters == 49_490_199


@pytest.mark.parametrize(("side", "published"), [(256, 118.64e9), (512, 524.60e9)])
def test_a_transformer_takes_what_its_paper_says(side: int, published: float) -> None:
    """arXiv 2212.09748 counts a multiplication and an addition as one."""
    (step, times), decode = network("dit-xl-2").phases("fp16", {"pixels": float(side**2)})
    assert step.flops / 2 / 2 == pytest.approx(published, rel=0.005)
    assert times == 250
    assert decode[1] == 1


def test_a_visit_may_say_its_steps() -> None:
    (_, times), *_ = network("stable-diffusion-v1-5").phases("fp16", {"pixels": 512.0**2, "steps": 20.0})
    assert times == 20
    (_, once), *_ = network("bge-large-en-v1.5").phases("fp16", {"tokens": 512.0, "steps": 20.0})
    assert once == 1


def test_the_size_of_the_image_must_be_given() -> None:
    with pytest.raises(ValueError, match="`dit-xl-2` is sized by `image`, which is not given"):
        network("dit-xl-2").phases("fp16", {"tokens": 3.0})
