"""What stands around an emitted scratchpad program; `network_name`, WHICH (one it is) and SIZE are put in."""

HEAD = '''\
"""The networkWHICH on a scratchpad of SIZE bytes.

    python network_name.py [--inputs X.safetensors] [--seed N] [--outputs Y.npz]

Its weights are in network_name.safetensors. Every instruction of `network_name` names the
addresses that it uses; the machine stops where one uses what is not there.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

'''

TAIL = '''\
def execute(
    inputs: Mapping[str, np.ndarray], w: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], Scratchpad]:
    """The outputs by name, and the machine after the last instruction."""
    outside = {name: encoded(array, array.dtype.name) for name, array in w.items()}
    for name, (tensor, dtype, _) in INPUTS.items():
        outside[tensor] = encoded(inputs[name], dtype)
    npu = Scratchpad(SIZE_BYTES, outside)
    network_name(npu, w)
    outputs = {
        name: decoded(npu.outside[tensor], dtype, shape)
        for name, (tensor, dtype, shape) in OUTPUTS.items()
    }
    return outputs, npu


def main() -> None:
    """Run the network once, and print what comes out and what was moved."""
    parser = argparse.ArgumentParser(description="Run the networkWHICH.")
    parser.add_argument("--inputs", type=Path, help="a .safetensors; else random ones")
    parser.add_argument("--seed", type=int, default=0, help="of random inputs")
    parser.add_argument("--outputs", type=Path, help="an .npz to write the outputs to")
    arguments = parser.parse_args()
    if arguments.inputs:
        try:
            given = read_safetensors(arguments.inputs)
        except (OSError, ValueError) as error:  # no such file, or one cut off
            parser.exit(2, f"{Path(__file__).name}: {error}\\n")
        missing = ", ".join(name for name in INPUTS if name not in given)
        if missing:
            raise SystemExit(f"{arguments.inputs} has no input {missing}")
        inputs = {
            name: declared(name, given[name], shape, dtype)
            for name, (_, dtype, shape) in INPUTS.items()
        }
    else:
        generator, inputs = np.random.default_rng(arguments.seed), {}
        for name, (_, dtype, shape) in INPUTS.items():
            if "float" in dtype:
                made = generator.standard_normal(shape)
            else:
                made = generator.integers(2, size=shape)
            inputs[name] = np.asarray(made).astype(dtype)
    try:
        w = read_safetensors(Path(__file__).with_suffix(".safetensors"))
    except (OSError, ValueError) as error:  # weights that are missing or cut off
        parser.exit(2, f"{Path(__file__).name}: {error}\\n")
    outputs, npu = execute(inputs, w)
    for name, array in outputs.items():
        print(f"{name}: {array.dtype} {array.shape}")
    if arguments.outputs:
        write_outputs(arguments.outputs, outputs)
    print(f"DMA in {npu.loaded_bytes}, out {npu.stored_bytes}, planned {DMA_BYTES}")


if __name__ == "__main__":
    main()
'''
