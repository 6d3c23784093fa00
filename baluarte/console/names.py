"""What the console's page, its routes and its command have to agree on."""

from typing import Final

PREFIX: Final = "/console"
"""Below the supervisor's address."""

HEADER: Final = "X-Baluarte-Console"
"""Every request that changes anything carries it: a foreign page cannot add it unasked."""
