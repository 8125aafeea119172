"""The listing of models names everything that the catalogue has; one model is printed in full, or as plain data."""

from __future__ import annotations

import json

import pytest

from dovetail.costmodel.inventory_models import model_text, models_json, models_text
from dovetail.costmodel.models import load_models
from dovetail.ir.diagnostics import InputError


def line_of(text: str, name: str) -> list[str]:
    """The cells of the table line that begins with `name`."""
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [name])


def test_models_have_a_line_each() -> None:
    text = models_text()
    for id in load_models():
        assert line_of(text, id)


def test_lines_by_hand() -> None:
    text = models_text()
    llama = "llama-3.1-8b 8.03 G 8.03 G 16.06 131072 - 131072 bf16 data sheet"
    assert " ".join(line_of(text, "llama-3.1-8b")) == llama
    assert " ".join(line_of(text, "all-minilm-l6-v2")) == "all-minilm-l6-v2 22.71 M 0.0909 tokens fp32 data sheet"


def test_guesses_are_marked() -> None:
    assert line_of(models_text(), "step-3.7-flash")[-1] == "guess"


def test_no_line_ends_in_blanks() -> None:
    text = models_text()
    assert all(line == line.rstrip() for line in text.splitlines())
    assert text.endswith("\n")


def test_one_model_in_full_by_any_name() -> None:
    text = model_text("Qwen/Qwen3-30B-A3B")
    assert text == model_text("qwen3-30b-a3b")
    assert "30,532,122,624" in text
    assert "8 of 128 experts" in text
    assert "Qwen/Qwen3-30B-A3B config.json (2025-04), data sheet" in text


def test_a_network_in_full_says_where_each_figure_is_from() -> None:
    text = model_text("whisper-large-v3")
    assert "guess: steps_per_unit 3.5" in text


def test_an_unknown_model_is_an_error_with_a_name_near_it() -> None:
    with pytest.raises(InputError, match="did you mean `phi-4`"):
        model_text("phi-44")


def test_plain_data_have_sizes_in_bytes() -> None:
    every = {model["id"]: model for model in json.loads(json.dumps(models_json()))}
    assert set(every) == set(load_models())
    assert every["llama-3.1-8b"]["kv_bytes_per_token"] == 131072
    assert every["deepseek-v3"]["active_parameters"] < every["deepseek-v3"]["parameters"]
    assert models_json("openai/whisper-small") == [every["whisper-small"]]
