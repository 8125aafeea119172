"""The script `run.py` that stands beside an emitted network."""

from __future__ import annotations

from ..python_text import imported
from ..script_inputs import with_inputs

RUN = '''\
"""Run the network and print what comes out: python run.py [--requests N] [--inputs X.npz]"""

import argparse
import time
from zipfile import BadZipFile, ZipFile
from zlib import crc32

import jax
import numpy as np
from network_name import imported_names


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
        parser.exit(2, f"run.py: {error}\\n")
    began = time.perf_counter()
    outputs = jax.block_until_ready(network_name(weights, *inputs.values()))
    print(f"first request (compiles): {time.perf_counter() - began:.3f} s")

    began = time.perf_counter()
    for _ in range(arguments.requests):
        outputs = jax.block_until_ready(network_name(weights, *inputs.values()))
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


# inputs


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
'''
"""`network_name` stands for the module and its function, `imported_names` for what is imported of it, in order."""


def run_script(name: str, devices: int = 1) -> str:
    """`run.py` of the network `name`, which so many devices share."""
    text = with_inputs(RUN).replace("imported_names", imported("INPUTS", "OUTPUTS", "load_weights", name))
    if devices > 1:
        line = f'    jax.config.update("jax_num_cpu_devices", {devices})  # where there are no other\n'
        text = text.replace("    try:\n        weights", f"{line}    try:\n        weights", 1)
    return text.replace("network_name", name)
