"""`lower-llm-call`: the text it leaves, and what the two phases and the transfer mean."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from xdsl.dialects.builtin import FileLineColLoc, ModuleOp

from dovetail.ir.agent import LLMCallOp, graph_of
from dovetail.ir.diagnostics import InputError
from dovetail.ir.llm import DecodeOp, KVTransferOp, PrefillOp
from dovetail.ir.text import parse_module, print_module
from dovetail.ir.verify import verify_module
from dovetail.passes.lower_llm_call import lower_llm_calls

CASES = Path(__file__).parents[1] / "cases"
VOICE = (CASES / "agent_voice.mlir").read_text()


def lowered(text: str) -> ModuleOp:
    module = parse_module(text, "graph.mlir")
    lower_llm_calls(module)
    verify_module(module, "the lowered module")
    return module


def one(module: ModuleOp, kind: type) -> PrefillOp | DecodeOp | KVTransferOp:
    (found,) = [op for op in module.walk() if isinstance(op, kind)]
    assert isinstance(found, PrefillOp | DecodeOp | KVTransferOp)
    return found


def kv_bytes(text: str) -> float:
    transfer = one(lowered(text), KVTransferOp)
    assert isinstance(transfer, KVTransferOp)
    return transfer.bytes_per_prompt_token.value.data


def test_text(golden: Callable[[str, str], None]) -> None:
    golden("passes/lower_llm_call.mlir", print_module(lowered(VOICE)))


def test_tokens_go_to_the_phase_they_concern() -> None:
    module = lowered(VOICE)
    prefill, decode = one(module, PrefillOp), one(module, DecodeOp)
    assert isinstance(prefill, PrefillOp)
    assert isinstance(decode, DecodeOp)
    assert (prefill.prompt_tokens.value.mean, decode.prompt_tokens.value.mean) == (1000, 1000)
    assert (prefill.prompt_growth.value.data, decode.prompt_growth.value.data) == (400, 400)
    assert decode.output_tokens.value.mean == 500
    assert prefill.cached_prefix_tokens.value.data == 100
    assert "output_tokens" not in prefill.attributes
    assert "cached_prefix_tokens" not in decode.attributes


def test_what_else_the_call_says_stands_on_both_phases() -> None:
    call = next(op for op in parse_module(VOICE, "graph.mlir").walk() if isinstance(op, LLMCallOp))
    module = lowered(VOICE)
    for kind in (PrefillOp, DecodeOp):
        for key in ("model", "precision", "tp", "slo", "place", "priority"):
            assert one(module, kind).attributes[key] == call.attributes[key]


def test_kv_cache_of_llama_3_1_70b_by_hand() -> None:
    # 80 layers, 8 heads of keys and as many of values, 128 wide, 2 bytes each: 327,680 bytes for each prompt token
    assert kv_bytes(VOICE.replace("llama-3.1-8b", "llama-3.1-70b")) == 2 * 80 * 8 * 128 * 2 == 327_680


def test_kv_precision_halves_the_transfer() -> None:
    text = VOICE.replace('"llama-3.1-8b"', '"llama-3.1-70b", kv_precision = "fp8"')
    assert kv_bytes(text) == 2 * 80 * 8 * 128


def test_the_precision_of_the_weights_does_not_change_the_transfer() -> None:
    assert kv_bytes(VOICE.replace('precision = "fp8", ', "")) == kv_bytes(VOICE) == 2 * 32 * 8 * 128 * 2


CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "intermediate_size": 128,
    "vocab_size": 1000,
}


def test_a_config_of_hugging_face_is_read_beside_the_file_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    module = parse_module(VOICE.replace("llama-3.1-8b", "config.json"), str(tmp_path / "graph.mlir"))
    lower_llm_calls(module)
    transfer = one(module, KVTransferOp)
    assert isinstance(transfer, KVTransferOp)
    assert transfer.bytes_per_prompt_token.value.data == 2 * 2 * 4 * (64 // 8) * 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        ({**CONFIG, "architectures": ["MambaForCausalLM"]}, "the architecture `MambaForCausalLM` is not covered"),
        ({k: v for k, v in CONFIG.items() if k != "vocab_size"}, "vocab_size"),
        ([], "mapping"),
    ],
    ids=["absent", "not covered", "incomplete", "no config"],
)
def test_a_config_that_cannot_be_used_is_refused_and_never_counts_nothing(
    tmp_path: Path, content: object, says: str
) -> None:
    file = tmp_path / "config.json"
    if content is not None:
        file.write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        lowered(VOICE.replace("llama-3.1-8b", str(file)))
    (diagnostic,) = caught.value.diagnostics
    assert says in diagnostic.message
    assert str(diagnostic.labels[0].span) == "graph.mlir:3:3"


@pytest.mark.parametrize("old", ['precision = "fp8"', 'objective = "cost"'], ids=["node", "graph"])
def test_a_profile_gives_the_transfer_itself(old: str) -> None:
    assert kv_bytes(VOICE.replace(old, f"{old}, profile = {{HP = {{}}}}")) == 0


def test_a_model_that_nobody_knows_has_no_known_transfer() -> None:
    assert kv_bytes(VOICE.replace("llama-3.1-8b", "house-model")) == 0


def test_edges_enter_at_the_prefill_and_leave_from_the_decode() -> None:
    graph = graph_of(lowered(VOICE))
    edges = {(edge.source.string_value(), edge.target.string_value()): edge for edge in graph.edges}
    assert set(edges) == {
        ("hear", "think.prefill"),
        ("think.prefill", "think.decode"),
        ("think.decode", "search"),
        ("search", "think.prefill"),
        ("think.decode", "say"),
    }
    before = {(e.source.string_value(), e.target.string_value()): e for e in graph_of(parse_module(VOICE, "g")).edges}
    for old, new in ((("think", "search"), ("think.decode", "search")), (("think", "say"), ("think.decode", "say"))):
        kept = {key: value for key, value in edges[new].attributes.items() if key not in ("from", "to")}
        assert kept == {key: value for key, value in before[old].attributes.items() if key not in ("from", "to")}


def test_a_loop_of_one_node_goes_from_its_decode_to_its_prefill() -> None:
    bounded = "probability = 0.1 : f64, max_visits = 2 : i64, bytes = 0.0 : f64"
    loop = f'"agent.edge"() {{from = @think, to = @think, {bounded}}} : () -> ()'
    at = '  "agent.edge"() {from = @think, to = @say'
    graph = graph_of(lowered(VOICE.replace(at, f"  {loop}\n{at}")))
    (found,) = [edge for edge in graph.edges if edge.probability and edge.probability.value.data == 0.1]
    assert (found.source.string_value(), found.target.string_value()) == ("think.decode", "think.prefill")


def test_new_ops_stand_where_the_call_stood() -> None:
    for kind in (PrefillOp, DecodeOp, KVTransferOp):
        location = one(lowered(VOICE), kind).location
        assert isinstance(location, FileLineColLoc)
        assert (location.filename.data, location.line.data) == ("graph.mlir", 3)


def test_a_graph_without_calls_is_left_as_it_is() -> None:
    text = (CASES / "agent_kinds.mlir").read_text()
    assert lowered(text).is_structurally_equivalent(parse_module(text, "graph.mlir"))


def test_a_call_outside_a_graph_is_refused() -> None:
    call = next(line for line in VOICE.splitlines() if "agent.llm_call" in line)
    with pytest.raises(InputError, match=r"`think`, which stands in no `agent\.graph`"):
        lower_llm_calls(parse_module(call, "graph.mlir"))
