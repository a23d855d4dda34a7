"""An engine for another process that fails as a person tells it to: by its options.

It is no Whisper, but what surrounds it is real: the process, the socket, the signals.
"""

import os
import signal
import threading
import time

from backend.engines import Audio, EngineError, Progress, Reading, Wishes
from backend.engines.interrupt import Interrupt

ALWAYS = threading.Event()


class Anything:
    """Refuses the language Klingon."""

    def check(self, wishes: Wishes) -> None:
        if wishes.language == "tlh":
            raise EngineError("no Klingon here")


class Fragile:
    """Says how much sound it was given, unless its options say otherwise."""

    name = "fragile"
    device = "cpu"
    eager = False

    def __init__(self, model: str = "glass", interrupt: Interrupt | None = None) -> None:
        self.model = model
        self.abilities = Anything()
        self._interrupt = interrupt or Interrupt()

    def load(self, progress: Progress) -> None:
        progress("load", 0, None)
        if self.model == "missing":
            raise EngineError("the model is missing: get it")
        if self.model == "endless":
            ALWAYS.wait()
        if self.model == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        self.device = "glass plate"

    def check(self, wishes: Wishes) -> None:
        self.abilities.check(wishes)

    def warm_up(self) -> None: ...

    def partial(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        return self._read("partial", audio, wishes)

    def final(self, utterance: str, audio: Audio, wishes: Wishes) -> Reading:
        return self._read("final", audio, wishes)

    def cancel(self) -> None:
        self._interrupt.ask()

    def unload(self) -> None: ...

    def memory(self) -> int | None:
        return 12_345

    def _read(self, what: str, audio: Audio, wishes: Wishes) -> Reading:
        match self._fault(wishes):
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                ALWAYS.wait()
            case "raise":
                raise RuntimeError("splinters")
            case "refuse":
                raise EngineError("this can't be read: say it again")
            case "long":
                while True:
                    self._interrupt.check()
                    time.sleep(0.001)
        return Reading(f"{what} of {len(audio)} samples by {os.getpid()}")

    def _fault(self, wishes: Wishes) -> str:
        """Return what is to go wrong; ``once`` names a file that only the first call finds."""
        once = wishes.options.get("once")
        if once is not None:
            try:
                os.unlink(once)
            except FileNotFoundError:
                return ""
        return str(wishes.options.get("fault", ""))
