"""Who is told everything? A frame goes to their sockets at once, one after another.

To ask a subscription, its outlet, the wire and the transport takes Python about as long as the
kernel takes to send. Whoever had nothing waiting and nothing in the way is remembered with their
socket's own `send` alone, until something changes: then they are asked again.
"""

from collections.abc import Callable, Sequence

from backend.subscription import Several, Subscription, Told


class Audience:
    """Subscriptions that may want any event. On the loop only."""

    def __init__(self, behind: Callable[[Subscription], None]) -> None:
        """Begin with nobody.

        Args:
            behind: is told of each for whom an event waits.

        """
        self._behind = behind
        self._asked: set[Subscription] = set()
        self._sends: dict[Subscription, Callable[[bytes], int]] = {}

    def __len__(self) -> int:
        return len(self._asked) + len(self._sends)

    def add(self, subscription: Subscription) -> None:
        self._asked.add(subscription)
        subscription.audience = self

    def discard(self, subscription: Subscription) -> None:
        self._asked.discard(subscription)
        self._sends.pop(subscription, None)
        subscription.audience = None

    def ask(self, subscription: Subscription) -> None:
        """Ask it from now on, before anything is written to it."""
        if self._sends.pop(subscription, None):
            self._asked.add(subscription)

    def tell(self, told: Sequence[Told]) -> None:
        """Tell events, in order, to everyone who wants them."""
        several = Several(encoded for _, encoded in told)
        asked = tuple(self._asked)
        if self._sends:
            self._write(several.frame)
        alone = told[0] if len(told) == 1 else None
        for subscription in asked:
            waits = subscription.offer(*alone) if alone else subscription.offer_all(told, several)
            if waits:
                self._behind(subscription)
            elif send := subscription.send():
                self._asked.discard(subscription)
                self._sends[subscription] = send

    def _write(self, frame: bytes) -> None:
        size, short = len(frame), []
        for subscription, send in self._sends.items():
            # Nothing else is done for an event and a client, as long as all goes well.
            try:
                sent = send(frame)
            except OSError:  # It takes no more, or it is gone, of which its transport learns.
                sent = 0
            if sent != size:
                short.append((subscription, sent))
        for subscription, sent in short:
            self.ask(subscription)
            subscription.finish(frame[sent:])
