"""Networks in files at a precision of their own: what they are priced at, where they may go, and what code computes."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from dovetail.check_driver import check
from dovetail.driver import Plan, plan
from dovetail.ir.diagnostics import InputError

HIDDEN, FFN, VOCABULARY, TOKENS = 256, 512, 384, 16
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "vocab_size": VOCABULARY, "hidden_size": HIDDEN, "num_hidden_layers": 1,
    "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": FFN, "hidden_act": "silu",
    "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
}  # fmt: skip
IN_PRODUCTS = 4 * HIDDEN**2 + 3 * HIDDEN * FFN + HIDDEN * VOCABULARY
OTHERS = HIDDEN * VOCABULARY, 3 * HIDDEN
"""elements of the table, and of the norms, which stay in fp32"""
RENT = {"rent": "1 USD/h"}
GPUS = {"h100": {"model": "h100-sxm", "count": "0..2", "price": {"rent": "3 USD/h"}}}
OLD = {"old": {"model": "a100-sxm", "count": "0..2", "price": RENT}}
CPU = {"cpu": {"model": "epyc-9554", "count": "0..2", "price": RENT}}


@pytest.fixture
def planned(tmp_path: Path) -> Any:
    """`planned(devices, a=precision, b=precision, ...)`: nodes one after the other that run one file."""
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))

    def make(devices: dict[str, Any], **precisions: str | None) -> Plan:
        common = {"kind": "model", "graph": "config.json", "tokens": TOKENS}
        nodes = {name: common | ({"precision": said} if said else {}) for name, said in precisions.items()}
        names = list(nodes)
        edges = [f"{a} -> {b}" for a, b in itertools.pairwise(names)]
        document = {"version": 1, "name": "g", "nodes": nodes, "edges": edges, "workload": {"rate": "10 req/s"}}
        path = tmp_path / "graph.yaml"
        path.write_text(json.dumps(document | {"fleet": {"devices": devices}}, indent=1))
        return plan(path)

    return make


def work_of(made: Plan, key: str) -> dict[str, Any]:
    return made.document["inputs"]["catalogue"]["models"][key]["work"]


@pytest.mark.parametrize(
    ("said", "computes", "of_product", "of_table"),
    [
        (None, "fp32", 4, 4),
        ("fp16", "fp16", 2, 2),
        ("bf16,weights=int8", "bf16", 1 + 2 / 128, 2),
        ("bf16,weights=int4", "bf16", 0.5 + 2 / 128, 2),
        ("int3", "fp32", 3 / 8 + 4 / 128, 4),
    ],
)
def test_weights_take_the_bytes_of_the_precision(planned, tmp_path, said, computes, of_product, of_table) -> None:
    """With a scale, of the type in which the product computes, for each 128 of them."""
    made = planned(GPUS, net=said)
    work = work_of(made, f"config.json@{said}" if said else "config.json")
    table, norms = OTHERS
    folded = HIDDEN // 4 // 2 * of_table if said else 0  # frequencies of the rotary embedding, worked out beforehand
    assert work["weight_bytes"] == IN_PRODUCTS * of_product + table * of_table + norms * 4 + folded
    assert work["precision"] == computes
    assert not [fault for fault in check(made.write(tmp_path / "out")) if fault.severity == "error"]


def test_half_the_bits_are_read_in_less_time(planned) -> None:
    seconds = {}
    for said in ("fp32", "bf16", "bf16,weights=int4"):
        (phase,) = work_of(planned(GPUS, net=said), f"config.json@{said}")["lowered"]["gpu"]
        seconds[said] = phase["read_bytes"]
    assert seconds["fp32"] > 1.8 * seconds["bf16"] > 1.8 * 1.5 * seconds["bf16,weights=int4"]


def test_a_file_at_two_precisions_is_two_networks_and_at_one_is_one(planned) -> None:
    made = planned(GPUS, a="bf16", b="bf16", c="bf16,weights=int8")
    models = made.document["inputs"]["catalogue"]["models"]
    assert list(models) == ["config.json@bf16", "config.json@bf16,weights=int8"]
    pools = {placement["piece"]: placement["pool"] for placement in made.placements}
    assert pools["a.run"] == pools["b.run"] != pools["c.run"]


def test_fp8_goes_where_there_is_a_rate_for_it(planned) -> None:
    def device(said: str) -> str:
        (placement,) = planned(GPUS | OLD, net=said).placements
        return placement["device"]

    assert (device("bf16"), device("fp8"), device("bf16,weights=fp8")) == ("old", "h100", "h100")


@pytest.mark.parametrize(
    ("said", "message", "help"),
    [
        ("bf17", "`bf17` is no precision", "did you mean `bf16`?"),
        ("bf16,matmuls=fp32", "`matmuls` is neither a kind of op nor the place of one", "did you mean `matmul`?"),
        ("fp8", "`net` asks for fp8, which no device of the fleet has", "weights in int8 are kept on every device"),
    ],
)
def test_a_precision_that_cannot_be_is_told_with_its_place(planned, said, message, help) -> None:
    with pytest.raises(InputError) as caught:
        planned(OLD, net=said)
    (fault,) = caught.value.diagnostics
    assert message in fault.message
    assert fault.help == help
    assert fault.labels[0].span.source.line(fault.labels[0].span.line).strip() == f'"precision": "{said}"'


def test_a_model_of_the_catalogue_has_one_precision(tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    node = {"kind": "model", "model": "whisper-large-v3", "audio": "10 s", "precision": "bf16,weights=int4"}
    path.write_text(json.dumps({"version": 1, "nodes": {"hear": node}, "fleet": {"devices": GPUS}}))
    with pytest.raises(InputError, match="has no choice `bf16,weights=int4`"):
        plan(path)


def test_emitted_code_computes_in_it(planned, tmp_path: Path) -> None:
    made = planned(CPU, net="bf16,weights=int4")
    text = (made.write(tmp_path / "out") / "jax" / "net" / "net.py").read_text()
    assert "jnp.bfloat16" in text
    assert ".i4." in text
