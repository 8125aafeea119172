"""
JAX: tensor networks as readable source, and that source as programs that run here.

    source = emit_jax(read_onnx("densenet.onnx"), "densenet")     # emit.py: densenet.py, run.py and the weights
    program = build_program(network, "densenet")                  # program.py: the same source, as one callable

Emitted files need jax and numpy alone, and no Dovetail.
"""

FOLDER = "jax"
"""Where networks stand in an output folder: `jax/<network>/`."""
