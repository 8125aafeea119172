"""Run the network and print what comes out: python run.py [--requests N] [--inputs X.npz]"""

import argparse
import time
from zipfile import BadZipFile, ZipFile
from zlib import crc32

import jax
import numpy as np
from small import INPUTS, OUTPUTS, load_weights, small


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=count, default=1, help="how often to run it")
    parser.add_argument("--inputs", help="an .npz with the inputs; random if not given")
    parser.add_argument("--outputs", help="an .npz to write the outputs to")
    arguments = parser.parse_args()

    inputs = read_inputs(arguments.inputs) if arguments.inputs else random_inputs()
    try:
        weights = load_weights()
    except (OSError, ValueError) as error:  # weights that are missing or cut off
        parser.exit(2, f"run.py: {error}\n")
    began = time.perf_counter()
    outputs = jax.block_until_ready(small(weights, *inputs.values()))
    print(f"first request (compiles): {time.perf_counter() - began:.3f} s")

    began = time.perf_counter()
    for _ in range(arguments.requests):
        outputs = jax.block_until_ready(small(weights, *inputs.values()))
    seconds = (time.perf_counter() - began) / arguments.requests
    device = jax.default_backend()
    print(f"each of {arguments.requests} more: {seconds:.6f} s on {device}")

    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    named = {
        name: np.asarray(value) for name, value in zip(OUTPUTS, outputs, strict=True)
    }
    for name, value in named.items():
        checksum = crc32(value.tobytes())
        print(f"{name}: {value.shape} {value.dtype} checksum {checksum:08x}")
    if arguments.outputs:
        write_outputs(arguments.outputs, named)


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


def numpy_type(name: str) -> np.dtype:
    """The dtype of that name; those that numpy lacks are in ml_dtypes."""
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))


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


def count(text: str) -> int:
    """A whole number of 1 or more, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number of 1 or more")
    return int(text)


def random_inputs() -> dict[str, np.ndarray]:
    """Normal numbers, and whole ones that every table has a row for."""
    generator, inputs = np.random.default_rng(0), {}
    for name, (shape, dtype) in INPUTS.items():
        if "float" in dtype:
            made = generator.standard_normal(shape)
        else:
            made = generator.integers(2, size=shape)
        inputs[name] = np.asarray(made).astype(numpy_type(dtype))
    return inputs


if __name__ == "__main__":
    main()
