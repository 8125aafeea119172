"""Readers: from files that people write to the IR."""
