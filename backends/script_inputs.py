"""How the scripts beside emitted programs take inputs: as these declare them, or refused with what is wrong."""

from __future__ import annotations

READ_INPUTS = '''\
def read_inputs(path: str) -> dict[str, np.ndarray]:
    """The inputs in the .npz, by name."""
    with np.load(path, allow_pickle=False) as file:
        missing = ", ".join(name for name in INPUTS if name not in file)
        if missing:
            raise SystemExit(f"{path} has no input {missing}")
        return {name: declared(name, file[name], *end) for name, end in INPUTS.items()}
'''
"""for scripts whose INPUTS are (shape, dtype) by name"""

DECLARED = '''\
def declared(
    name: str, array: np.ndarray, shape: tuple[int, ...], dtype: str
) -> np.ndarray:
    """The array in the type that the network takes; ends where it has others."""
    if array.shape != shape:
        raise SystemExit(f"input {name} has the shape {array.shape}, not {shape}")
    if array.dtype.kind not in "biufV":  # V: bfloat16, and others that numpy lacks
        raise SystemExit(f"input {name} holds {array.dtype}, not {dtype}")
    made = array.astype(numpy_type(dtype))
    if "int" in dtype and not np.array_equal(made, array):
        raise SystemExit(f"input {name} has integers that {dtype} does not hold")
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


def with_inputs(template: str) -> str:
    """The script whose line `# inputs` stands for all of it."""
    return template.replace("# inputs\n", "\n\n".join((READ_INPUTS, DECLARED, NUMPY_TYPE)))
