"""What a server has done, for Prometheus: Toxiproxy's two counters under their names, and ours."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from chaos.proxy.dose import Stream
from chaos.proxy.edge import Edge

_EDGE = ["direction", "proxy", "listener", "upstream"]
_PROXY = ["proxy"]
_TOXIC = ["proxy", "type", "stream"]
_FAULT = ["experiment", "service", "fault"]
"""The experiment is not known here; the edge stands in its place."""


class _Edges(Collector):
    def __init__(self, edges: Iterable[Edge]) -> None:
        self._edges = edges

    def collect(self) -> Iterator[Metric]:
        yield from self._traffic()
        yield from self._connections()
        yield from self._met()
        yield self._faults()

    def _traffic(self) -> Iterator[Metric]:
        received = CounterMetricFamily(
            "toxiproxy_proxy_received_bytes", "Bytes taken from sockets.", labels=_EDGE
        )
        sent = CounterMetricFamily(
            "toxiproxy_proxy_sent_bytes", "Bytes handed to sockets.", labels=_EDGE
        )
        for edge in self._edges:
            for stream in Stream:
                labels = [stream.value, edge.name, edge.listen, str(edge.upstream)]
                received.add_metric(labels, edge.traffic[stream].received)
                sent.add_metric(labels, edge.traffic[stream].sent)
        yield received
        yield sent

    def _connections(self) -> Iterator[Metric]:
        open_now = GaugeMetricFamily(
            "baluarte_proxy_connections", "Connections that are open.", labels=_PROXY
        )
        enabled = GaugeMetricFamily(
            "baluarte_proxy_enabled", "1 while the proxy listens.", labels=_PROXY
        )
        accepted = CounterMetricFamily(
            "baluarte_proxy_accepted", "Connections that came in.", labels=_PROXY
        )
        refused = CounterMetricFamily(
            "baluarte_proxy_refused", "Connections over the limit.", labels=_PROXY
        )
        for edge in self._edges:
            open_now.add_metric([edge.name], len(edge.links))
            enabled.add_metric([edge.name], edge.enabled)
            accepted.add_metric([edge.name], edge.accepted)
            refused.add_metric([edge.name], edge.refused)
        yield from (open_now, enabled, accepted, refused)

    def _met(self) -> Iterator[Metric]:
        connections = CounterMetricFamily(
            "baluarte_proxy_toxic_connections", "Connections that met a toxic.", labels=_TOXIC
        )
        data = CounterMetricFamily(
            "baluarte_proxy_toxic_bytes", "Bytes that met a toxic.", labels=_TOXIC
        )
        for edge in self._edges:
            for (kind, stream), count in edge.met_connections.items():
                connections.add_metric([edge.name, kind, stream.value], count)
                data.add_metric([edge.name, kind, stream.value], edge.met_bytes[kind, stream])
        yield connections
        yield data

    def _faults(self) -> Metric:
        """As every owner of faults tells them. One that has met nothing vanishes with its end."""
        active = GaugeMetricFamily("chaos_fault_active", "Faults in place", labels=_FAULT)
        for edge in self._edges:
            places = Counter(dose.toxic.kind for dose in edge.doses)
            for kind in sorted({*places, *(kind for kind, _ in edge.met_connections)}):
                active.add_metric([edge.name, _target(edge), kind], places[kind])
            active.add_metric([edge.name, _target(edge), "down"], not edge.enabled)
        return active


def _target(edge: Edge) -> str:
    """What the edge leads to, by its name: `ledger` for `transactions-ledger`."""
    return re.sub(r"-[0-9]+\Z", "", edge.name).rpartition("-")[2]


def exposition(edges: Iterable[Edge]) -> bytes:
    """All metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Edges(edges))
    return generate_latest(registry)
