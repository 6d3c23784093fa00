"""Serve the users service: `python -m services.users`."""

from chassis.server import run
from services.users.app import compose
from services.users.contract import SERVICE

run(SERVICE, compose)
