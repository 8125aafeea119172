"""What stands around an emitted scratchpad program; `network_name` stands for the network, SIZE for the bytes."""

HEAD = '''\
"""The network network_name on a scratchpad of SIZE bytes.

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
    parser = argparse.ArgumentParser(description="Run the network network_name.")
    parser.add_argument("--inputs", type=Path, help="a .safetensors; else random ones")
    parser.add_argument("--seed", type=int, default=0, help="of random inputs")
    parser.add_argument("--outputs", type=Path, help="an .npz to write the outputs to")
    arguments = parser.parse_args()
    if arguments.inputs:
        inputs = read_safetensors(arguments.inputs)
    else:
        draw = np.random.default_rng(arguments.seed).standard_normal
        inputs = {
            name: draw(shape).astype(dtype)
            for name, (_, dtype, shape) in INPUTS.items()
        }
    w = read_safetensors(Path(__file__).with_suffix(".safetensors"))
    outputs, npu = execute(inputs, w)
    for name, array in outputs.items():
        print(f"{name}: {array.dtype} {array.shape}")
    if arguments.outputs:
        np.savez(arguments.outputs, **outputs)
    print(f"DMA in {npu.loaded_bytes}, out {npu.stored_bytes}, planned {DMA_BYTES}")


if __name__ == "__main__":
    main()
'''
