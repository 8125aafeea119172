"""Every .mlir file here says in RUN lines how `dovetail-opt` is called, and in CHECK lines what it prints."""

import sys

import lit.formats

config.name = "dovetail-opt"  # noqa: F821  lit defines it
config.test_format = lit.formats.ShTest()  # noqa: F821
config.suffixes = [".mlir"]  # noqa: F821
config.substitutions = [  # noqa: F821
    ("dovetail-opt", f"{sys.executable} -m dovetail.opt"),
    ("filecheck", f"{sys.executable} -m filecheck"),
]
