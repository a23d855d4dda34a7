"""``stt-server``: serve, transcribe a file, list devices and profiles, play the demo."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from backend import logs
from backend.settings import BadSettings, Settings, add_flags, load
from common import VERSION

OK, FAILED, MISUSED = 0, 1, 2
"""Exit codes: all went well; it could not be done; the command line or the environment is wrong."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    given = _parser().parse_args(_with_command(sys.argv[1:] if arguments is None else arguments))
    flags = {name: getattr(given, name, None) for name in Settings.model_fields}
    try:
        settings = load(os.environ, flags)
    except BadSettings as error:
        print(f"stt-server: {error}", file=sys.stderr)
        return MISUSED
    logs.set_up(settings)
    code: int = given.run(settings, given)
    return code


def script() -> NoReturn:
    """Run the command line and end the process with its exit code.

    All is closed by then. What is left out are C++'s last rites: with MLX loaded they aborted
    1 of 36 processes ("terminate called without an active exception").
    """
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _with_command(arguments: Sequence[str]) -> list[str]:
    """``serve`` is what is meant when no command is named."""
    named = bool(arguments) and (
        not arguments[0].startswith("-") or arguments[0] in ("-h", "--help", "--version")
    )
    return list(arguments) if named else ["serve", *arguments]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stt-server", description="A realtime speech-to-text server."
    )
    parser.add_argument("--version", action="version", version=f"stt-server {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    serve = commands.add_parser("serve", help="serve (what is done when no command is given)")
    add_flags(serve)
    serve.set_defaults(run=_serve)

    read = commands.add_parser("transcribe", help="print what is said in an audio file")
    read.add_argument("file", type=Path)
    _add_engine(read)
    read.add_argument("--language", help="ISO 639 code such as en; left out, it is detected")
    read.set_defaults(run=_transcribe)

    devices = commands.add_parser("devices", help="list the input devices")
    devices.set_defaults(run=_devices)

    profiles = commands.add_parser("profiles", help="list the profiles")
    profiles.set_defaults(run=_profiles)

    demo = commands.add_parser("demo", help="play a recording to a server and watch it live")
    demo.add_argument("file", type=Path)
    _add_engine(demo)
    demo.add_argument("--language", help="ISO 639 code such as en; left out, it is detected")
    demo.add_argument("--about", default="", help="a line to print about the recording")
    demo.set_defaults(run=_demo)
    return parser


def _add_engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", default="auto", help="auto, mlx_whisper or pocketsphinx")
    parser.add_argument("--model", help="a model's name or folder")


def _serve(settings: Settings, given: argparse.Namespace) -> int:
    from backend.serve import PortTaken, run

    try:
        run(settings)
    except PortTaken as error:
        print(f"stt-server: {error}", file=sys.stderr)
        return FAILED
    return OK


def _transcribe(settings: Settings, given: argparse.Namespace) -> int:
    from backend.transcribe import transcribe_file

    wishes = {"engine": given.engine, "model": given.model, "language": given.language}
    return asyncio.run(transcribe_file(settings, given.file, wishes))


def _devices(settings: Settings, given: argparse.Namespace) -> int:
    from backend.sources import SourceError
    from backend.sources.microphone import devices

    try:
        found = devices()
    except SourceError as error:
        print(f"stt-server: {error}", file=sys.stderr)
        return FAILED
    for device in found:
        mark = "*" if device.default else " "
        print(f"{mark} {device.id:3} {device.name} ({device.channels} ch, {device.sample_rate} Hz)")
    return OK


def _profiles(settings: Settings, given: argparse.Namespace) -> int:
    from backend.profiles import summaries

    listed = summaries(settings.profiles_dir, settings.default_profile)
    for profile in listed.profiles:
        mark = "*" if profile.name == listed.default else " "
        print(f"{mark} {profile.name:20} {profile.description}")
    return OK


def _demo(settings: Settings, given: argparse.Namespace) -> int:
    from backend.demo import play

    wishes: dict[str, Any] = {
        "engine": given.engine,
        "model": given.model,
        "language": given.language,
    }
    return asyncio.run(play(given.file, wishes, given.about))


if __name__ == "__main__":
    script()
