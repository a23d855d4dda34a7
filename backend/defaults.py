"""With which settings something begins: a profile, what `configure` was told, one's own changes."""

from collections.abc import Mapping
from typing import Any

from backend import profiles
from backend.settings import Settings
from backend.tuning import changed
from common.profile import Profile


class Defaults:
    """What begins from now on has them, whether a session or a recording that is read."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._configured: dict[str, Any] = {}

    def resolve(self, name: str | None, changes: Mapping[str, Any]) -> tuple[str, Profile]:
        """Return a profile's name and its settings with the changes laid over them.

        In between lies what `configure` was told. Raises `Problem` 404 or 400.
        """
        name = self._settings.default_profile if name is None else name
        profile = profiles.find(name, self._settings.profiles_dir)
        profile = changed(profile, {"transcription": self._configured})
        return name, changed(profile, changes)

    def configure(self, given: Mapping[str, Any], answered: Profile) -> None:
        """Keep, of the settings that were answered, those of the transcription that were given.

        With an engine go its model and options, and with a fallback its model.
        """
        names = {*given}
        if "engine" in given:
            names |= {"model", "options"}
        if "fallback" in given:
            names.add("fallback_model")
        self._configured |= answered.transcription.model_dump(include=names)
