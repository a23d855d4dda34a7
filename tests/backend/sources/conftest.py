from tests.backend.sources.made_up import fake
from tests.backend.sources.plugged import plugged
from tests.virtual_microphone import virtual_microphone

__all__ = ["fake", "plugged", "virtual_microphone"]
