"""How soon `/health` answers: after the process's start, while a model loads, and while it reads.

    python -m benchmarks.startup [--runs 10]

The peer beside it in each run is the smallest server of the same packages: a Quart application
with one route under Hypercorn. Prints medians and the worst, and the ratio of the medians.
"""

import argparse
import base64
import statistics
import subprocess
import sys
import time
from threading import Thread

import httpx

from tests.running import ROOT, TINY, running

PEER = """
import asyncio, sys
from hypercorn.asyncio import serve
from hypercorn.config import Config
from quart import Quart
app = Quart("peer")
@app.get("/health")
async def health():
    return {"status": "healthy"}
config = Config()
config.bind = ["127.0.0.1:%s" % sys.argv[1]]
asyncio.run(serve(app, config))
"""
PEER_PORT = 18_431
MODEL = {"transcription": {"engine": "mlx_whisper", "model": str(TINY), "language": "en"}}
SOUND = ROOT / "tests" / "sounds" / "demo.flac"
READINGS = 1


def until_healthy(url: str, began: float) -> float:
    """Return the seconds from `began` to the first answer."""
    while True:
        try:
            if httpx.get(f"{url}/health", timeout=5).is_success:
                return time.monotonic() - began
        except httpx.TransportError:
            time.sleep(0.005)


def ours() -> tuple[float, list[float], list[float]]:
    """Return the seconds to the first answer, of each while a model loads, and while it reads."""
    with running(wait=False) as server:
        server.wait_until_listening()
        first = until_healthy(server.url, server.began)
        loading = _answers(server.url, Thread(target=_load, args=(server.url,)))
        reading = _answers(server.url, Thread(target=_read, args=(server.url,)))
    return first, loading, reading


def _answers(url: str, meanwhile: Thread) -> list[float]:
    """Return how long each answer took while a thread ran."""
    answers: list[float] = []
    meanwhile.start()
    with httpx.Client() as client:
        while meanwhile.is_alive():
            began = time.monotonic()
            client.get(f"{url}/health", timeout=10)
            answers.append(time.monotonic() - began)
            time.sleep(0.002)
    meanwhile.join()
    return answers


def _load(url: str) -> None:
    _post(url, "transcription/configure", MODEL["transcription"])


def _read(url: str) -> None:
    """Have a recording's finals read back to back."""
    sound = base64.b64encode(SOUND.read_bytes()).decode()
    for _ in range(READINGS):
        _post(url, "transcription/transcribe", {"audio_data": sound, "words": True})


def _post(url: str, path: str, body: object) -> None:
    httpx.post(f"{url}/api/v1/{path}", json=body, timeout=120).raise_for_status()


def peer() -> float:
    """Return the seconds to the peer's first answer."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", PEER, str(PEER_PORT)], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    try:
        return until_healthy(f"http://127.0.0.1:{PEER_PORT}", began)
    finally:
        process.kill()
        process.wait()


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="How soon /health answers.")
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    ours()  # Fills the file cache and compiles, as every start but the first finds it.
    firsts, peers, answers, busy = [], [], list[float](), list[float]()
    for _ in range(runs):
        first, loading, reading = ours()
        firsts.append(first)
        answers += loading
        busy += reading
        peers.append(peer())

    def row(name: str, values: list[float]) -> str:
        places = (*(statistics.quantiles(values, n=100)[p - 1] for p in (50, 99)), max(values))
        return f"| {name} | {' | '.join(f'{seconds * 1000:.0f}' for seconds in places)} |"

    print("| milliseconds | p50 | p99 | worst |")
    print("|---|---|---|---|")
    print(row("process start to /health", firsts))
    print(row("the same of a bare Quart under Hypercorn", peers))
    print(row("/health while a model loads", answers))
    print(row("/health while finals are read back to back", busy))
    ratio = statistics.median(firsts) / statistics.median(peers)
    print(
        f"\n{ratio:.2f} times the bare Quart, over {runs} runs; {len(answers)} answers "
        f"in loading, {len(busy)} in reading"
    )
    return int(max(firsts) > 1.5)


if __name__ == "__main__":
    sys.exit(main())
