"""``stt-server transcribe``: a file's words on standard output, without a server."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.parts import Parts
from backend.problems import Problem
from backend.reading import wishes
from backend.recordings import Recording, transcribe
from backend.settings import Settings


async def transcribe_file(settings: Settings, path: Path, wanted: Mapping[str, Any]) -> int:
    """Print a line a segment, and the engine to standard error. Return the exit code.

    That is 1 also for a recording that breaks off, after the words that were left of it.
    """
    parts = Parts.of(settings.model_copy(update={"history": False}))
    given = {name: wish for name, wish in wanted.items() if wish is not None}
    try:
        _, profile = parts.defaults.resolve(None, {"transcription": given})
        with path.open("rb") as file:
            taken = await parts.desks.take(profile.transcription)
            print(f"engine: {taken.desk.engine.name} ({taken.reason})", file=sys.stderr)
            recording = Recording(file, None, settings.max_audio_seconds)
            wish = wishes(profile.transcription)
            transcript = await transcribe(
                recording, profile.vad, wish, taken.desk, parts.recordings
            )
    except (Problem, OSError) as error:
        print(f"stt-server: {error}", file=sys.stderr)
        return 1
    finally:
        await parts.close()
    for segment in transcript.segments:
        print(f"[{segment.start:8.2f} - {segment.end:8.2f}] {segment.text}")
    if transcript.warning:
        print(f"stt-server: {transcript.warning}", file=sys.stderr)
        return 1
    return 0
