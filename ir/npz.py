"""
Arrays by name in an .npz, under names of any kind: `numpy.savez` takes no array called `file`.

Format: a zip file with one .npy for each array (numpy.lib.format, 2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np


def write_npz(path: Path | str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays, by name, to `path`."""
    with ZipFile(path, "w") as file:
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)


def read_npz(path: Path | str) -> dict[str, np.ndarray]:
    """The arrays in `path`, by name; ValueError where it is no file of arrays, or one holds objects."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[f"{name}.npy"] for name in file.files}
    except OSError as error:
        raise ValueError(f"`{path}` cannot be read: {error.strerror}") from error
    except (ValueError, EOFError, BadZipFile, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"`{path}` is no .npz with arrays") from error
