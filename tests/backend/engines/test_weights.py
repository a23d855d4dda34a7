"""Files of weights, whole and not."""

import json
from pathlib import Path

import numpy as np
import pytest

from backend.engines.weights import damage
from tests.running import TINY

NPZ = (TINY / "weights.npz").read_bytes()


def safetensors(file: Path) -> bytes:
    """Write a file of two tensors, and return it."""
    header = {
        "__metadata__": {"format": "mlx"},
        "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        "b": {"dtype": "F32", "shape": [4], "data_offsets": [8, 24]},
    }
    told = json.dumps(header).encode()
    data = len(told).to_bytes(8, "little") + told + np.ones(6, np.float32).tobytes()
    file.write_bytes(data)
    return data


def test_whole_files_are_whole(tmp_path: Path):
    safetensors(tmp_path / "weights.safetensors")
    assert damage(tmp_path / "weights.safetensors") == ""
    assert damage(TINY / "weights.npz") == ""


def test_what_mlx_writes_is_whole(tmp_path: Path):
    mx = pytest.importorskip("mlx.core")
    mx.save_safetensors(str(tmp_path / "weights.safetensors"), {"a": mx.zeros((3, 4))})
    assert damage(tmp_path / "weights.safetensors") == ""


@pytest.mark.parametrize("left", [0, 5, 100, len(NPZ) // 2, len(NPZ) - 1])
def test_an_npz_that_was_cut_is_damaged(tmp_path: Path, left: int):
    (tmp_path / "weights.npz").write_bytes(NPZ[:left])
    assert damage(tmp_path / "weights.npz")


def test_safetensors_that_were_cut_anywhere_are_damaged(tmp_path: Path):
    file = tmp_path / "weights.safetensors"
    whole = safetensors(file)
    for left in range(len(whole)):
        file.write_bytes(whole[:left])
        assert damage(file), left


def test_noise_is_damaged(tmp_path: Path):
    file = tmp_path / "weights.safetensors"
    file.write_bytes(np.random.default_rng(1).bytes(10_000))
    assert damage(file)
