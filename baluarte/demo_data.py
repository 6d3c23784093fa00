"""What the demonstration consists of: users, and the first movements of their money.

Plain values, so that showing them costs no imports; `demo.py` loads them.
"""

from dataclasses import dataclass

PASSWORD = "baluarte-demo"  # noqa: S105 - printed for everybody, never used in production
_DOMAIN = "baluarte.example"  # a reserved name: no mail can ever go there


@dataclass(frozen=True, slots=True)
class DemoUser:
    """A user; customers have an account number at other banks' disposal."""

    key: str
    name: str
    role: str
    account_number: str | None = None

    @property
    def email(self) -> str:
        return f"{self.key}@{_DOMAIN}"


@dataclass(frozen=True, slots=True)
class DemoTransaction:
    """A deposit to, or a transfer from, `user`; the key also is its idempotency key."""

    key: str
    user: str
    amount: int
    """Centavos."""
    description: str
    receiver: str | None = None


USERS = (
    DemoUser("ana", "Ana Lima", "customer", "100001-4"),
    DemoUser("bruno", "Bruno Costa", "customer", "100002-2"),
    DemoUser("carla", "Carla Souza", "customer", "100003-0"),
    DemoUser("support", "Sofia Prado", "support"),
    DemoUser("admin", "Adriano Reis", "admin"),
)
TRANSACTIONS = (
    DemoTransaction("demo-deposit-ana", "ana", 500_000, "Salary"),
    DemoTransaction("demo-deposit-bruno", "bruno", 120_000, "Savings"),
    DemoTransaction("demo-rent", "ana", 180_000, "Rent", receiver="bruno"),
    DemoTransaction("demo-lunch", "bruno", 4_550, "Lunch", receiver="ana"),
    DemoTransaction("demo-gift", "ana", 25_000, "Birthday gift", receiver="carla"),
)


def invitation(url: str) -> str:
    """How to sign in and what to ask, for a newcomer to paste."""
    ana, admin = USERS[0], USERS[-1]
    return f"""\
Sign in as {ana.email} (staff: {admin.email}), password {PASSWORD}. In {url}/graphql:

  mutation {{ login(input: {{email: "{ana.email}", password: "{PASSWORD}"}}) {{ accessToken }} }}

then, with the header  Authorization: Bearer <accessToken>

  {{ me {{ name account {{ balance {{ amount currency }} }} }} }}"""
