"""Prefill and decode at once on parts of a device: what trying everything finds, and that it changes plans."""

from __future__ import annotations

import copy
import itertools
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

import dovetail
from dovetail.costmodel import serving
from dovetail.costmodel.hardware import find_device
from dovetail.costmodel.models import LLM, find_model
from dovetail.ir.read.fleet import parse_fleet
from dovetail.ir.read.graph import parse_graph
from dovetail.planner.check import check_plan
from dovetail.planner.placement.search.solve import solve
from dovetail.planner.posing.pose import pose

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
COUNT = 12
MOST_SIZES = 12
Json = dict[str, Any]


class Case(NamedTuple):
    """One node that calls a model on one kind of device, bounds on its mean first token and on its gaps."""

    device: str
    model: str
    tp: int
    rate: float
    prompt: int
    output: int
    ttft_s: float
    tbt_s: float
    splits: tuple[float, ...]

    def documents(self, splits: bool) -> tuple[Json, Json]:
        """graph.yaml and fleet.yaml."""
        node = {"kind": "llm", "model": self.model, "prompt_tokens": self.prompt, "output_tokens": self.output}
        node |= {"parallel": {"tp": self.tp, "pp": 1, "ep": 1, "dp": 1}}
        slo = {"ttft": f"{self.ttft_s} s", "tbt": f"{self.tbt_s} s"}
        graph = {"version": 1, "name": "one", "nodes": {"chat": node}, "slo": slo}
        device: Json = {"model": self.device, "count": COUNT, "price": {"rent": "1 USD/h"}}
        device |= {"split": list(self.splits)} if splits else {}
        return graph | {"workload": {"rate": f"{self.rate} req/s"}}, {"devices": {"gpu": device}}


def random_case(seed: int) -> Case:
    rng = random.Random(seed)
    device, model, tp = rng.choice(
        [("h100-sxm", "llama-3.1-8b", 1), ("a100-sxm", "llama-3.1-8b", 1), ("h100-sxm", "mixtral-8x7b", 2)]
    )
    prompt, output = rng.choice([300, 1000, 3000]), rng.choice([30, 100, 300])
    splits = tuple(sorted(rng.sample([0.25, 0.5, 0.66, 0.75], rng.choice([2, 3]))))
    case = Case(device, model, tp, 1.0, prompt, output, rng.choice([0.4, 1.0]), rng.choice([0.015, 0.03]), splits)
    return case._replace(rate=round(rng.uniform(0.7, 2.2) / Priced(case).work_s, 3))


def fewest(load: float, *queues: tuple[int, float, float, float]) -> Iterator[int]:
    """The fewest replicas, if any, that carry `load` with a mean wait and service within a bound in each queue.

    A queue is (slots of a replica, load on it [replica-s/s], mean service [s], what a mean wait may take [s]).
    """
    first = int(load) + 1
    for n in range(first, first + MOST_SIZES):
        if all(mean_wait(n * slots, own * slots, service) <= room for slots, own, service, room in queues):
            yield n
            return


def mean_wait(servers: int, offered: float, service_s: float) -> float:
    """M/M/n: C / (n mu - lambda), where C = n B / (n - a (1 - B)) and B by Erlang's recursion."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = offered * blocked / (n + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked)) * service_s / (servers - offered)


class Priced:
    """What the cost model says of a case."""

    def __init__(self, case: Case) -> None:
        llm, device = find_model(case.model), find_device(case.device)
        assert isinstance(llm, LLM)
        assert device is not None
        self.case, self.replica = case, serving.Replica(llm, device, serving.Parallel(case.tp), llm.precision)
        self.context = case.prompt + case.output / 2
        self.prefill_s = float(serving.prefill_s(self.replica, float(case.prompt), 0.0))
        link_s = llm.kv_bytes_per_token("bf16") * case.prompt / (25e9 / 8) + 100e-6
        self.gap_of_transfer_s = link_s / (case.output - 1)
        step_s = float(serving.decode_step_s(self.replica, 32.0, self.context))
        self.work_s = self.prefill_s + (case.output - 1) * step_s / 32  # of a replica, for a request of a batch of 32

    def fits(self, *sequences: int) -> bool:
        """Whether weights and so many longest contexts fit, each with the activations of its phase."""
        llm, cut, precision = self.replica.llm, self.replica.parallel, self.replica.precision
        longest = float(self.case.prompt + self.case.output)
        held = serving.weight_bytes_per_device(llm, cut, precision)
        for n in sequences:
            held += serving.kv_bytes_per_device(llm, cut, n, longest, "bf16")
            held += serving.activation_bytes_per_device(llm, cut, n, longest)
        return held <= self.replica.device.memory_bytes

    def costs(self, splits: tuple[float, ...]) -> Iterator[float]:
        """USD/h of every way to serve the case."""
        case, tp, gaps = self.case, self.case.tp, self.case.output - 1
        prompts = case.rate * self.prefill_s
        prefills = list(fewest(prompts, (1, prompts, self.prefill_s, case.ttft_s - self.prefill_s)))
        for batch in BATCHES:
            if not self.fits(batch):
                continue
            step = float(serving.decode_step_s(self.replica, float(batch), self.context))
            tokens = case.rate * gaps * step / batch
            if step + self.gap_of_transfer_s <= case.tbt_s:
                decodes = fewest(tokens, (batch, tokens, gaps * step, math.inf))
                apart = itertools.product(prefills, decodes)
                yield from (float(tp * (n + m)) for n, m in apart if tp * (n + m) <= COUNT)
            stall = (batch - 1) / case.output * max(0.0, self.prefill_s - self.replica.engine.step_s)
            held = self.prefill_s + gaps * (step + stall)
            if step + stall <= case.tbt_s:
                load, room = case.rate * held / batch, case.ttft_s - self.prefill_s
                yield from (float(tp * n) for n in fewest(load, (batch, load, held, room)) if tp * n <= COUNT)
            for share in splits if self.fits(1, batch) else ():
                yield from self.split_costs(share, batch)

    def split_costs(self, share: float, batch: int) -> Iterator[float]:
        """With `share` of each device for prefill, one prompt at a time, and the rest for decode."""
        case, gaps = self.case, self.case.output - 1
        found = serving.split_times(self.replica, share, float(case.prompt), 0.0, float(batch), self.context)
        prefill, step = float(found.prefill), float(found.step)
        prompts, tokens = case.rate * prefill, case.rate * gaps * step / batch
        queues = (1, prompts, prefill, case.ttft_s - prefill), (batch, tokens, gaps * step, math.inf)
        if step <= case.tbt_s:
            sizes = fewest(max(prompts, tokens), *queues)
            yield from (float(case.tp * n) for n in sizes if case.tp * n <= COUNT)


def planned(case: Case, splits: bool) -> float | None:
    """The planner's cost [USD/h]; None where it finds no plan."""
    graph, fleet = case.documents(splits)
    posed = pose(parse_graph(graph), parse_fleet(fleet), Path())
    result = solve(posed.problem, with_latency=False)
    assert result.status in ("optimal", "infeasible")
    return result.objective


def test_planner_and_brute_force_agree_on_split_devices() -> None:
    changed = 0
    for seed in range(75):
        case = random_case(seed)
        priced = Priced(case)
        whole, split = (min(priced.costs(splits), default=None) for splits in ((), case.splits))
        changed += whole != split
        if whole != split or not seed % 4:
            expected = None if split is None else pytest.approx(split)
            assert planned(case, splits=True) == expected, f"seed {seed}"
    assert changed >= 30


CASE = Case("h100-sxm", "llama-3.1-8b", 1, 12.0, 1500, 200, 1.0, 0.03, (0.5, 0.75))


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """plan.json of a case whose best plan splits its device."""
    folder = tmp_path_factory.mktemp("split")
    graph, fleet = CASE.documents(splits=True)
    (folder / "graph.yaml").write_text(yaml.safe_dump(graph))
    (folder / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    return dovetail.plan(folder, fleet=folder / "fleet.yaml").document


def test_a_plan_says_how_its_devices_are_split(document: Json) -> None:
    (pool,) = document["pools"]
    assert pool["split"] == {"prefill": 0.5, "decode": 0.5}
    assert pool["wait"] != pool["decode_wait"]
    assert not document["transfers"]
    assert document["quality"]["guess"] > 0
    assert any("at once on parts" in warning for warning in document["warnings"])


def test_a_plan_states_how_busy_the_fuller_part_is(document: Json) -> None:
    batch = float(document["pools"][0]["max_batch"])
    found = serving.split_times(Priced(CASE).replica, 0.5, 1500.0, 0.0, batch, 1600.0)
    loads = 12 * float(found.prefill), 12 * 199 * float(found.step) / batch
    assert document["pools"][0]["utilisation"] == pytest.approx(max(loads))


@pytest.mark.parametrize(
    ("split", "fault"),
    [
        ({"prefill": 0.75, "decode": 0.25}, "states utilisation"),
        ({"prefill": 0.6, "decode": 0.4}, "which `gpu` has not"),
        ({"prefill": 0.75, "decode": 0.5}, "have 1.25 of a device"),
        (None, "states utilisation"),
    ],
)
def test_the_validator_derives_a_split_again(document: Json, split: Json | None, fault: str) -> None:
    assert not check_plan(document)
    wrong = copy.deepcopy(document)
    wrong["pools"][0] |= {"split": split}
    if split is None:
        del wrong["pools"][0]["split"]
    assert any(fault in str(each) for each in check_plan(wrong))


def test_without_a_rate_a_node_keeps_the_busier_part(tmp_path: Path) -> None:
    graph, fleet = CASE.documents(splits=True)
    del graph["workload"]
    (tmp_path / "graph.yaml").write_text(yaml.safe_dump(graph))
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    plan = dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml")
    assert "split" in plan.pools[0]
    assert plan.cost["usd_per_request"] > 0


def test_three_tenants_and_replicas_to_spare(tmp_path: Path) -> None:
    """Every plan is checked by the validator before it is handed out, with and without a replica."""
    graph, fleet = CASE.documents(splits=True)
    graph["nodes"] = dict.fromkeys(("ask", "think", "say"), graph["nodes"]["chat"])
    graph |= {"edges": ["ask -> think", "think -> say"], "workload": {"rate": "6 req/s"}}
    fleet["survive"] = {"replicas": 1}
    fleet["devices"]["gpu"]["price"]["interruptions"] = "0.1 per hour"
    (tmp_path / "graph.yaml").write_text(yaml.safe_dump(graph))
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet))
    plan = dovetail.plan(tmp_path, fleet=tmp_path / "fleet.yaml")
    assert any("split" in pool for pool in plan.pools)


def test_shares_out_of_range_and_devices_without_parts_are_refused() -> None:
    with pytest.raises(dovetail.InputError, match=r"must be at most 0.95"):
        parse_fleet({"devices": {"gpu": {"model": "h100-sxm", "split": [0.5, 1]}}})
    with pytest.raises(dovetail.InputError, match=r"at most 5 entries"):
        parse_fleet({"devices": {"gpu": {"model": "h100-sxm", "split": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}}})
    with pytest.raises(dovetail.InputError, match="has no `split`"):
        parse_fleet({"devices": {"api": {"kind": "api", "split": 0.5}}})
    graph, fleet = CASE.documents(splits=True)
    fleet["devices"]["gpu"]["model"] = "tpu-v5e"
    with pytest.raises(dovetail.InputError, match="parts the multiprocessors of a GPU"):
        pose(parse_graph(graph), parse_fleet(fleet), Path())
