"""
Reads ONNX files, opsets 9 to 21 and what later ones kept, into the nn dialect.

    network = read_onnx("densenet.onnx")
    network = read_onnx("bert.onnx", {"batch": 1})     # named sizes that are not given stay open

`file.py` loads and checks, `reader.py` walks the nodes, each other file reads one kind of operator.
"""

from .file import load_model
from .reader import read_onnx

__all__ = ["load_model", "read_onnx"]
