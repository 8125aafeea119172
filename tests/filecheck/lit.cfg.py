"""Every .mlir file here says in RUN lines how `dovetail-opt` is called, and in CHECK lines what it prints."""

import sys
from typing import Any

import lit.formats

config: Any = globals()["config"]  # which lit defines
config.name = "dovetail-opt"
config.test_format = lit.formats.ShTest()
config.suffixes = [".mlir"]
config.substitutions = [
    ("dovetail-opt", f"{sys.executable} -m dovetail.opt"),
    ("filecheck", f"{sys.executable} -m filecheck"),
]
