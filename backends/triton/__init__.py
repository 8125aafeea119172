"""
Triton: networks and fused elementwise chains as GPU kernels.

    source = emit_network(network, "bert", device)    # network.py: bert.py, which launches the kernels of the library
    program = build_triton(network, "bert", device)   # program.py: the same, to be called here

    source = emit_triton(op, "gelu")                  # emit.py: gelu.py, and the library kernel that it binds
    result = run_interpreted(source, inputs)          # processes.py: in Triton's interpreter, without a GPU
    kernel = compile_source(source, "sm_90")          # processes.py: PTX and cubin, without a GPU

`kernels/` are real files that run as they stand; emitted files bind their parameters. Triton interprets or compiles,
never both in one process, so each of the two happens in a process of its own. Needs the extra `dovetail[triton]`.
"""
