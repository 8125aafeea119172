"""The network bert_layer on a scratchpad of 1,048,576 bytes.

    python bert_layer.py [--inputs X.safetensors] [--seed N] [--outputs Y.npz]

Its weights are in bert_layer.safetensors. Every instruction of `bert_layer` names the
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
DMA_BYTES = 1184  # 0 of them beyond the compulsory
INPUTS = {
    "tokens": ("tokens", "int32", (1, 8)),
}
OUTPUTS = {
    "y0": ("y0", "float32", (1, 8, 32)),
    "y1": ("y1", "float32", (1, 32)),
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


def attention(
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None = None,
    *,
    scale: float,
    causal: bool = False,
    window: int = 0,
    softcap: float = 0.0,
) -> Array:
    """Attend with (b, hq, m, d) to (b, hkv, n, d); queries are the last m of n places."""
    (b, heads, m, d), n = q.shape, k.shape[2]
    q = q.reshape(b, k.shape[1], -1, m, d)
    axes = "bhgmd,bhnd->bhgmn"
    scores = scale * jnp.einsum(axes, q, k, preferred_element_type=jnp.float32)
    if softcap:
        scores = softcap * jnp.tanh(scores / softcap)
    if mask is not None:
        scores = scores + jnp.broadcast_to(mask, (b, heads, m, n)).reshape(scores.shape)
    place, key = jnp.arange(n - m, n)[:, None], jnp.arange(n)
    seen = (key <= place) | (not causal)
    if window:
        seen &= key > place - window
    scores = jnp.where(seen, scores, -jnp.inf)
    powers = jnp.exp(scores - jnp.maximum(scores.max(axis=-1, keepdims=True), -1e30))
    total = powers.sum(axis=-1, keepdims=True)
    weights = (powers / jnp.where(total > 0, total, 1.0)).astype(v.dtype)
    return jnp.einsum("bhgmn,bhnd->bhgmd", weights, v).reshape(b, heads, m, -1)


def layer_norm(
    x: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    *,
    axis: int,
    epsilon: float,
) -> Array:
    """Normalise by mean and variance over the axes from `axis` on, in float32."""
    axes = tuple(range(axis, x.ndim))
    y = x.astype(jnp.float32)
    y = y - y.mean(axes, keepdims=True)
    y = y * lax.rsqrt(jnp.square(y).mean(axes, keepdims=True) + epsilon)
    y = y if scale is None else y * scale
    return (y if bias is None else y + bias).astype(x.dtype)


@jax.jit
def max_1(x1: Array, x2: Array) -> Array:
    return jnp.maximum(x1, x2)


@jax.jit
def min_1(x1: Array, x2: Array) -> Array:
    return jnp.minimum(x1, x2)


@jax.jit
def gather_1(x1: Array, x2: Array) -> Array:
    return jnp.take(x1, x2, axis=0)


@jax.jit
def add_1(x1: Array, x2: Array) -> Array:
    return x1 + x2


@jax.jit
def layer_norm_1(x1: Array, x2: Array, x3: Array) -> Array:
    return layer_norm(x1, x2, x3, axis=2, epsilon=1e-12)


@jax.jit
def matmul_1(x1: Array, x2: Array) -> Array:
    return x1 @ x2


@jax.jit
def transpose_1(x1: Array) -> Array:
    return x1.transpose(0, 2, 1, 3)


@jax.jit
def attention_1(x1: Array, x2: Array, x3: Array) -> Array:
    return attention(x1, x2, x3, scale=0.3535533966440824)


@jax.jit
def gelu_1(x1: Array) -> Array:
    return jax.nn.gelu(x1, approximate=False)


@jax.jit
def slice_1(x1: Array) -> Array:
    return x1[:, :1]


@jax.jit
def tanh_1(x1: Array) -> Array:
    return jnp.tanh(x1)


def bert_layer(npu: Scratchpad, w: Mapping[str, np.ndarray]) -> None:
    """Run 32 operators, with the DMA between them; `w` are weights."""
    # step 0: max -> (1, 8)
    npu.load(64, "tokens")
    npu.run(
        max_1,
        [At(64, "tokens", "int32", (1, 8)), w["fill"]],
        [At(0, "max", "int32", (1, 8))],
    )
    npu.free("tokens")
    # step 1: min -> (1, 8)
    npu.run(
        min_1,
        [At(0, "max", "int32", (1, 8)), w["fill_2"]],
        [At(1024, "min", "int32", (1, 8))],
    )
    npu.free("max")
    # step 2: gather -> (1, 8, 32)
    npu.run(
        gather_1,
        [w["weight_0"], At(1024, "min", "int32", (1, 8))],
        [At(0, "gather", "float32", (1, 8, 32))],
    )
    npu.free("min")
    # step 3: add -> (1, 8, 32)
    npu.run(
        add_1,
        [At(0, "gather", "float32", (1, 8, 32)), w["reshape"]],
        [At(1024, "add", "float32", (1, 8, 32))],
    )
    npu.free("gather")
    # step 4: add_2 -> (1, 8, 32)
    npu.run(
        add_1,
        [At(1024, "add", "float32", (1, 8, 32)), w["reshape_2"]],
        [At(2048, "add_2", "float32", (1, 8, 32))],
    )
    npu.free("add")
    # step 5: layer_norm -> (1, 8, 32)
    npu.run(
        layer_norm_1,
        [At(2048, "add_2", "float32", (1, 8, 32)), w["weight_3"], w["weight_4"]],
        [At(0, "layer_norm", "float32", (1, 8, 32))],
    )
    npu.free("add_2")
    # step 6: matmul -> (1, 8, 32)
    npu.run(
        matmul_1,
        [At(0, "layer_norm", "float32", (1, 8, 32)), w["weight_5"]],
        [At(1024, "matmul", "float32", (1, 8, 32))],
    )
    # step 7: add_3 -> (1, 8, 32)
    npu.run(
        add_1,
        [At(1024, "matmul", "float32", (1, 8, 32)), w["weight_6"].reshape(1, 1, 32)],
        [At(2048, "add_3", "float32", (1, 8, 32))],
    )
    npu.free("matmul")
    # step 8: transpose -> (1, 4, 8, 8)
    npu.run(
        transpose_1,
        [At(2048, "add_3", "float32", (1, 8, 4, 8))],
        [At(1024, "transpose", "float32", (1, 4, 8, 8))],
    )
    npu.free("add_3")
    # step 9: matmul_2 -> (1, 8, 32)
    npu.run(
        matmul_1,
        [At(0, "layer_norm", "float32", (1, 8, 32)), w["weight_7"]],
        [At(3072, "matmul_2", "float32", (1, 8, 32))],
    )
    # step 10: add_4 -> (1, 8, 32)
    npu.run(
        add_1,
        [At(3072, "matmul_2", "float32", (1, 8, 32)), w["weight_8"].reshape(1, 1, 32)],
        [At(2048, "add_4", "float32", (1, 8, 32))],
    )
    npu.free("matmul_2")
    # step 11: matmul_3 -> (1, 8, 32)
    npu.run(
        matmul_1,
        [At(0, "layer_norm", "float32", (1, 8, 32)), w["weight_9"]],
        [At(3072, "matmul_3", "float32", (1, 8, 32))],
    )
    # step 12: add_5 -> (1, 8, 32)
    npu.run(
        add_1,
        [At(3072, "matmul_3", "float32", (1, 8, 32)), w["weight_10"].reshape(1, 1, 32)],
        [At(4096, "add_5", "float32", (1, 8, 32))],
    )
    npu.free("matmul_3")
    # step 13: transpose_2 -> (1, 4, 8, 8)
    npu.run(
        transpose_1,
        [At(4096, "add_5", "float32", (1, 8, 4, 8))],
        [At(3072, "transpose_2", "float32", (1, 4, 8, 8))],
    )
    npu.free("add_5")
    # step 14: transpose_3 -> (1, 4, 8, 8)
    npu.run(
        transpose_1,
        [At(2048, "add_4", "float32", (1, 8, 4, 8))],
        [At(4096, "transpose_3", "float32", (1, 4, 8, 8))],
    )
    npu.free("add_4")
    # step 15: attention -> (1, 4, 8, 8)
    npu.run(
        attention_1,
        [
            At(1024, "transpose", "float32", (1, 4, 8, 8)),
            At(4096, "transpose_3", "float32", (1, 4, 8, 8)),
            At(3072, "transpose_2", "float32", (1, 4, 8, 8)),
        ],
        [At(2048, "attention", "float32", (1, 4, 8, 8))],
    )
    npu.free("transpose", "transpose_2", "transpose_3")
    # step 16: transpose_4 -> (1, 8, 4, 8)
    npu.run(
        transpose_1,
        [At(2048, "attention", "float32", (1, 4, 8, 8))],
        [At(1024, "transpose_4", "float32", (1, 8, 4, 8))],
    )
    npu.free("attention")
    # step 17: matmul_4 -> (1, 8, 32)
    npu.run(
        matmul_1,
        [At(1024, "transpose_4", "float32", (1, 8, 32)), w["weight_11"]],
        [At(2048, "matmul_4", "float32", (1, 8, 32))],
    )
    npu.free("transpose_4")
    # step 18: add_6 -> (1, 8, 32)
    npu.run(
        add_1,
        [At(2048, "matmul_4", "float32", (1, 8, 32)), w["weight_12"].reshape(1, 1, 32)],
        [At(1024, "add_6", "float32", (1, 8, 32))],
    )
    npu.free("matmul_4")
    # step 19: add_7 -> (1, 8, 32)
    npu.run(
        add_1,
        [
            At(0, "layer_norm", "float32", (1, 8, 32)),
            At(1024, "add_6", "float32", (1, 8, 32)),
        ],
        [At(2048, "add_7", "float32", (1, 8, 32))],
    )
    npu.free("layer_norm", "add_6")
    # step 20: layer_norm_2 -> (1, 8, 32)
    npu.run(
        layer_norm_1,
        [At(2048, "add_7", "float32", (1, 8, 32)), w["weight_13"], w["weight_14"]],
        [At(0, "layer_norm_2", "float32", (1, 8, 32))],
    )
    npu.free("add_7")
    # step 21: matmul_5 -> (1, 8, 128)
    npu.run(
        matmul_1,
        [At(0, "layer_norm_2", "float32", (1, 8, 32)), w["weight_15"]],
        [At(1024, "matmul_5", "float32", (1, 8, 128))],
    )
    # step 22: add_8 -> (1, 8, 128)
    npu.run(
        add_1,
        [
            At(1024, "matmul_5", "float32", (1, 8, 128)),
            w["weight_16"].reshape(1, 1, 128),
        ],
        [At(5120, "add_8", "float32", (1, 8, 128))],
    )
    npu.free("matmul_5")
    # step 23: gelu -> (1, 8, 128)
    npu.run(
        gelu_1,
        [At(5120, "add_8", "float32", (1, 8, 128))],
        [At(1024, "gelu", "float32", (1, 8, 128))],
    )
    npu.free("add_8")
    # step 24: matmul_6 -> (1, 8, 32)
    npu.run(
        matmul_1,
        [At(1024, "gelu", "float32", (1, 8, 128)), w["weight_17"]],
        [At(5120, "matmul_6", "float32", (1, 8, 32))],
    )
    npu.free("gelu")
    # step 25: add_9 -> (1, 8, 32)
    npu.run(
        add_1,
        [At(5120, "matmul_6", "float32", (1, 8, 32)), w["weight_18"].reshape(1, 1, 32)],
        [At(1024, "add_9", "float32", (1, 8, 32))],
    )
    npu.free("matmul_6")
    # step 26: add_10 -> (1, 8, 32)
    npu.run(
        add_1,
        [
            At(0, "layer_norm_2", "float32", (1, 8, 32)),
            At(1024, "add_9", "float32", (1, 8, 32)),
        ],
        [At(2048, "add_10", "float32", (1, 8, 32))],
    )
    npu.free("layer_norm_2", "add_9")
    # step 27: layer_norm_3 -> (1, 8, 32)
    npu.run(
        layer_norm_1,
        [At(2048, "add_10", "float32", (1, 8, 32)), w["weight_19"], w["weight_20"]],
        [At(0, "y0", "float32", (1, 8, 32))],
    )
    npu.store(0, "y0")
    npu.free("add_10")
    # step 28: slice -> (1, 1, 32)
    npu.run(
        slice_1,
        [At(0, "y0", "float32", (1, 8, 32))],
        [At(1024, "slice", "float32", (1, 1, 32))],
    )
    npu.free("y0")
    # step 29: matmul_7 -> (1, 32)
    npu.run(
        matmul_1,
        [At(1024, "slice", "float32", (1, 32)), w["weight_21"]],
        [At(0, "matmul_7", "float32", (1, 32))],
    )
    npu.free("slice")
    # step 30: add_11 -> (1, 32)
    npu.run(
        add_1,
        [At(0, "matmul_7", "float32", (1, 32)), w["weight_22"].reshape(1, 32)],
        [At(128, "add_11", "float32", (1, 32))],
    )
    npu.free("matmul_7")
    # step 31: tanh -> (1, 32)
    npu.run(
        tanh_1,
        [At(128, "add_11", "float32", (1, 32))],
        [At(0, "y1", "float32", (1, 32))],
    )
    npu.store(0, "y1")
    npu.free("add_11", "y1")


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
    bert_layer(npu, w)
    outputs = {
        name: decoded(npu.outside[tensor], dtype, shape)
        for name, (tensor, dtype, shape) in OUTPUTS.items()
    }
    return outputs, npu


def main() -> None:
    """Run the network once, and print what comes out and what was moved."""
    parser = argparse.ArgumentParser(description="Run the network bert_layer.")
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
