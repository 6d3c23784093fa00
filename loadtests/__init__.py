"""The load of chaos scenarios: Locust users who do what people do, when people would do it.

`python -m loadtests run` is for the chaos engine, `locust -f loadtests/locustfile.py` for people who know
Locust. Both leave samples (`chaos/record.py`) and a history (`chaos/history`). Guide: `docs/load.md`.
"""
