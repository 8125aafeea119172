"""
Emitted networks as `jax.export` serialises them: StableHLO for one platform, which need not be on this machine.

    exported = jax.export.deserialize(bytearray(Path("network.cuda.jax_export").read_bytes()))
    exported.call(load_weights(), *inputs)    # under `jax.enable_x64(True)` where some are integers of 64 bits
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...ir.diagnostics import Diagnostic, InputError, did_you_mean
from .. import OutputFile
from .frame import jitted

if TYPE_CHECKING:
    from .program import JaxProgram

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def checked_platforms(platforms: Iterable[str]) -> tuple[str, ...]:
    """Each platform once; InputError for names that are none, all at once, and for what is no list of names."""
    known = f"platforms are {', '.join(PLATFORMS)}"
    if isinstance(platforms, str | bytes) or not isinstance(platforms, Iterable):
        message = f"`exports` takes a list of platforms, not `{platforms!r}`"
        raise InputError([Diagnostic("export", message, help=f'such as `exports=["cuda"]`; {known}')])
    names = tuple(platforms)
    faults = [
        Diagnostic("export", f"`{name}` is no platform of JAX", help=did_you_mean(str(name), PLATFORMS) or known)
        for name in names
        if name not in PLATFORMS
    ]
    if faults:
        raise InputError(faults)
    return tuple(dict.fromkeys(names))


def exported_files(program: JaxProgram, folder: str, platforms: Iterable[str]) -> list[OutputFile]:
    """`<name>.<platform>.jax_export` in `folder` for each platform: a function of weights and inputs, as the source."""
    name = program.source.name
    return [OutputFile(f"{folder}/{name}.{p}.jax_export", exported(program, p)) for p in platforms]


def exported(program: JaxProgram, platform: str) -> bytes:
    """The network for `platform`; InputError where JAX has no lowering of an operator for it."""
    import jax
    from jax import export

    weights = {key: jax.ShapeDtypeStruct(value.shape, value.dtype) for key, value in program.placed.items()}
    inputs = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in program.inputs.values()]
    function = jitted(program.function)
    try:
        with jax.enable_x64(function is not program.function):
            return bytes(export.export(function, platforms=(platform,))(weights, *inputs).serialize())
    except (ValueError, NotImplementedError) as error:
        first, *_ = str(error).splitlines() or [type(error).__name__]
        message = f"`{program.source.name}` cannot be exported for {platform}: {first}"
        raise InputError([Diagnostic("export", message)]) from error
