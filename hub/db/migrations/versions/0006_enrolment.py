"""enrolment and recovery: codes, SMS, what is rationed, proved numbers.

Revision 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op


revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("account") as table:
        table.add_column(sa.Column("mobile", sa.String(length=20), nullable=True))
        table.add_column(sa.Column("mobile_confirmed_at", sa.DateTime(), nullable=True))
        table.add_column(sa.Column("birth_date_due", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("activation_ends_at", sa.DateTime(), nullable=True))
    with op.batch_alter_table("account") as table:
        table.alter_column("birth_date_due", server_default=None)
    # The origin is known from the notice on: what is between a notice and its activation came from the school.
    op.execute("UPDATE account SET origin = 'school' WHERE state IN ('INFORMED', 'ACTIVATING') AND origin = 'unknown'")
    with op.batch_alter_table("outgoing_mail") as table:
        table.add_column(sa.Column("useful_until", sa.DateTime(), nullable=True))

    op.create_table(
        "outgoing_sms",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("to", sa.String(length=254), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("useful_until", sa.DateTime(), nullable=True),
        sa.Column("sent_at", sa.DateTime(), nullable=True),
        sa.Column("captured", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(), nullable=True),
        sa.Column("last_error", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_sms")),
    )
    op.create_index("ix_outgoing_sms_created_at", "outgoing_sms", ["created_at"])
    op.create_index("ix_outgoing_sms_next_attempt_at", "outgoing_sms", ["next_attempt_at"])
    op.create_table(
        "one_time_code",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("session_index", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("target", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.JSON(), nullable=True),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_code")),
    )
    op.create_index("ix_one_time_code_expires_at", "one_time_code", ["expires_at"])
    op.create_table(
        "throttle_window",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("ends_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttle_window")),
    )
    op.create_index("ix_throttle_window_ends_at", "throttle_window", ["ends_at"])
    op.create_table(
        "recovery_request",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("identifier", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=254), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_request")),
    )
