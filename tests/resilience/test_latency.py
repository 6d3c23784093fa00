"""Recent latencies: the last so many, and quantiles that are at most so many samples old."""

from resilience.latency import RecentLatency


def test_only_the_last_samples_count() -> None:
    """The oldest one is forgotten first, whatever its size."""
    latency = RecentLatency(size=3, refresh=1)
    samples = [5.0, 1.0, 4.0, 2.0, 9.0, 3.0, 8.0, 0.0]
    for number, sample in enumerate(samples, start=1):
        latency.add(sample)
        last = sorted(samples[max(0, number - 3) : number])
        assert len(latency) == len(last)
        assert latency.quantile(0.0) == last[0]
        assert latency.quantile(0.5) == last[len(last) // 2]
        assert latency.quantile(1.0) == last[-1]


def test_a_quantile_is_computed_anew_after_so_many_samples() -> None:
    """In between it is the one of before: asking costs no sorting."""
    latency = RecentLatency(size=10, refresh=3)
    told = []
    for sample in range(1, 10):
        latency.add(float(sample))
        told.append(latency.quantile(1.0))
    assert told == [1.0, 1.0, 3.0, 3.0, 3.0, 6.0, 6.0, 6.0, 9.0]


def test_a_hundred_and_twenty_eight_are_held_and_sixteen_make_them_new() -> None:
    """The defaults: enough for a p95, and a sixteenth of the sorting."""
    latency = RecentLatency()
    told = []
    for sample in range(200):
        latency.add(float(sample))
        told.append(latency.quantile(1.0))
    assert len(latency) == 128
    assert told[14:17] == [0.0, 15.0, 15.0]
