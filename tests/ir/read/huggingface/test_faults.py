"""What is wrong in a config.json is said at its place, all in one run; what is not understood is not passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from dovetail.ir.diagnostics import Diagnostic, InputError
from dovetail.ir.read.huggingface import read_config


def faults(path: Path) -> list[str]:
    with pytest.raises(InputError) as raised:
        read_config(path)
    return [f"{d.labels[0].span.line}:{d.labels[0].span.col} {d.message}" for d in raised.value.diagnostics]


def test_every_fault_is_said_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(
        """{
 "architectures": ["LlamaForCausalLM"],
 "vocab_size": 31,
 "hidden_size": 24,
 "num_attention_heads": 5,
 "num_key_value_heads": 2,
 "num_hidden_layers": 0,
 "hidden_act": "swish2",
 "rms_norm_eps": "small",
 "mlp_bias": 1,
 "rope_scaling": {"rope_type": "longrope", "factor": 8.0, "short_factor": [1.0]},
 "tie_word_embedings": true
}"""
    )
    assert sorted(faults(path)) == [
        '10:14 `mlp_bias` must be true or false',
        '11:32 `rope_type: longrope` is not supported',
        '12:2 the key `tie_word_embedings` is not known for this architecture',
        '1:1 the key `intermediate_size` is missing',
        '5:25 5 heads do not divide a width of 24',
        '6:25 2 key heads do not divide 5 query heads',
        '7:23 `num_hidden_layers` must be a whole number of at least 1',
        '8:16 `hidden_act: swish2` is not supported',
        '9:18 `rms_norm_eps` must be a number from 0 to 1e+12',
    ]  # fmt: skip


def test_help_names_what_is_meant(configs, write) -> None:
    with pytest.raises(InputError, match="did you mean `tie_word_embeddings`"):
        read_config(write(configs["llama"], tie_word_embedings=True))
    with pytest.raises(InputError, match="did you mean `LlamaForCausalLM`"):
        read_config(write(configs["llama"], architectures=["LamaForCausalLM"]))
    with pytest.raises(InputError, match="supported: `silu`, `gelu`"):
        read_config(write(configs["llama"], hidden_act="swish"))


UNSUPPORTED = [
    ("llama", {"architectures": []}, "no architecture is named"),
    ("llama", {"quantization_config": {"quant_method": "awq", "bits": 4}}, "`quant_method: awq` is not supported"),
    ("llama", {"torch_dtype": "float8"}, "`torch_dtype: float8` is not supported"),
    ("llama", {"head_dim": 5}, "turns pairs, and there are 5"),
    ("llama", {"rope_scaling": "linear"}, "`rope_scaling` must be an object"),
    ("llama", {"sliding_window": 4}, "the key `sliding_window` is not known"),
    ("qwen3", {"layer_types": ["full_attention"]}, "for each of 2 layers"),
    ("gemma3", {"final_logit_softcapping": 30.0}, "`final_logit_softcapping: 30.0` is not supported"),
    ("deepseek2", {"scoring_func": "sigmoid"}, "`scoring_func: sigmoid` is not supported"),
    ("deepseek3", {"topk_method": "greedy"}, "`topk_method: greedy` is not supported"),
    ("bert", {"is_decoder": True}, "`is_decoder: True` is not supported"),
    ("bert", {"position_embedding_type": "relative_key"}, "`position_embedding_type: relative_key` is not supported"),
    ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "is not supported"),
    ("gpt2", {"n_head": 5}, "5 heads do not divide a width of 24"),
    ("vit", {"patch_size": 9}, "patches of 9 do not fit in images of 8"),
    ("whisper", {"scale_embedding": True}, "`scale_embedding: True` is not supported"),
]


@pytest.mark.parametrize(("family", "changed", "message"), UNSUPPORTED)
def test_what_would_change_the_network_is_refused(family, changed, message, configs, write) -> None:
    assert any(message in fault for fault in faults(write(configs[family], **changed)))


@pytest.mark.parametrize(
    ("name", "help"),
    [
        ("llamaForCausalLM", "did you mean `LlamaForCausalLM`?"),
        ("LlamaModel", "did you mean `LlamaForCausalLM`?"),
        ("FooForCausalLM", "supported: LlamaForCausalLM, "),
        ("GemmaForCausalLM", "supported: LlamaForCausalLM, "),
        ("Qwen4ForCausalLM", "supported: LlamaForCausalLM, "),
    ],
)
def test_another_architecture_is_no_misspelt_one(name: str, help: str, configs, write) -> None:
    with pytest.raises(InputError, match=f"the architecture `{name}` is not supported") as raised:
        read_config(write(configs["llama"], architectures=[name]))
    assert str(raised.value.diagnostics[0].help).startswith(help)


def told(path: Path) -> list[Diagnostic]:
    """The faults of the file, but for tokens that find no place in a network that is right."""
    try:
        read_config(path, sequence=4).module.verify()
    except InputError as error:
        return [each for each in error.diagnostics if "are more than the" not in each.message]
    return []


WRONG = ["x", -1, 0, 1, 2.5, float("nan"), 1e300, 10**30, [], {}, True, [[None]], {"a": 1}]
SAID_BY_SOME = ("rope_scaling", "quantization_config", "layer_types", "head_dim", "torch_dtype", "mlp_only_layers")


@pytest.mark.parametrize(
    "family", ["llama", "llama3", "qwen3_moe", "mixtral", "gemma2", "deepseek3", "gpt2", "vit", "whisper"]
)
def test_values_of_every_wrong_kind_are_faults_at_their_place(family: str, configs, write) -> None:
    config = configs[family]
    inner = [(key, within) for key, value in config.items() if isinstance(value, dict) for within in value]
    for key, within in [*((key, None) for key in (*config, *SAID_BY_SOME)), *inner]:
        for value in WRONG:
            path = write(config, **{key: value if within is None else {**config[key], within: value}})
            assert all(each.labels for each in told(path)), (key, value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hidden_size": "x"}, "`hidden_size` must be a whole number of at least 1"),
        ({"hidden_size": -4}, "`hidden_size` must be a whole number of at least 1"),
        ({"hidden_size": 2**31}, "`hidden_size` must be a whole number of at most 2147483647"),
        ({"num_hidden_layers": 10**30}, "`num_hidden_layers` must be a whole number of at most 1000"),
        ({"rms_norm_eps": float("nan")}, "`rms_norm_eps` must be a number from 0 to 1e+12"),
        ({"rope_theta": 1e300}, "`rope_theta` must be a number from 2 to 1e+12"),
        ({"architectures": "LlamaForCausalLM"}, "`architectures` must be a list of names"),
    ],
)
def test_what_is_no_size_or_number(changed: dict, message: str, configs, write) -> None:
    assert [each.partition(" ")[2] for each in faults(write(configs["llama"], **changed))] == [message]


def test_keys_that_are_missing_are_one_fault(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"architectures": ["GPT2LMHeadModel"], "n_embd": 8}')
    assert faults(path) == ["1:1 the keys `vocab_size`, `n_head`, `n_layer` are missing"]


@pytest.mark.parametrize("key", ["use_cache", "bos_token_id", "attention_dropout", "transformers_version"])
def test_what_does_not_change_the_network_is_let_be(key: str, configs, write) -> None:
    plain = read_config(write(configs["llama"]))
    assert str(read_config(write(configs["llama"], **{key: 1})).module) == str(plain.module)


def test_newer_files_say_the_embedding_in_one_place(configs, write) -> None:
    scaling = {"rope_type": "linear", "factor": 4.0}
    older = read_config(write(configs["llama"], rope_scaling=scaling))
    config = {key: each for key, each in configs["llama"].items() if key != "rope_theta"}
    newer = read_config(write(config, rope_parameters={**scaling, "rope_theta": configs["llama"]["rope_theta"]}))
    assert str(newer.module) == str(older.module)
    other = read_config(write(config, rope_parameters={**scaling, "rope_theta": 7.0}))
    assert str(other.module) != str(older.module)


def test_a_file_that_is_no_config(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("[1, 2]")
    assert faults(path) == [f"1:1 `{path}` must be a JSON object, and is a list"]
    with pytest.raises(InputError, match="there is no file"):
        read_config(tmp_path / "other.json")
    with pytest.raises(ValueError, match="the mode `train` is none of"):
        read_config(path, mode="train")


@pytest.mark.parametrize(("family", "places"), [("bert", 16), ("gpt2", 40), ("whisper", 40)])
def test_tokens_need_places(family: str, places: int, configs, write) -> None:
    path = write(configs[family])
    read_config(path, sequence=places)
    with pytest.raises(InputError, match=f"{places + 1} tokens are more than the {places} places"):
        read_config(path, sequence=places + 1)
    if family != "bert":
        with pytest.raises(InputError, match=f"{places + 1} tokens are more than the {places} places"):
            read_config(path, sequence=places, mode="decode")


def test_fewer_layers_and_open_sizes(configs, write) -> None:
    one = read_config(write(configs["llama"]), batch="batch", sequence="seq", layers=1)
    assert one.output_names == ("logits", "present.0.key", "present.0.value")
    assert str(one.module).count("nn.attention") == 1
    assert '"batch", "seq"' in str(one.module)
