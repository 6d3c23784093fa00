"""Every channel by name, and how it is made from the settings."""

from collections.abc import Callable, Mapping

import aiohttp

from chassis.policies import Policies
from services.notifications.channels.guarded import GuardedChannel
from services.notifications.channels.log import LogChannel
from services.notifications.channels.port import Channel
from services.notifications.channels.webhook import WebhookChannel
from services.notifications.settings import NotificationsSettings

Factory = Callable[[NotificationsSettings, aiohttp.ClientSession, Policies], Channel]


def _log(_: NotificationsSettings, __: aiohttp.ClientSession, ___: Policies) -> Channel:
    return LogChannel()


def _webhook(
    settings: NotificationsSettings, session: aiohttp.ClientSession, policies: Policies
) -> Channel:
    if settings.webhook is None:
        raise ValueError("the channel webhook needs its settings")
    channel = WebhookChannel(settings.webhook.url, settings.webhook.secret, session)
    return GuardedChannel(channel, policies.pipeline(channel.name))


FACTORIES: Mapping[str, Factory] = {"log": _log, "webhook": _webhook}


def make(
    settings: NotificationsSettings, session: aiohttp.ClientSession, policies: Policies
) -> dict[str, Channel]:
    """The channels that the settings ask for."""
    return {name: FACTORIES[name](settings, session, policies) for name in settings.channels}
