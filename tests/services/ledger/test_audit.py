"""The ledger's check of itself: silent when money is right, loud when it is not, bounded."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.database import create_engine, transaction
from chassis.metrics import Metrics
from services.ledger.audit import Audit, Imbalance
from services.ledger.contract import PostingResult
from services.ledger.holds import HoldAction
from services.ledger.measures import Measures
from tests.conftest import MigratedDatabase
from tests.services.ledger.conftest import EXTERNAL, Bank, hold, open_bank, transfer


def shown(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def test_a_ledger_that_is_right(bank: Bank, engine: AsyncEngine) -> None:
    """Balances sum to nothing and held money is what holds say: both figures are 0."""
    alice, shop = await bank.open(100), await bank.open()
    await bank.hold(hold(HoldAction.PLACE, alice, shop, 70))
    metrics = Metrics()

    assert await Audit(engine, metrics).check() == [Imbalance("BRL", 0, 0)]

    for law in ("balances", "holds"):
        assert shown(metrics, "ledger_imbalance_minor_units", currency="BRL", law=law) == 0
    at = shown(metrics, "ledger_check_last_success_timestamp_seconds")
    assert at is not None
    assert at > 1_700_000_000


async def test_an_empty_ledger_has_been_checked(migrated_database: MigratedDatabase) -> None:
    """Before the first account the check succeeds too, and says when: nothing is there to be wrong."""
    engine = create_engine(await migrated_database("ledger"), application_name="test")
    metrics = Metrics()
    async with transaction(engine) as uow:
        await uow.connection.execute(text("DELETE FROM accounts"))
        await uow.commit()

    assert await Audit(engine, metrics).check() == []

    assert (shown(metrics, "ledger_check_last_success_timestamp_seconds") or 0) > 1_700_000_000
    await engine.dispose()


async def test_money_out_of_nowhere_is_seen(database_url: str, engine: AsyncEngine) -> None:
    """A balance or a hold that somebody has changed by hand shows in the metric, to the centavo."""
    metrics = Metrics()
    async with open_bank(database_url) as bank:
        alice = await bank.open(100)
        await bank.sql.execute(
            "UPDATE accounts SET balance = balance + 7, held = 3 WHERE id = $1", alice
        )

        assert await Audit(engine, metrics).check() == [Imbalance("BRL", 7, 3)]

    assert shown(metrics, "ledger_imbalance_minor_units", currency="BRL", law="balances") == 7
    assert shown(metrics, "ledger_imbalance_minor_units", currency="BRL", law="holds") == 3


async def test_every_outcome_is_counted(database_url: str) -> None:
    """Each answer counts under its outcome; sizes and times of batches are observed."""
    metrics = Metrics()
    measures = Measures(metrics)
    async with open_bank(database_url, observer=measures) as bank:
        alice, shop = await bank.open(100), await bank.open()
        wish = transfer(alice, shop, 1)
        results: list[PostingResult] = await bank.post_all(
            [
                wish,
                transfer(shop, alice, 50),
                transfer(EXTERNAL, shop, 1, transfer_id=wish.transfer_id),
            ]
        )
        await bank.hold(hold(HoldAction.PLACE, alice, shop, 5))
        measures.watch(lambda: bank.writer.queued)

    assert [item.error for item in results] == [None, None, "TRANSFER_MISMATCH"]
    for outcome, count in (
        ("POSTED", 2),
        ("INSUFFICIENT_FUNDS", 1),
        ("TRANSFER_MISMATCH", 1),
        ("HELD", 1),
    ):
        assert shown(metrics, "ledger_postings_total", outcome=outcome) == count
    assert shown(metrics, "ledger_batch_postings_sum") == 5
    assert shown(metrics, "ledger_queued_postings") == 0
