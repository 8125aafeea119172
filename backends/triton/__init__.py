"""Triton: fused kernels for GPUs."""
