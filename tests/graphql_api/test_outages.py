"""What a client sees before, during and after a service is away."""

import asyncio
from typing import Any

import pytest

from chassis import codes
from resilience import PipelineOptions
from services.users.contract import Profile, Role
from tests.graphql_api.outages import BREAKER, Keeping, Tier, degraded

ME = "{ me { id name email role active freshness { state ageSeconds } } }"
USER = "query($id: ID!) { user(id: $id) { name role freshness { state } } }"
ACCOUNT = """query($of: ID) { account(userId: $of) {
  balance { amount } balanceAsOf freshness { state ageSeconds } } }"""
STATEMENT = """query($of: ID, $status: TransactionStatus) {
  transactions(userId: $of, status: $status) {
    edges { node { id freshness { state } } } freshness { state ageSeconds } } }"""
BY_ID = (
    "query($id: ID!) { transaction(id: $id) { status metadata freshness { state ageSeconds } } }"
)
NAMES = "{ transactions { edges { node { receiver { name freshness { state ageSeconds } } } } } }"

FRESH = {"state": "FRESH", "ageSeconds": None}
STALE_FOR_42 = {"state": "STALE", "ageSeconds": 42}


@pytest.fixture
def keeping() -> Keeping:
    """A gateway that keeps copies, over an empty platform."""
    return Keeping()


def entry(path: list[Any], service: str, age: int | None = 42, **more: Any) -> dict[str, Any]:
    return {
        "path": path,
        "service": service,
        "reason": "UNAVAILABLE",
        "servedFrom": "copy",
        "ageSeconds": age,
        **more,
    }


# -- before, during, after ------------------------------------------------------------------------


async def test_a_profile_through_an_outage_of_users(keeping: Keeping) -> None:
    """Fresh, then the last good one with its age and summed up, then fresh again with what has changed."""
    ana = keeping.platform.add_user("Ana")
    before = await keeping.query(ME, user=ana)
    assert before.data["me"]["freshness"] == FRESH
    keeping.stop("users")
    keeping.clock.jump(41.5)
    during = await keeping.query(ME, user=ana)
    assert during.errors == []
    assert during.data["me"] == before.data["me"] | {"freshness": STALE_FOR_42}
    assert degraded(during) == [entry(["me"], "users")]
    keeping.start("users")
    await keeping.query('mutation { updateProfile(input: { name: "Ana Maria" }) { id } }', user=ana)
    after = await keeping.query(ME, user=ana)
    assert after.data["me"] == before.data["me"] | {"name": "Ana Maria"}
    assert degraded(after) == []


async def test_a_balance_through_an_outage_of_the_ledger(keeping: Keeping) -> None:
    """The copy keeps the instant at which its amounts were true, by the ledger's clock."""
    ana = keeping.platform.add_user(balance=12_34)
    as_of = keeping.platform.accounts[ana.id].as_of.isoformat()
    await keeping.query(ACCOUNT, user=ana)
    keeping.stop("ledger")
    keeping.clock.jump(42.0)
    during = await keeping.query(ACCOUNT, user=ana)
    assert during.data["account"] == {
        "balance": {"amount": "12.34"},
        "balanceAsOf": as_of,
        "freshness": STALE_FOR_42,
    }
    assert degraded(during) == [entry(["account"], "ledger")]
    keeping.start("ledger")
    assert (await keeping.query(ACCOUNT, user=ana)).data["account"]["freshness"] == FRESH


async def test_a_statement_through_an_outage_of_transactions(keeping: Keeping) -> None:
    """The page and every row of it are marked; the summary has one entry for the page."""
    ana, bia = keeping.platform.add_user("Ana"), keeping.platform.add_user("Bia")
    for _ in range(3):
        keeping.platform.add_transfer(ana, bia)
    before = await keeping.query(STATEMENT, user=ana)
    keeping.stop("transactions")
    keeping.clock.jump(42.0)
    during = await keeping.query(STATEMENT, user=ana)
    page = during.data["transactions"]
    assert page["freshness"] == STALE_FOR_42
    assert [edge["node"]["freshness"]["state"] for edge in page["edges"]] == ["STALE"] * 3
    assert [edge["node"]["id"] for edge in page["edges"]] == [
        edge["node"]["id"] for edge in before.data["transactions"]["edges"]
    ]
    assert degraded(during) == [entry(["transactions"], "transactions")]
    keeping.start("transactions")
    keeping.platform.add_transfer(ana, bia)
    after = await keeping.query(STATEMENT, user=ana)
    assert after.data["transactions"]["freshness"] == FRESH
    assert len(after.data["transactions"]["edges"]) == 4


async def test_an_empty_statement_says_that_it_is_stale(keeping: Keeping) -> None:
    """Nothing to mark is marked all the same: "nothing" may be outdated too."""
    ana = keeping.platform.add_user()
    await keeping.query(STATEMENT, user=ana)
    keeping.stop("transactions")
    reply = await keeping.query(STATEMENT, user=ana)
    assert reply.data["transactions"]["edges"] == []
    assert reply.data["transactions"]["freshness"]["state"] == "STALE"


async def test_a_page_that_was_never_asked_for_is_not_made_of_another(keeping: Keeping) -> None:
    """Other arguments are another page: there is no copy of it, and an error says so."""
    ana = keeping.platform.add_user()
    await keeping.query(STATEMENT, user=ana)
    keeping.stop("transactions")
    reply = await keeping.query(STATEMENT, {"status": "FAILED"}, user=ana)
    assert (reply.data, reply.codes) == ({"transactions": None}, ["UNAVAILABLE"])


async def test_a_transaction_through_an_outage(keeping: Keeping) -> None:
    """By id: the last good row, marked."""
    ana, bia = keeping.platform.add_user(), keeping.platform.add_user()
    row = keeping.platform.add_transfer(ana, bia)
    asked = {"id": str(row.id)}
    await keeping.query(BY_ID, asked, user=ana)
    keeping.stop("transactions")
    keeping.clock.jump(42.0)
    during = await keeping.query(BY_ID, asked, user=ana)
    assert during.data["transaction"]["freshness"] == STALE_FOR_42
    assert during.data["transaction"]["status"] == "COMPLETED"


async def test_names_through_an_outage_of_users(keeping: Keeping) -> None:
    """The statement is live; a name is the users service's last one, with its age, and only where there
    is none the one that the transactions service heard of, whose age nobody knows."""
    ana, bia, eva = (keeping.platform.add_user(name) for name in ("Ana", "Bia", "Eva"))
    keeping.platform.add_transfer(ana, bia)
    before = await keeping.query(NAMES, user=ana)
    assert before.data["transactions"]["edges"][0]["node"]["receiver"]["freshness"] == FRESH
    keeping.platform.add_transfer(ana, eva)
    keeping.stop("users")
    keeping.clock.jump(42.0)
    during = await keeping.query(NAMES, user=ana)
    assert during.errors == []
    assert [edge["node"]["receiver"] for edge in during.data["transactions"]["edges"]] == [
        {"name": "Eva (known)", "freshness": {"state": "STALE", "ageSeconds": None}},
        {"name": "Bia", "freshness": STALE_FOR_42},
    ]
    path = ["transactions", "edges", 0, "node", "receiver", "name"]
    assert degraded(during)[0] == entry(path, "users", None, servedFrom="transactions")
    path[2] = 1
    assert degraded(during)[1] == entry(path, "users")


async def test_lists_that_are_worked_with_have_no_copies(keeping: Keeping) -> None:
    """`users` and `notifications` are null with the reason, whatever was seen before."""
    support = keeping.platform.add_user(role=Role.SUPPORT)
    keeping.platform.add_note(support)
    query = "{ users { edges { node { id } } } notifications { edges { node { id } } } }"
    assert (await keeping.query(query, user=support)).errors == []
    keeping.stop("users")
    keeping.stop("notifications")
    reply = await keeping.query(query, user=support)
    assert reply.data == {"users": None, "notifications": None}
    assert reply.codes == ["UNAVAILABLE", "UNAVAILABLE"]
    assert degraded(reply) == []


@pytest.mark.parametrize(
    "change",
    [
        'updateProfile(input: { name: "Other" }) { id }',
        """updateBankingDetails(input: { agency: "0001", accountNumber: "123456-7",
             accountType: SAVINGS }) { id }""",
        'login(input: { email: "user0@example.com", password: "correct horse battery" }) { accessToken }',
        'refreshToken(input: { refreshToken: "refresh" }) { accessToken }',
        'logout(input: { refreshToken: "refresh" })',
    ],
)
async def test_changes_are_refused_and_nothing_is_accepted(keeping: Keeping, change: str) -> None:
    """With users away a change is a coded error and leaves nothing behind, copies or not."""
    ana = keeping.platform.add_user("Ana")
    await keeping.query(ME, user=ana)
    keeping.stop("users")
    reply = await keeping.query(f"mutation {{ {change} }}", user=ana)
    assert reply.codes == ["UNAVAILABLE"]
    assert degraded(reply) == []
    keeping.start("users")
    assert keeping.platform.profiles[ana.id] == ana


async def test_a_key_is_never_looked_up_in_copies(keeping: Keeping) -> None:
    """What a client does next hangs on it: with transactions away it is an error, not an old answer."""
    ana = keeping.platform.add_user()
    await keeping.query(
        """mutation { deposit(input: { idempotencyKey: "cash-000001",
             amount: { amount: "1.00", currency: "BRL" } }) { id } }""",
        user=ana,
    )
    by_key = '{ transaction(idempotencyKey: "cash-000001") { status freshness { state } } }'
    before = await keeping.query(by_key, user=ana)
    assert before.data["transaction"]["freshness"] == {"state": "FRESH"}
    keeping.stop("transactions")
    reply = await keeping.query(by_key, user=ana)
    assert (reply.data, reply.codes) == ({"transaction": None}, ["UNAVAILABLE"])


async def test_whatever_kept_the_answer_from_coming_it_is_told(keeping: Keeping) -> None:
    """Also a rejection by an open breaker, in which the service was not asked."""
    ana = keeping.platform.add_user()
    await keeping.query(ME, user=ana)
    keeping.stop("users", BREAKER)
    reply = await keeping.query(ME, user=ana)
    assert reply.data["me"]["freshness"]["state"] == "STALE"
    assert degraded(reply)[0]["reason"] in {"UNAVAILABLE", "CIRCUIT_BREAKER_OPEN"}


async def test_a_service_that_hangs_costs_time_and_not_the_answer(keeping: Keeping) -> None:
    """Within the client's own deadline: the copy of what hangs, and live data of everybody else."""
    ana = keeping.platform.add_user("Ana", balance=1)
    query = "{ me { freshness { state } account { freshness { state } } } }"
    await keeping.query(query, user=ana)
    ledger = keeping.platform.ledger

    async def hang() -> None:
        await asyncio.sleep(ledger.seen[-1].deadline.remaining())
        raise codes.DEADLINE_EXCEEDED.error(service="ledger")

    ledger.before = hang
    reply = await keeping.query(query, user=ana, headers={"deadline-ms": "400"})
    assert reply.errors == []
    assert reply.data["me"] == {
        "freshness": {"state": "FRESH"},
        "account": {"freshness": {"state": "STALE"}},
    }
    assert [item["reason"] for item in degraded(reply)] == ["DEADLINE_EXCEEDED"]


async def test_a_degraded_answer_is_counted_as_one(keeping: Keeping) -> None:
    """The outcome in the metrics is `degraded`, which is neither good nor failed."""
    ana = keeping.platform.add_user()
    await keeping.query(ME, user=ana)
    keeping.stop("users")
    await keeping.query(ME, user=ana)
    text, _ = keeping.gateway.metrics.expose("text/plain")
    counted = "graphql_operation_duration_seconds_count{%s} 1.0"
    labels = 'operation="me",outcome="degraded",type="query"'
    assert counted % labels in text.decode()


async def test_copies_can_be_turned_off_and_on(keeping: Keeping) -> None:
    """The policies are looked at on each read: a reload takes effect at once, and loses no copy."""
    ana = keeping.platform.add_user()
    await keeping.query(ME, user=ana)
    keeping.stop("users")
    pipeline = keeping.pipelines["users"]
    on = pipeline.options
    pipeline.reconfigure(PipelineOptions())
    assert (await keeping.query(ME, user=ana)).codes == ["UNAVAILABLE"]
    pipeline.reconfigure(on)
    assert (await keeping.query(ME, user=ana)).data["me"]["freshness"]["state"] == "STALE"


async def test_calls_do_not_grow_with_rows_in_an_outage_either(keeping: Keeping) -> None:
    """Copies cost no downstream calls, and a batch stays one call."""
    support = keeping.platform.add_user(role=Role.SUPPORT)
    people = [keeping.platform.add_user(f"Person {number}", balance=1) for number in range(40)]
    query = """query($first: Int!) { users(first: $first) { edges { node {
      account { freshness { state } } transactions(first: 2) { freshness { state } } } } } }"""
    await keeping.query(query, {"first": 40}, user=support)
    keeping.stop("ledger")
    keeping.stop("transactions")
    for first in (2, 40):
        keeping.platform.forget_calls()
        reply = await keeping.query(query, {"first": first}, user=support)
        assert reply.errors == []
        assert len(reply.data["users"]["edges"]) == first
        assert keeping.platform.counts() == {
            "users": 1,
            "ledger": 1,
            "transactions": 1,
            "notifications": 0,
        }
    assert len(people) == 40
    assert len(degraded(reply)) == 80


# -- what there is no copy of ---------------------------------------------------------------------


async def test_entities_with_errors_for_the_rest(keeping: Keeping) -> None:
    """In one batch, who has a copy is served and the others are null, each with the error."""
    support = keeping.platform.add_user(role=Role.SUPPORT)
    ana, bia = keeping.platform.add_user("Ana", balance=7), keeping.platform.add_user("Bia")
    await keeping.query(ACCOUNT, {"of": str(ana.id)}, user=support)
    keeping.stop("ledger")
    reply = await keeping.query(
        "{ users { edges { node { name account { balance { amount } freshness { state } } } } } }",
        user=support,
    )
    shown = {edge["node"]["name"]: edge["node"] for edge in reply.data["users"]["edges"]}
    assert shown["Ana"]["account"] == {
        "balance": {"amount": "0.07"},
        "freshness": {"state": "STALE"},
    }
    assert shown["Bia"]["account"] is None
    assert reply.codes == ["UNAVAILABLE"] * 2  # Bia's, and the supporter's own
    assert len(degraded(reply)) == 1
    assert bia.name == "Bia"


async def test_what_is_gone_is_not_brought_back(keeping: Keeping) -> None:
    """A definite "there is none" is passed on, and its copy is forgotten."""
    support = keeping.platform.add_user(role=Role.SUPPORT)
    ana = keeping.platform.add_user("Ana")
    asked = {"id": str(ana.id)}
    await keeping.query(USER, asked, user=support)
    del keeping.platform.profiles[ana.id]
    assert (await keeping.query(USER, asked, user=support)).codes == ["USER_NOT_FOUND"]
    keeping.stop("users")
    assert (await keeping.query(USER, asked, user=support)).codes == ["UNAVAILABLE"]


@pytest.mark.parametrize(
    ("refusal", "forgets"),
    [
        (codes.FORBIDDEN, True),
        (codes.USER_INACTIVE, True),
        (codes.TOKEN_EXPIRED, False),
        (codes.UNAUTHENTICATED, False),
        (codes.INVALID_INPUT, False),
        (codes.SERVICE_FORBIDDEN, False),
        (codes.RATE_LIMITED, False),
    ],
)
async def test_a_refusal_is_passed_on(keeping: Keeping, refusal: codes.Code, forgets: bool) -> None:
    """No copy covers a no. One about what was asked for forgets it; one about the asking does not."""
    ana = keeping.platform.add_user("Ana")
    await keeping.query(ME, user=ana)
    keeping.stop("users", refusal.error())
    assert (await keeping.query(ME, user=ana)).codes == [refusal.name]
    keeping.stop("users")
    during = await keeping.query(ME, user=ana)
    assert (during.data["me"] is None) is forgets


# -- who may see a copy ---------------------------------------------------------------------------


async def test_a_copy_is_nobody_elses(keeping: Keeping) -> None:
    """Another customer is refused as always, before copies are looked at."""
    ana, bia = keeping.platform.add_user("Ana"), keeping.platform.add_user("Bia")
    row = keeping.platform.add_transfer(ana, ana)
    for query, asked in ((ME, {}), (ACCOUNT, {}), (STATEMENT, {}), (BY_ID, {"id": str(row.id)})):
        await keeping.query(query, asked, user=ana)
    for service in ("users", "ledger", "transactions"):
        keeping.stop(service)
    of_ana = {"of": str(ana.id)}
    for query, asked, code in (
        (USER, {"id": str(ana.id)}, "FORBIDDEN"),
        (ACCOUNT, of_ana, "FORBIDDEN"),
        (STATEMENT, of_ana, "FORBIDDEN"),
        (BY_ID, {"id": str(row.id)}, "UNAVAILABLE"),
        (ME, {}, "UNAVAILABLE"),
    ):
        reply = await keeping.query(query, asked, user=bia)
        assert reply.codes == [code]
        assert set(reply.data.values()) == {None}


@pytest.mark.parametrize(
    ("query", "service", "argument"),
    [(USER, "users", "id"), (ACCOUNT, "ledger", "of"), (STATEMENT, "transactions", "of")],
)
async def test_views_of_owner_and_staff_are_apart(
    keeping: Keeping, query: str, service: str, argument: str
) -> None:
    """What staff saw is no copy for the owner, and what the owner saw is none for staff."""
    ana = keeping.platform.add_user("Ana")
    support = keeping.platform.add_user(role=Role.SUPPORT)
    asked = {argument: str(ana.id)}
    for first, second in ((support, ana), (ana, support)):
        fresh = Keeping(keeping.platform)
        fresh.start(service)
        assert (await fresh.query(query, asked, user=first)).errors == []
        fresh.stop(service)
        assert (await fresh.query(query, asked, user=second)).codes == ["UNAVAILABLE"]
        assert (await fresh.query(query, asked, user=first)).errors == []


async def test_what_a_transaction_shows_one_party_is_no_copy_for_the_other(
    keeping: Keeping,
) -> None:
    """Metadata, keys and reasons are the initiator's: copies of rows and pages belong to their reader."""
    ana, bia = keeping.platform.add_user(), keeping.platform.add_user()
    staff = [keeping.platform.add_user(role=Role.SUPPORT) for _ in range(2)]
    row = keeping.platform.add_transfer(ana, bia)
    by_id, of_ana = {"id": str(row.id)}, {"of": str(ana.id)}
    await keeping.query(BY_ID, by_id, user=ana)
    await keeping.query(BY_ID, by_id, user=staff[0])
    await keeping.query(STATEMENT, of_ana, user=staff[0])
    keeping.stop("transactions")
    assert (await keeping.query(BY_ID, by_id, user=bia)).codes == ["UNAVAILABLE"]
    assert (await keeping.query(BY_ID, by_id, user=staff[1])).codes == ["UNAVAILABLE"]
    assert (await keeping.query(STATEMENT, of_ana, user=staff[1])).codes == ["UNAVAILABLE"]
    assert (await keeping.query(STATEMENT, of_ana, user=staff[0])).errors == []


async def test_who_is_staff_no_more_has_no_copies_of_others(keeping: Keeping) -> None:
    """Rights are those of the token that came with this request, not those of when it was kept."""
    ana = keeping.platform.add_user("Ana")
    eva = keeping.platform.add_user("Eva", role=Role.SUPPORT)
    asked = {"id": str(ana.id)}
    await keeping.query(USER, asked, user=eva)
    keeping.stop("users")
    assert (await keeping.query(USER, asked, user=eva)).errors == []
    headers = {"authorization": f"Bearer customer:{eva.id}"}
    assert (await keeping.query(USER, asked, headers=headers)).codes == ["FORBIDDEN"]
    assert (await keeping.query(USER, asked)).codes == ["UNAUTHENTICATED"]
    expired = {"authorization": "Bearer expired"}
    assert (await keeping.query(ME, headers=expired)).codes == ["TOKEN_EXPIRED"]


async def test_ones_own_role_is_the_tokens_and_anothers_is_not_told(keeping: Keeping) -> None:
    """Roles are never kept: a copy shows what the access token proves, else nothing."""
    admin = keeping.platform.add_user("Adam", role=Role.ADMIN)
    ana = keeping.platform.add_user("Ana")
    await keeping.query(ME, user=admin)
    assert (await keeping.query(USER, {"id": str(ana.id)}, user=admin)).data["user"]["role"] == (
        "CUSTOMER"
    )
    keeping.stop("users")
    demoted = {"authorization": f"Bearer support:{admin.id}"}
    own = await keeping.query(ME, headers=demoted)
    assert own.data["me"]["role"] == "SUPPORT"
    assert own.data["me"]["freshness"]["state"] == "STALE"
    other = await keeping.query(USER, {"id": str(ana.id)}, user=admin)
    assert other.data["user"] == {"name": "Ana", "role": None, "freshness": {"state": "STALE"}}
    assert (own.errors, other.errors) == ([], [])


# -- replicas -------------------------------------------------------------------------------------


async def everything(keeping: Keeping, ana: Profile) -> list[str]:
    """States of the parts of an overview."""
    reply = await keeping.query(
        """{ me { freshness { state } account { freshness { state } }
               transactions { freshness { state } edges { node { receiver {
                 freshness { state } } } } } } }""",
        user=ana,
    )
    assert reply.errors == []
    me = reply.data["me"]
    parts = (me, me["account"], me["transactions"])
    names = [edge["node"]["receiver"] for edge in me["transactions"]["edges"]]
    return [part["freshness"]["state"] for part in (*parts, *names)]


async def test_another_replica_finds_the_copies_in_valkey(keeping: Keeping) -> None:
    """What one gateway was told stands in at another, of its true age."""
    tier = Tier(keeping.clock)
    one = Keeping(keeping.platform, clock=keeping.clock, tier=tier)
    ana, bia = keeping.platform.add_user("Ana"), keeping.platform.add_user("Bia")
    keeping.platform.add_transfer(ana, bia)
    assert await everything(one, ana) == ["FRESH"] * 4
    await one.settle()
    other = Keeping(keeping.platform, clock=keeping.clock, tier=tier)
    for service in ("users", "ledger", "transactions"):
        other.stop(service)
    keeping.clock.jump(42.0)
    assert await everything(other, ana) == ["STALE"] * 4
    reply = await other.query(ME, user=ana)
    assert degraded(reply) == [entry(["me"], "users")]


async def test_without_valkey_the_own_copies_are_left(keeping: Keeping) -> None:
    """A dead shared tier costs no answer and no copy of this process, and is left alone after a while."""
    tier = Tier(keeping.clock)
    tier.failure = ConnectionError("refused")
    one = Keeping(keeping.platform, clock=keeping.clock, tier=tier)
    ana, bia = keeping.platform.add_user("Ana"), keeping.platform.add_user("Bia")
    keeping.platform.add_transfer(ana, bia)
    assert await everything(one, ana) == ["FRESH"] * 4
    await one.settle()
    for service in ("users", "ledger", "transactions"):
        one.stop(service)
    assert await everything(one, ana) == ["STALE"] * 4
    assert tier.calls <= 3 * len(one.pipelines)


async def test_what_is_kept_holds_no_role_and_no_credential(keeping: Keeping) -> None:
    """Whatever a session brings, the bytes at rest have neither tokens nor passwords nor roles."""
    tier = Tier(keeping.clock)
    one = Keeping(keeping.platform, clock=keeping.clock, tier=tier)
    ana = keeping.platform.add_user("Ana", role=Role.ADMIN, balance=5)
    keeping.platform.add_transfer(ana, ana)
    await one.query(
        """mutation { login(input: { email: "user0@example.com",
             password: "correct horse battery" }) { accessToken } }"""
    )
    await everything(one, ana)
    await one.settle()
    assert len(tier.held) == 4
    kept = " ".join(f"{key} {data.decode()}" for key, (data, _) in tier.held.items())
    assert ana.email in kept
    for secret in ("admin", "ADMIN", "correct horse", "refresh-"):
        assert secret not in kept
