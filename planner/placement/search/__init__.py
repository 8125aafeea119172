"""Solving the placement model: what is left out before, rounds of cuts, conflicts, frontiers, the largest rate."""
