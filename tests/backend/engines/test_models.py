import json
import shutil
from pathlib import Path

import pytest

from backend.engines import EngineError
from backend.engines.models import begun, cached, find, forget, in_cache, lacks, size, standing
from tests.backend.engines.sound import TINY


def fill(cache: Path, name: str) -> Path:
    where = cache / f"models--{name.replace('/', '--')}"
    (where / "refs").mkdir(parents=True)
    (where / "refs" / "main").write_text("abc123")
    return Path(shutil.copytree(TINY, where / "snapshots" / "abc123"))


def fail() -> None:
    pytest.fail("the hub was asked")


def test_a_folder_is_taken_as_it_is():
    assert find(str(TINY), fail) == TINY


def test_a_cached_model_is_found_without_the_hub(cache: Path):
    folder = fill(cache, "mlx-community/whisper-tiny")
    assert cached("tiny") == folder
    assert find("tiny", fail) == folder


def test_a_model_half_in_the_cache_is_not_there(cache: Path):
    (fill(cache, "mlx-community/whisper-tiny") / "weights.npz").unlink()
    assert cached("tiny") is None


def test_a_model_stands_where_its_files_do(cache: Path):
    assert standing("tiny") == "available"
    folder = fill(cache, "mlx-community/whisper-tiny")
    assert standing("tiny") == "installed"
    assert size("tiny") == sum(file.stat().st_size for file in folder.iterdir()) + len("abc123")
    (folder / "weights.npz").write_bytes((TINY / "weights.npz").read_bytes()[:500_000])
    assert standing("tiny") == "partial"


def test_half_a_download_is_listed_as_begun(cache: Path):
    blobs = cache / "models--somebody--whisper-x" / "blobs"
    blobs.mkdir(parents=True)
    assert begun() == []
    (blobs / "abc.incomplete").write_bytes(b"half")
    assert begun() == ["somebody/whisper-x"]
    assert in_cache() == []
    assert standing("somebody/whisper-x") == "partial"


def test_a_model_is_deleted_from_the_cache_alone(cache: Path):
    fill(cache, "mlx-community/whisper-tiny")
    other = fill(cache, "mlx-community/whisper-base-mlx")
    freed = size("tiny")
    assert forget("tiny") == freed > 2_000_000
    assert standing("tiny") == "available"
    assert cached("base") == other
    with pytest.raises(FileNotFoundError):
        forget("tiny")


def test_a_folder_with_damaged_weights_is_told(tmp_path: Path):
    folder = Path(shutil.copytree(TINY, tmp_path / "model"))
    (folder / "weights.npz").write_bytes((TINY / "weights.npz").read_bytes()[:-1])
    with pytest.raises(EngineError, match=r"weights\.npz is damaged.*copy the file there anew"):
        find(str(folder), fail)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(EngineError, match=r"there is no folder .*gone"):
        find(str(tmp_path / "gone"), fail)


@pytest.mark.parametrize("missing", ["config.json", "weights.npz"])
def test_the_missing_file_is_named(tmp_path: Path, missing: str):
    folder = Path(shutil.copytree(TINY, tmp_path / "model"))
    (folder / missing).unlink()
    assert missing in lacks(folder)
    with pytest.raises(EngineError, match=missing):
        find(str(folder), fail)


def test_a_name_that_is_none_is_told_without_the_hub(cache: Path):
    with pytest.raises(EngineError, match=r"no model 'bsae'.*large-v3-turbo"):
        find("bsae", fail)


@pytest.mark.parametrize(
    "name",
    ["\x00", "/\x00", "./\x00", "~nobody-of-that-name/x", "x" * 400, "/" + "x" * 400, "\ud800"],
)
def test_a_name_that_can_be_no_path_is_told(cache: Path, name: str):
    with pytest.raises(EngineError, match=r"transcription\.model"):
        find(name, fail)
    assert cached(name) is None


def test_a_hub_out_of_reach_is_told_with_the_cure(cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    asked: list[str] = []
    with pytest.raises(EngineError, match=r"not in the cache and the model hub can't be reached"):
        find("somebody/no-such-model", lambda: asked.append("download"))
    assert asked == ["download"]


def test_the_fixture_is_whole():
    assert not lacks(TINY)
    assert json.loads((TINY / "config.json").read_text())["n_vocab"] == 51_865
