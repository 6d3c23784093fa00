"""Serve the transactions service: `python -m services.transactions`."""

from chassis.server import run
from services.transactions.app import compose
from services.transactions.contract import SERVICE

run(SERVICE, compose)
