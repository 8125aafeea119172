"""A config.json while it is read: every key is asked for by name, and what nobody asked for is a fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...diagnostics import Diagnostics, did_you_mean
from ...source import SourceMap
from ...wording import named
from ..json import read_json_object

INERT = frozenset(
    [
        "_name_or_path",
        "architectures",
        "model_type",
        "torch_dtype",
        "dtype",
        "transformers_version",
        "use_cache",
        "initializer_range",
        "initializer_factor",
        "init_std",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "sep_token_id",
        "cls_token_id",
        "decoder_start_token_id",
        "is_encoder_decoder",
        "forced_decoder_ids",
        "suppress_tokens",
        "begin_suppress_tokens",
        "max_length",
        "max_target_length",
        "max_initial_timestamp_index",
        "max_position_embeddings",
        "id2label",
        "label2id",
        "task_specific_params",
        "gradient_checkpointing",
        "attention_dropout",
        "attention_probs_dropout_prob",
        "hidden_dropout_prob",
        "hidden_dropout",
        "dropout",
        "activation_dropout",
        "attn_pdrop",
        "embd_pdrop",
        "resid_pdrop",
        "summary_first_dropout",
        "encoder_layerdrop",
        "decoder_layerdrop",
        "classifier_dropout",
        "summary_activation",
        "summary_proj_to_labels",
        "summary_type",
        "summary_use_proj",
        "cache_implementation",
        "output_router_logits",
        "router_aux_loss_coef",
        "router_jitter_noise",
        "aux_loss_alpha",
        "seq_aux",
        "pretraining_tp",
        "ep_size",
        "num_nextn_predict_layers",
        "auto_map",
        "apply_spec_augment",
        "mask_feature_length",
        "mask_feature_min_masks",
        "mask_feature_prob",
        "mask_time_length",
        "mask_time_min_masks",
        "mask_time_prob",
        "median_filter_length",
        "use_weighted_layer_sum",
        "classifier_proj_size",
        "n_ctx",
        "num_hidden_layers",
        "max_window_layers",
        "encoder_stride",
    ]
)
"""Keys that do not change what the network computes: training, generation, file keeping; the longest sequence; and the
layers that predict further tokens, which the network itself does not have (DeepSeek-V3)."""

MOST, MOST_LAYERS = 2**31 - 1, 1000
"""the largest size"""
SMALLEST, LARGEST = 1e-12, 1e12
"""of numbers that are no sizes: the smallest that is not 0, and the largest"""
_MISSING: Any = object()


@dataclass
class Config:
    """The mapping at `path` of a file, and the faults found in it so far."""

    values: dict[str, Any]
    sources: SourceMap
    faults: Diagnostics
    path: tuple[str, ...] = ()
    asked: set[str] = field(default_factory=set)
    missing: dict[str, None] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)
    """keys without a whole number, in whose place 1 stands"""

    def get(self, key: str, default: Any = _MISSING) -> Any:
        """The value of `key`, or the default; None where it is missing and has none."""
        self.asked.add(key)
        if self.values.get(key) is not None:
            return self.values[key]
        if default is not _MISSING:
            return default
        self.missing[key] = None
        return None

    def integer(self, key: str, default: Any = _MISSING, least: int = 1, most: int = MOST) -> int:
        """A whole number from `least` to `most`; 1 stands in for one that is wrong."""
        value = self.get(key, default)
        if value is default and default is not _MISSING:
            return value
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.wrong.add(key)
            if value is not None:
                above = not isinstance(value, bool) and isinstance(value, int | float) and value > most
                self.fault(key, f"`{key}` must be a whole number of at {f'most {most}' if above else f'least {least}'}")
            return max(1, least)
        return value

    def layers(self, key: str) -> int:
        """How many layers `key` says."""
        return self.integer(key, most=MOST_LAYERS)

    def number(self, key: str, default: Any = _MISSING, least: float = SMALLEST) -> float:
        """A number from `least` to `LARGEST`; one from there stands in for one that is wrong."""
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= LARGEST:
            if value is not None:
                self.fault(key, f"`{key}` must be a number from {least:g} to {LARGEST:g}")
            return least + 1.0
        return float(value)

    def picks(self, key: str, count: int, default: Any = _MISSING) -> int:
        """Of `count` things how many `key` picks."""
        found = self.integer(key, default)
        if found > count:
            self.fault(key, f"`{key}: {found}` is more than the {count} that there are")
        return found

    def check_heads(self, count: str, width: str) -> None:
        """A fault where so many heads as `count` says cannot share out the `width`."""
        heads, elements = self.integer(count), self.integer(width)
        if elements % heads and not {count, width} & self.wrong:
            self.fault(count, f"{heads} heads do not divide a width of {elements}")

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false."""
        value = self.get(key, default)
        if not isinstance(value, bool):
            self.fault(key, f"`{key}` must be true or false")
            return default
        return value

    def one_of(self, key: str, known: Sequence[Any], default: Any = _MISSING) -> Any:
        """One of `known`, the first of which stands in for another value."""
        value = self.get(key, default)
        if value in known or (value is default and default is not _MISSING):
            return value
        if value is not None:
            shown = ", ".join(f"`{'null' if each is None else each}`" for each in known)
            self.fault(key, f"`{key}: {value}` is not supported", f"supported: {shown}")
        return known[0]

    def inside(self, key: str) -> Config | None:
        """The mapping under `key`, or None where there is none."""
        value = self.get(key, None)
        if value is not None and not isinstance(value, dict):
            self.fault(key, f"`{key}` must be an object")
            return None
        return None if value is None else Config(value, self.sources, self.faults, (*self.path, key))

    def fault(self, key: str, message: str, help: str | None = None) -> None:
        """Note a fault at `key`, once."""
        if all(fault.message != message for fault in self.faults.found):
            self.faults.error("config", message, self.sources.value((*self.path, key)), help=help)

    def check_all_asked(self) -> None:
        """A fault for keys that are missing, and for each that nothing asked for: it could change the network."""
        if self.missing:
            names = named([f"`{key}`" for key in self.missing], most=20)
            said = f"the keys {names} are missing" if len(self.missing) > 1 else f"the key {names} is missing"
            self.faults.error("config", said, self.sources.value(self.path))
        for key in self.values:
            if key not in self.asked and key not in INERT and self.values[key] is not None:
                message = f"the key `{key}` is not known for this architecture"
                help = did_you_mean(key, self.asked) or "remove it if the network does not depend on it"
                self.faults.error("config", message, self.sources.key((*self.path, key)), help=help)


def open_config(path: Path) -> Config:
    """The config.json at `path`; InputError where it is no JSON object."""
    document = read_json_object(path)
    return Config(document.value, document.sources, Diagnostics())
