"""Nemotron: hybrids of Mamba-2, attention and networks (Nemotron-H, Nemotron 3), and layers cut by a search (NAS)."""

from __future__ import annotations

from collections.abc import Sequence

from ..attention import Attention
from ..feed_forward import Dense, FeedForward, Mixture, NoNetwork
from ..linear import Mamba2
from ..mixers import Mixer, NoMixer
from .config import Config
from .shape import Layer, Shape, shape_of

LETTERS = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
"""of `hybrid_override_pattern`"""
FFN_MULTIPLE = 256
"""widths of networks are rounded up to it (`_find_multiple` of Nemotron-NAS)"""


def read_nemotron_h(config: Config) -> Shape:
    """Nemotron-H (arXiv 2504.03624) and Nemotron 3: each layer is a mixer or a network, with one norm."""
    for key in ("attention_bias", "mlp_bias", "mamba_proj_bias", "use_bias", "sliding_window"):
        config.refuse(key)
    config.ignore("chunk_size", "expand", "use_mamba_kernels", "moe_shared_expert_overlap")  # how it is computed
    config.ignore("time_step_*", "mamba_hidden_act")
    if config.get("mlp_hidden_act", "relu2") != "relu2":
        raise ValueError("networks with another function than `relu2` are not covered")
    hidden = config.number("hidden_size")
    kinds = _kinds(config)
    parts: dict[str, tuple[Mixer, FeedForward]] = {
        "mamba": (_mamba(config), NoNetwork()),
        "attention": (_attention(config), NoNetwork()),
    }
    if "mlp" in kinds:
        parts["mlp"] = (NoMixer(), Dense(hidden, config.number("intermediate_size"), gated=False))
    if "moe" in kinds:
        config.ignore("intermediate_size")
        parts["moe"] = (NoMixer(), _mixture(config))
    return shape_of(config, [(*parts[kind], hidden) for kind in kinds])


def _kinds(config: Config) -> Sequence[str]:
    listed = config.get("layers_block_type")
    if listed:
        if not set(listed) <= set(LETTERS.values()):
            raise ValueError("'layers_block_type' names a kind of layer that is not covered")
        return listed
    pattern = config["hybrid_override_pattern"]
    if not set(pattern) <= set(LETTERS) or len(pattern) != config.number("num_hidden_layers"):
        raise ValueError("'hybrid_override_pattern' must have one of M, *, - and E for each layer")
    return [LETTERS[letter] for letter in pattern]


def _mamba(config: Config) -> Mamba2:
    return Mamba2(
        hidden=config.number("hidden_size"),
        heads=config.number("mamba_num_heads"),
        head_dim=config.number("mamba_head_dim"),
        state=config.number("ssm_state_size"),
        state_groups=config.number("n_groups"),
        kernel=config.number("conv_kernel"),
        convolution_bias=config.flag("use_conv_bias"),
        element_bytes=4 if config.get("mamba_ssm_cache_dtype") == "float32" else 2,
    )


def _attention(config: Config) -> Attention:
    heads = config.number("num_attention_heads")
    return Attention(
        hidden=config.number("hidden_size"),
        heads=heads,
        kv_heads=config.count("num_key_value_heads") or heads,
        head_dim=config.number("head_dim", "attention_head_dim"),
    )


def _mixture(config: Config) -> Mixture:
    return Mixture(
        hidden=config.number("hidden_size"),
        ffn=config.number("moe_intermediate_size"),
        experts=config.number("n_routed_experts"),
        experts_per_token=config.number("num_experts_per_tok"),
        shared_experts=config.count("n_shared_experts"),
        shared_ffn=config.number("moe_shared_expert_intermediate_size"),
        gated=False,
        router_correction=True,
        expert_hidden=config.count("moe_latent_size"),
    )


def read_nemotron_nas(config: Config) -> Shape:
    """Llama-Nemotron (arXiv 2505.00949): Llama's layers, some without attention, networks of their own widths."""
    config.refuse("mlp_bias")
    config.refuse("attention_bias")
    layers = config.number("num_hidden_layers")
    for key in ("num_key_value_heads", "intermediate_size"):
        config.refuse(key)
    return shape_of(config, [_block(config, block) for block in config.each("block_configs", layers)])


def _block(config: Config, block: dict[str, dict[str, object]]) -> Layer:
    hidden, heads = config.number("hidden_size"), config.number("num_attention_heads")
    attention, network = Config(block["attention"], "attention."), Config(block["ffn"], "ffn.")
    for part, keys in (
        (attention, ("replace_with_linear", "sparsify", "window_length", "num_sink_tokens", "unshifted_sink",
                     "use_prefill_window_in_sink_attention")),
        (network, ("replace_with_linear", "sparsify")),
    ):  # fmt: skip
        for key in keys:
            part.refuse(key)
    mixer: Mixer = NoMixer()
    if not attention.flag("no_op"):
        mixer = Attention(hidden, heads, heads // attention.number("n_heads_in_group"), hidden // heads)
    dense: FeedForward = NoNetwork()
    if not network.flag("no_op"):
        wanted = int(2 * network["ffn_mult"] * hidden / 3)
        dense = Dense(hidden, -(-wanted // FFN_MULTIPLE) * FFN_MULTIPLE)
    attention.ignore("n_heads_in_group")
    network.ignore("ffn_mult")
    attention.check_all_read()
    network.check_all_read()
    norms = (not isinstance(mixer, NoMixer)) + (not isinstance(dense, NoNetwork))
    return mixer, dense, norms * hidden
