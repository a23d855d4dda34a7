"""``stt-console``: the terminal program."""

import argparse
import os
import sys
from collections.abc import Sequence

import common
from tui.servers import address


def main(argv: Sequence[str] | None = None) -> int:
    """Run the console; return 0, 1 when the server could not be had, 2 for bad arguments."""
    options = _parser().parse_args(argv)
    if options.plain or options.json or not _has_screen():
        from tui.plain import listen

        return listen(
            options.url,
            options.token,
            once=options.once,
            patience=options.wait,
            as_json=options.json,
        )

    from tui.app import Console
    from tui.settings import path

    console = Console(options.url, options.token, config=path())
    console.run()
    return console.return_code or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stt-console",
        description="Watch and steer a realtime speech-to-text server.",
        epilog="Exit codes: 0 done; 1 the server could not be had, refused, or its listening "
        "failed (when printing); 2 bad arguments.",
    )
    parser.add_argument(
        "--url",
        type=_url,
        default=os.environ.get("STT_CONSOLE_URL") or "http://127.0.0.1:8000",
        help="the server's address (STT_CONSOLE_URL; default http://127.0.0.1:8000)",
    )
    parser.add_argument(
        "--token",
        type=_token,
        default=os.environ.get("STT_CONSOLE_TOKEN") or None,
        help="the server's token (STT_CONSOLE_TOKEN)",
    )
    parser.add_argument(
        "--plain",
        action="store_true",
        help="print one line per final; so it is without a terminal, too",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one event per line, as JSON: all but levels",
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="when printing lines: start with those the server remembers, "
        "and exit when its listening ends",
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="when printing lines: give up on a server that doesn't answer (default 10)",
    )
    parser.add_argument("--version", action=_TellVersion, nargs=0, help="tell the version")
    return parser


class _TellVersion(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:

        print(f"{parser.prog} {common.VERSION}")
        parser.exit()


def _url(text: str) -> str:
    try:
        return address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _token(text: str) -> str | None:
    if not text.isascii() or not text.isprintable():
        raise argparse.ArgumentTypeError("a token holds printable ASCII characters only")
    return text.strip() or None


def _has_screen() -> bool:
    # Textual reads keys from stdin and draws on stderr; lines would go to stdout.
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return os.environ.get("TERM") not in ("", "dumb") and all(one.isatty() for one in streams)


if __name__ == "__main__":
    sys.exit(main())
