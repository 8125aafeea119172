"""Devices of installed packages: a real distribution on the path, with its entry points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dovetail.costmodel import hardware
from dovetail.costmodel.embedded import embed, read_catalogue
from dovetail.ir.diagnostics import InputError

GROUP = "{source: its sheet, date: 2026-01, quality: data_sheet, memory: 64 GB, bandwidth: 2 TB/s, tdp: 300 W}"
YAML = f"abacus-9: {{kind: npu, vendor: Abacus, aliases: [Abacus_Nine], figures: [{GROUP}]}}\n"
Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """`install(module_text, object)`: a package that adds `object` of the module `name_of_package`."""

    def put(text: str, attribute: str) -> None:
        name = f"abacus_{tmp_path.name.replace('-', '_')}"
        (tmp_path / f"{name}.py").write_text(text)
        (tmp_path / "devices.yaml").write_text(YAML)
        about = tmp_path / "abacus-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: abacus\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[dovetail.devices]\nabacus = {name}:{attribute}\n")
        monkeypatch.syspath_prepend(tmp_path)
        forget()

    def forget() -> None:
        hardware._added_entries.cache_clear()

    yield put
    monkeypatch.undo()
    forget()


def test_a_path_of_a_yaml_file(install: Install) -> None:
    install("from pathlib import Path\nDEVICES = Path(__file__).with_name('devices.yaml')\n", "DEVICES")
    device = hardware.find_device("abacus_9")
    assert device is not None
    assert (device.memory_bytes, device.bandwidth_bytes_per_s, device.vendor) == (64e9, 2e12, "Abacus")
    assert hardware.find_device("abacus-nine") == device
    assert hardware.load_devices()["abacus-9"] == device


def test_a_mapping_cannot_replace_our_own(install: Install) -> None:
    group = "dict(source='s', date=2026, quality='guess', memory='1 GB')"
    entry = f"dict(kind='gpu', vendor='v', figures=[{group}])"
    install(f"DEVICES = {{'h100-sxm': {entry}, 'h100': {entry}, 'other': {entry}}}\n", "DEVICES")
    h100, other = hardware.load_devices()["h100-sxm"], hardware.find_device("other")
    assert other is not None
    assert (h100.memory_bytes, other.memory_bytes) == (81559 * 2**20, 1e9)
    assert hardware.device_id("h100") == "h100-sxm"


def test_a_plan_embeds_an_added_device(install: Install) -> None:
    install("from pathlib import Path\nDEVICES = str(Path(__file__).with_name('devices.yaml'))\n", "DEVICES")
    record = embed(["Abacus-Nine"], {}, {})
    assert read_catalogue(record).find_device("abacus-9") == hardware.find_device("abacus-9")


def test_our_own_devices_need_no_package_to_be_asked(install: Install) -> None:
    install("raise RuntimeError('broken')\n", "DEVICES")
    assert hardware.find_device("h100") is not None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("raise RuntimeError('broken')\n", "RuntimeError: broken"),
        ("DEVICES = 3\n", "it is neither a mapping from id to record nor the path of a YAML file of them"),
        ("DEVICES = '/no/such/file.yaml'\n", "No such file or directory"),
    ],
)
def test_a_faulty_package_is_named(install: Install, text: str, why: str) -> None:
    install(text, "DEVICES")
    with pytest.raises(InputError) as raised:
        hardware.find_device("nothing-of-ours")
    assert "the package that adds devices as `abacus`" in str(raised.value)
    assert why in str(raised.value)


def test_a_record_that_is_not_understood_is_named(install: Install) -> None:
    group = "dict(source='s', date=2026, quality='guess', memory='one')"
    install(f"DEVICES = {{'other': dict(kind='gpu', vendor='v', figures=[{group}])}}\n", "DEVICES")
    with pytest.raises(InputError, match="the device `other` of an installed package is not understood"):
        hardware.find_device("other")
