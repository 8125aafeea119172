"""Candidate pools of language models on one's own devices."""
