"""What may stand in fleet.yaml: devices, their prices, links, sites, racks, limits."""

from __future__ import annotations

from typing import Any

from .chip_schema import CHIP
from .fields import (
    CountRange,
    Either,
    Key,
    ListOf,
    MapOf,
    Number,
    Quantity,
    Record,
    Text,
)
from .ranged import Ranged

DEVICE_NAME = "[A-Za-z][A-Za-z0-9_.-]{0,39}"
DEVICE_NAME_FORM = "a letter, then up to 39 letters, digits, `-`, `_` or `.`"
PRECISIONS = ("fp32", "bf16", "fp16", "fp8", "int8", "fp4", "int4")

_DEVICE = Text(pattern=DEVICE_NAME, form=DEVICE_NAME_FORM)
_COUNT = Number(1, integer=True)
_TIME = Quantity("time", positive=True)
_SIZE = Quantity("bytes")
_USD = Number()


def _price_of(dimension: str) -> Ranged:
    """A price, or a range of prices."""
    return Ranged(Quantity(dimension), is_price=True)


def _is_spot(value: Any) -> bool:
    return value == "spot"


_PRICE = Record(
    {
        "capex": Key(_price_of("money"), "purchase price of one device"),
        "life": Key(_TIME, "time over which it is written off"),
        "interest": Key(Quantity("fraction", maximum=1), "interest per year"),
        "accounting": Key(Text(("annuity", "interest_only")), "how capex becomes a cost per hour"),
        "rent": Key(
            Either(_is_spot, Text(("spot",)), _price_of("rent")),
            "rent of one device, energy included; `spot`: the catalogue's price of one that may be taken back",
        ),
        "energy": Key(Text(("extra",)), "`extra`: energy is paid on top of the rent"),
        "input": Key(_price_of("tokens"), "hosted API: price of a token read"),
        "output": Key(_price_of("tokens"), "hosted API: price of a token written"),
        "interruptions": Key(Quantity("frequency"), "how often one rented device is taken back"),
    }
)
_SCALE = Record(
    {
        "min_replicas": Key(Number(0, 1, integer=True), "0: a pool that is idle may go down; 1: none does"),
        "keep_alive": Key(
            ListOf(Quantity("time"), or_one=True, shortest=1, longest=8),
            "time without a visit after which a pool goes down; of several the plan chooses",
        ),
    }
)
TIERS = {"dram": "memory of the host", "cxl": "memory over CXL", "nvme": "flash"}
_TIER = Record(
    {
        "size": Key(Quantity("bytes", positive=True), "of one device's part", True),
        "bandwidth": Key(Quantity("bandwidth", positive=True), "in one direction; the catalogue's `host_bandwidth`"),
    }
)
_DEVICE_KEYS = Record(
    {
        "model": Key(Text(), "catalogue id of the device"),
        "kind": Key(Text(("gpu", "npu", "cpu", "api")), "what it is, where it is not in the catalogue"),
        "count": Key(CountRange(), "how many the plan may take: `4` (0..4) or `2..8`"),
        "owned": Key(Number(integer=True), "devices already paid for: free but for energy"),
        "price": Key(Either(_is_spot, Text(("spot",)), _PRICE), "what one device costs; `spot`: `{rent: spot}`"),
        "memory": Key(Quantity("bytes", positive=True), "memory of one device"),
        "bandwidth": Key(Quantity("bandwidth", positive=True), "memory bandwidth"),
        "flops": Key(
            Record({p: Key(Quantity("flops", positive=True), f"dense rate in {p}") for p in PRECISIONS}),
            "dense arithmetic rate by number format",
        ),
        "scratchpad": Key(_SIZE, "on-chip memory that software manages"),
        **CHIP,
        "cores": Key(_COUNT, "CPU cores"),
        "idle": Key(Quantity("power"), "power of an idle device"),
        "tdp": Key(Quantity("power"), "power of a busy device"),
        "chassis": Key(_COUNT, "devices in one chassis"),
        "sold_by": Key(Text(("chassis", "device")), "whether devices are paid for by the chassis"),
        "region": Key(Text(), "where it stands"),
        "rack": Key(Text(), "the rack it stands in"),
        "zone": Key(_DEVICE, "the zone it stands in"),
        "zones": Key(ListOf(_DEVICE, shortest=1), "zones that fail each by itself, over which replicas are spread"),
        "cold_start": Key(Quantity("time"), "time to bring up a replica"),
        "recovery": Key(Quantity("time"), "time to replace a failed device"),
        "scale": Key(_SCALE, "whether pools of it go down when nothing is in them; they are always up unless said"),
        "models": Key(ListOf(Text(), or_one=True, shortest=1), "hosted API: models that it serves"),
        "ttft": Key(_TIME, "hosted API: time to first token"),
        "tbt": Key(_TIME, "hosted API: time between tokens"),
        "split": Key(
            ListOf(Quantity("fraction", minimum=0.05, maximum=0.95), or_one=True, shortest=1, longest=5),
            "shares of a GPU's multiprocessors that may prefill while the rest decodes",
        ),
        "tiers": Key(
            Record({name: Key(_TIER, f"{what}, as one device has it") for name, what in TIERS.items()}),
            "memory beyond the device's own, for caches and weights that stream from it",
        ),
    }
)
_LINK = Record(
    {
        "within": Key(_DEVICE, "device whose chassis the link joins"),
        "between": Key(ListOf(_DEVICE, shortest=2, longest=2), "the two devices, regions or zones that it joins"),
        "kind": Key(Text(), "such as nvlink or pcie5"),
        "bandwidth": Key(Quantity("bandwidth", positive=True), "in one direction"),
        "latency": Key(Quantity("time"), "of a small message"),
    }
)
_SITE = Record(
    {
        "electricity": Key(_price_of("electricity"), "price of energy"),
        "pue": Key(Number(1), "power of the site over power of its devices"),
        "carbon": Key(Quantity("carbon"), "carbon of energy"),
        "network": Key(Record({key: _LINK.keys[key] for key in ("bandwidth", "latency")}), "the network of the site"),
    }
)
_RACK = Record(
    {
        "power": Key(Quantity("power", positive=True), "of all devices in it", required=True),
        "exceed": Key(Quantity("fraction", maximum=0.5), "share of the time that they may draw more; 0 unless said"),
    }
)
FLEET = Record(
    {
        "devices": Key(MapOf(_DEVICE_KEYS, DEVICE_NAME, DEVICE_NAME_FORM), "the devices to choose from", True),
        "links": Key(ListOf(_LINK), "links between devices; those not listed use `site.network`"),
        "site": Key(_SITE, "electricity, cooling and network"),
        "sites": Key(MapOf(_SITE, DEVICE_NAME, DEVICE_NAME_FORM), "the same of each region; the rest is as in `site`"),
        "racks": Key(MapOf(_RACK, DEVICE_NAME, DEVICE_NAME_FORM), "power limits of the racks that devices stand in"),
        "limits": Key(
            Record(
                {
                    "power": Key(Quantity("power"), "of all devices"),
                    "usd_per_hour": Key(_USD, "of the fleet"),
                    "energy_per_request": Key(Quantity("energy"), "drawn from the grid"),
                    "carbon_per_request": Key(Quantity("emission"), "of that energy"),
                }
            ),
            "bounds on the whole plan",
        ),
        "survive": Key(
            Record(
                {
                    "replicas": Key(Number(0, 1000, integer=True), "replicas of every pool that may fail at once"),
                    "zone": Key(Number(0, 100, integer=True), "zones that may be lost at once, beside those replicas"),
                }
            ),
            "what may fail without breaking a bound",
        ),
    }
)
