"""A users service that ends a session when a refresh token comes twice, though the first answer was lost."""

from datetime import timedelta

from chassis.server import run
from services.users import families
from services.users.app import compose
from services.users.contract import SERVICE

if __name__ == "__main__":
    families.REPLAY_WINDOW = timedelta(seconds=-1)
    run(SERVICE, compose)
