"""``stt-server service install|uninstall|status|logs``."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from backend.service import File, Keeper, ServiceError
from backend.service.variables import gathered
from backend.settings import Settings, add_flags

Question = Callable[[str], bool]


def add_commands(parser: argparse.ArgumentParser, run: object) -> None:
    """Give the parser of ``service`` its actions, each of which is done by `act`."""
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    install = actions.add_parser(
        "install",
        help="write a service, and start it now and from now on",
        description="The variables STT_SERVER_… and the keys that are set now, and the flags given "
        "here, are what it starts with: they go into a file that only its owner may read.",
    )
    install.add_argument("--dry-run", action="store_true", help="print what would be written")
    install.add_argument("--force", action="store_true", help="replace a service that isn't ours")
    add_flags(install)
    install.set_defaults(run=run)
    uninstall = actions.add_parser("uninstall", help="stop it and remove it; data stays")
    uninstall.add_argument("--force", action="store_true", help="also one that isn't ours")
    status = actions.add_parser("status", help="how it does")
    logs = actions.add_parser("logs", help="the end of its log")
    logs.add_argument("--lines", type=int, default=100, metavar="N", help="how many; 100")
    logs.add_argument("--follow", action="store_true", help="go on with what comes")
    for action in (uninstall, status, logs):
        # What is set here is nothing to a service that is there.
        action.set_defaults(run=run, environment={})
    for action in (install, uninstall, status, logs):
        action.add_argument(
            "--system", action="store_true", help="the system's rather than the user's (Linux)"
        )


def act(settings: Settings, given: argparse.Namespace) -> int:
    """Do what was asked for; return the exit code."""
    try:
        return _act(keeper(system=given.system), settings, given)
    except ServiceError as error:
        print(f"stt-server: {error}", file=sys.stderr)
    except OSError as error:
        print(f"stt-server: {error.filename}: {error.strerror}", file=sys.stderr)
    return 1


def keeper(*, system: bool) -> Keeper:
    """Return who keeps services on this machine. Raises `ServiceError`."""
    if sys.platform == "darwin":
        from backend.service.launchd import Launchd

        return Launchd(system=system)
    if sys.platform == "linux":
        from backend.service.systemd import Systemd

        return Systemd(system=system)
    raise ServiceError(f"services are kept by launchd or systemd; {sys.platform} has neither")


def _act(keeper: Keeper, settings: Settings, given: argparse.Namespace) -> int:
    match given.action:
        case "install":
            flags = {name: getattr(given, name) for name in Settings.model_fields}
            files = keeper.files(settings, gathered(given.environment, flags))
            if given.dry_run:
                return show(files)
            return install(keeper, files, settings, sure if not given.force else _yes)
        case "uninstall":
            return uninstall(keeper, sure if not given.force else _yes)
        case "status":
            keeper.check()
            return keeper.status()
        case _:
            keeper.check()
            return keeper.logs(given.lines, follow=given.follow)


def show(files: list[File]) -> int:
    """Print what would be written, without what is secret."""
    for file in files:
        print(f"# {file.path} (mode {file.mode:04o})\n{file.shown or file.text}")
    return 0


def install(keeper: Keeper, files: list[File], settings: Settings, sure: Question) -> int:
    """Write the files and have the service started. Raises `ServiceError` or `OSError`."""
    keeper.check(installing=True)
    _refuse_strangers([file.path for file in files], sure)
    keeper.prepare(settings)
    for file in reversed(files):
        file.write()
        print(f"wrote {file.path}")
    keeper.start()
    print(f"started; `stt-server service status` and `logs` tell how it does.\n{keeper.advice}")
    return 0


def uninstall(keeper: Keeper, sure: Question) -> int:
    """Stop the service and remove its files. Raises `ServiceError` or `OSError`."""
    keeper.check()
    places = [path for path in keeper.places() if path.exists()]
    if not places:
        raise ServiceError("no service is installed; the system's is named with --system")
    _refuse_strangers(places, sure)
    keeper.stop()
    for path in places:
        path.unlink()
        print(f"removed {path}")
    keeper.forget()
    return 0


def _refuse_strangers(places: list[Path], sure: Question) -> None:
    for path in places:
        if not File(path, "").is_ours() and not sure(f"{path} is not ours. Go on with it?"):
            raise ServiceError(f"{path} was not written by this program; --force goes on with it")


def sure(question: str) -> bool:
    """Ask whoever sits there; nobody is no."""
    return sys.stdin.isatty() and input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def _yes(question: str) -> bool:
    return True
