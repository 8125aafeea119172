"""What a person at a terminal sees beside the results: progress, and colour in messages."""

from __future__ import annotations

import os
import sys


def show_progress(message: str) -> None:
    """One line on stderr, which takes the place of the one before."""
    print(f"\r\033[K{message}", end="", file=sys.stderr, flush=True)


def coloured(text: str) -> str:
    """Bold red for errors and yellow for warnings, where a person is watching and wants colour."""
    if "NO_COLOR" in os.environ or not sys.stderr.isatty():
        return text
    return text.replace("error[", "\033[1;31merror\033[0m[").replace("warning[", "\033[1;33mwarning\033[0m[")
