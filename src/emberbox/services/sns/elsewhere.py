"""Topics of another server, as those who tell of asynchronous invocations use them."""

from emberbox.model.async_deliveries import Delivery
from emberbox.model.topic import invalid_parameter
from emberbox.services.elsewhere import Elsewhere


class TopicsElsewhere:
    """Publishes to topics by their ARN."""

    def __init__(self, service: Elsewhere) -> None:
        self._service = service

    async def deliver(self, delivery: Delivery) -> None:
        """A topic as the target of what is told of an asynchronous invocation."""
        if delivery.target.endswith(".fifo"):
            raise invalid_parameter("a FIFO topic is no target of asynchronous invocations")
        await self._service.call(
            delivery.target.split(":")[3],
            "publish",
            TopicArn=delivery.target,
            Message=delivery.body.decode(),
            MessageAttributes=delivery.message_attributes(),
        )
