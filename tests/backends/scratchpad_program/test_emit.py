"""The emitted file: readable, formatted, the same bytes each time, and enough by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dovetail.backends.safetensors import read_safetensors, safetensors_bytes
from dovetail.backends.scratchpad_program.emit import emit
from dovetail.backends.scratchpad_program.execute import build_scratchpad
from dovetail.backends.scratchpad_program.lower import least_size_bytes, lower


def test_source_is_golden_formatted_and_equal_each_time(decoder, golden, tmp_path: Path) -> None:
    size = least_size_bytes(decoder)
    source, again = (emit(lower(decoder, "decoder", size)) for _ in range(2))
    assert [file.content for file in source.files("x")] == [file.content for file in again.files("x")]
    golden("scratchpad_program/decoder.py", source.text)
    path = tmp_path / "decoder.py"
    path.write_text(source.text)
    ruff = Path(sys.executable).parent / "ruff"
    for command in (["check"], ["format", "--check"]):
        subprocess.run([ruff, *command, "--isolated", path], check=True)


def test_the_saved_folder_needs_no_dovetail(decoder, draw, tmp_path: Path) -> None:
    built = build_scratchpad(lower(decoder, "decoder", least_size_bytes(decoder)))
    folder = built.save(tmp_path / "out") / "scratchpad" / "decoder"
    inputs = draw(built)
    given = tmp_path / "inputs.safetensors"
    given.write_bytes(safetensors_bytes(dict(zip(built.program.inputs, inputs, strict=True))))
    code = f"import sys; sys.modules['dovetail'] = None; sys.argv = {['decoder.py', '--inputs', str(given), '--outputs', str(tmp_path / 'y.npz')]}; "  # noqa: E501
    code += f"import runpy; runpy.run_path({str(folder / 'decoder.py')!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ}, check=True)
    assert f"planned {built.program.dma_bytes}" in done.stdout
    with np.load(tmp_path / "y.npz") as file:
        for name, must in zip(built.program.outputs, built(*inputs), strict=True):
            assert file[name].tobytes() == must.tobytes()


def test_safetensors_come_back_as_they_were(tmp_path: Path) -> None:
    import ml_dtypes

    kinds = [
        np.float32,
        np.int64,
        np.uint16,
        np.uint32,
        np.uint64,
        np.bool_,
        np.float16,
        ml_dtypes.bfloat16,
        ml_dtypes.float8_e4m3fn,
    ]
    arrays = {np.dtype(kind).name: np.arange(6).reshape(2, 3).astype(kind) for kind in kinds}
    arrays["scalar"] = np.array(3, np.uint8)
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors_bytes(arrays))
    found = read_safetensors(path)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_a_cut_off_file_says_so(tmp_path: Path) -> None:
    whole = safetensors_bytes({"a": np.arange(6.0), "b": np.arange(3)})
    for end in (0, 7, 8, 40, len(whole) - 1):
        (tmp_path / "x.safetensors").write_bytes(whole[:end])
        with pytest.raises(ValueError, match=rf"no whole safetensors file: it is cut off after {end} bytes"):
            read_safetensors(tmp_path / "x.safetensors")
