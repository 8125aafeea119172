"""Models: language models as groups of layers, from a catalogue or a config.json, and networks run once per visit."""

from .catalogue import find_model, load_models, model_entries, read_model
from .configs.read import ARCHITECTURES, read_hf_config
from .llm import LLM, LayerGroup
from .products import Product

__all__ = [
    "ARCHITECTURES",
    "LLM",
    "LayerGroup",
    "Product",
    "find_model",
    "load_models",
    "model_entries",
    "read_hf_config",
    "read_model",
]
