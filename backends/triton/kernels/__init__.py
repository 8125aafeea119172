"""Triton kernels that emitted code is bound to: files that run as they stand, in the interpreter and on a GPU."""
