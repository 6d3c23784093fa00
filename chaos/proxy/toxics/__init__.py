"""The toxics, one file each. A new toxic is one new file and one line here."""

from typing import Final

from chaos.proxy.toxics.bandwidth import Bandwidth
from chaos.proxy.toxics.latency import Latency
from chaos.proxy.toxics.limit_data import LimitData
from chaos.proxy.toxics.reset_peer import ResetPeer
from chaos.proxy.toxics.slicer import Slicer
from chaos.proxy.toxics.slow_close import SlowClose
from chaos.proxy.toxics.timeout import Timeout
from chaos.proxy.toxics.toxic import Toxic

REGISTRY: Final[dict[str, type[Toxic]]] = {
    toxic.kind: toxic
    for toxic in (Latency, Bandwidth, SlowClose, Timeout, Slicer, LimitData, ResetPeer)
}
"""Every toxic by the name that the API knows it by."""

__all__ = ["REGISTRY"]
