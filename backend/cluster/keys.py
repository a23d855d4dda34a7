"""What the cluster's keys in Redis are called, and when nobody answers for them."""

from dataclasses import dataclass

BLOCK = 2.0
"""Seconds that a read waits for something new; the connection's own limit is longer."""
PAUSE = 0.5
"""Seconds after which Redis is tried anew."""


@dataclass(frozen=True)
class Keys:
    """All begin with the prefix and the cluster's name."""

    prefix: str
    """Such as ``stt:studio``."""

    @property
    def events(self) -> str:
        """The stream of durable events; an entry's id is ``SEQ-0``."""
        return f"{self.prefix}:events"

    @property
    def live(self) -> str:
        """The channel of what isn't durable."""
        return f"{self.prefix}:live"

    @property
    def jobs(self) -> str:
        """The stream of recordings to be read, and its consumer group's place."""
        return f"{self.prefix}:jobs"

    def told(self, origin: str) -> str:
        """The number of the last event that one life of a server has added."""
        return f"{self.prefix}:told:{origin}"

    def audio(self, job: str) -> str:
        """A job's recording. Once it is gone nobody waits for the job any more."""
        return f"{self.prefix}:job:{job}:audio"

    def answer(self, job: str) -> str:
        """A list whose one item is what a job came to."""
        return f"{self.prefix}:job:{job}:answer"
