"""The parts of `run.py` of a program in pieces; `WHICH` stands for what it is called."""

HEAD = '''\
"""Run the networkWHICH.

    python run.py [--requests N] [--inputs X.npz] [--outputs Y.npz]

Each piece runs as it would on its device: Triton kernels on a GPU with torch, or else in
Triton's interpreter; Pallas kernels on a TPU, or else interpreted; scratchpad programs on
a machine that checks every address; the rest in JAX.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile, ZipFile
from zlib import crc32

import numpy as np

Runs = Callable[[list[np.ndarray]], list[np.ndarray]]
HERE = Path(__file__).parent
'''

JAX = '''\
def load_jax(folder: Path, name: str, file: str) -> Runs:
    """The piece as a jitted function."""
    piece = import_module(name)
    # devices
    function, weights = getattr(piece, name), piece.load_weights(folder / file)

    def run(arrays: list[np.ndarray]) -> list[np.ndarray]:
        made = function(weights, *typed(arrays, piece))
        made = made if isinstance(made, tuple) else (made,)
        return [np.asarray(each) for each in made]

    return run
'''

PALLAS = JAX.replace("load_jax", "load_pallas").replace(
    "function.", "function; without a TPU its kernels are interpreted."
)

SCRATCHPAD = '''\
def load_scratchpad(folder: Path, name: str, file: str) -> Runs:
    """The piece on the machine of its scratchpad."""
    piece = import_module(name)
    weights = piece.read_safetensors(folder / file)
    kinds = [dtype for _, dtype, _ in piece.INPUTS.values()]

    def run(arrays: list[np.ndarray]) -> list[np.ndarray]:
        given = [array.astype(kind) for array, kind in zip(arrays, kinds, strict=True)]
        made, _ = piece.execute(dict(zip(piece.INPUTS, given, strict=True)), weights)
        return list(made.values())

    return run
'''

TRITON = '''\
def load_triton(folder: Path, name: str, file: str) -> Runs:
    """The piece on a GPU or in the interpreter, as the script in its own folder does."""
    spec = spec_from_file_location(f"{name}_script", folder / "run.py")
    host = module_from_spec(spec)
    spec.loader.exec_module(host)
    weights = host.read_safetensors(folder / file)
    tensors = {key: host.tensor(array) for key, array in weights.items()}

    def run(arrays: list[np.ndarray]) -> list[np.ndarray]:
        given = (host.tensor(array) for array in typed(arrays, host))
        made = getattr(host, name)(tensors, host.empty, *given)
        return [host.array(each) for each in made]

    return run
'''

LOADERS = {"jax": JAX, "pallas": PALLAS, "scratchpad": SCRATCHPAD, "triton": TRITON}
"""how a piece of each kind is loaded"""
IMPORTS = {
    "jax": "from importlib import import_module\n",
    "pallas": "from importlib import import_module\n",
    "scratchpad": "from importlib import import_module\n",
    "triton": "from importlib.util import module_from_spec, spec_from_file_location\n",
}
"""what that needs beyond what every script imports; it stands before `pathlib`"""

DEVICES = """\
    import jax

    jax.config.update("jax_num_cpu_devices", COUNT)  # where there are no other
"""

CONSTANTS = '''\
def constants() -> dict[str, np.ndarray]:
    """The weights that are outputs as they are."""
    from weights_file import read_safetensors

    return read_safetensors(HERE / "constants.safetensors")
'''

TAIL = '''\
def typed(arrays: list[np.ndarray], piece) -> list[np.ndarray]:
    """The arrays in the types that the piece declares."""
    kinds = [dtype for _, dtype in piece.INPUTS.values()]
    return [array.astype(kind) for array, kind in zip(arrays, kinds, strict=True)]


# inputs


def load() -> list[tuple[Runs, tuple[str, ...], tuple[str, ...]]]:
    """Each piece, the values that it takes and those that it gives."""
    steps = []
    for way, name, weights, takes, gives in PIECES:
        folder = HERE / way / name
        sys.path.insert(0, str(folder))
        steps.append((LOADERS[way](folder, name, weights), takes, gives))
    return steps


def run(steps: list, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs by name, for inputs by name."""
    for piece, takes, gives in steps:
        made = piece([values[value] for value in takes])
        values = values | dict(zip(gives, made, strict=True))
    return {name: values[value] for name, value in OUTPUTS.items()}


def random_inputs() -> dict[str, np.ndarray]:
    """Normal numbers, and whole ones that the tables have rows for."""
    generator, inputs = np.random.default_rng(0), {}
    for name, (shape, dtype) in INPUTS.items():
        if name in BELOW:
            made = generator.integers(BELOW[name], size=shape)
        else:
            made = generator.standard_normal(shape)
        inputs[name] = np.asarray(made).astype(numpy_type(dtype))
    return inputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=count, default=1, help="how often to run it")
    parser.add_argument("--inputs", help="an .npz with the inputs; random if not given")
    parser.add_argument("--outputs", help="an .npz to write the outputs to")
    arguments = parser.parse_args()
    if arguments.inputs:
        inputs = read_inputs(arguments.inputs)
    else:
        inputs = random_inputs()
    try:
        steps = load()
        # constants
    except (OSError, ValueError) as error:  # weights that are missing or cut off
        parser.exit(2, f"run.py: {error}\\n")
    began = time.perf_counter()
    outputs = run(steps, inputs)
    print(f"first request (compiles): {time.perf_counter() - began:.3f} s")
    began = time.perf_counter()
    for _ in range(arguments.requests):
        outputs = run(steps, inputs)
    seconds = (time.perf_counter() - began) / arguments.requests
    print(f"each of {arguments.requests} more: {seconds:.6f} s")
    for name, value in outputs.items():
        checksum = crc32(value.tobytes())
        print(f"{name}: {value.shape} {value.dtype} checksum {checksum:08x}")
    if arguments.outputs:
        write_outputs(arguments.outputs, outputs)


if __name__ == "__main__":
    main()
'''
