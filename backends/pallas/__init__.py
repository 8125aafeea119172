"""
Pallas: kernels for devices whose on-chip memory a program fills, with blocks chosen by the scratchpad planner.

    plan = plan_matmul(4096, 4096, 4096, "bfloat16", vmem_bytes=device.scratchpad_bytes)   # plan.py, products.py
    y = matmul(x, w, blocks=plan.blocks, vmem_bytes=plan.limit_bytes)                       # kernels/matmul.py

`kernels/` are real files that run as they stand, on a TPU, or anywhere with `interpret=`. What would not fit on the
chip is refused here, part by part (`vmem.py`), before a compiler does.
"""
