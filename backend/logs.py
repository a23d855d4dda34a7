"""The log: a line an event, as text or as JSON, to standard error."""

import json
import logging
import sys
from datetime import UTC, datetime

from backend.settings import Settings


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class PlainLines(logging.Formatter):
    """One line each: what a client sent can't begin another that looks like the server's own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return super().formatMessage(record).translate(CONTROLS)


CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}


def set_up(settings: Settings) -> None:
    """Send the log where the settings say, in their form."""
    writer = logging.StreamHandler(sys.stderr)
    if settings.log_format == "json":
        writer.setFormatter(JsonLines())
    else:
        writer.setFormatter(
            PlainLines("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")
        )
    logging.basicConfig(level=settings.log_level, handlers=[writer], force=True)
    for chatty in ("httpx", "httpx2", "httpcore", "hypercorn.error", "numba"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
