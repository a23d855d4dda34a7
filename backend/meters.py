"""How well it goes: what `/metrics` tells in Prometheus' text format.

Histograms are filled as things happen; everything else is read from the parts when asked for.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from backend.parts import Parts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30)
FACTORS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 5)
HISTORY_STATES = ("on", "off", "failing")
STATES = ("unloaded", "loading", "ready", "failed")


class Meters:
    """The histograms, and the registry they are in."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._final = self._histogram(
            "stt_final_latency_seconds", "From the end of speech to its final", SECONDS
        )
        self._partial = self._histogram(
            "stt_partial_latency_seconds", "From the newest sound to a partial of it", SECONDS
        )
        self._factor = self._histogram(
            "stt_real_time_factor", "Seconds of the engine for a second of speech", FACTORS
        )

        self._refused = Counter(
            "stt_refused", "Texts not believed", ["reason"], registry=self.registry
        )

    def transcribed(self, latency: float | None, *, is_final: bool) -> None:
        """Count a transcription told, with its seconds of latency if they are known."""
        if latency is not None:
            (self._final if is_final else self._partial).observe(latency)

    def refused(self, reason: str) -> None:
        """Count a text that the engine wrote and nobody said."""
        self._refused.labels(reason).inc()

    def worked(self, factor: float) -> None:
        """Count a final's real-time factor."""
        self._factor.observe(factor)

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, what, buckets=buckets, registry=self.registry)


class _Reader(Collector):
    """Reads what is now."""

    def __init__(self, parts: "Parts") -> None:
        self._parts = parts

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        here, bus, sessions = self._parts, self._parts.bus, self._parts.sessions
        yield GaugeMetricFamily("stt_uptime_seconds", "Since the start", here.uptime)
        yield GaugeMetricFamily("stt_connections", "Event stream clients", bus.connections)
        yield GaugeMetricFamily(
            "stt_client_queue_depth", "Events that wait for the slowest client", bus.depth
        )
        yield GaugeMetricFamily("stt_sessions", "Sessions that listen", len(sessions.all))
        yield GaugeMetricFamily("stt_listening", "The server's own", int(sessions.main is not None))
        yield CounterMetricFamily("stt_events", "Durable events told", bus.seq - bus.first)
        dropped = CounterMetricFamily(
            "stt_dropped", "What was not told because newer took its place", labels=["kind"]
        )
        dropped.add_metric(["level"], bus.dropped.levels)
        dropped.add_metric(["partial"], bus.dropped.partials)
        yield dropped
        yield CounterMetricFamily(
            "stt_slow_clients", "Clients closed because they did not read", bus.dropped.slow_clients
        )
        yield CounterMetricFamily("stt_lost_seconds", "Sound dropped", sessions.lost_seconds)
        yield CounterMetricFamily(
            "stt_overruns", "Blocks before which the audio system lost sound", sessions.overruns
        )
        yield from self._history()
        yield from self._sinks()
        yield from self._cluster()
        yield from self._engines()

    def _history(self) -> Iterable[Metric]:
        history = self._parts.history
        now = history.status()
        states = GaugeMetricFamily("stt_history_state", "1 is the state", labels=["state"])
        for one in HISTORY_STATES:
            states.add_metric([one], int(one == now.state))
        yield states
        yield CounterMetricFamily("stt_history_written", "What was committed", history.written)
        yield CounterMetricFamily("stt_history_lost", "What was not written", now.lost)
        yield GaugeMetricFamily("stt_history_waiting", "What waits to be written", now.waiting)
        yield GaugeMetricFamily("stt_history_bytes", "Disk in use, sound included", now.bytes)

    def _sinks(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("stt_sink_up", "1 while it takes finals", labels=["sink"])
        lag = GaugeMetricFamily("stt_sink_lag", "Finals that wait for it", labels=["sink"])
        delivered = CounterMetricFamily("stt_sink_delivered", "Finals delivered", labels=["sink"])
        letters = GaugeMetricFamily("stt_sink_letters", "Finals it did not take", labels=["sink"])
        for one in self._parts.sinks.status():
            up.add_metric([one.name], int(one.state == "up"))
            lag.add_metric([one.name], one.lag)
            delivered.add_metric([one.name], one.delivered)
            letters.add_metric([one.name], one.letters)
        yield from (up, lag, delivered, letters)

    def _cluster(self) -> Iterable[Metric]:
        cluster = self._parts.cluster
        if cluster is None:
            return
        now = cluster.status()
        yield GaugeMetricFamily(
            "stt_cluster_up", "1 while Redis is reached", int(now.state == "up")
        )
        yield GaugeMetricFamily("stt_cluster_waiting", "Events that wait for Redis", now.waiting)
        yield CounterMetricFamily("stt_cluster_lost", "Events not told, no finals", now.lost)
        yield GaugeMetricFamily("stt_cluster_jobs", "Recordings of the cluster in hand", now.jobs)
        if now.round_trip is not None:
            yield GaugeMetricFamily(
                "stt_cluster_round_trip_seconds",
                "Of the newest event, to Redis and back",
                now.round_trip,
            )

    def _engines(self) -> Iterable[Metric]:
        labels = ["engine", "model"]
        depth = GaugeMetricFamily("stt_queue_depth", "Requests that wait", labels=labels)
        finals = CounterMetricFamily("stt_finals", "Finals read", labels=labels)
        replaced = CounterMetricFamily(
            "stt_partials_replaced", "Partials that newer ones made moot", labels=labels
        )
        state = GaugeMetricFamily("stt_model_state", "1 is the state", labels=[*labels, "state"])
        for taken in self._parts.desks.all:
            desk = taken.desk
            names = [desk.engine.name, desk.engine.model]
            depth.add_metric(names, desk.queue_depth)
            finals.add_metric(names, desk.finals_done)
            replaced.add_metric(names, desk.partials_replaced)
            for one in STATES:
                state.add_metric([*names, one], int(one == desk.state))
        yield from (depth, finals, replaced, state)


def exposition(parts: "Parts") -> bytes:
    """Return everything in Prometheus' text format."""
    now = CollectorRegistry()
    now.register(_Reader(parts))
    return generate_latest(parts.meters.registry) + generate_latest(now)
