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
from chassis.faults.contract import Labels

DOWN = "down"
"""The fault of a proxy that is not enabled."""

_EDGE = ["direction", "proxy", "listener", "upstream"]
_PROXY = ["proxy"]
_TOXIC = ["proxy", "type", "stream"]
_FAULT = ["experiment", "service", "fault"]
_Series = tuple[str, str, str]


class _Edges(Collector):
    def __init__(self, edges: Iterable[Edge]) -> None:
        self._edges = edges
        self._experiments = Labels()
        self._seen: set[_Series] = set()

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
        """As every owner of faults tells them: 0 at the end and not gone, while there is the edge."""
        active: Counter[_Series] = Counter()
        for edge in self._edges:
            target, label = _target(edge), self._experiments.of
            active[label(""), target, DOWN] += 0
            active[label(edge.down_by), target, DOWN] += not edge.enabled
            for dose in edge.doses:
                active[label(dose.experiment), target, dose.toxic.kind] += 1
        targets = {target for _, target, _ in active}
        self._seen = {fault for fault in self._seen if fault[1] in targets} | set(active)
        told = GaugeMetricFamily("chaos_fault_active", "Faults in place", labels=_FAULT)
        for fault in sorted(self._seen):
            told.add_metric(fault, active[fault])
        return told


def _target(edge: Edge) -> str:
    """What the edge leads to, by its name: `ledger` for `transactions-ledger`."""
    return re.sub(r"-[0-9]+\Z", "", edge.name).rpartition("-")[2]


class Exposition:
    """All metrics of `edges`, which may come and go, in Prometheus' text format."""

    def __init__(self, edges: Iterable[Edge]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Edges(edges))

    def page(self) -> bytes:
        """As it is now."""
        return generate_latest(self._registry)
