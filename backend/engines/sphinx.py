"""PocketSphinx in a process of its own: ``python -m backend.engines.sphinx``.

Its calls hold Python's lock from beginning to end: 5.6 s for a clip of 15.6 s were measured,
in which no other thread of the process ran. So it reads here, and `backend.engines.pocketsphinx`
asks: one pickled tuple in on standard input, the method's name first, one out on standard output.
"""

import pickle
import re
import sys
from typing import Any, BinaryIO

Heard = tuple[str, float, float, float]
"""A word, its start and end in seconds, and its posterior probability."""

_VARIANT = re.compile(r"\(\d+\)$")


class Ear:
    """Two decoders: one for whole utterances, one for what grows."""

    def __init__(self) -> None:
        self._whole: Any = None
        self._growing: Any = None
        self._open = False

    def load(self) -> None:
        """Get the embedded US English model into memory."""
        from pocketsphinx import Decoder

        self._whole = Decoder(samprate=16000, loglevel="FATAL")
        # A partial is thrown away: without its second passes, ending one takes no time.
        self._growing = Decoder(samprate=16000, loglevel="FATAL", fwdflat=False, bestpath=False)

    def final(self, sound: bytes) -> list[Heard]:
        """Read a whole utterance of 16-bit samples, from nothing."""
        # It keeps an estimate of the noise, which would let one utterance color the next.
        self._whole.reinit_feat()
        self._whole.start_utt()
        try:
            self._whole.process_raw(sound, full_utt=True)
        finally:
            self._whole.end_utt()
        return [
            (_VARIANT.sub("", one.word), one.start_frame / 100, (one.end_frame + 1) / 100, one.prob)
            for one in self._whole.seg() or ()
            if one.word[0] not in "<[+"
        ]

    def hear(self, sound: bytes) -> str:
        """Take the next 16-bit samples of the growing utterance; return its words so far."""
        if not self._open:  # Sound outside an utterance would end this process.
            self._growing.start_utt()
            self._open = True
        self._growing.process_raw(sound)
        guess = self._growing.hyp()
        return str(guess.hypstr) if guess else ""

    def forget(self) -> None:
        """End the growing utterance; the next sound begins another."""
        if self._open:
            self._growing.end_utt()
            self._open = False


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the other side hangs up. An answer is (whether it went well, value or fault)."""
    ear = Ear()
    while True:
        try:
            name, *given = pickle.load(requests)
        except EOFError:
            return
        try:
            answer = (True, getattr(ear, name)(*given))
        except Exception as error:
            answer = (False, f"{type(error).__name__}: {error}")
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
