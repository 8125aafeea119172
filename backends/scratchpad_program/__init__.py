"""
Scratchpad programs: a whole network as DMA and operators over one memory of exactly M bytes, after a scratchpad plan.

    network = lower_for_target(read_onnx("densenet.onnx"), "npu")
    program = lower(network, "densenet", size_bytes=6_422_528)    # lower.py: plans, and gives instructions
    built = build_scratchpad(program)                             # execute.py: the emitted source, as one callable
    (scores,) = built(image)                                      # on a machine that checks every address
    built.save("out/")                                            # densenet.py and densenet.safetensors, self-contained

Operators are computed by emitted JAX; the machine (`machine.py`) counts DMA bytes, which are those of the plan.
"""

FOLDER = "scratchpad"
"""Where programs stand in an output folder: `scratchpad/<network>/`."""
