"""A TCP proxy that does harm on purpose, driven by Toxiproxy's HTTP API. docs/chaos.md tells how.

async with serving(port=0) as server:
    ...  # server.url is what a client of Toxiproxy needs
"""

from chaos.proxy.edge import Options
from chaos.proxy.errors import ApiError
from chaos.proxy.limits import Limits
from chaos.proxy.messages import NewProxy
from chaos.proxy.serve import DEFAULT_PORT, ProxyServer, serving

__all__ = [
    "DEFAULT_PORT",
    "ApiError",
    "Limits",
    "NewProxy",
    "Options",
    "ProxyServer",
    "serving",
]
