"""Downloads from a hub on this machine, through the hub's real client."""

import shutil
import threading
from pathlib import Path

import pytest

from backend.engines import Cancelled, EngineError, hub
from backend.engines.models import cache_folder, cached, find, place, standing
from backend.engines.names import NoSuchModel
from tests.backend.engines.conftest import NAME
from tests.hub import REVISION, Hub, until_kept
from tests.running import TINY

WEIGHTS = (TINY / "weights.npz").read_bytes()
CONFIG = len((TINY / "config.json").read_bytes())


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.engines.hub.PAUSE", 0.01)


def halves() -> list[Path]:
    return list(place(NAME).glob("blobs/*.incomplete"))


def stopped_half_way(served: Hub) -> int:
    """Stop a download in the middle; return the bytes that are left of it."""
    served.gate.clear()
    stop = threading.Event()
    faults: list[BaseException] = []

    def bring() -> None:
        try:
            hub.bring(hub.plan(NAME), None, stop)
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=bring)
    thread.start()
    assert served.half_way.wait(10)
    until_kept(cache_folder())
    stop.set()
    served.gate.set()
    thread.join(10)
    assert isinstance(faults[0], Cancelled)
    (half,) = halves()
    return half.stat().st_size


def test_a_model_is_brought_whole_and_told_as_it_comes(served: Hub):
    told: list[int] = []
    wanted = hub.plan(NAME)
    folder = hub.bring(wanted, told.append)
    assert (folder / "weights.npz").read_bytes() == WEIGHTS
    assert (folder / "config.json").read_bytes() == (TINY / "config.json").read_bytes()
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "weights.npz"]
    assert told == sorted(told)
    assert len(told) > 10
    assert told[-1] == wanted.total == len(WEIGHTS) + CONFIG
    assert cached("tiny") == folder
    assert standing("tiny") == "installed"
    assert halves() == []


def test_a_cut_download_goes_on_where_it_was_cut(served: Hub):
    served.cut_at = [700_000, 1_500_000]
    folder = hub.bring(hub.plan(NAME))
    assert served.ranges == ["", "bytes=700000-", "bytes=1500000-"]
    assert (folder / "weights.npz").read_bytes() == WEIGHTS


def test_a_stopped_download_is_gone_on_with_by_the_next(served: Hub):
    left = stopped_half_way(served)
    assert 0 < left < len(WEIGHTS)
    assert cached(NAME) is None
    assert standing(NAME) == "partial"
    wanted = hub.plan(NAME)
    assert hub.here(wanted) == left + CONFIG
    folder = hub.bring(wanted)
    assert served.ranges[-1] == f"bytes={left}-"
    assert (folder / "weights.npz").read_bytes() == WEIGHTS


def test_a_half_that_is_wrong_is_not_trusted(served: Hub):
    stopped_half_way(served)
    (half,) = halves()
    half.write_bytes(b"nonsense" * 100_000)
    folder = hub.bring(hub.plan(NAME))
    assert served.ranges[-2:] == ["bytes=800000-", ""]
    assert (folder / "weights.npz").read_bytes() == WEIGHTS


def test_what_comes_damaged_is_refused_and_not_kept(served: Hub):
    served.garbled = True
    with pytest.raises(EngineError, match=r"weights\.npz came damaged"):
        hub.bring(hub.plan(NAME))
    assert cached(NAME) is None
    assert halves() == []


def test_a_line_that_stays_dead_is_given_up_and_what_came_is_kept(served: Hub):
    served.cut_at = [900_000, *[0] * hub.TRIES]
    with pytest.raises(EngineError, match=r"cut after 900000 of \d+ bytes .*they are kept"):
        hub.bring(hub.plan(NAME))
    assert halves()[0].read_bytes() == WEIGHTS[:900_000]


def test_a_model_that_was_cut_off_in_the_cache_is_refused_and_mended(served: Hub):
    folder = hub.bring(hub.plan(NAME))
    weights = (folder / "weights.npz").resolve()
    weights.write_bytes(WEIGHTS[:1_000_000])
    assert standing("tiny") == "partial"
    with pytest.raises(EngineError, match=r"weights\.npz is damaged.*models pull tiny"):
        find("tiny", lambda: pytest.fail("the hub was asked"))
    hub.bring(hub.plan(NAME))
    assert served.ranges[-1] == "bytes=1000000-"
    assert (folder / "weights.npz").read_bytes() == WEIGHTS
    assert find("tiny", lambda: None) == folder


def test_a_model_that_is_whole_is_not_brought_again(served: Hub):
    hub.bring(hub.plan(NAME))
    served.asked.clear()
    hub.bring(hub.plan(NAME))
    assert served.ranges == []


def test_an_unknown_repository_is_told_with_what_may_be_meant(served: Hub):
    with pytest.raises(NoSuchModel, match=r"no public model .*mean mlx-community/whisper-tiny\?"):
        hub.plan("mlx-community/whispr-tiny")


def test_a_repository_without_weights_for_mlx_is_told(served: Hub):
    del served.repositories[NAME]["weights.npz"]
    with pytest.raises(NoSuchModel, match="no Whisper model for MLX"):
        hub.plan(NAME)


def test_the_hubs_token_goes_to_the_hub_alone(served: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.bring(hub.plan(NAME))
    elsewhere = [token for path, token in served.tokens if "/cdn/" in path]
    assert elsewhere == [""]
    assert ("/" + NAME + f"/resolve/{REVISION}/weights.npz", "Bearer hf_secret") in served.tokens


def test_a_filled_cache_needs_no_hub_and_an_empty_one_says_why(
    served: Hub, monkeypatch: pytest.MonkeyPatch
):
    folder = hub.bring(hub.plan(NAME))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert find("tiny", lambda: pytest.fail("the hub was asked")) == folder
    shutil.rmtree(place(NAME))
    with pytest.raises(EngineError, match="HF_HUB_OFFLINE"):
        find("tiny", lambda: None)


def test_what_there_is_no_room_for_is_not_begun(served: Hub, monkeypatch: pytest.MonkeyPatch):
    full = shutil.disk_usage("/")._replace(free=1_000_000)
    monkeypatch.setattr("backend.engines.hub.shutil.disk_usage", lambda path: full)
    with pytest.raises(EngineError, match=r"0\.00 GB are free .*HF_HUB_CACHE"):
        hub.bring(hub.plan(NAME))
    assert served.ranges == []


def test_two_processes_do_not_write_to_the_same_file(served: Hub, cache: Path):
    from filelock import FileLock

    locks = cache / ".locks" / place(NAME).name
    locks.mkdir(parents=True)
    with FileLock(locks / "pull.lock"), pytest.raises(EngineError, match="another process"):
        hub.bring(hub.plan(NAME))
