"""How a cluster offers each vendor's devices: resource names, node labels and server images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

IMAGE_NEEDED = "image-needed.invalid"
"""Registry of images that the user must supply: a name that can never be resolved (RFC 2606, section 2)."""


@dataclass(frozen=True)
class Offer:
    """What a pod asks of the cluster to get devices of one kind."""

    resource: str
    """extended resource, or empty for CPU hosts"""
    device_class: str = ""
    """DRA device class, where the vendor has a driver; only with it can servers share devices"""
    image: str = ""
    """image of the LLM server; empty: none is published in one well-known place"""
    product_label: str = ""
    """node label that names the product"""
    products: Mapping[str, str] = field(default_factory=dict)
    """catalogue id -> value of `product_label`"""
    environment: Mapping[str, str] = field(default_factory=dict)


_NVIDIA = Offer(
    resource="nvidia.com/gpu",
    device_class="gpu.nvidia.com",
    image="vllm/vllm-openai:latest",  # vLLM's own image, CUDA
    product_label="nvidia.com/gpu.product",  # set by GPU feature discovery
    products={
        "a100-sxm": "NVIDIA-A100-SXM4-80GB",
        "a100-pcie": "NVIDIA-A100-80GB-PCIe",
        "h100-sxm": "NVIDIA-H100-80GB-HBM3",
        "h200-sxm": "NVIDIA-H200",
        "l4": "NVIDIA-L4",
        "l40s": "NVIDIA-L40S",
        "v100": "Tesla-V100-SXM2-32GB",
    },
)
_AMD = Offer(
    resource="amd.com/gpu",
    device_class="gpu.amd.com",
    image="vllm/vllm-openai-rocm:latest",  # vLLM's own image, ROCm
)
_GAUDI = Offer(resource="habana.ai/gaudi", environment={"PT_HPU_LAZY_MODE": "0"})
_INTEL_GPU = Offer(resource="gpu.intel.com/xe", device_class="gpu.intel.com")
_TPU = Offer(
    resource="google.com/tpu",
    image="vllm/vllm-tpu:latest",  # vLLM's own image, TPU
    product_label="cloud.google.com/gke-tpu-accelerator",
    products={"tpu-v5e": "tpu-v5-lite-podslice", "tpu-v5p": "tpu-v5p-slice", "tpu-v6e": "tpu-v6e-slice"},
)
_NEURON = Offer(resource="aws.amazon.com/neuron")
_CPU = Offer(resource="", image="public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo:latest")  # vLLM's own image, x86

_BY_VENDOR: Mapping[str, Offer] = {
    "nvidia": _NVIDIA,
    "amd": _AMD,
    "intel": _INTEL_GPU,
    "google": _TPU,
    "aws": _NEURON,
    "amazon": _NEURON,
}

_TPU_TOPOLOGY: Mapping[int, str] = {1: "1x1", 4: "2x2", 8: "2x4"}
"""Single-host topologies of v5e and v6e, by chips (GKE's table)."""

OWN_LABEL = "dovetail.dev/device"
"""Node label that the cluster's operator sets where the vendor's own label is not known."""


def offer_of(kind: str, vendor: str, model: str, device: str) -> Offer:
    """The offer for a device of `kind` and `vendor` (any case) with catalogue id `model`.

    A device that no vendor's plugin offers is asked for as `dovetail.dev/<device>`, an extended resource that the
    cluster's operator has to advertise.
    """
    if kind == "cpu":
        return _CPU
    if model.startswith("gaudi"):
        return _GAUDI
    return _BY_VENDOR.get(vendor.lower()) or Offer(resource=f"dovetail.dev/{device}")


def node_selector(offer: Offer, model: str, device: str, count: int) -> dict[str, str]:
    """Labels of the nodes that hold the device; the product's own label where it is known."""
    if not offer.products.get(model):
        return {OWN_LABEL: device}
    chosen = {offer.product_label: offer.products[model]}
    if offer is _TPU and model in ("tpu-v5e", "tpu-v6e") and count in _TPU_TOPOLOGY:
        chosen["cloud.google.com/gke-tpu-topology"] = _TPU_TOPOLOGY[count]
    return chosen
