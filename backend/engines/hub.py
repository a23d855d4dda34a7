"""Bringing a model from the hub into its cache.

What an earlier download left is gone on with, and nothing counts before it has the hub's own
sum. The hub's client begins every download anew, and holds 10 MB back at a time: it is asked
what there is to bring and makes the cache's links; the bytes are brought here.
"""

import hashlib
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from backend.engines import Cancelled, EngineError
from backend.engines.models import HALF, WEIGHTS, cache_folder, place
from backend.engines.names import SHORT, NoSuchModel, meant

HUB_TIMEOUT = 5.0
"""Seconds without an answer after which the hub can't be reached."""
READ_TIMEOUT = 10.0
"""Seconds without a byte after which a download is taken for cut."""
TRIES = 5
"""How often a download that was cut is taken up again without a byte in between."""
PAUSE = 1.0
"""Seconds before it is."""
INSTALL = "pip install huggingface_hub"

_SUM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

Tell = Callable[[int], None]
"""Called with the bytes that are here."""


@dataclass(frozen=True)
class Piece:
    """A file of a model."""

    name: str
    url: str
    sum: str
    """The hub's own: SHA-256 of large files, git's SHA-1 of small ones; the blob's name, too."""
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Plan:
    """What is to be brought."""

    repository: str
    revision: str
    """The hub's commit, so that all files are of one state."""
    pieces: tuple[Piece, ...]

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(piece.size for piece in self.pieces)

    @property
    def blobs(self) -> Path:
        return place(self.repository) / "blobs"


def plan(name: str) -> Plan:
    """Ask the hub what a model is made of.

    Raises `NoSuchModel` for one the hub doesn't have, `EngineError` where it can't be asked.
    """
    try:
        from huggingface_hub import errors
    except ImportError as error:
        raise EngineError(f"models are downloaded with huggingface_hub: {INSTALL}") from error
    try:
        return _plan(name)
    except EngineError:
        raise
    except errors.RepositoryNotFoundError as error:
        raise NoSuchModel(
            f"the model hub has no public model {name!r}{meant(name)}: give transcription.model a "
            f"folder, one of {', '.join(SHORT)}, or another owner/name"
        ) from error
    except Exception as error:  # Whatever network, disk and hub come up with.
        raise EngineError(
            f"the model {name} is not in the cache and the model hub can't be reached: "
            f"{_first_line(error)}; give transcription.model a folder, or bring the model here "
            "once while there is a network"
        ) from error


def bring(plan: Plan, tell: Tell | None = None, stop: threading.Event | None = None) -> Path:
    """Download what is missing, check it, and return the model's folder.

    Args:
        plan: what to bring.
        tell: called as bytes come.
        stop: once it is set, the download ends with `Cancelled`; what came of it stays.

    Raises `EngineError`, after which what came stays, too.

    """
    stop = stop or threading.Event()
    try:
        plan.blobs.mkdir(parents=True, exist_ok=True)
        with _alone(plan):
            _refuse_too_large(plan)
            here = 0
            for piece in plan.pieces:
                _bring(piece, plan.blobs, _counting(tell, here), stop)
                here += piece.size
            return _link(plan)
    except OSError as error:
        raise EngineError(f"{plan.repository} can't be brought to {plan.blobs}: {error}") from error


def here(plan: Plan) -> int:
    """Return how many bytes of it are here already."""
    return sum(_here(piece, plan.blobs) for piece in plan.pieces)


def _plan(name: str) -> Plan:
    from huggingface_hub import HfApi, constants, get_hf_file_metadata, hf_hub_url

    if constants.HF_HUB_OFFLINE:
        raise ConnectionError("HF_HUB_OFFLINE forbids to ask it")
    # The hub's client itself waits minutes for a network that swallows packets.
    httpx.head(constants.ENDPOINT, timeout=HUB_TIMEOUT)
    found = HfApi().model_info(name, revision="main", timeout=HUB_TIMEOUT)
    names = {file.rfilename for file in found.siblings or ()}
    weights = next((file for file in WEIGHTS if file in names), None)
    if weights is None or "config.json" not in names or not found.sha:
        raise NoSuchModel(
            f"{name} is no Whisper model for MLX: it lacks config.json or "
            f"{' or '.join(WEIGHTS)}; take one of {', '.join(SHORT)}"
        )
    pieces = []
    for file in ("config.json", weights):
        url = hf_hub_url(name, file, revision=found.sha)
        told = get_hf_file_metadata(url, timeout=HUB_TIMEOUT)
        if not _SUM.fullmatch(told.etag or "") or told.size is None:
            raise ConnectionError(f"it doesn't tell the size and the sum of {file}")
        pieces.append(Piece(file, url, told.etag or "", told.size))
    return Plan(name, found.sha, tuple(pieces))


@contextmanager
def _alone(plan: Plan) -> Iterator[None]:
    """Keep other processes from writing to the same files."""
    from filelock import FileLock, Timeout

    locks = cache_folder() / ".locks" / place(plan.repository).name
    locks.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(locks / "pull.lock", timeout=0):
            yield
    except Timeout as error:
        raise EngineError(
            f"another process is downloading {plan.repository}: wait until it is done"
        ) from error


def _refuse_too_large(plan: Plan) -> None:
    missing, free = plan.total - here(plan), shutil.disk_usage(plan.blobs).free
    if missing > free:
        raise EngineError(
            f"{plan.repository} needs {missing / 1e9:.2f} GB more and {free / 1e9:.2f} GB are free "
            f"in {cache_folder()}: make room there, or let HF_HUB_CACHE name another folder"
        )


def _bring(piece: Piece, blobs: Path, tell: Tell, stop: threading.Event) -> None:
    whole, half = blobs / piece.sum, blobs / f"{piece.sum}{HALF}"
    if whole.is_file():
        if _is(whole, piece):
            return
        whole.replace(half)  # Cut off, most likely: what there is of it is gone on with.
    resumed = _size(half) > 0
    _download(piece, half, tell, stop)
    if resumed and not _is(half, piece):
        half.unlink()
        _download(piece, half, tell, stop)
    if not _is(half, piece):
        half.unlink()
        raise EngineError(f"{piece.name} came damaged from {piece.url}: try again later")
    half.replace(whole)


def _download(piece: Piece, half: Path, tell: Tell, stop: threading.Event) -> None:
    if _size(half) > piece.size:
        half.unlink()
    vain = 0
    while (had := _size(half)) < piece.size:
        fault = "the connection was closed"
        try:
            _stream(piece, half, tell, stop)
        except httpx.TransportError as error:
            fault = _first_line(error)
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in {408, 429, 500, 502, 503, 504}:
                raise EngineError(f"{piece.url}: {_first_line(error)}") from error
            fault = _first_line(error)
        if _size(half) >= piece.size:
            return
        vain = 0 if _size(half) > had else vain + 1
        if vain >= TRIES:
            raise EngineError(
                f"the download of {piece.name} was cut after {_size(half)} of {piece.size} bytes "
                f"({fault}): they are kept, and the next download goes on from there"
            )
        if stop.wait(PAUSE):
            raise Cancelled("the download was stopped")


def _stream(piece: Piece, half: Path, tell: Tell, stop: threading.Event) -> None:
    from huggingface_hub import get_token

    count = _size(half)
    headers = {"Accept-Encoding": "identity"}
    if token := get_token():
        headers["Authorization"] = f"Bearer {token}"  # Not sent on to where a redirect leads.
    if count:
        headers["Range"] = f"bytes={count}-"
    timeout = httpx.Timeout(HUB_TIMEOUT, read=READ_TIMEOUT)
    with httpx.stream(
        "GET", piece.url, headers=headers, timeout=timeout, follow_redirects=True
    ) as answer:
        answer.raise_for_status()
        count = count if answer.status_code == httpx.codes.PARTIAL_CONTENT else 0
        with half.open("ab" if count else "wb") as file:
            for chunk in answer.iter_raw():
                if stop.is_set():
                    raise Cancelled("the download was stopped")
                file.write(chunk)
                count += len(chunk)
                tell(count)


def _link(plan: Plan) -> Path:
    """Have the hub's client make the folder of links, and only then call it the newest."""
    from huggingface_hub import hf_hub_download

    for piece in plan.pieces:
        link = hf_hub_download(
            plan.repository,
            piece.name,
            revision=plan.revision,
            cache_dir=cache_folder(),
            etag_timeout=HUB_TIMEOUT,
        )
    newest = place(plan.repository) / "refs" / "main"
    newest.parent.mkdir(exist_ok=True)
    fresh = newest.with_name(f"main{HALF}")
    fresh.write_text(plan.revision)
    fresh.replace(newest)
    return Path(link).parent


def _counting(tell: Tell | None, before: int) -> Tell:
    return lambda count: tell(before + count) if tell else None


def _is(file: Path, piece: Piece) -> bool:
    """Whether a file has the size and the sum that the hub told."""
    if _size(file) != piece.size:
        return False
    with file.open("rb") as opened:
        if len(piece.sum) == 64:
            return hashlib.file_digest(opened, "sha256").hexdigest() == piece.sum
        blob = hashlib.sha1(b"blob %d\0" % piece.size, usedforsecurity=False)
        blob.update(opened.read())
    return blob.hexdigest() == piece.sum


def _here(piece: Piece, blobs: Path) -> int:
    return max(_size(blobs / piece.sum), _size(blobs / f"{piece.sum}{HALF}"))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
