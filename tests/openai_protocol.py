"""What OpenAI's transcription API says, and what it refuses. Pure."""

from typing import Any

WORDS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
EACH = 0.5
"""Seconds of sound to a word."""
MODELS = {
    "gpt-live-transcribe",
    "gpt-transcribe",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "whisper-1",
}
LOGPROB = -0.1


def words(seconds: float) -> list[str]:
    """Return what the server hears in so many seconds of sound."""
    said = WORDS.split()
    return [said[number % len(said)] for number in range(round(seconds / EACH))]


def wrong(form: dict[str, Any]) -> str:
    """Return what OpenAI would refuse in an upload."""
    model, kind = form["model"], form["response_format"]
    if "timestamp_granularities" in form or "include" in form or "languages" in form:
        return "lists have [] after their name"
    if kind == "verbose_json" and model != "whisper-1":
        return f"{model} knows no verbose_json"
    if "timestamp_granularities[]" in form and kind != "verbose_json":
        return "timestamps want verbose_json"
    if model == "gpt-live-transcribe":
        return "gpt-live-transcribe takes no files"
    hints = {"model": model, **{key.removesuffix("[]"): value for key, value in form.items()}}
    return wrong_hints(hints, logprobs="include[]" in form)


def wrong_hints(hints: dict[str, Any], *, logprobs: bool) -> str:
    model = hints["model"]
    many = model in {"gpt-live-transcribe", "gpt-transcribe"}
    if model not in MODELS:
        return f"there is no model {model}"
    if logprobs and not model.startswith("gpt-4o"):
        return f"{model} tells no logprobs"
    if ("language" if many else "languages") in hints:
        return f"{model} takes the language otherwise"
    return ""


def segment(text: str, seconds: float) -> dict[str, Any]:
    fields: dict[str, Any] = {"id": 0, "seek": 0, "start": 0.0, "end": seconds, "text": text}
    return fields | {
        "tokens": [1, 2, 3],
        "temperature": 0.0,
        "avg_logprob": LOGPROB,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.01,
    }


def logprobs_of(said: list[str]) -> list[dict[str, Any]]:
    return [{"token": word, "bytes": list(word.encode()), "logprob": LOGPROB} for word in said]
