"""Shared prefixes against a search through all pairs, and the command that finds them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from dovetail.cli import main
from dovetail.ir.diagnostics import InputError
from dovetail.ir.read.calls import Call, read_calls
from dovetail.planner.batches.prefixes import longest_earlier, shared_prefixes

NESTED = Path(__file__).parents[1] / "cases" / "nested" / "graph.yaml"


def by_pairs(prompts: list[tuple[int, ...]]) -> list[int]:
    def shared(p: tuple[int, ...], q: tuple[int, ...]) -> int:
        return next((n for n, (a, b) in enumerate(zip(p, q, strict=False)) if a != b), min(len(p), len(q)))

    return [max((shared(p, q) for q in prompts[:n]), default=0) for n, p in enumerate(prompts)]


def nodes_of_tree(prompts: list[tuple[int, ...]]) -> int:
    """Tokens in the tree of all prompts: what a cache that forgets nothing reads."""
    return len({prompt[:end] for prompt in prompts for end in range(1, len(prompt) + 1)})


def random_prompts(rng: random.Random, count: int) -> list[tuple[int, ...]]:
    """Prompts that begin as others do."""
    made: list[tuple[int, ...]] = [()]
    for _ in range(count):
        start = rng.choice(made)
        cut = rng.randrange(len(start) + 1)
        made.append((*start[:cut], *(rng.randrange(3) for _ in range(rng.randrange(6)))))
    return made[1:]


def test_longest_earlier_is_that_of_a_search_through_all_pairs() -> None:
    rng = random.Random(1)
    for _ in range(300):
        prompts = random_prompts(rng, rng.randrange(1, 25))
        found = longest_earlier(prompts)
        assert found == by_pairs(prompts)
        assert sum(map(len, prompts)) - sum(found) == nodes_of_tree(prompts)


def test_text_is_searched_as_tokens_are() -> None:
    rng = random.Random(2)
    prompts = random_prompts(rng, 200)
    assert longest_earlier(["".join(map(str, p)) for p in prompts]) == longest_earlier(prompts)


def test_figures_by_hand() -> None:
    calls = [
        Call("think", (1, 2, 3, 4, 5), "r1"),
        Call("sum", (1, 2, 3, 9), "r1"),
        Call("think", (1, 2, 3, 4, 5, 6, 7), "r1"),  # the second visit: `prompt_growth` speaks of it
        Call("think", (1, 2, 8), "r2"),
    ]
    think, total = shared_prefixes(calls, {})
    assert (think.calls, think.prompt_mean, think.common, think.read) == (3, 5.0, 2, 15)
    assert think.saved == 0 + 5 + 2
    assert think.cached_mean == (0 + 2) / 2
    assert (total.common, total.saved) == (4, 0)
    together = shared_prefixes(calls, {"think": "llama", "sum": "llama"})
    assert [each.saved for each in together] == [7, 3]
    paged = shared_prefixes(calls, {"think": "llama", "sum": "llama"}, block=2)
    assert [(each.saved, each.common) for each in paged] == [(4 + 2, 2), (2, 4)]


def test_every_way_to_group_saves_what_the_trees_share() -> None:
    rng = random.Random(3)
    for _ in range(50):
        prompts = random_prompts(rng, 30)
        calls = [Call(rng.choice("ab"), prompt) for prompt in prompts]
        for cache_of in ({}, {"a": "m", "b": "m"}):
            found = shared_prefixes(calls, cache_of)
            groups = [prompts] if cache_of else [[c.prompt for c in calls if c.node == n] for n in "ab"]
            unread = sum(nodes_of_tree([p for p in group if isinstance(p, tuple)]) for group in groups)
            assert sum(each.read - each.saved for each in found) == unread


def lines(*calls: object) -> str:
    return "".join(json.dumps(call) + "\n" for call in calls)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "calls.jsonl"
    prompts = ([*range(100), n] for n in range(1000, 1004))
    file.write_text(lines(*({"node": "helper/think", "prompt": prompt} for prompt in prompts)))
    assert main(["prefixes", str(file), "--graph", str(NESTED)]) == 0
    printed = capsys.readouterr().out
    assert "A cache that forgets nothing saves 300 of 404 tokens, 74 %." in printed
    assert "helper/think: cached_prefix_tokens: 75" in printed
    assert main(["prefixes", str(file), "--json", "--block", "16"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["saved"] == 3 * 96
    assert document["nodes"]["helper/think"]["common_prefix"] == 96


def test_prompts_of_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_text(lines({"node": "a", "prompt": "You are kind. Hi"}, {"node": "a", "prompt": "You are kind. Bye"}))
    assert main(["prefixes", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "saves 14 of 33 characters" in printed
    assert "Give prompts as token ids" in printed
    assert main(["prefixes", str(file), "--characters-per-token", "3.5"]) == 0
    assert "a: cached_prefix_tokens: 2" in capsys.readouterr().out


WRONG = [
    ("", "holds no call"),
    ("{", "calls.jsonl:1:1"),
    ("[]", "this line is no JSON object"),
    ("[" * 20_000, "this line is no JSON"),
    (lines({"node": "a"}), "a call needs `prompt`"),
    (lines({"prompt": []}), "a call needs `node`"),
    (lines({"node": "a", "prompt": [1.5]}), "`prompt` holds something that is no token id"),
    (lines({"node": "a", "prompt": [True]}), "`prompt` holds something that is no token id"),
    (lines({"node": "a", "prompt": "x", "request": [1]}), "`request` must be text or a number"),
    (lines({"node": "a", "prompt": "x", "promt": 1}), "a call has no key `promt`"),
    (lines({"node": "a", "prompt": "x"}, {"node": "a", "prompt": [1]}), "some prompts are token ids"),
]


@pytest.mark.parametrize(("text", "says"), WRONG)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_text(text)
    with pytest.raises(InputError, match="error") as caught:
        read_calls(file)
    assert says in str(caught.value)


def test_nodes_must_be_language_models_of_the_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_text(lines({"node": "helper/thinc", "prompt": [1]}, {"node": "say", "prompt": [1]}))
    assert main(["prefixes", str(file), "--graph", str(NESTED)]) == 1
    printed = capsys.readouterr().err
    assert "did you mean `helper/think`?" in printed
    assert "`say` is no language model of the graph" in printed


def test_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prefixes", str(tmp_path / "nothing.jsonl")]) == 1
    assert "error[file]: cannot read" in capsys.readouterr().err
