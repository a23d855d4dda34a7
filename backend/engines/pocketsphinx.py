"""The embedded engine: PocketSphinx with the US English model that its wheel carries.

No network, no key, no download; an honest fallback and no more. Word error rate over 76
English recordings (542 s, 1,346 words), each read whole, at 0.4 of real time:

- as finals are here: 50.6 % (62 of speech 51.7 %, 14 commands 24.5 %): normalized over the whole
  utterance (``full_utt=True``), the noise estimate made anew
- the noise estimate carried from one to the next, as in all that follow: 50.9 %
- in pieces of 0.25 s, each utterance from the default normalization: 60.8 %
- in pieces, the normalization carried from one utterance to the next, as in partials: 56.3 %
- in pieces, from an estimate made by a pass without search: 53.7 %
- whole, language weight 8 instead of 6.5: 52.8 %; whole, beams of 1e-60: 49.3 %, a quarter slower

Its word posteriors do not tell invention from speech: 14 recordings without speech gave text
in 11 cases, with means from 0.04 to 1.0 (digital silence: "boy", 1.0), a cut-out command 0.015.
So a text is given with its doubt, and sound without speech is for voice activity detection to
keep away; only what never rises above `FAINT` is not read.
"""

import os
import pickle
import select
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

import numpy as np

from backend.engines import (
    RATE,
    Audio,
    Cancelled,
    Crashed,
    EngineError,
    Progress,
    Reading,
    SpokenWord,
    Wishes,
)
from backend.engines.interrupt import Interrupt
from backend.engines.memory import resident
from backend.engines.sphinx import Heard

FAINT = 16
"""Peak of 16-bit samples under which there is nothing to read (about -66 dBFS)."""

STEP = RATE // 4
"""Samples between two looks at `PocketSphinx.cancel` in a partial."""

LOOK = 0.02
"""Seconds between two looks at `PocketSphinx.cancel` while a final is read."""

STALLED, SLOW = 20.0, 5.0
"""Seconds after which a call has hung, and as many more for each second of sound."""


class PocketSphinx:
    """PocketSphinx, asked across a pipe. A crash or hang of it costs a call."""

    name = "pocketsphinx"
    model = "en-us"
    device = "cpu"
    eager = False  # To drop a final is to start its process again.

    def __init__(self) -> None:
        self._interrupt = Interrupt()
        self._process: subprocess.Popen[bytes] | None = None
        self._growing: tuple[str, int, str] | None = None
        # The utterance being read in partials: its id, the samples read, and their text.

    def load(self, progress: Progress) -> None:
        """Start the process and have it load its model, 0.5 s. Raises `EngineError`."""
        if find_spec("pocketsphinx") is None:
            raise EngineError("pocketsphinx is not installed (pip install pocketsphinx)")
        progress("load", 0, None)
        if self._process is None:
            self._start()

    def check(self, wishes: Wishes) -> None:
        """Raise `EngineError`, with the cure, for what it can't do."""
        check(wishes)

    def warm_up(self) -> None:
        """Nothing to do: its first call is as quick as any."""

    def partial(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        """Read on where the last partial of the same utterance ended. Text only.

        Raises `EngineError`, `Crashed` where another try may go well, or `Cancelled`.
        """
        check(wishes)
        known, text = self._heard(utterance, audio)
        for start in range(known, len(audio), STEP):
            step = audio[start : start + STEP]
            text = self._ask("hear", step.tobytes())
            self._growing = (utterance, start + len(step), text)
        return Reading(text, language="en")

    def final(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        """Read a whole utterance, from nothing.

        The confidence is the arithmetic mean of the words' posteriors: it goes with the share
        of right words better (r = 0.69 over the 76 recordings) than the geometric one (0.64).
        Raises as `partial` does.
        """
        check(wishes)
        if self._growing and self._growing[0] == utterance:
            self._forget()
        if not len(audio) or int(np.abs(audio.astype(np.int32)).max()) < FAINT:
            return Reading("", language="en")
        return _reading(self._ask("final", audio.tobytes()), words=wishes.words)

    def cancel(self) -> None:
        """Have the call in progress raise `Cancelled` soon. Called from any thread."""
        self._interrupt.ask()

    def unload(self) -> None:
        """End the process."""
        process, self._process, self._growing = self._process, None, None
        if process:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):  # What it had not read yet is lost with it.
                    pipe.close()  # type: ignore[union-attr]

    def memory(self) -> int | None:
        """Return what the process holds; None if there is none."""
        process = self._process
        return resident(process.pid) if process else None

    def _heard(self, utterance: str, audio: Audio) -> tuple[int, str]:
        """Return how many samples of it were read before, and as what; forget another's."""
        if self._growing and self._growing[0] == utterance and self._growing[1] <= len(audio):
            return self._growing[1:]
        self._forget()
        return 0, ""

    def _forget(self) -> None:
        if self._growing:
            self._ask("forget")
            self._growing = None

    def _start(self) -> None:
        self._process = subprocess.Popen(
            # Without -P a file in the current folder might pass for one of our modules.
            [sys.executable, "-P", "-m", "backend.engines.sphinx"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # Ctrl+C is for the server, which ends this one itself.
        )
        assert self._process.stdin
        os.set_blocking(self._process.stdin.fileno(), False)
        self._ask("load")

    def _ask(self, name: str, *given: Any) -> Any:
        """Return the process's answer; without a process, start one first."""
        self._interrupt.check()
        if self._process is None:
            self._start()
        try:
            well, value = self._exchange((name, *given))
        except TimeoutError:
            self.unload()
            raise Crashed(
                "pocketsphinx gave no sign of life; the next call starts another"
            ) from None
        except (OSError, EOFError) as error:
            self.unload()
            raise Crashed("pocketsphinx's process ended; the next call starts another") from error
        if not well:
            raise Crashed(f"pocketsphinx failed: {value}")
        return value

    def _exchange(self, request: tuple[Any, ...]) -> tuple[bool, Any]:
        process = self._process
        assert process
        assert process.stdin
        assert process.stdout
        rest = memoryview(pickle.dumps(request))
        until = time.monotonic() + STALLED + SLOW * len(rest) / (2 * RATE)
        is_final = request[0] == "final"
        while rest:
            self._await(process.stdin.fileno(), select.POLLOUT, until, is_final=is_final)
            rest = rest[os.write(process.stdin.fileno(), rest) :]
        self._await(process.stdout.fileno(), select.POLLIN, until, is_final=is_final)
        answer: tuple[bool, Any] = pickle.load(process.stdout)
        return answer

    def _await(self, pipe: int, event: int, until: float, *, is_final: bool) -> None:
        """Wait for a pipe. Only the end of the process cancels a final. Raises `TimeoutError`."""
        coming = select.poll()
        coming.register(pipe, event)
        while not coming.poll(LOOK * 1000):
            if time.monotonic() > until:
                raise TimeoutError
            try:
                if is_final:
                    self._interrupt.check()
            except Cancelled:
                self.unload()
                raise


def check(wishes: Wishes) -> None:
    """Raise `EngineError`, with the cure, for wishes that PocketSphinx can't fulfill."""
    if wishes.language not in {None, "en"}:
        raise EngineError(
            f"pocketsphinx reads English only, not {wishes.language!r}: set "
            "transcription.engine to mlx_whisper, or transcription.language to en"
        )
    if wishes.options:
        raise EngineError(
            f"pocketsphinx has no options, such as {next(iter(wishes.options))!r}: leave "
            "transcription.options out"
        )
    if wishes.task != "transcribe":
        raise EngineError(
            "pocketsphinx can't translate: set transcription.engine to mlx_whisper, or "
            "transcription.task to transcribe"
        )


def _reading(heard: list[Heard], *, words: bool) -> Reading:
    if not heard:
        return Reading("", language="en")
    confidence = sum(one[3] for one in heard) / len(heard)
    spoken = tuple(SpokenWord(text, start, end, min(p, 1.0)) for text, start, end, p in heard)
    return Reading(
        text=" ".join(word.text for word in spoken),
        language="en",
        confidence=min(confidence, 1.0),
        words=spoken if words else (),
    )
