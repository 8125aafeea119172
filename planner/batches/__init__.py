"""Batches of workflows: many instances of one graph planned at once, after Halo (arXiv 2509.02121)."""
