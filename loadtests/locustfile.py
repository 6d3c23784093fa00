"""The same load for people who know Locust, with its web page or without.

    locust -f loadtests/locustfile.py --host http://127.0.0.1:8000
    locust -f loadtests/locustfile.py --host … --headless -u 20 -t 60s --rate 20 --p95 0.5 --error-share 0.01

Users are who can be served at the same time; how many journeys begin is `--rate`, in each Locust process. Its
latencies count from the intended start. Each test's records are in a numbered folder below `--out`.
"""

import os
import tempfile
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import gevent
from gevent.event import Event
from locust import events
from locust.env import Environment
from locust.runners import MasterRunner

from loadtests.customer import Customer, Lobby, to_locust
from loadtests.journeys import JOURNEYS
from loadtests.limits import MAX_USERS
from loadtests.load import BACKLOG_FULL, NOT_SERVED, Load, LoadConfig
from loadtests.mix import weights
from loadtests.money import resolve
from loadtests.pacing import arrivals, pace
from loadtests.records import records
from loadtests.shapes import SHAPES
from loadtests.thresholds import MISSED, Thresholds

USAGE: Final = 2
LOOK_SECONDS: Final = 0.2


class LoadUser(Customer):
    """One virtual user."""

    abstract = False


class LoadTest:
    """One test, from Locust's start to its stop."""

    def __init__(self, environment: Environment, config: LoadConfig, out: Path) -> None:
        self._environment = environment
        self._stopping = Event()
        self._files = ExitStack()
        written = self._files.enter_context(records(out, config.seed))
        report = to_locust(environment.events.request, config.endpoint)
        self._load = Load.of(config, written, report)
        self._lobby = LoadUser.lobby = Lobby(self._load)
        self._offering = gevent.spawn(self._offer)

    def _offer(self) -> None:
        """Offer arrivals once all users that Locust wants are in."""
        load, runner = self._load, self._environment.runner
        while runner is None or not 2 <= runner.target_user_count <= len(load.people):
            if self._stopping.wait(LOOK_SECONDS):
                return
        config, begin = load.config, load.now()
        self._lobby.begin = begin
        coming = arrivals(
            SHAPES[config.shape], config.rate, config.seconds, config.journeys, config.seed
        )
        pace(
            coming,
            load.backlog,
            now=lambda: load.now() - begin,
            pause=self._stopping.wait,
            refused=lambda arrival: load.not_sent(arrival, begin, BACKLOG_FULL),
        )

    def stopping(self) -> None:
        """No more arrivals, retries or look-ups; users end what they have in hand."""
        self._stopping.set()
        self._offering.join()
        self._load.backlog.close()
        self._load.ending.set()
        for arrival in self._load.backlog.abandon():
            self._load.not_sent(arrival, self._lobby.begin, NOT_SERVED)

    def stopped(self) -> None:
        """Look up what stayed open, and close the records."""
        resolve(self._load)
        self._files.close()


_tests: dict[Environment, LoadTest] = {}
_folders: dict[Environment, Path] = {}


def options(parser: ArgumentParser) -> None:
    """Add ours to Locust's."""
    group = parser.add_argument_group("the load of Baluarte")
    group.add_argument("--journeys", default="overview=4,pay=3", help="weights by name")
    group.add_argument("--rate", type=float, default=10.0, help="journeys a second that begin")
    group.add_argument("--shape", choices=sorted(SHAPES), default="constant")
    group.add_argument("--cohorts", default="a=50,b=50", help="shares of users by name")
    group.add_argument("--seed", type=int, default=0)
    group.add_argument("--out", default="", help="folder of records; else a temporary one")
    group.add_argument("--p95", type=float, help="threshold in seconds; exit code 3 when missed")
    group.add_argument("--error-share", type=float, help="threshold, between 0 and 1")


def begin(environment: Environment, **_: Any) -> None:
    """Prepare a test before its first user is spawned."""
    if isinstance(environment.runner, MasterRunner):
        return  # its workers offer the load
    given: Any = environment.parsed_options
    root = _folders.get(environment)
    if root is None:
        root = Path(given.out or tempfile.mkdtemp(prefix="baluarte-load-"))
        _folders[environment] = root
    number = 1 + sum(1 for _ in root.glob("[0-9]*"))
    try:
        _tests[environment] = LoadTest(environment, _config(environment), root / str(number))
    except (ValueError, OSError) as error:
        # Locust keeps what a listener raises to itself.
        print(f"error: {error}", flush=True)  # noqa: T201
        os._exit(USAGE)
    print(f"records: {root / str(number)}", flush=True)  # noqa: T201


def _config(environment: Environment) -> LoadConfig:
    """Read our options. Raises ValueError."""
    given: Any = environment.parsed_options
    names = ("BALUARTE_STAFF_EMAIL", "BALUARTE_STAFF_PASSWORD")
    email, password = (os.environ.get(name, "") for name in names)
    return LoadConfig(
        gateway=str(environment.host),
        journeys=weights(given.journeys, JOURNEYS),
        rate=given.rate,
        users=MAX_USERS,  # cohorts for as many as the web page may ask for
        shape=given.shape,
        seed=given.seed,
        shares=weights(given.cohorts),
        staff=(email, password) if email and password else None,
    )


def stopping(environment: Environment, **_: Any) -> None:
    """Stop the arrivals before the users."""
    if environment in _tests:
        _tests[environment].stopping()


def stopped(environment: Environment, **_: Any) -> None:
    """End the test once its users are gone."""
    if environment in _tests:
        _tests.pop(environment).stopped()


def judge(environment: Environment, **_: Any) -> None:
    """Hold Locust's statistics against the thresholds, where any is given."""
    given: Any = environment.parsed_options
    if given.p95 is None and given.error_share is None:
        return
    total = environment.stats.total
    thresholds = Thresholds(
        given.p95 or float("inf"), 1.0 if given.error_share is None else given.error_share
    )
    p95 = total.get_response_time_percentile(0.95) / 1000 if total.num_requests else 0.0
    missed = thresholds.missed(total.num_requests, total.num_failures, p95)
    for sentence in missed:
        print(f"threshold missed: {sentence}", flush=True)  # noqa: T201
    environment.process_exit_code = MISSED if missed else 0


for _event, _listener in (
    (events.init_command_line_parser, options),
    (events.test_start, begin),
    (events.test_stopping, stopping),
    (events.test_stop, stopped),
    (events.quitting, judge),
):
    _event.add_listener(_listener)  # type: ignore[no-untyped-call]
