"""Serve the ledger service: `python -m services.ledger`."""

from chassis.server import run
from services.ledger.app import compose
from services.ledger.contract import SERVICE

run(SERVICE, compose)
