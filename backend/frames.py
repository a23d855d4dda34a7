"""A client's WebSocket frames, read one by one where they are plain. Pure.

Plain is what nearly all of them are: a whole message that isn't compressed, not longer than
`LONGEST`, a ping or a pong. What is anything else, or against RFC 6455, is left to wsproto.
"""

try:
    from websockets.speedups import apply_mask
except ImportError:  # A platform without the compiled module.
    from websockets.utils import apply_mask

TEXT, BINARY, PING, PONG = 0x81, 0x82, 0x89, 0x8A
"""First bytes of plain frames: the last of their message, nothing reserved in use."""
PLAIN = frozenset((TEXT, BINARY, PING, PONG))
LONGEST = 0xFFFF
"""Bytes of the longest content that is read here: two seconds of sound at 16 kHz."""

MASKED, LENGTH = 0x80, 0x7F
SHORT, TWO_BYTES = 125, 126


class NotPlain(Exception):
    """The next frame has to be read by somebody else."""


def first(data: bytes, begin: int = 0) -> tuple[int, bytes, int] | None:
    """Return a frame's first byte, its content, unmasked, and where the next one begins.

    None while it isn't all there. Raises `NotPlain`, as soon as that can be known.

    Args:
        data: bytes of a client.
        begin: where in them the frame begins.

    """
    if len(data) < begin + 2:
        return None
    kind, length = data[begin], data[begin + 1]
    if kind not in PLAIN or not length & MASKED:
        raise NotPlain
    length &= LENGTH
    mask = begin + 2
    if length > SHORT:
        if length > TWO_BYTES or kind >= PING:
            raise NotPlain
        mask += 2
        length = int.from_bytes(data[begin + 2 : mask], "big")
        if length <= SHORT and len(data) >= mask:
            raise NotPlain  # It would have fit into one byte, so it must.
    content = mask + 4
    end = content + length
    if len(data) < end or len(data) < content:
        return None
    return kind, apply_mask(data[content:end], data[mask:content]), end
