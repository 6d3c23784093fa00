"""Serve the notifications service: `python -m services.notifications`."""

from chassis.server import run
from services.notifications.app import compose
from services.notifications.contract import SERVICE

run(SERVICE, compose)
