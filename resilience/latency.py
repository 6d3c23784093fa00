"""Quantiles of recent latencies, exact over the last samples and cheap to keep."""

__all__ = ["RecentLatency"]


class RecentLatency:
    """The last `size` latencies in seconds. Adding is O(1); a quantile sorts only now and then."""

    __slots__ = ("_position", "_quantiles", "_refresh", "_samples", "_since_refresh", "_size")

    def __init__(self, size: int = 128, refresh: int = 16) -> None:
        self._size = size
        #: A quantile may be as old as this many samples.
        self._refresh = refresh
        self._samples: list[float] = []
        self._position = 0
        self._since_refresh = 0
        self._quantiles: dict[float, float] = {}

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, seconds: float) -> None:
        """Remember one latency, forgetting the oldest when full."""
        if len(self._samples) < self._size:
            self._samples.append(seconds)
        else:
            self._samples[self._position] = seconds
            self._position = (self._position + 1) % self._size
        self._since_refresh += 1
        if self._since_refresh >= self._refresh:
            self._since_refresh = 0
            self._quantiles.clear()

    def quantile(self, q: float) -> float:
        """The latency that a share `q` of the samples stays within. Needs a sample."""
        known = self._quantiles.get(q)
        if known is None:
            ordered = sorted(self._samples)
            known = ordered[min(len(ordered) - 1, int(q * len(ordered)))]
            self._quantiles[q] = known
        return known
