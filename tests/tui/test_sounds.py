"""Sound of this machine: files as they are, and a microphone made up."""

import asyncio
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.running import SOUNDS
from tui.sounds import WAITING, SoundFault, microphone, recording


async def test_a_file_is_read_sample_by_sample() -> None:
    path = SOUNDS / "hello-world.flac"
    sound = await recording(path)
    got = b"".join([block async for block in sound])
    await sound.close()
    samples, rate = soundfile.read(path, dtype="int16")
    assert got == samples.tobytes()
    assert (sound.rate, sound.channels, sound.name) == (rate, 1, path.name)
    assert sound.seconds == pytest.approx(len(samples) / rate)


async def test_channels_stay_interleaved(tmp_path: Path) -> None:
    path = tmp_path / "two.wav"
    samples = np.array([[1, -1], [2, -2], [3, -3]], np.int16)
    soundfile.write(path, samples, 8000)
    sound = await recording(path)
    (block,) = [one async for one in sound]
    await sound.close()
    assert (sound.rate, sound.channels, len(block)) == (8000, 2, 12)


@pytest.mark.parametrize("name", ["none.wav", "."])
async def test_what_is_no_sound_is_told_with_what_is(tmp_path: Path, name: str) -> None:
    with pytest.raises(SoundFault, match="WAV, FLAC, OGG or MP3"):
        await recording(tmp_path / name)


class Fault(Exception):
    pass


class Stream:
    rates: tuple[int | None, ...] = (16000, None)

    def __init__(self, **how: Any) -> None:
        if how["samplerate"] not in self.rates:
            raise Fault("Invalid sample rate")
        self.how = how
        self.samplerate = float(how["samplerate"] or 44100)
        self.calls: list[str] = []
        made.append(self)

    def start(self) -> None:
        self.calls.append("start")

    def abort(self, ignore_errors: bool) -> None:
        self.calls.append("abort")
        self.how["finished_callback"]()

    def close(self, ignore_errors: bool) -> None:
        self.calls.append("close")


made: list[Stream] = []


@pytest.fixture(autouse=True)
def audio(monkeypatch: pytest.MonkeyPatch) -> type[Stream]:
    made.clear()
    fake = ModuleType("sounddevice")
    fake.PortAudioError = Fault  # type: ignore[attr-defined]
    fake.RawInputStream = Stream  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    monkeypatch.setattr(Stream, "rates", (16000, None))
    return Stream


async def test_a_microphone_is_heard_until_it_is_closed() -> None:
    sound = await microphone()
    made[0].how["callback"](b"ab", 1, None, None)
    blocks = aiter(sound)
    assert await anext(blocks) == b"ab"
    await sound.close()
    assert [one async for one in blocks] == []
    assert made[0].calls == ["start", "abort", "close"]


async def test_what_nobody_takes_in_time_is_lost_and_counted() -> None:
    sound = await microphone()
    block = b"\0\0" * 512
    for _ in range(WAITING + 10):
        made[0].how["callback"](block, 512, None, None)
    await asyncio.sleep(0)
    assert sound.lost == pytest.approx(10 * 0.032)
    await sound.close()


async def test_a_microphone_that_has_its_own_rate_is_taken_as_it_is(
    audio: type[Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio, "rates", (None,))
    sound = await microphone()
    assert sound.rate == 44100
    await sound.close()


async def test_no_microphone_is_told(audio: type[Stream], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "rates", ())
    with pytest.raises(SoundFault, match="no microphone can be opened here: Invalid sample rate"):
        await microphone()


def test_the_sound_libraries_wait_until_they_are_needed() -> None:
    code = (
        "import sys, tui.app, tui.screens.sessions, tui.screens.servers\n"
        "late = {'numpy', 'sounddevice', 'soundfile', 'zeroconf', 'keyring'}\n"
        "print(sorted(late & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
