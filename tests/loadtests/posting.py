"""Posts once to each URL of its arguments with the load's own wire; prints a line of JSON for each.

A process of its own, since gevent and the tests' event loops are better kept apart.
"""

import json
import sys

from geventhttpclient.useragent import UserAgent

from chaos.history.answers import Replied
from loadtests.documents import OVERVIEW
from loadtests.wire import Wire


def main() -> None:
    agent = UserAgent(
        max_redirects=0, max_retries=0, network_timeout=2.0, connection_timeout=2.0, concurrency=4
    )
    for url in sys.argv[1:]:
        reply = Wire(agent, url, {"X-Forwarded-For": "10.1.2.3"}).post(OVERVIEW, {}, "token")
        if isinstance(reply, Replied):
            print(json.dumps({"status": reply.status, "body": reply.body.decode()}))
        else:
            print(json.dumps({"reason": reply.reason, "sent": reply.sent}))


if __name__ == "__main__":
    main()
