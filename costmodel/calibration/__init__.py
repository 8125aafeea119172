"""Fits of the cost model's coefficients to measurements."""
