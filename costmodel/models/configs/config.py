"""A config.json that knows which of its keys were read, so that none that matters is passed over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

IRRELEVANT = (
    # what the file says about itself
    "_name_or_path", "_attn_implementation", "architectures", "auto_map", "model_type", "name_or_path",
    "transformers_version", "torchscript", "return_dict*", "output_attentions", "output_hidden_states",
    "output_scores", "output_router_logits", "problem_type", "id2label", "label2id", "task_specific_params",
    "tokenizer_class", "prefix", "finetuning_task", "chunk_size_feed_forward", "is_decoder", "is_encoder_decoder",
    "add_cross_attention", "cross_attention_hidden_size", "pruned_heads", "remove_invalid_values",
    "tie_encoder_decoder", "tf_legacy_loss", "use_bfloat16", "use_cache", "dtype", "torch_dtype",
    "pretraining_tp", "ep_size",
    # tokens with a meaning, and how text is generated
    "*_token_id", "*_token_index", "*_token_ids", "*_placeholder", "ignore_index", "bad_words_ids",
    "begin_suppress_tokens", "suppress_tokens", "decoder_start_token_id", "diversity_penalty", "do_sample",
    "early_stopping", "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "length_penalty",
    "max_length", "min_length", "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_return_sequences",
    "repetition_penalty", "temperature", "top_k", "top_p", "typical_p", "num_logits_to_keep",
    # training
    "*dropout", "initializer_range", "router_aux_loss_coef", "aux_loss_alpha", "seq_aux", "rescale_prenorm_residual",
    # functions of one element, scales and positions: no weights, and no work that is counted
    "hidden_act", "hidden_activation", "*rms_norm_eps", "layernorm_epsilon", "layer_norm_epsilon", "norm_eps",
    "rope_*", "rotary_dim", "rotary_pct", "partial_rotary_factor", "original_max_position_embeddings",
    "initial_context_length", "routed_scaling_factor", "norm_topk_prob", "scoring_func", "n_group", "topk_group",
    "swiglu_limit", "swiglu_alpha", "use_mrope", "residual_in_fp32",
    # how it is quantised, which `quantisation` reads
    "quantization_config",
    # layers that predict further tokens, which are served only with speculative decoding
    "num_nextn_predict_layers", "*mtp*",
)  # fmt: skip
"""Patterns of keys that change neither sizes nor work, in any family."""


class Config:
    """A mapping of a config.json, with the keys that were read; ValueError for what is missing or has no meaning."""

    def __init__(self, values: Mapping[str, Any], where: str = "") -> None:
        self.values = values
        self.where = where
        self._read: set[str] = set()
        self._parts: list[Config] = []

    def __getitem__(self, key: str) -> Any:
        """The value; ValueError where there is none."""
        value = self.get(key)
        if value is None:
            raise ValueError(f"the key '{self.where}{key}' is missing")
        return value

    def number(self, *keys: str) -> int:
        """The first of `keys` that is given, a whole number of at least 1."""
        key = next((key for key in keys if self.values.get(key) is not None), keys[0])
        value = self[key]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"'{self.where}{key}' is {value!r}, and must be a whole number of at least 1")
        return value

    def count(self, *keys: str) -> int:
        """As `number`, but 0 where it is absent, null or 0."""
        return self.number(*keys) if any(self.get(key) for key in keys) else 0

    def flag(self, key: str, default: bool = False) -> bool:
        """A truth value."""
        value = self.get(key)
        if value is not None and not isinstance(value, bool):
            raise ValueError(f"'{self.where}{key}' is {value!r}, and must be true or false")
        return default if value is None else value

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default` where it is absent or null."""
        self._read.add(key)
        value = self.values.get(key)
        return default if value is None else value

    def each(self, key: str, layers: int) -> Sequence[Any]:
        """A list with an item for each layer; what it has beyond is for layers that predict further tokens."""
        value = self[key]
        if not isinstance(value, list) or len(value) < layers:
            raise ValueError(f"'{self.where}{key}' must list {layers} layers")
        return value[:layers]

    def part(self, key: str) -> Config:
        """A mapping inside; the keys of it that nobody reads are reported with these."""
        value = self[key]
        if not isinstance(value, Mapping):
            raise ValueError(f"'{self.where}{key}' must be a mapping")
        part = Config(value, f"{self.where}{key}.")
        self._parts.append(part)
        return part

    def refuse(self, key: str, *meaningless: Any) -> None:
        """ValueError if a key that is not covered is given and is none of `meaningless`, null and false."""
        value = self.get(key)
        if value is not None and value is not False and value not in meaningless:
            raise ValueError(f"'{self.where}{key}: {value}' is not covered")

    def ignore(self, *patterns: str) -> None:
        """These keys are known, and change neither sizes nor work."""
        self._read.update(key for key in self.values if any(fnmatchcase(key, pattern) for pattern in patterns))

    def check_all_read(self) -> None:
        """ValueError that names the keys that were not read and are not known to be irrelevant."""
        unknown = sorted(self._unread())
        if unknown:
            raise ValueError(f"it is not known what these keys mean: {', '.join(unknown)}")

    def _unread(self) -> Iterable[str]:
        for key, value in self.values.items():
            if key not in self._read and value is not None and not any(fnmatchcase(key, p) for p in IRRELEVANT):
                yield f"{self.where}{key}"
        for part in self._parts:
            yield from part._unread()
