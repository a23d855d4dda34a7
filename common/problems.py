"""What can go wrong between a client and its server.

* `ClientError`

  * `Unreachable`: no server answered there.

    * `Closed`: the client itself was closed.

  * `Refused`: the server answered with an error; says what was wrong and how to mend it.

    * `Unauthorized`: 401, no token or the wrong one.

  * `Broken`: what answered is no such server, or it broke off.
"""


class ClientError(Exception):
    """Base of everything that `common.client` raises for reasons outside the program."""


class Unreachable(ClientError):
    """No server answered at the address."""


class Closed(Unreachable):
    """The client was closed before or while it asked."""


class Broken(ClientError):
    """The answer made no sense, or the connection ended before it should."""


class Refused(ClientError):
    """The server said no."""

    def __init__(self, status_code: int, error: str, details: str) -> None:
        super().__init__(f"{error}: {details}" if details else error)
        self.status_code = status_code
        """The HTTP status."""
        self.error = error
        """What happened, in few words."""
        self.details = details
        """What was wrong, and how to mend it."""


class Unauthorized(Refused):
    """The token is missing or wrong."""


def refusal(status_code: int, body: str | bytes) -> Refused:
    """Return the exception for an error response, whatever its body is."""
    from common.api import Fault

    try:
        fault = Fault.model_validate_json(body)
    except ValueError:
        text = body.decode(errors="replace") if isinstance(body, bytes) else body
        fault = Fault(
            error=f"HTTP {status_code}", details=text[:200], status_code=status_code, timestamp=""
        )
    kind = Unauthorized if status_code == 401 else Refused
    return kind(status_code, fault.error, fault.details)
