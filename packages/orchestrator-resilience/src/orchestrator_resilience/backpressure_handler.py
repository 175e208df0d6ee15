"""What to do with more work than can be done: bound it, order it, shed it, and tell whoever loses.

What the user types:

    bulkhead = Bulkhead("tts", BulkheadConfig(kind="gradient"))
    audio = await bulkhead.call(client.speak, "Hello")

    queue: BoundedQueue[Event] = BoundedQueue(QueueConfig(max_items=500, strategy="drop-oldest"), on_drop=lost.append)
    await queue.put(event)

    throttle = ClientThrottle("connector")
    answer = await throttle.call(client.reserve, room)
"""

from __future__ import annotations

from orchestrator_resilience._bulkhead import Bulkhead, BulkheadSnapshot, Slot
from orchestrator_resilience._priorities import Priority, Shed
from orchestrator_resilience._queue import BoundedQueue
from orchestrator_resilience._queue_models import Dropped, QueueClosed, QueueSnapshot
from orchestrator_resilience._throttle import ClientThrottle, Throttled

__all__ = [
    "BoundedQueue",
    "Bulkhead",
    "BulkheadSnapshot",
    "ClientThrottle",
    "Dropped",
    "Priority",
    "QueueClosed",
    "QueueSnapshot",
    "Shed",
    "Slot",
    "Throttled",
]
