"""Networks run once per visit: parameters counted anew, work by hand."""

from __future__ import annotations

import pytest

from dovetail.costmodel.embedded import embed, read_catalogue
from dovetail.costmodel.hardware import load_devices
from dovetail.costmodel.models import find_model
from dovetail.costmodel.networks import Network
from dovetail.costmodel.work import network_work, read_work, work_record

H100 = load_devices()["h100-sxm"]
assert H100 is not None


def network(name: str) -> Network:
    found = find_model(name)
    assert isinstance(found, Network)
    return found


def bert_parameters(d: int, ffn: int, layers: int, vocab: int = 30522) -> int:
    """Of a BERT encoder with biases, norms, embeddings and pooler."""
    layer = 4 * d * d + 4 * d + 2 * d * ffn + ffn + d + 4 * d
    return layers * layer + (vocab + 512 + 2) * d + 2 * d + d * d + d


def whisper_parameters(d: int = 1280, ffn: int = 5120, layers: int = 32) -> int:
    """Of Whisper large-v3, counted layer by layer (keys have no bias; 128 mel bins; 51,866 tokens)."""
    attention, network = 4 * d * d + 3 * d, 2 * d * ffn + ffn + d
    encoder = layers * (attention + network + 4 * d) + 128 * 3 * d + d + 3 * d * d + d + 1500 * d + 2 * d
    decoder = layers * (2 * attention + network + 6 * d) + (51866 + 448) * d + 2 * d
    return encoder + decoder


def test_parameters_are_those_of_the_layers() -> None:
    assert network("whisper-large-v3").parameters == whisper_parameters()
    assert network("bge-large-en-v1.5").parameters == bert_parameters(1024, 4096, 24)
    assert network("all-minilm-l6-v2").parameters == bert_parameters(384, 1536, 6)


def test_whisper_weighs_three_gigabytes() -> None:
    assert network("whisper-large-v3").weight_bytes() == pytest.approx(3.09e9, rel=1e-3)
    assert network("whisper-large-v3").weight_bytes("fp32") == pytest.approx(6.17e9, rel=1e-3)


def test_an_embedding_by_hand() -> None:
    # 512 tokens: 2 x 24 x (4 x 1024^2 + 2 x 1024 x 4096) flops each, and 4 x 24 x 1024 x 512^2 of attention
    (cost, times), *rest = network("bge-large-en-v1.5").phases("fp16", {"tokens": 512.0})
    assert not rest
    assert times == 1
    assert cost.flops == pytest.approx(2 * 24 * 12_582_912 * 512 + 4 * 24 * 1024 * 512**2)


def test_long_inputs_take_several_passes() -> None:
    (_, once), *_ = network("bge-large-en-v1.5").phases("fp16", {"tokens": 512.0})
    (_, twice), *_ = network("bge-large-en-v1.5").phases("fp16", {"tokens": 513.0})
    assert (once, twice) == (1, 2)


def test_whisper_takes_whole_windows() -> None:
    whisper = network("whisper-large-v3")
    short, window, longer = (whisper.phases("fp16", {"audio_s": s})[0] for s in (1.0, 30.0, 31.0))
    assert short == window
    assert longer == (window[0], 2)


def test_the_decoder_takes_a_step_for_each_token() -> None:
    encode, decode = network("whisper-large-v3").phases("fp16", {"audio_s": 20.0})
    assert decode[1] == pytest.approx(70)
    assert encode[1] == 1


def test_the_input_that_sizes_it_must_be_given() -> None:
    with pytest.raises(ValueError, match="`whisper-large-v3` is sized by `audio`, which is not given"):
        network("whisper-large-v3").phases("fp16", {"tokens": 3.0})


def test_time_grows_with_the_input() -> None:
    whisper = network("whisper-large-v3")
    seconds = [network_work(whisper, None, {"audio_s": s}).seconds(H100) for s in (1.0, 10.0, 30.0, 31.0, 90.0)]
    assert seconds == sorted(seconds)
    assert seconds[0] < seconds[1]
    assert seconds[2] < seconds[3]


def test_work_is_embedded_and_read_back() -> None:
    speech = network("speecht5-tts")
    work = network_work(speech, "fp16", {"characters": 200.0})
    assert read_work(work_record(work)) == work
    record = embed(["h100"], {"say": speech}, {"tts.onnx": work})
    back = read_catalogue(record)
    assert back.find_device("H100") == H100
    assert back.works == {"tts.onnx": work}
    say = back.models["say"]
    assert isinstance(say, Network)
    assert say.phases("fp16", {"characters": 200.0}) == work.phases
