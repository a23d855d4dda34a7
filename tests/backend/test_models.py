"""``stt-server models``, as it is run, against a hub on this machine."""

import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import Hub, serving_hub, until_kept
from tests.running import ROOT, TINY

NAME = "mlx-community/whisper-tiny"
COMMAND = [sys.executable, "-m", "backend", "models"]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving_hub() as hub:
        hub.add(NAME, TINY)
        yield hub


@pytest.fixture
def environment(hub: Hub, tmp_path: Path) -> dict[str, str]:
    cache = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "hub")}
    return {**os.environ, **cache, "HF_HUB_OFFLINE": "0"}


def run(environment: dict[str, str], *given: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *given],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_model_is_pulled_listed_and_removed(environment: dict[str, str]) -> None:
    pulled = run(environment, "pull", "tiny")
    assert pulled.returncode == 0, pulled.stderr
    assert (Path(pulled.stdout.strip()) / "weights.npz").read_bytes() == (
        TINY / "weights.npz"
    ).read_bytes()
    lines = pulled.stderr.splitlines()
    assert lines[-1] == "tiny: 2.4 MB of 2.4 MB, 100%"
    assert 2 <= len(lines) <= 12
    listed = run(environment, "list")
    first = listed.stdout.splitlines()[0].split()
    assert first == ["installed", "tiny", "2.4", "MB", NAME]
    assert "GB free" in listed.stdout
    assert "installed already" in run(environment, "pull", NAME).stdout
    removed = run(environment, "rm", "tiny")
    assert (removed.returncode, removed.stdout) == (0, "tiny deleted, 2.4 MB freed\n")
    again = run(environment, "rm", "tiny")
    assert again.returncode == 1
    assert "not in the cache; what is: none" in again.stderr


def test_ctrl_c_leaves_a_half_that_the_same_command_goes_on_with(
    environment: dict[str, str], hub: Hub
) -> None:
    hub.gate.clear()
    # Where the tests run in a shell's background Ctrl-C is ignored, by what they start as well.
    here = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [*COMMAND, "pull", "tiny"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    signal.signal(signal.SIGINT, here)
    assert hub.half_way.wait(30)
    until_kept(Path(environment["HF_HUB_CACHE"]))
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT
    assert "of 2.4 MB are kept, and the same command goes on from there" in told
    hub.gate.set()
    assert run(environment, "list").stdout.startswith("partial    tiny")
    assert run(environment, "pull", "tiny").returncode == 0
    assert hub.ranges[0] == ""
    assert hub.ranges[1].startswith("bytes=")
    assert run(environment, "list").stdout.startswith("installed  tiny")


def test_a_terminal_is_shown_a_bar(environment: dict[str, str]) -> None:
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (24, 80))
    process = subprocess.Popen(
        [*COMMAND, "pull", "tiny"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=its
    )
    os.close(its)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:
        pass  # Its end is closed.
    os.close(ours)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert b"100%" in shown
    assert b"\r" in shown
    whole = f"{(TINY / 'weights.npz').stat().st_size / 1e6:.2f}M"
    assert f"{whole}/{whole}".encode() in shown


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (["pull", "large-v3-trubo"], 2, "mean large-v3-turbo?"),
        (["pull", str(TINY)], 2, "folder of your own"),
        (["rm", str(TINY)], 2, "folder of your own"),
        (["pull", "somebody/nothing"], 1, "no public model"),
        (["rm", "base"], 1, "not in the cache"),
        (["pull"], 2, "usage"),
        ([], 2, "usage"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_code(
    environment: dict[str, str], given: list[str], code: int, words: str
) -> None:
    ended = run(environment, *given)
    assert ended.returncode == code
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_a_network_it_says_so(environment: dict[str, str]) -> None:
    ended = run({**environment, "HF_ENDPOINT": "http://127.0.0.1:9"}, "pull", "tiny")
    assert ended.returncode == 1
    assert "can't be reached" in ended.stderr
