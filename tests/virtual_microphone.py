"""A real microphone without hardware: the monitor of a null sink of a private PulseAudio.

Programs reach it through ALSA's pulse plugin, by `VirtualMicrophone.environment`. Take the
fixture with ``from tests.virtual_microphone import virtual_microphone`` in a conftest.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

HISS = "6000"
"""PulseAudio's volume, of 65536, at which full-scale noise is a quiet room's, about -66 dBFS."""
PROGRAMS = ("pulseaudio", "pactl", "pacat", "paplay")


class VirtualMicrophone:
    """Plugged in when made. Sound played into it is what programs hear from it."""

    def __init__(self, folder: Path) -> None:
        self.environment = {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder / "pulse"),
            "PULSE_SERVER": f"unix:{folder}/pulse/native",
            "PULSE_LATENCY_MSEC": "20",
        }
        """What a program needs to find it."""
        self._pid_file = folder / "pulse" / "pid"
        self._pid_file.parent.mkdir(mode=0o700)
        self._awake: subprocess.Popen[bytes] | None = None
        self._daemon = 0
        self.turn_on()

    def turn_on(self) -> None:
        """Start the sound server, with the microphone plugged in."""
        # It goes to the background once it is ready, so there is nothing to wait for.
        self._run("pulseaudio", "-n", "--daemonize=yes", "--exit-idle-time=-1",
                  "--use-pid-file=yes", "--load=module-native-protocol-unix")  # fmt: skip
        self._daemon = int(self._pid_file.read_text())
        self.plug()

    def plug(self, rate: int = 16_000, channels: int = 1) -> None:
        """Plug it in, or another one, in its place. A quiet room is heard."""
        self._run("pactl", "load-module", "module-null-sink", "sink_name=vmic",
                  f"rate={rate}", f"channels={channels}", "format=s16le")  # fmt: skip
        self._run("pactl", "set-default-sink", "vmic")
        self._run("pactl", "set-default-source", "vmic.monitor")
        # An idle sink sleeps, and its monitor delivers nothing.
        self._awake = subprocess.Popen(
            ["pacat", "--playback", "--device=vmic", "--rate=16000", "--channels=1",
             "--format=s16le", "--latency-msec=20", f"--volume={HISS}", "/dev/urandom"],
            env=os.environ | self.environment, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def unplug(self) -> None:
        """Pull it out."""
        self._run("pactl", "unload-module", "module-null-sink")
        self._fall_asleep()

    def mute(self, muted: bool) -> None:
        """Have it give nothing but zeros, or sound again."""
        self._run("pactl", "set-source-mute", "vmic.monitor", str(int(muted)))

    def play(self, path: Path) -> None:
        """Play a sound file into it, to the end."""
        self._run("paplay", "--device=vmic", str(path), timeout=120)

    def kill(self) -> None:
        """End the whole sound server, as a crash would."""
        with suppress(ProcessLookupError):
            os.kill(self._daemon, signal.SIGKILL)
        # Or else the next one takes the dead one for alive.
        self._pid_file.unlink(missing_ok=True)
        self._fall_asleep()

    def _fall_asleep(self) -> None:
        if self._awake:
            self._awake.kill()
            self._awake.wait()
            self._awake = None

    def _run(self, *command: str, timeout: float = 20) -> None:
        done = subprocess.run(
            command,
            check=False,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")


@pytest.fixture
def virtual_microphone() -> Iterator[VirtualMicrophone]:
    """A virtual microphone that is plugged in; skips where PulseAudio is missing."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        pytest.skip(f"no virtual microphone: {', '.join(missing)} of PulseAudio not installed")
    # A socket's path may have 107 characters, fewer than pytest's folders.
    with tempfile.TemporaryDirectory(prefix="vmic", ignore_cleanup_errors=True) as folder:
        made = VirtualMicrophone(Path(folder))
        try:
            yield made
        finally:
            made.kill()
