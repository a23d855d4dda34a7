"""The log: a line an event, as text or as JSON, to standard error."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from backend.front import NUMBER
from backend.settings import Settings


class Stamp(logging.Filter):
    """Writes on each line whose it is: a request's, a session's, or nobody's."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request = NUMBER.get()
        record.session = getattr(record, "session", "")
        return True


def of_session(log: logging.Logger, session_id: str) -> "logging.LoggerAdapter[logging.Logger]":
    """Return a log whose lines are a session's."""
    return logging.LoggerAdapter(log, {"session": session_id})


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for whose in ("request", "session"):
            if name := getattr(record, whose, ""):
                line[whose] = name
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class PlainLines(logging.Formatter):
    """One line each: what a client sent can't begin another that looks like the server's own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        session, request = getattr(record, "session", ""), getattr(record, "request", "")
        record.before = f"session {session}: " if session else ""
        record.after = f" [{request}]" if request else ""
        return super().formatMessage(record).translate(CONTROLS)


CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}


def set_up(settings: Settings) -> None:
    """Send the log where the settings say, in their form."""
    writer = logging.StreamHandler(sys.stderr)
    if settings.log_format == "json":
        writer.setFormatter(JsonLines())
    else:
        writer.setFormatter(
            PlainLines(
                "%(asctime)s %(levelname)-7s %(before)s%(message)s%(after)s", "%Y-%m-%d %H:%M:%S"
            )
        )
    writer.addFilter(Stamp())
    logging.basicConfig(level=settings.log_level, handlers=[writer], force=True)
    for chatty in ("httpx", "httpx2", "httpcore", "hypercorn.error", "numba"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
