"""A real platform, reached over the wire by its roster."""

from chaos.explore.wire.platform import WirePlatform, reach

__all__ = ["WirePlatform", "reach"]
