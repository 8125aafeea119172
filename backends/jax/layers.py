"""The layers of emitted JAX code: each is copied, as it stands here, into the sources that call it."""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax


def part_of(w: dict[str, Array], prefix: str) -> dict[str, Array]:
    """The weights whose names begin with `prefix`, called by what follows it."""
    return {k.removeprefix(prefix): v for k, v in w.items() if k.startswith(prefix)}


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


def conv_transpose(
    x: Array,
    w: Array,
    bias: Array | None = None,
    strides: tuple[int, ...] = (),
    pads: tuple[int, ...] = (),
    dilations: tuple[int, ...] = (),
    output_pads: tuple[int, ...] = (),
    groups: int = 1,
) -> Array:
    """Convolve (n, c, ...), spread out by strides, with (c, m / groups, ...)."""
    rank, (channels, filters, *kernel) = x.ndim - 2, w.shape
    pads = pads or (0,) * (2 * rank)
    dilations = dilations or (1,) * rank
    reach = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
    more = output_pads or (0,) * rank
    ends = zip(reach, pads[:rank], pads[rank:], more, strict=True)
    sides = [(r - low, r - high + o) for r, low, high, o in ends]
    turned = jnp.flip(w, range(2, 2 + rank))
    turned = turned.reshape(groups, channels // groups, filters, *kernel)
    y = lax.conv_general_dilated(
        x,
        turned.swapaxes(1, 2).reshape(-1, channels // groups, *kernel),
        window_strides=(1,) * rank,
        padding=[(max(low, 0), max(high, 0)) for low, high in sides],
        lhs_dilation=strides or (1,) * rank,
        rhs_dilation=dilations,
        feature_group_count=groups,
        preferred_element_type=jnp.float32,
    )
    if min(map(min, sides)) < 0:  # as padding, XLA gets it wrong on CPUs
        sizes = zip(sides, y.shape[2:], strict=True)
        kept = [slice(max(-low, 0), n - max(-high, 0)) for (low, high), n in sizes]
        y = y[(..., *kept)]
    y = y if bias is None else y + bias.reshape(-1, *(1,) * rank)
    return y.astype(x.dtype)


def linear(x: Array, w: Array, bias: Array) -> Array:
    """The product plus a bias, added up in float32 and rounded once."""
    y = jnp.matmul(x, w, preferred_element_type=jnp.float32)
    return (y + bias).astype(x.dtype)


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


def average_pool(
    x: Array,
    kernel: tuple[int, ...],
    strides: tuple[int, ...] = (),
    pads: tuple[int, ...] = (),
    dilations: tuple[int, ...] = (),
    count_pads: bool = False,
) -> Array:
    """The mean of each window of (n, c, ...), with or without the padding in it."""
    rank = x.ndim - 2
    pads = pads or (0,) * (2 * rank)
    window = {
        "window_dimensions": (1, 1, *kernel),
        "window_strides": (1, 1, *(strides or (1,) * rank)),
        "padding": ((0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)),
        "window_dilation": (1, 1, *(dilations or (1,) * rank)),
    }
    total = lax.reduce_window(x, 0.0, lax.add, **window)
    if count_pads:
        return total / int(np.prod(kernel))
    ones = jnp.ones((1, 1, *x.shape[2:]), x.dtype)
    return total / lax.reduce_window(ones, 0.0, lax.add, **window)


def batch_norm(
    x: Array,
    scale: Array,
    bias: Array,
    mean: Array,
    variance: Array,
    epsilon: float,
) -> Array:
    """Normalise each channel c of (n, c, ...) by statistics of the training."""
    gain = scale * lax.rsqrt(variance.astype(jnp.float32) + epsilon)
    shape = (-1,) + (1,) * (x.ndim - 2)
    y = x * gain.reshape(shape) + (bias - mean * gain).reshape(shape)
    return y.astype(x.dtype)


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


def rms_norm(
    x: Array,
    scale: Array | None = None,
    *,
    axis: int,
    epsilon: float,
) -> Array:
    """Divide by the root of the mean square of the axes from `axis` on, in float32."""
    axes = tuple(range(axis, x.ndim))
    y = x.astype(jnp.float32)
    y = y * lax.rsqrt(jnp.square(y).mean(axes, keepdims=True) + epsilon)
    return (y if scale is None else y * scale).astype(x.dtype)


def group_norm(
    x: Array,
    scale: Array,
    bias: Array,
    groups: int,
    epsilon: float,
) -> Array:
    """Normalise groups of channels of (n, c, ...) by mean and variance, in float32."""
    y = x.reshape(x.shape[0], groups, -1).astype(jnp.float32)
    y = y - y.mean(2, keepdims=True)
    y = y * lax.rsqrt(jnp.square(y).mean(2, keepdims=True) + epsilon)
    shape = (-1,) + (1,) * (x.ndim - 2)
    y = y.reshape(x.shape) * scale.reshape(shape) + bias.reshape(shape)
    return y.astype(x.dtype)


def top_k(x: Array, k: int, axis: int) -> tuple[Array, Array]:
    """The k largest along an axis, and where they are; of equal ones the first."""
    values, indices = lax.top_k(x.swapaxes(axis, -1), k)
    return values.swapaxes(axis, -1), indices.swapaxes(axis, -1).astype(jnp.int64)


def integer_div(x: Array, y: Array) -> Array:
    """The quotient without its fraction."""
    kind = jnp.result_type(x, y)  # the array's, where the other is a number
    return lax.div(*(each.astype(kind) for each in jnp.broadcast_arrays(x, y)))


def resize(
    x: Array,
    axes: tuple[int, ...],
    sizes: tuple[int, ...],
    scales: tuple[float, ...],
    mode: str,
    coordinates: str,
    rounding: str = "",
    cubic: float = 0.0,
) -> Array:
    """Interpolate along one axis after another, as ONNX's Resize does."""
    for axis, m, scale in zip(axes, sizes, scales, strict=True):
        n, i = x.shape[axis], np.arange(m)
        at = (i + 0.5) / scale - 0.5
        if coordinates == "asymmetric":
            at = i / scale
        elif coordinates == "align_corners":
            at = i * ((n - 1) / max(m - 1, 1))
        elif coordinates == "half_pixel_symmetric":
            at = at + n / 2 * (1 - m / (n * scale))
        elif coordinates == "pytorch_half_pixel" and m == 1:
            at = 0.0 * i
        low = np.floor(at)
        t, a = at - low, cubic
        if mode == "linear":
            taps = [(low, 1 - t), (low + 1, t)]
        elif mode == "cubic":
            near = [((a + 2) * d - (a + 3)) * d * d + 1 for d in (t, 1 - t)]
            far = [((a * d - 5 * a) * d + 8 * a) * d - 4 * a for d in (1 + t, 2 - t)]
            weights = (far[0], near[0], near[1], far[1])
            taps = [(low + j - 1, weight) for j, weight in enumerate(weights)]
        else:
            up = np.floor(at + 0.5)
            ways = {"floor": low, "ceil": np.ceil(at), "round_prefer_ceil": up}
            taps = [(ways.get(rounding, np.ceil(at - 0.5)), np.ones(m))]
        column = (-1,) + (1,) * (x.ndim - axis - 1)
        parts = []
        for place, weight in taps:
            part = x.take(np.clip(place, 0, n - 1).astype(int), axis)
            parts.append(part * weight.reshape(column).astype(x.dtype))
        x = sum(parts[1:], start=parts[0])
    return x
