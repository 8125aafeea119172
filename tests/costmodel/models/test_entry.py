"""Entries of models: written and read back, and every fault of a user's with its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dovetail.costmodel.embedded import embed, read_catalogue
from dovetail.costmodel.models import LLM, load_models, model_entries
from dovetail.costmodel.models.check_entry import entry_faults
from dovetail.costmodel.models.entry import read_llm, write_llm

LLMS = [id for id, model in load_models().items() if isinstance(model, LLM)]
GOOD: dict[str, Any] = {
    "layers": 2, "hidden": 64, "heads": 8, "kv_heads": 2, "head_dim": 8, "ffn": 128, "vocab": 100,
    "source": "a test", "date": "2026-11",
}  # fmt: skip


def places(**changes: Any) -> list[tuple[Any, str]]:
    return [(fault.path, fault.message) for fault in entry_faults({**GOOD, **changes})]


@pytest.mark.parametrize("id", LLMS)
def test_models_are_written_and_read_back(id: str) -> None:
    model = load_models()[id]
    assert isinstance(model, LLM)
    back = read_llm(id, write_llm(model))
    assert back == model
    assert back.weight_bytes() == model.weight_bytes()


@pytest.mark.parametrize("id", LLMS)
def test_the_catalogues_entries_have_no_fault(id: str) -> None:
    assert not list(entry_faults(model_entries()[id]))


def test_a_good_entry_has_none() -> None:
    assert places() == []
    assert places(groups=[{"layers": 2, "window_tokens": 8}, {"layers": 2, "experts": 4, "experts_per_token": 2}]) == []


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"head": 8}, ("head",), "`head` is no key of a model"),
        ({"heads": "8"}, ("heads",), "`heads` must be a whole number of at least 0"),
        ({"heads": True}, ("heads",), "`heads` must be a whole number of at least 0"),
        ({"layers": -1}, ("layers",), "`layers` must be a whole number of at least 0"),
        ({"qk_norm": 1}, ("qk_norm",), "`qk_norm` must be true or false"),
        ({"precision": "fp5"}, ("precision",), "`fp5` is no precision"),
        ({"precisions": {"expert": "fp5"}}, ("precisions", "expert"), "`fp5` is no precision"),
        ({"mark": "sure"}, ("mark",), "`sure` is no quality mark"),
        ({"mixer": "atention"}, ("mixer",), "`atention` is no mixer"),
        ({"experts": 4}, (), "it needs `experts_per_token`"),
        ({"kv_latent": 4}, (), "it needs `rope_dim`, `v_head_dim`"),
        ({"groups": [{}, {"mixer": "mamba2"}]}, ("groups", 1), "it needs `state`, `state_groups`"),
        ({"groups": {}}, ("groups",), "`groups` must be a list of mappings, one for each kind of layer"),
        ({"groups": [{"layers": 2, "windw": 1}]}, ("groups", 0, "windw"), "`windw` is no key of a model"),
        ({"groups": [{"ffn": "x"}]}, ("groups", 0, "ffn"), "`ffn` must be a whole number of at least 0"),
        ({"vocab": 0}, ("vocab",), "`vocab` must be at least 1"),
        ({"head_dim": 0}, ("head_dim",), "`head_dim` must be at least 1"),
        ({"heads": 7, "kv_heads": 3}, ("kv_heads",), "`kv_heads` is 3, which does not divide 7 `heads`"),
        (
            {"experts": 4, "experts_per_token": 5},
            ("experts_per_token",),
            "a token cannot take 5 of 4 `experts`",
        ),
        (
            {"groups": [{"layers": 1, "heads": 9}, {"layers": 1, "kv_heads": 5}]},
            ("groups", 1, "kv_heads"),
            "`kv_heads` is 5, which does not divide 8 `heads`",
        ),
        (
            {"vision": {"layers": 1, "width": 1, "patch_pixels": 1, "merge": 1, "patch_parameters": 1}},
            ("vision",),
            "`vision` needs `token_parameters`, `other_parameters`",
        ),
    ],
)
def test_faults_have_places(changes: dict[str, Any], path: tuple[Any, ...], message: str) -> None:
    assert (path, message) in places(**changes)


def test_a_fault_of_what_all_layers_share_is_told_once() -> None:
    assert places(hidden=-1, groups=[{"layers": 1}, {"layers": 1, "window_tokens": 8}]) == [
        (("hidden",), "`hidden` must be a whole number of at least 0")
    ]


def test_all_faults_are_told_at_once() -> None:
    assert len(places(head=8, heads="8", precision="fp5")) == 3
    (missing,) = entry_faults({"layers": 2, "hidden": 64, "source": "a test"})
    assert missing.message == "it needs `vocab`, `date`, `heads`, `kv_heads`, `head_dim`, `ffn`"


def test_a_model_of_a_file_named_like_one_of_the_catalogue_is_embedded_as_it_is() -> None:
    ours = load_models()["gpt-oss-20b"]
    assert isinstance(ours, LLM)
    theirs = replace(ours, vocab=1000)
    back = read_catalogue(embed([], {"a": ours, "b": theirs}, {})).models
    assert back["a"] == replace(ours, id="a")
    assert back["b"] == replace(theirs, id="b")
