"""``stt-server``: serve, transcribe a file, list devices, profiles and models, keep a service."""

import argparse
import asyncio
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, NoReturn

from backend import logs
from backend.settings import BadSettings, Settings, add_flags, load
from common import VERSION

OK, FAILED, MISUSED = 0, 1, 2
"""Exit codes: all went well; it could not be done; the command line or the environment is wrong."""
SIGNALED = 128
"""Plus the number of the signal that ended it: what shells make of it."""
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HURRY = 3.0
"""Seconds that threads have to end after a signal, where there is nothing to be finished."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    given = _parser().parse_args(_with_command(sys.argv[1:] if arguments is None else arguments))
    flags = {name: getattr(given, name, None) for name in Settings.model_fields}
    try:
        settings = load(given.environment, flags)
    except BadSettings as error:
        if given.run is _doctor:
            return _examine(Settings(), given, str(error))
        print(f"stt-server: {error}", file=sys.stderr)
        return MISUSED
    logs.set_up(settings)
    try:
        code: int = given.run(settings, given)
    except KeyboardInterrupt:
        return SIGNALED + signal.SIGINT
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
    parser.set_defaults(environment=os.environ)
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

    models = commands.add_parser("models", help="list, download and delete models")
    actions = models.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list the models, those that are here first")
    listing.set_defaults(run=_list_models)
    pull = actions.add_parser("pull", help="download a model; goes on where it was stopped")
    pull.add_argument("name", help="such as tiny, large-v3-turbo or mlx-community/whisper-tiny")
    pull.set_defaults(run=_pull_model)
    remove = actions.add_parser("rm", help="delete a downloaded model")
    remove.add_argument("name", help="a name as the list has it")
    remove.set_defaults(run=_remove_model)

    doctor = commands.add_parser("doctor", help="look at what the server needs of this machine")
    doctor.add_argument("--json", action="store_true", help="print the report as JSON")
    add_flags(doctor)
    doctor.set_defaults(run=_doctor)

    from backend.service.command import add_commands

    service = commands.add_parser("service", help="have launchd or systemd keep the server running")
    add_commands(service, _keep)

    demo = commands.add_parser("demo", help="play a recording to a server and watch it live")
    demo.add_argument("file", type=Path)
    _add_engine(demo)
    demo.add_argument("--language", help="ISO 639 code such as en; left out, it is detected")
    demo.add_argument("--about", default="", help="a line to print about the recording")
    # What the user set is for a server of the user's own.
    demo.set_defaults(run=_demo, environment={})
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
    return asyncio.run(_until_signaled(transcribe_file(settings, given.file, wishes), HURRY))


def _devices(settings: Settings, given: argparse.Namespace) -> int:
    from backend.sources import SourceError
    from backend.sources.portaudio import devices

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


def _list_models(settings: Settings, given: argparse.Namespace) -> int:
    from backend.models import list_models

    return list_models()


def _pull_model(settings: Settings, given: argparse.Namespace) -> int:
    from backend.models import pull

    return pull(given.name)


def _remove_model(settings: Settings, given: argparse.Namespace) -> int:
    from backend.models import remove

    return remove(given.name)


def _doctor(settings: Settings, given: argparse.Namespace) -> int:
    return _examine(settings, given)


def _keep(settings: Settings, given: argparse.Namespace) -> int:
    from backend.service.command import act

    return act(settings, given)


def _examine(settings: Settings, given: argparse.Namespace, bad_settings: str = "") -> int:
    from backend.doctor import Doctor
    from backend.report import lines

    report = Doctor(settings, bad_settings).examine()
    if given.json:
        print(report.model_dump_json(indent=2))
    else:
        for line in lines(report, shutil.get_terminal_size().columns, sys.stdout.encoding):
            print(line)
    return OK if report.healthy else FAILED


def _demo(settings: Settings, given: argparse.Namespace) -> int:
    from backend.demo import play

    wishes: dict[str, Any] = {
        "engine": given.engine,
        "model": given.model,
        "language": given.language,
    }
    return asyncio.run(_until_signaled(play(given.file, wishes, given.about)))


async def _until_signaled(work: Coroutine[Any, Any, int], patience: float | None = None) -> int:
    """Return the work's exit code, or the signal's if one broke it off.

    Args:
        work: what is cancelled once, however many signals come.
        patience: seconds after which the process ends whatever still holds it.

    """
    task = asyncio.ensure_future(work)
    told: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        if told:
            return
        told.append(number)
        task.cancel()
        if patience is not None:
            _exit_after(patience, SIGNALED + number)

    _on_signals(end)
    try:
        code = await task
    except asyncio.CancelledError:
        code = FAILED
    return SIGNALED + told[0] if told else code


def _on_signals(end: Callable[[signal.Signals], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in ENDING:
        # nohup has it ignored, which is to stay so.
        if signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, end, number)


def _exit_after(seconds: float, code: int) -> None:
    last_resort = threading.Timer(seconds, os._exit, [code])
    last_resort.daemon = True
    last_resort.start()


if __name__ == "__main__":
    script()
