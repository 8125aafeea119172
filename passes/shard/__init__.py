"""Tensors over devices: which shardings an op allows, what moves between them, and the SPMD program of a decision."""
