"""
Vela, Arm's compiler for Ethos-U NPUs: int8 graphs through a real toolchain, for its SRAM and cycles beside our own.

    figures = run_vela(tflite_bytes(network), sram_bytes=384 * 1024)    # run.py: vela in a process of its own

Needs the package ethos-u-vela 5.2 (Apache-2.0), the extra `dovetail[vela]`.
"""
