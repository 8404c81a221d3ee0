"""The worker: mails every minute and on call, the drop folder every five minutes, clean-up every hour."""

from __future__ import annotations

from datetime import UTC, datetime

from huey import Huey, crontab

from ..feeding import inbox
from ..feeding import service as feeding
from ..feeding.flow import feedable
from ..instance import Instance
from ..messaging.jobs import send_due
from ..ops.logs import get_logger
from ..recovery.jobs import answer_due
from . import open_queue, outbox_task
from .cleanup import clean_up

log = get_logger("jobs")


def run(instance: Instance) -> None:
    """Work until SIGTERM; a job that runs is finished first, within half a minute."""
    queue = register(instance)
    log.info("worker.started", queue=type(queue).__name__)
    # max_delay: how long a mail waits for an idle worker, in seconds.
    # Two workers: mails leave while a delivery is imported.
    queue.create_consumer(workers=2, periodic=True, max_delay=1.0, graceful_signal="TERM", shutdown_timeout=30).run()


def register(instance: Instance) -> Huey:
    """The queue with its tasks. What is over is found in the database: a task that runs twice does nothing twice."""
    queue = open_queue(instance.settings)

    def send() -> None:
        answer_due(instance)
        send_due(instance.database, instance.settings)

    outbox_task(queue, send)
    queue.periodic_task(crontab(minute="*"), name="outbox-each-minute")(send)

    @queue.periodic_task(crontab(minute="7"), name="clean-up")
    def clean_up_each_hour() -> None:
        counts = clean_up(instance.database, instance.settings, now=datetime.now(UTC))
        log.info("clean_up.done", **counts)

    @queue.periodic_task(crontab(minute="*/5"), name="inbox")
    def take_deliveries() -> None:
        if instance.settings.feeding_inbox is not None:
            inbox.sweep(instance.database, feedable(instance.directory), instance.settings, now=datetime.now(UTC))

    @queue.periodic_task(crontab(minute="17"), name="forget-deliveries")
    def forget_deliveries() -> None:
        now, settings = datetime.now(UTC), instance.settings
        inbox.forget(settings, now=now)
        feeding.forget(
            instance.database,
            deliveries_before=now - settings.retention_import_reports,
            schools_before=now - settings.retention_import_school_reports,
        )

    return queue
