"""Latencies of a plan: ways through the graph, laws of times, and what a bound is held against."""
