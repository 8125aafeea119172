"""A user's own catalogue: what it extends and overrides, and the places of its faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from dovetail.costmodel.embedded import embed, read_catalogue
from dovetail.costmodel.hardware import find_device, load_devices
from dovetail.costmodel.models import find_model
from dovetail.costmodel.models.llm import LLM
from dovetail.costmodel.user_catalogue import read_user_catalogue
from dovetail.costmodel.user_entries import using
from dovetail.ir.diagnostics import InputError

GOOD = """\
devices:
  h100-sxm:
    figures: [{source: our quote, date: 2026-11, quality: measured, rent: 1.90 USD/h, idle: 90 W}]
  big-l4:
    like: l4
    figures: [{source: a wish, date: 2027, quality: guess, memory: 48 GiB}]
  abacus:
    kind: npu
    vendor: Abacus
    aliases: [Bead_Board]
    figures:
      - {source: its sheet, date: 2026-10, quality: data_sheet, memory: 64 GB, bandwidth: 2 TB/s, tdp: 300 W,
         flops: {int8: 400 TOP/s}, multiprocessors: 12, clock: 1.1 GHz, cache: 32 MB, spot: 0.3 USD/h,
         interruptions: 0.1 per hour, rack_devices: 64}
models:
  short-llama: {like: llama-3.1-8b, layers: 16}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_user_catalogue(written(tmp_path, text))
    return [diagnostic.render() for diagnostic in caught.value.diagnostics]


def test_known_devices_keep_what_the_file_does_not_say(tmp_path: Path) -> None:
    ours = find_device("h100")
    assert ours is not None
    with using(read_user_catalogue(written(tmp_path, GOOD))):
        device = find_device("H100")
    assert device is not None
    assert (device.rent_usd_per_hour, device.idle_w, device.memory_bytes) == (1.9, 90, ours.memory_bytes)
    assert (device.quality["rent"], device.figures["rent"].source) == ("measured", "our quote")
    assert find_device("h100") == ours


def test_new_devices_stand_alone_or_start_from_another(tmp_path: Path) -> None:
    with using(read_user_catalogue(written(tmp_path, GOOD))):
        big, abacus, l4 = find_device("big_l4"), find_device("bead-board"), find_device("l4")
        assert {"big-l4", "abacus"} < set(load_devices())
    assert big is not None
    assert abacus is not None
    assert l4 is not None
    assert (big.memory_bytes, big.bandwidth_bytes_per_s) == (48 * 2**30, l4.bandwidth_bytes_per_s)
    assert (abacus.multiprocessors, abacus.clock_hz, abacus.cache_bytes, abacus.rack_devices) == (12, 1.1e9, 32e6, 64)
    assert (abacus.spot_usd_per_hour, abacus.interruptions_per_hour) == (0.3, 0.1)
    assert [level.name for level in abacus.levels] == ["memory", "cache"]
    assert "big-l4" not in load_devices()


def test_models_start_from_others(tmp_path: Path) -> None:
    ours = find_model("llama-3.1-8b")
    with using(read_user_catalogue(written(tmp_path, GOOD))):
        short = find_model("short-llama")
    assert isinstance(ours, LLM)
    assert isinstance(short, LLM)
    assert (short.layers, short.hidden) == (16, ours.hidden)


def test_a_plan_embeds_what_it_used_and_reads_it_without_the_file(tmp_path: Path) -> None:
    with using(read_user_catalogue(written(tmp_path, GOOD))):
        record = embed(["Bead_Board", "h100"], {}, {})
        abacus, h100 = find_device("abacus"), find_device("h100")
    again = read_catalogue(record)
    assert again.find_device("bead-board") == abacus
    assert again.find_device("H100") == h100
    assert again.find_device("b200") is None


def test_all_faults_are_shown_at_once_with_their_places(tmp_path: Path) -> None:
    text = """\
devices:
  one:
    kind: gpu
    figures:
      - {source: s, date: 2026, quality: sure, memory: 80, tdp: 300 W}
      - {date: 2026, quality: guess, bandwith: 3 TB/s}
      - {source: s, date: 2026, quality: guess, multiprocessors: 12.5}
machines: {}
"""
    shown = faults(tmp_path, text)
    for place, words in (
        ("mine.yaml:5:42", "has no choice `sure`"),
        ("mine.yaml:5:56", "`80` has no unit"),
        ("mine.yaml:6:9", "needs `source`"),
        ("mine.yaml:6:38", "has no key `bandwith`"),
        ("mine.yaml:7:66", "must be a whole number"),
        ("mine.yaml:8:1", "has no key `machines`"),
    ):
        assert any(place in text and words in text for text in shown), (place, words, shown)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("devices: {two: {like: h100-sxn}}\n", "mine.yaml:1:23", "`like: h100-sxn` is in no catalogue"),
        ("devices:\n  two: {kind: gpu}\n", "mine.yaml:2:3", "is in no catalogue, and needs `vendor`"),
        (
            "devices:\n  two: {kind: cpu, vendor: v}\n",
            "mine.yaml:2:3",
            "lacks `memory`, `bandwidth`, `tdp`, `cores`, `flops`",
        ),
        (
            "devices:\n  l4: {figures: [{source: s, date: 2026, quality: guess, idle: 90 W}]}\n",
            "mine.yaml:2:64",
            "takes more power idle than busy (`idle` over `tdp`)",
        ),
        (
            "devices:\n  h100:\n    figures: [{source: s, date: 2026, quality: guess, flops: {fp8: 3958 TFLOP/s}}]\n",
            "mine.yaml:3:68",
            "a sparse figure?",
        ),
        ("models:\n  new: {hidden: 8}\n", "mine.yaml:2:3", "the model `new`"),
        ("models: {new: {like: llama-9}}\n", "mine.yaml:1:22", "`like: llama-9` is in no catalogue"),
        (
            "devices:\n  l4: {figures: [{source: s, date: 2026, quality: guess, bandwidth: 1e-25 GB/s}]}\n",
            "mine.yaml:2:69",
            "has a rate below a thousand a second (`bandwidth`)",
        ),
        ("models:\n  w: {like: whisper-large-v3, layers: 3}\n", "mine.yaml:2:31", "`layers` is no key of a network"),
        ("models:\n  m: {like: gpt-oss-20b, experts: 3}\n", "mine.yaml:2:6", "a token cannot take 4 of 3 `experts`"),
        ("models:\n  one: {like: one}\n", "mine.yaml:2:15", "or from one above it in this file"),
        ("[]\n", "mine.yaml:1:1", "must be a mapping"),
    ],
)
def test_a_fault_is_placed(tmp_path: Path, text: str, place: str, words: str) -> None:
    (shown,) = faults(tmp_path, text)
    assert place in shown
    assert words in shown


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        read_user_catalogue(tmp_path / "none.yaml")


def test_coefficients_that_the_model_has_not_are_told(tmp_path: Path) -> None:
    text = """\
devices:
  l4:
    calibration:
      - {source: gemm.csv, date: 2026-11-21, quality: fitted, kernels: {gemm_plain: {fitted: {lunch_clocks: 1.0}}}}
      - {source: old.csv, date: 2026-11-21, quality: fitted, kernels: {gemv: {fitted: {step: 1.0}}}}
      - {source: serving.csv, date: 2026-11-21, quality: fitted,
         serving: {model: llama-3.1-8b, engine: vllm, precision: bf16, fitted: {stride: 1.0}}}
"""
    found = faults(tmp_path, text)
    assert [fault.split("`")[3] for fault in found] == ["lunch_clocks", "kernels.gemv", "stride"]
