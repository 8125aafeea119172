"""
Triton: fused elementwise chains as GPU kernels.

    source = emit_triton(op, "gelu")                  # emit.py: gelu.py, and the library kernel that it binds
    result = run_interpreted(source, inputs)          # processes.py: in Triton's interpreter, without a GPU
    kernel = compile_source(source, "sm_90")          # processes.py: PTX and cubin, without a GPU

`kernels/` are real files that run as they stand; emitted files bind their parameters. Triton interprets or compiles,
never both in one process, so each of the two happens in a process of its own. Needs the extra `dovetail[triton]`.
"""
