"""Whose account a pupil's is; the last capacity of an attachment.

Revision 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op


revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:

    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("birth_date", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("given_key", sa.String(length=64), nullable=True))
    with op.batch_alter_table("attachment", schema=None) as batch_op:
        batch_op.add_column(sa.Column("capacity", sa.String(length=16), nullable=True))


def downgrade() -> None:

    with op.batch_alter_table("attachment", schema=None) as batch_op:
        batch_op.drop_column("capacity")
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_column("given_key")
        batch_op.drop_column("birth_date")
