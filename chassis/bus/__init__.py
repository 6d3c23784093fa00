"""The bus between services: a port, and its adapters on RabbitMQ and on PostgreSQL.

bus = await open_bus(amqp_url=settings.amqp_url, database_url=settings.bus_database_url, …)
await bus.publish(events)                       # returns once the broker has them safely
async with bus.consume("user-events", "ledger") as consumer:
    deliveries = await consumer.receive()       # the oldest unacknowledged, in order
    await consumer.acknowledge(deliveries)
"""

from chassis.bus.port import (
    Bus,
    BusUnavailable,
    Consumer,
    Delivery,
    QueueStats,
    Unroutable,
)

__all__ = ["Bus", "BusUnavailable", "Consumer", "Delivery", "QueueStats", "Unroutable"]
