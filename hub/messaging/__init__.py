"""Mail: queued in the transaction of the change (outbox), sent by a job, captured in the demo."""
