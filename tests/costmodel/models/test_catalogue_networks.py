"""Speech, embedding and reranking networks of the catalogue: parameters counted anew from their shapes."""

from __future__ import annotations

import pytest

from dovetail.costmodel.hardware import load_devices
from dovetail.costmodel.models import find_model
from dovetail.costmodel.networks import Network
from dovetail.costmodel.work import network_work

H100 = load_devices()["h100-sxm"]
assert H100 is not None


def network(name: str) -> Network:
    found = find_model(name)
    assert isinstance(found, Network)
    return found


def whisper(d: int, layers: tuple[int, int], vocab: int, mel: int) -> int:
    """Of Whisper with biases but for keys; feed-forward networks four times as wide."""
    attention, ffn = 4 * d * d + 3 * d, 8 * d * d + 5 * d
    encoder = layers[0] * (attention + ffn + 4 * d) + mel * 3 * d + d + 3 * d * d + d + 1500 * d + 2 * d
    return encoder + layers[1] * (2 * attention + ffn + 6 * d) + (vocab + 448) * d + 2 * d


def bert(d: int, layers: int, vocab: int, positions: int, types: int) -> int:
    """Of a BERT or XLM-R encoder with biases, norms, embeddings and pooler."""
    layer = 4 * d * d + 4 * d + 8 * d * d + 5 * d + 4 * d
    return layers * layer + (vocab + positions + types) * d + 2 * d + d * d + d


@pytest.mark.parametrize(
    ("name", "count"),
    [
        # 809M, 769M, 244M, 74M, 39M in the table of openai/whisper's README, which counts them a little higher
        ("openai/whisper-large-v3-turbo", whisper(1280, (32, 4), 51866, 128)),
        ("distil-large-v3", whisper(1280, (32, 2), 51866, 128)),
        ("whisper-large-v2", whisper(1280, (32, 32), 51865, 80)),
        ("whisper-medium", whisper(1024, (24, 24), 51865, 80)),
        ("whisper-small", whisper(768, (12, 12), 51865, 80)),
        ("whisper-base", whisper(512, (6, 6), 51865, 80)),
        ("whisper-tiny", whisper(384, (4, 4), 51865, 80)),
        ("BAAI/bge-m3", bert(1024, 24, 250002, 8194, 1)),
        ("bge-base-en-v1.5", bert(768, 12, 30522, 512, 2)),
        ("bge-small-en-v1.5", bert(384, 12, 30522, 512, 2)),
        ("multilingual-e5-large", bert(1024, 24, 250002, 514, 1)),
        # a dense layer in place of the pooler, and one score with its bias
        ("BAAI/bge-reranker-v2-m3", bert(1024, 24, 250002, 8194, 1) + 1025),
        ("bge-reranker-base", bert(768, 12, 250002, 514, 1) + 769),
        ("cross-encoder/ms-marco-MiniLM-L-6-v2", bert(384, 6, 30522, 512, 2) + 385),
    ],
)
def test_parameters_are_those_of_the_layers(name: str, count: int) -> None:
    assert network(name).parameters == count


def test_smaller_networks_are_faster() -> None:
    names = ("whisper-tiny", "whisper-small", "whisper-medium", "whisper-large-v2")
    seconds = [network_work(network(name), None, {"audio_s": 20.0}).seconds(H100) for name in names]
    assert seconds == sorted(seconds)


def test_flux_by_hand() -> None:
    # 1024 x 1024 pixels: 4096 patches and 512 tokens of prompt, each through 57 blocks of 12 x 3072^2 weights
    (step, times), _ = network("black-forest-labs/FLUX.1-dev").phases("bf16", {"pixels": 1024.0**2})
    n = 4096 + 512
    assert times == 50
    assert step.flops == pytest.approx(2 * 57 * 12 * 3072**2 * n + 4 * 57 * 3072 * n**2)
    assert network("flux.1-schnell").steps == 4
