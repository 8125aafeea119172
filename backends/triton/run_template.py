"""The script `run.py` that stands beside an emitted network of Triton kernels."""

RUN = '''\
"""Run the network on a GPU with torch, or without one in Triton's interpreter.

python run.py [--inputs X.npz] [--outputs Y.npz]
"""

import argparse
import os
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
from host_tensor import HostTensor, round_as_gpus_do
from weights_file import read_safetensors

try:
    import torch

    ON_GPU = torch.cuda.is_available()
except ImportError:
    ON_GPU = False
if not ON_GPU:
    os.environ["TRITON_INTERPRET"] = "1"  # before anything imports triton

from network_name import INPUTS, OUTPUTS, network_name

if not ON_GPU:
    round_as_gpus_do()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", help="an .npz with the inputs; random if not given")
    parser.add_argument("--outputs", help="an .npz to write the outputs to")
    arguments = parser.parse_args()

    inputs = read_inputs(arguments.inputs) if arguments.inputs else random_inputs()
    try:
        weights = read_safetensors(Path(__file__).with_name("weights.safetensors"))
    except (OSError, ValueError) as error:  # weights that are missing or cut off
        parser.exit(2, f"run.py: {error}\\n")
    tensors = {name: tensor(array) for name, array in weights.items()}
    outputs = network_name(tensors, empty, *map(tensor, inputs.values()))
    named = {name: array(value) for name, value in zip(OUTPUTS, outputs, strict=True)}
    print("on a GPU" if ON_GPU else "in the interpreter")
    for name, value in named.items():
        print(f"{name}: {value.shape} {value.dtype}")
    if arguments.outputs:
        write_outputs(arguments.outputs, named)


def tensor(values):
    """The array on the device."""
    if not ON_GPU:
        return HostTensor(np.asarray(values, order="C"))
    name = values.dtype.name
    plain = values.astype(np.float32) if "float" in name else values
    return torch.from_numpy(plain).to("cuda", getattr(torch, name))


def empty(shape, dtype):
    """A buffer on the device."""
    if ON_GPU:
        return torch.empty(shape, dtype=getattr(torch, dtype), device="cuda")
    return HostTensor(np.empty(shape, numpy_type(dtype)))


def array(values) -> np.ndarray:
    """The tensor as numpy has it; floats that numpy lacks become float32."""
    if ON_GPU:
        lacking = values.is_floating_point() and values.itemsize < 2
        lacking = lacking or values.dtype == torch.bfloat16
        return (values.float() if lacking else values).cpu().numpy()
    held = values.array
    return held.astype(np.float32) if held.dtype.kind == "V" else held.copy()


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
"""`network_name` stands for the module and its function."""
