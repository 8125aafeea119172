"""The network small_cnn on a scratchpad of 1,048,576 bytes.

    python small_cnn.py [--inputs X.safetensors] [--seed N] [--outputs Y.npz]

Its weights are in small_cnn.safetensors. Every instruction of `small_cnn` names the
addresses that it uses; the machine stops where one uses what is not there.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

SIZE_BYTES = 1048576
DMA_BYTES = 3112  # 0 of them beyond the compulsory
INPUTS = {
    "image": ("image", "float32", (1, 3, 16, 16)),
}
OUTPUTS = {
    "y": ("y", "float32", (1, 10)),
}


class MachineFault(Exception):
    """An instruction that the machine cannot execute."""


class At(NamedTuple):
    """A tensor in the scratchpad, and how an operator sees its bytes."""

    address: int
    tensor: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Its size; eight truth values share a byte."""
        count = prod(self.shape)
        if self.dtype == "bool":
            return -(-count // 8)
        return count * np.dtype(self.dtype).itemsize


class Scratchpad:
    """So many bytes, the memory outside them, and which tensor owns which bytes."""

    POISON = 0xFF  # in bytes that nobody owns: no number, in every floating-point type

    def __init__(self, size_bytes: int, outside: dict[str, np.ndarray]) -> None:
        self.bytes = np.full(size_bytes, self.POISON, np.uint8)
        self.outside = outside  # the bytes of each tensor that has a copy there
        self.owned: dict[str, tuple[int, int]] = {}  # first byte, and past the last
        self.loaded_bytes = self.stored_bytes = 0

    def load(self, address: int, tensor: str) -> None:
        """DMA in: the copy outside, to an address where nothing lies."""
        if tensor not in self.outside:
            raise MachineFault(f"`{tensor}` is loaded, but there is no copy outside")
        data = self.outside[tensor]
        self._claim(address, tensor, len(data))[:] = data
        self.loaded_bytes += len(data)

    def store(self, address: int, tensor: str) -> None:
        """DMA out: the bytes of a tensor that lies at the address."""
        data = self._owned(address, tensor)
        self.outside[tensor] = data.copy()
        self.stored_bytes += len(data)

    def run(
        self,
        function: Callable[..., Any],
        reads: Sequence[At | np.ndarray],
        writes: Sequence[At],
        over: Sequence[str] = (),
    ) -> None:
        """Apply an operator to tensors and weights; results lie `over` inputs that end."""
        given = [self._read(each) if isinstance(each, At) else each for each in reads]
        results = function(*given)
        results = results if isinstance(results, tuple) else (results,)
        # Bytes of their own: a result may be a view of what is read, or not yet be there.
        made = [np.array(result) for result in results]
        self.free(*over)
        for at, result in zip(writes, made, strict=True):
            self._write(at, result)

    def free(self, *tensors: str) -> None:
        """Give the bytes of tensors back."""
        for tensor in tensors:
            if tensor not in self.owned:
                raise MachineFault(f"`{tensor}` is freed, but is not there")
            start, end = self.owned.pop(tensor)
            self.bytes[start:end] = self.POISON

    def _claim(self, address: int, tensor: str, size: int) -> np.ndarray:
        end = address + size
        place = f"`{tensor}` at {address} to {end}"
        if address < 0 or end > len(self.bytes):
            raise MachineFault(f"{place} is out of the scratchpad's {len(self.bytes)}")
        if tensor in self.owned:
            raise MachineFault(f"`{tensor}` is in the scratchpad already")
        for other, (low, high) in self.owned.items():
            if address < high and low < end and size and low < high:
                raise MachineFault(f"{place} overlaps `{other}` at {low} to {high}")
        self.owned[tensor] = (address, end)
        return self.bytes[address:end]

    def _owned(self, address: int, tensor: str) -> np.ndarray:
        start, end = self.owned.get(tensor, (-1, -1))
        if start != address:
            raise MachineFault(f"`{tensor}` is used at {address}, but is not there")
        return self.bytes[start:end]

    def _read(self, at: At) -> np.ndarray:
        data = self._owned(at.address, at.tensor)
        if len(data) != at.bytes:
            kind = f"{at.dtype}{at.shape}"
            raise MachineFault(f"`{at.tensor}` of {len(data)} bytes is read as {kind}")
        return decoded(data, at.dtype, at.shape)

    def _write(self, at: At, result: np.ndarray) -> None:
        if result.shape != at.shape:
            shapes = f"{result.shape}, not as {at.shape}"
            raise MachineFault(f"`{at.tensor}` comes out as {shapes}")
        self._claim(at.address, at.tensor, at.bytes)[:] = encoded(result, at.dtype)


def encoded(array: np.ndarray, dtype: str) -> np.ndarray:
    """The bytes of an array: truth values packed, the first in the lowest bit."""
    flat = np.ascontiguousarray(array, dtype).ravel()
    if dtype == "bool":
        return np.packbits(flat, bitorder="little")
    return flat.view(np.uint8)


def decoded(data: np.ndarray, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array whose bytes are `data`: a view of them, but for truth values."""
    if dtype == "bool":
        bits = np.unpackbits(data, count=prod(shape), bitorder="little")
        return bits.astype(bool).reshape(shape)
    return data.view(dtype).reshape(shape)


SAFETENSORS = {
    "BOOL": "bool",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "BF16": "bfloat16",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
}


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """The arrays in the file at `path`, by name; ValueError where it is cut off."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    whole = len(content) >= 8 and start <= len(content)
    header = json.loads(content[8:start]) if whole else {}
    header.pop("__metadata__", None)
    ends = [start + entry["data_offsets"][1] for entry in header.values()]
    if not whole or max(ends, default=start) > len(content):
        cut = f"it is cut off after {len(content)} bytes"
        raise ValueError(f"{path} is no whole safetensors file: {cut}")
    arrays = {}
    for name, entry in header.items():
        low, high = (start + offset for offset in entry["data_offsets"])
        flat = np.frombuffer(content[low:high], SAFETENSORS[entry["dtype"]])
        arrays[name] = flat.reshape(entry["shape"])
    return arrays


def conv(
    x: Array,
    w: Array,
    bias: Array | None = None,
    strides: tuple[int, ...] = (),
    pads: tuple[int, ...] = (),
    dilations: tuple[int, ...] = (),
    groups: int = 1,
) -> Array:
    """Convolve (n, c, ...) with (m, c / groups, ...); pads: all before, all after."""
    rank = x.ndim - 2
    pads = pads or (0,) * (2 * rank)
    y = lax.conv_general_dilated(
        x,
        w,
        window_strides=strides or (1,) * rank,
        padding=tuple(zip(pads[:rank], pads[rank:], strict=True)),
        rhs_dilation=dilations or (1,) * rank,
        feature_group_count=groups,
        preferred_element_type=jnp.float32,
    )
    y = y if bias is None else y + bias.reshape(-1, *(1,) * rank)
    return y.astype(x.dtype)


def max_pool(
    x: Array,
    kernel: tuple[int, ...],
    strides: tuple[int, ...] = (),
    pads: tuple[int, ...] = (),
    dilations: tuple[int, ...] = (),
) -> Array:
    """The largest element of each window of (n, c, ...); padding never wins."""
    rank = x.ndim - 2
    pads = pads or (0,) * (2 * rank)
    real = jnp.issubdtype(x.dtype, jnp.floating)
    return lax.reduce_window(
        x,
        np.array(-np.inf if real else jnp.iinfo(x.dtype).min, x.dtype),
        lax.max,
        window_dimensions=(1, 1, *kernel),
        window_strides=(1, 1, *(strides or (1,) * rank)),
        padding=((0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)),
        window_dilation=(1, 1, *(dilations or (1,) * rank)),
    )


@jax.jit
def conv_1(x1: Array, x2: Array) -> Array:
    return conv(x1, x2, strides=(2, 2), pads=(0, 0, 1, 1))


@jax.jit
def relu_1(x1: Array) -> Array:
    return jax.nn.relu(x1)


@jax.jit
def conv_2(x1: Array, x2: Array) -> Array:
    return conv(x1, x2, pads=(1, 1, 1, 1))


@jax.jit
def add_1(x1: Array, x2: Array) -> Array:
    return x1 + x2


@jax.jit
def max_pool_1(x1: Array) -> Array:
    return max_pool(x1, kernel=(2, 2), strides=(2, 2))


@jax.jit
def reduce_1(x1: Array) -> Array:
    return x1.mean(axis=(2, 3), keepdims=True)


@jax.jit
def matmul_1(x1: Array, x2: Array) -> Array:
    return x1 @ x2


@jax.jit
def softmax_1(x1: Array) -> Array:
    return jax.nn.softmax(x1, axis=1)


def small_cnn(npu: Scratchpad, w: Mapping[str, np.ndarray]) -> None:
    """Run 9 operators, with the DMA between them; `w` are weights."""
    # step 0: conv -> (1, 8, 8, 8)
    npu.load(4096, "image")
    npu.run(
        conv_1,
        [At(4096, "image", "float32", (1, 3, 16, 16)), w["weight_0"]],
        [At(2048, "conv", "float32", (1, 8, 8, 8))],
    )
    npu.free("image")
    # step 1: relu -> (1, 8, 8, 8)
    npu.run(
        relu_1,
        [At(2048, "conv", "float32", (1, 8, 8, 8))],
        [At(0, "relu", "float32", (1, 8, 8, 8))],
    )
    npu.free("conv")
    # step 2: conv_2 -> (1, 8, 8, 8)
    npu.run(
        conv_2,
        [At(0, "relu", "float32", (1, 8, 8, 8)), w["weight_1"]],
        [At(2048, "conv_2", "float32", (1, 8, 8, 8))],
    )
    # step 3: relu_2 -> (1, 8, 8, 8)
    npu.run(
        relu_1,
        [At(2048, "conv_2", "float32", (1, 8, 8, 8))],
        [At(4096, "relu_2", "float32", (1, 8, 8, 8))],
    )
    npu.free("conv_2")
    # step 4: add -> (1, 8, 8, 8)
    npu.run(
        add_1,
        [
            At(0, "relu", "float32", (1, 8, 8, 8)),
            At(4096, "relu_2", "float32", (1, 8, 8, 8)),
        ],
        [At(2048, "add", "float32", (1, 8, 8, 8))],
    )
    npu.free("relu", "relu_2")
    # step 5: max_pool -> (1, 8, 4, 4)
    npu.run(
        max_pool_1,
        [At(2048, "add", "float32", (1, 8, 8, 8))],
        [At(0, "max_pool", "float32", (1, 8, 4, 4))],
    )
    npu.free("add")
    # step 6: reduce -> (1, 8, 1, 1)
    npu.run(
        reduce_1,
        [At(0, "max_pool", "float32", (1, 8, 4, 4))],
        [At(512, "reduce", "float32", (1, 8, 1, 1))],
    )
    npu.free("max_pool")
    # step 7: matmul -> (1, 10)
    npu.run(
        matmul_1,
        [At(512, "reduce", "float32", (1, 8)), w["weight_2"]],
        [At(0, "matmul", "float32", (1, 10))],
    )
    npu.free("reduce")
    # step 8: softmax -> (1, 10)
    npu.run(
        softmax_1,
        [At(0, "matmul", "float32", (1, 10))],
        [At(64, "y", "float32", (1, 10))],
    )
    npu.store(64, "y")
    npu.free("matmul", "y")


def declared(
    name: str, array: np.ndarray, shape: tuple[int, ...], dtype: str
) -> np.ndarray:
    """The array in the type that the network takes; ends where it has others."""
    if array.shape != shape:
        raise SystemExit(f"input {name} has the shape {array.shape}, not {shape}")
    kind = np.dtype(dtype)
    if kind.kind == "V" and array.dtype == f"V{kind.itemsize}":
        array = array.view(kind)  # files of numpy hold bfloat16 as bytes
    if array.dtype.kind not in "biufV" or array.dtype.type is np.void:
        raise SystemExit(f"input {name} holds {array.dtype}, not {dtype}")
    made = array.astype(kind)
    if "float" not in dtype and not np.array_equal(made, array):
        raise SystemExit(f"input {name} has numbers that {dtype} does not hold")
    return made


def write_outputs(path: Path, outputs: dict[str, np.ndarray]) -> None:
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


def execute(
    inputs: Mapping[str, np.ndarray], w: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], Scratchpad]:
    """The outputs by name, and the machine after the last instruction."""
    outside = {name: encoded(array, array.dtype.name) for name, array in w.items()}
    for name, (tensor, dtype, _) in INPUTS.items():
        outside[tensor] = encoded(inputs[name], dtype)
    npu = Scratchpad(SIZE_BYTES, outside)
    small_cnn(npu, w)
    outputs = {
        name: decoded(npu.outside[tensor], dtype, shape)
        for name, (tensor, dtype, shape) in OUTPUTS.items()
    }
    return outputs, npu


def main() -> None:
    """Run the network once, and print what comes out and what was moved."""
    parser = argparse.ArgumentParser(description="Run the network small_cnn.")
    parser.add_argument("--inputs", type=Path, help="a .safetensors; else random ones")
    parser.add_argument("--seed", type=int, default=0, help="of random inputs")
    parser.add_argument("--outputs", type=Path, help="an .npz to write the outputs to")
    arguments = parser.parse_args()
    if arguments.inputs:
        try:
            given = read_safetensors(arguments.inputs)
        except (OSError, ValueError) as error:  # no such file, or one cut off
            parser.exit(2, f"{Path(__file__).name}: {error}\n")
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
        parser.exit(2, f"{Path(__file__).name}: {error}\n")
    outputs, npu = execute(inputs, w)
    for name, array in outputs.items():
        print(f"{name}: {array.dtype} {array.shape}")
    if arguments.outputs:
        write_outputs(arguments.outputs, outputs)
    print(f"DMA in {npu.loaded_bytes}, out {npu.stored_bytes}, planned {DMA_BYTES}")


if __name__ == "__main__":
    main()
