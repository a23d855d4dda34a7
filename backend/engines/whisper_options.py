"""What ``transcription.options`` may say to Whisper: options of the package's decoder. Pure."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from backend.engines import EngineError
from common.profile import faults

TOKENS = 51_866
"""How many Whisper's largest vocabulary has."""


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _numbers(value: object) -> object:
    """Return the list that a text such as ``-1,50257`` stands for; all else as it is."""
    try:
        return [int(one) for one in value.split(",")] if isinstance(value, str) else value
    except ValueError:
        return value


class Options(BaseModel):
    """`DecodingOptions` that the profile has no other fields for, checked before they are used."""

    model_config = ConfigDict(extra="forbid", strict=True)

    temperature: Annotated[
        list[Annotated[float, Field(ge=0, le=2)]],
        BeforeValidator(_listed),
        Field(min_length=1, max_length=10),
    ] = [0.0, 0.4, 0.8]
    """The first one, and the next ones while the text repeats itself; partials take 0."""
    sample_len: int | None = Field(None, ge=1, le=224)
    """Tokens at most."""
    best_of: int | None = Field(None, ge=1, le=16)
    """Samples of which the likeliest is taken; wants temperatures above 0."""
    length_penalty: float | None = Field(None, ge=0, le=1)
    prefix: str | None = Field(None, max_length=1000)
    """What every text begins with."""
    suppress_tokens: Annotated[
        list[Annotated[int, Field(ge=-1, lt=TOKENS)]], BeforeValidator(_numbers)
    ] = [-1]
    """Tokens that are never written; -1 stands for those of no speech."""
    suppress_blank: bool = True
    without_timestamps: bool = False
    max_initial_timestamp: float | None = Field(1.0, ge=0, le=30)
    """Seconds before which the text begins."""


def checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are set, each in its one form. Raises `EngineError`."""
    if unknown := sorted(options.keys() - Options.model_fields.keys()):
        names = ", ".join(Options.model_fields)
        raise EngineError(
            f"mlx_whisper has no option {unknown[0]!r} (transcription.options): it has {names}"
        )
    try:
        valid = Options.model_validate(dict(options))
    except ValidationError as error:
        raise EngineError(f"transcription.options: {faults(error)}") from error
    if valid.best_of is not None and 0 in valid.temperature:
        raise EngineError(
            "transcription.options.best_of wants temperatures above 0: at 0 all samples are the "
            'same; say "temperature": 0.4 too'
        )
    return valid.model_dump(exclude_unset=True)
