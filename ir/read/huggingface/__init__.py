"""
Networks from Hugging Face's config.json: the architecture it names, its weights by name and shape and without values.

    network = read_config("config.json", batch=1, sequence=512)                      # or batch="batch"
    network = read_config("config.json", batch=8, sequence=512, mode="decode")       # one token more
    network = fill_weights(network, seed=0)                                          # ir/weights.py

A key that could change the network and is not understood is a fault, never ignored.
"""

from .read import ARCHITECTURES, read_config

__all__ = ["ARCHITECTURES", "read_config"]
