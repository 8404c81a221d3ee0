"""single logout.

Revision 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op


revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "session_participant",
        sa.Column("session_index", sa.String(length=64), nullable=False),
        sa.Column("service_provider", sa.String(length=1024), nullable=False),
        sa.Column("name_id", sa.String(length=256), nullable=False),
        sa.Column("name_id_format", sa.String(length=128), nullable=False),
        sa.Column("name_qualifier", sa.String(length=1024), nullable=False),
        sa.Column("sp_name_qualifier", sa.String(length=1024), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("left_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("session_index", "service_provider", "name_id", name=op.f("pk_session_participant")),
    )
    with op.batch_alter_table("session_participant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_session_participant_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_session_participant_name_id"), ["name_id"], unique=False)

    op.create_table(
        "pending_logout",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("browser", sa.String(length=64), nullable=True),
        sa.Column("requester", sa.JSON(), nullable=True),
        sa.Column("participants", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_logout")),
    )
    with op.batch_alter_table("pending_logout", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pending_logout_browser"), ["browser"], unique=False)
        batch_op.create_index(batch_op.f("ix_pending_logout_expires_at"), ["expires_at"], unique=False)


def downgrade() -> None:

    with op.batch_alter_table("pending_logout", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pending_logout_expires_at"))
        batch_op.drop_index(batch_op.f("ix_pending_logout_browser"))

    op.drop_table("pending_logout")
    with op.batch_alter_table("session_participant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_session_participant_name_id"))
        batch_op.drop_index(batch_op.f("ix_session_participant_expires_at"))

    op.drop_table("session_participant")
