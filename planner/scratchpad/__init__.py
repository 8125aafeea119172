"""Scratchpad planning: in which order operators run, where each tensor lies, and what leaves and comes back."""
