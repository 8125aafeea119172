"""Vision towers: what their configs say, as weights that patches and merged tokens pass."""

from __future__ import annotations

from ..vision import Vision
from .config import Config


def qwen_vision(config: Config) -> Vision:
    """Qwen3-VL (`modeling_qwen3_vl.py` of transformers): one merger, and one for each layer whose output is added."""
    hidden, ffn, depth = config.number("hidden_size"), config.number("intermediate_size"), config.number("depth")
    merge, patch = config.number("spatial_merge_size"), config.number("patch_size")
    config.ignore("num_heads")
    pixels = config.number("in_channels") * config.number("temporal_patch_size") * patch**2
    layer = 4 * hidden**2 + 4 * hidden + 2 * hidden * ffn + ffn + hidden + 4 * hidden
    wide = merge**2 * hidden
    merger = wide**2 + wide + (wide + 1) * config.number("out_hidden_size")
    deep = len(config.get("deepstack_visual_indexes") or [])
    return Vision(
        layers=depth,
        width=hidden,
        patch_pixels=patch,
        merge=merge,
        patch_parameters=depth * layer + (pixels + 1) * hidden,
        token_parameters=merger + 2 * hidden + deep * (merger + 2 * wide),
        other_parameters=config.number("num_position_embeddings") * hidden,
    )


def moon_vision(config: Config) -> Vision:
    """MoonViT of Kimi K2.5 and K3: patches of the image, positions that are learnt in two dimensions."""
    config.ignore("activation_func", "projector_hidden_act", "projector_ln_eps")
    config.ignore("pos_emb_type", "pos_emb_interpolation_mode", "init_pos_emb_time", "video_attn_type")
    hidden, ffn = config.number("vt_hidden_size"), config.number("vt_intermediate_size")
    layers, patch = config.number("vt_num_hidden_layers"), config.number("patch_size")
    rows, columns = config["merge_kernel_size"]
    if rows != columns or config["merge_type"] != "sd2_tpool" or config.get("mlp_type", "mlp2") != "mlp2":
        raise ValueError("vision towers of other forms than Kimi K2.5's and K3's are not covered")
    config.ignore("vt_num_attention_heads")
    width = config.count("qkv_hidden_size") or hidden
    norm = hidden if config.get("norm_type") == "rmsnorm" else 2 * hidden
    attention = 4 * width * hidden + (3 * width + hidden) * config.flag("attn_bias", True)
    network = 2 * hidden * ffn + (ffn + hidden) * config.flag("linear_bias", True)
    embed = (3 * patch**2 + config.flag("patch_embed_proj_bias", True)) * hidden
    return Vision(
        layers=layers,
        width=width,
        patch_pixels=patch,
        merge=rows,
        patch_parameters=layers * (attention + network + 2 * norm) + embed + norm,
        token_parameters=_moon_projector(config, rows * columns),
        other_parameters=config.number("init_pos_emb_height") * config.number("init_pos_emb_width") * hidden,
    )


def _moon_projector(config: Config, merged: int) -> int:
    """Two matrices; K2.5 normalises before them and has biases, K3 normalises after."""
    hidden, out = config.number("mm_hidden_size"), config.number("text_hidden_size")
    kind, wide = config["mm_projector_type"], merged * config.number("mm_hidden_size")
    if kind == "patchmerger":
        return wide * (wide + 1) + (wide + 1) * out + 2 * hidden
    if kind == "patchmergerv2":
        return wide * wide + wide * out + out
    raise ValueError(f"'mm_projector_type: {kind}' is not covered")


def gemma_vision(config: Config, text_hidden: int) -> Vision:
    """Gemma 4's tower: gated networks, queries and keys normalised, four norms a layer, pooled patches projected."""
    config.refuse("attention_bias")
    config.refuse("use_clipped_linears")
    config.ignore("max_position_embeddings", "default_output_length", "global_head_dim")
    hidden, ffn, heads = (config.number(k) for k in ("hidden_size", "intermediate_size", "num_attention_heads"))
    layers, patch, head_dim = (config.number(k) for k in ("num_hidden_layers", "patch_size", "head_dim"))
    width, kv_width = heads * head_dim, config.number("num_key_value_heads") * head_dim
    layer = 2 * hidden * (width + kv_width) + 2 * head_dim + 3 * hidden * ffn + 4 * hidden
    tables = 2 * config.number("position_embedding_size") + 2 * config.flag("standardize")
    return Vision(
        layers=layers,
        width=width,
        patch_pixels=patch,
        merge=config.number("pooling_kernel_size"),
        patch_parameters=layers * layer + 3 * patch**2 * hidden,
        token_parameters=hidden * text_hidden,
        other_parameters=tables * hidden,
    )


def llama4_vision(config: Config, text_hidden: int) -> Vision:
    """Llama 4's tower (`modeling_llama4.py` of transformers): a class token, pixels shuffled into wider tokens."""
    hidden, ffn, layers = (config.number(k) for k in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    patch, image = config.number("patch_size"), config.number("image_size")
    config.ignore("num_attention_heads", "vision_feature_*", "multi_modal_projector_bias")
    inner, out = config.number("projector_input_dim"), config.number("projector_output_dim")
    merge = round(1 / config["pixel_shuffle_ratio"])
    layer = 4 * hidden**2 + 4 * hidden + 2 * hidden * ffn + ffn + hidden + 4 * hidden
    embed = (config.count("num_channels") or 3) * patch**2 * hidden
    return Vision(
        layers=layers,
        width=hidden,
        patch_pixels=patch,
        merge=merge,
        patch_parameters=layers * layer + embed + 4 * hidden,
        token_parameters=merge**2 * hidden * inner + inner * out + config.number("vision_output_dim") * text_hidden,
        other_parameters=((image // patch) ** 2 + 2) * hidden,
    )
