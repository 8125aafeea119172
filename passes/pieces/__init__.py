"""Pieces of a network that may stand on different devices: convex cuts, and transfers between them."""
