"""Placement: which device, how many replicas, at what cost, within which latency."""
