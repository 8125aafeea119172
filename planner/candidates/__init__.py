"""Candidates: for each piece, the pools it may run in, with time, memory and money in each."""
