"""What it costs that the platform tells about itself, as ratios within one run.

    .venv/bin/python -m benchmarks.observability [--rounds N] [--turns N]

A platform of the run's own, and beside it, on the same PostgreSQL, Valkey and peers, **branches**: a
gateway and a users process each, as their operator starts them, that differ in one thing. They serve `me`
in turns, a short block each, there and back again (A B C C B A), so that a busy moment of the machine hits
all alike; a branch's ratio is the median, over the rounds, of its figure to the plain branch's of the same
round.

- *CPU per request* is what both processes used from the beginning of a round until all its spans were
  sent, less what they use when nobody asks, divided by the requests. The collector's and the client's are
  not in it.
- *Latency* is what a client sees that asks one thing at a time, so that nothing waits in a queue.
- *Without metrics* nothing is counted (`muted.py`): no product offers that, and the difference is the price.
- *A scrape* is asked for as Prometheus does. Its share of a core is its CPU by the interval; what it does to
  requests is the latency of blocks with a scrape of both processes each second, beside blocks without.
"""
