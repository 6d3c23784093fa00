"""An order that would do nothing, or not what it says, is refused by the field that is to blame."""

from typing import Any

import pytest

from chassis.errors import CodedError
from chassis.faults.contract import NewFault, Target
from chassis.faults.effects import REGISTRY
from chassis.faults.effects.latency import Latency
from chassis.faults.order import effect_of

ROUTES = ("/v1/say", "/v1/change", "/health/live", "/metrics")


def order(type_: str = "abort", duration: float | None = 0.0, **more: Any) -> NewFault:
    return NewFault(
        type=type_,
        attributes=more.pop("attributes", {}),
        target=Target(**more),
        duration=duration,
        lease_seconds=1,
    )


def test_an_effect_gets_its_attributes() -> None:
    """A good order is the effect."""
    wanted = order("latency", attributes={"seconds": 2, "jitter": 0.5}, route="/v1/*")

    assert effect_of(wanted, ROUTES) == Latency(seconds=2, jitter=0.5)


def test_an_unknown_type_is_told_with_the_known_ones() -> None:
    """The way out stands in the message."""
    with pytest.raises(CodedError) as caught:
        effect_of(order("explode"), ROUTES)

    assert (caught.value.code, caught.value.field) == ("FAULT_TYPE_UNKNOWN", "type")
    assert all(kind in caught.value.detail for kind in REGISTRY)


@pytest.mark.parametrize(
    ("wanted", "field", "told"),
    [
        (order("latency"), "attributes", "seconds, jitter"),
        (order("latency", attributes={"seconds": "2"}), "attributes.seconds", "float"),
        (order("latency", attributes={"seconds": 0}), "attributes.seconds", "> 0"),
        (order("latency", attributes={"seconds": 2, "jiter": 1}), "attributes", "jiter"),
        (order("abort", attributes={"seconds": 2}), "attributes", "none"),
        (order("error", attributes={"status": 200}), "attributes.status", ">= 400"),
        (order("bus_reorder", attributes={"within": "all"}), "attributes.within", "all"),
        (order(topic="user-events"), "target.topic", "means nothing to abort"),
        (order("bus_lose", route="/v1/say"), "target.route", "topic"),
        (order("bus_lose", cohort=10), "target.cohort", "topic"),
        (order("bus_lose", topic="user-event"), "target.topic", "user-events"),
        (order(route="/v1/says"), "target.route", "/v1/say"),
        (order(route="/health/live"), "target.route", "never faulted"),
        (order(route="/metrics"), "target.route", "never faulted"),
        (order(headers={"X-Kind": "a"}), "target.headers", "lower case"),
        (order(skip=-1), "target.skip", "0 or more"),
        (order(first=0), "target.first", "1 or more"),
        (order(duration=-1), "duration", "null"),
    ],
)
def test_what_is_wrong_is_named(wanted: NewFault, field: str, told: str) -> None:
    """A fault that does nothing must not look applied."""
    with pytest.raises(CodedError) as caught:
        effect_of(wanted, ROUTES)

    assert (caught.value.code, caught.value.field) == ("INVALID_INPUT", field)
    assert told in caught.value.detail


def test_a_process_without_a_bus_takes_no_bus_faults() -> None:
    """The gateway publishes nothing, so that such a fault could never be met there."""
    with pytest.raises(CodedError, match="publishes none"):
        effect_of(order("bus_lose"), ROUTES, publishes=False)
    effect_of(order("abort"), ROUTES, publishes=False)


def test_every_topic_and_route_that_there_is_will_do() -> None:
    """A star may cover several routes, and a process that does not know its routes takes any."""
    effect_of(order("bus_delay", attributes={"seconds": 1}, topic="transaction-events"), ROUTES)
    effect_of(order(route="/v1/*", headers={"x-kind": "a"}, skip=1, first=2), ROUTES)
    effect_of(order(route="*"), ROUTES)
    effect_of(order(route="/anything"), ())
