"""deltas: what a delivery said of each record, head counts, past deliveries.

Revision 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op


revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

RECORDS = ("school", "mef", "staff", "guardian", "student")


def upgrade() -> None:

    op.create_table(
        "directory_headcount",
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("degree", sa.String(length=2), nullable=False),
        sa.Column("category", sa.String(length=8), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("heads", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("feed", "degree", "category", "day", name=op.f("pk_directory_headcount")),
    )
    for record in RECORDS:
        with op.batch_alter_table(f"directory_{record}") as table:
            table.add_column(sa.Column("source", sa.Text(), nullable=False, server_default=""))
        with op.batch_alter_table(f"directory_{record}") as table:
            table.alter_column("source", server_default=None)

    # With the pupil in it, SQLite takes this index rather than the key, which begins with the same two columns.
    with op.batch_alter_table("directory_tie") as table:
        table.drop_index("ix_directory_tie_feed_degree_guardian")
        table.create_index("ix_directory_tie_feed_degree_guardian_student", ["feed", "degree", "guardian", "student"])

    op.create_table(
        "aaf_delivery",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("shrink_accepted", sa.Boolean(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_aaf_delivery")),
    )
    op.create_index(op.f("ix_aaf_delivery_started_at"), "aaf_delivery", ["started_at"])
    op.create_index(op.f("ix_aaf_delivery_feed"), "aaf_delivery", ["feed"])
    op.create_table(
        "aaf_school_report",
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("degree", sa.String(length=2), nullable=False),
        sa.Column("structure", sa.String(length=32), nullable=False),
        sa.Column("uai", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["aaf_delivery.id"], name=op.f("fk_aaf_school_report_delivery_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("delivery_id", "degree", "structure", name=op.f("pk_aaf_school_report")),
    )
    op.create_index(op.f("ix_aaf_school_report_uai"), "aaf_school_report", ["uai"])
