from tests.backend.sources.made_up import fake
from tests.virtual_microphone import virtual_microphone

__all__ = ["fake", "virtual_microphone"]
