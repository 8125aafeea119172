"""How scripts beside emitted programs take and write arrays: as declared, or ending with a line of what is wrong."""

from __future__ import annotations

READ_INPUTS = '''\
def read_inputs(path: str) -> dict[str, np.ndarray]:
    """The inputs in the .npz, by name."""
    try:
        with np.load(path, allow_pickle=False) as file:
            given = {name: file[name] for name in INPUTS if name in file}
    except OSError as error:
        raise SystemExit(f"{path} cannot be read: {error.strerror}") from None
    except (BadZipFile, EOFError, TypeError, ValueError):  # cut off, an .npy, text
        raise SystemExit(f"{path} is no .npz with arrays") from None
    missing = ", ".join(name for name in INPUTS if name not in given)
    if missing:
        raise SystemExit(f"{path} has no input {missing}")
    return {name: declared(name, given[name], *end) for name, end in INPUTS.items()}
'''
"""for scripts whose INPUTS are (shape, dtype) by name"""

DECLARED = '''\
def declared(
    name: str, array: np.ndarray, shape: tuple[int, ...], dtype: str
) -> np.ndarray:
    """The array in the type that the network takes; ends where it has others."""
    if array.shape != shape:
        raise SystemExit(f"input {name} has the shape {array.shape}, not {shape}")
    kind = numpy_type(dtype)
    if kind.kind == "V" and array.dtype == f"V{kind.itemsize}":
        array = array.view(kind)  # files of numpy hold bfloat16 as bytes
    if array.dtype.kind not in "biufV" or array.dtype.type is np.void:
        raise SystemExit(f"input {name} holds {array.dtype}, not {dtype}")
    made = array.astype(kind)
    if "float" not in dtype and not np.array_equal(made, array):
        raise SystemExit(f"input {name} has numbers that {dtype} does not hold")
    return made
'''

NUMPY_TYPE = '''\
def numpy_type(name: str) -> np.dtype:
    """The dtype of that name; those that numpy lacks are in ml_dtypes."""
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))
'''

WRITE_OUTPUTS = '''\
def write_outputs(path: str, outputs: dict[str, np.ndarray]) -> None:
    """Write them to an .npz, by name."""
    try:
        with ZipFile(path, "w") as file:
            for name, value in outputs.items():
                if value.dtype.kind == "V":  # bfloat16, which such files have not
                    value = value.astype(np.float32)
                with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, value)
    except OSError as error:
        raise SystemExit(f"{path} cannot be written: {error.strerror}") from None
'''

COUNT = '''\
def count(text: str) -> int:
    """A whole number of 1 or more, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number of 1 or more")
    return int(text)
'''


def with_inputs(template: str) -> str:
    """The script whose line `# inputs` stands for all of it."""
    parts = [READ_INPUTS, DECLARED, NUMPY_TYPE, WRITE_OUTPUTS]
    parts += [COUNT] if "type=count" in template else []
    return template.replace("# inputs\n", "\n\n".join(parts))
