"""What the host costs where it launches each kernel by itself: small batches wait for it, large ones for the device.

The measure is TKLQT of Vellaisamy et al., ISPASS 2025, arXiv 2504.11750, the total of launch and queueing times.
Serving engines that replay captured graphs launch once a step and need none of this; frameworks that run operator by
operator do. Equations are numbered as in `docs/math/launch.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

LAUNCH_S: Mapping[str, float] = MappingProxyType({"epyc-7313": 2260.5e-9, "xeon-8468v": 2374.6e-9, "grace": 2771.6e-9})
"""[s] from the call on that CPU to the start of an empty kernel on a free device: with an A100 and an H100 over PCI
Express, and in a GH200 (measured; arXiv 2504.11750 Table V, 2025)."""
DISPATCH_LAUNCHES = 10
"""An operator called from Python takes the host so many launches' time: 23 microseconds on the Xeon (guess: one matrix
product is said to take 5 to 25 from Python to the driver), and as much longer on another as its launches are."""


def host_s(kernels: float, launch_s: float, dispatch_launches: float = DISPATCH_LAUNCHES) -> float:
    """[s] that the host is busy with a pass of so many kernels, each dispatched by itself. Equation (1)."""
    return kernels * dispatch_launches * launch_s


def pass_s(host_s: float, device_s: float, launch_s: float) -> float:
    """[s] of a pass whose kernels take the device `device_s` in all: the slower of the two. Equation (2)."""
    return max(host_s, device_s) + launch_s


def total_launch_and_queue_s(kernels: float, launch_s: float, host_s: float, device_s: float) -> float:
    """[s] TKLQT: of all kernels, from the call that launches each to its start. Equation (3).

    While the host is the slower each starts as it is launched; where the device is, kernel k waits for the k - 1
    before it. All kernels are taken to be equal.
    """
    behind_s = max(0.0, device_s - host_s) / kernels
    return kernels * launch_s + behind_s * kernels * (kernels - 1) / 2


def last_host_bound(host_s: float, device_s: Callable[[int], float], batches: Iterable[int]) -> int | None:
    """The largest of rising `batches` whose time on the device stays within that of the host. Equation (4).

    None where the first does not.
    """
    within = [batch for batch in batches if device_s(batch) <= host_s]
    return max(within, default=None)
