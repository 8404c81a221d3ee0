"""first tables.

Revision 0001, after .
"""

import sqlalchemy as sa
from alembic import op


revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "account",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("identifier", sa.String(length=64), nullable=True),
        sa.Column("ine", sa.String(length=16), nullable=True),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("mail", sa.String(length=254), nullable=True),
        sa.Column("mail_confirmed_at", sa.DateTime(), nullable=True),
        sa.Column("mail_pending", sa.String(length=254), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("informed_at", sa.DateTime(), nullable=True),
        sa.Column("activated_at", sa.DateTime(), nullable=True),
        sa.Column("last_sign_in_at", sa.DateTime(), nullable=True),
        sa.Column("expired_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("identifier", name=op.f("uq_account_identifier")),
        sa.UniqueConstraint("ine", name=op.f("uq_account_ine")),
    )
    op.create_table(
        "audit_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("reference", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_event_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_event_action"), ["action"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_event_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_event_reference"), ["reference"], unique=False)

    op.create_table(
        "outgoing_mail",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("to", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("sent_at", sa.DateTime(), nullable=True),
        sa.Column("captured", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(), nullable=True),
        sa.Column("last_error", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_mail")),
    )
    with op.batch_alter_table("outgoing_mail", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outgoing_mail_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_outgoing_mail_next_attempt_at"), ["next_attempt_at"], unique=False)

    op.create_table(
        "pending_signon",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("service_provider", sa.String(length=1024), nullable=False),
        sa.Column("request_id", sa.String(length=256), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("relay_state", sa.String(length=2000), nullable=True),
        sa.Column("name_id_format", sa.String(length=128), nullable=False),
        sa.Column("browser", sa.String(length=64), nullable=True),
        sa.Column("challenged_at", sa.DateTime(), nullable=True),
        sa.Column("reference", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("answered_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_signon")),
    )
    with op.batch_alter_table("pending_signon", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pending_signon_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "reserved_identifier",
        sa.Column("identifier", sa.String(length=64), nullable=False),
        sa.Column("reserved_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("identifier", name=op.f("pk_reserved_identifier")),
    )
    op.create_table(
        "seen_request",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_seen_request")),
    )
    with op.batch_alter_table("seen_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_seen_request_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "service_provider",
        sa.Column("entity_id", sa.String(length=1024), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("metadata_xml", sa.Text(), nullable=False),
        sa.Column("descriptor", sa.JSON(), nullable=False),
        sa.Column("dialect", sa.String(length=32), nullable=False),
        sa.Column("profiles", sa.JSON(), nullable=False),
        sa.Column("open_to_in_charge", sa.Boolean(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=True),
        sa.Column("name_id_format", sa.String(length=128), nullable=False),
        sa.Column("requests_signed", sa.Boolean(), nullable=False),
        sa.Column("sign_response", sa.Boolean(), nullable=False),
        sa.Column("sign_assertion", sa.Boolean(), nullable=False),
        sa.Column("accept_rsa_sha1", sa.Boolean(), nullable=False),
        sa.Column("legacy_acs_pair", sa.Boolean(), nullable=False),
        sa.Column("encryption_waived", sa.Boolean(), nullable=False),
        sa.Column("allow_cbc", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.Column("approved_at", sa.DateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("entity_id", name=op.f("pk_service_provider")),
    )
    op.create_table(
        "signon_record",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("service_provider", sa.String(length=1024), nullable=False),
        sa.Column("request_id", sa.String(length=256), nullable=False),
        sa.Column("assertion_id", sa.String(length=64), nullable=False),
        sa.Column("session_index", sa.String(length=64), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("encrypted", sa.Boolean(), nullable=False),
        sa.Column("reference", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signon_record")),
    )
    with op.batch_alter_table("signon_record", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_signon_record_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_signon_record_assertion_id"), ["assertion_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_signon_record_at"), ["at"], unique=False)

    op.create_table(
        "throttle",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_failure_at", sa.DateTime(), nullable=False),
        sa.Column("blocked_until", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttle")),
    )
    with op.batch_alter_table("throttle", schema=None) as batch_op:
        batch_op.create_index("ix_throttle_last_failure_at", ["last_failure_at"], unique=False)

    op.create_table(
        "account_record",
        sa.Column("ref", sa.String(length=80), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_account_record_account_id")),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_account_record")),
    )
    with op.batch_alter_table("account_record", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_account_record_account_id"), ["account_id"], unique=False)

    op.create_table(
        "attachment",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("ine", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("proposed_at", sa.DateTime(), nullable=False),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempts_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_attachment_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
        sa.UniqueConstraint("account_id", "ine", name=op.f("uq_attachment_account_id_ine")),
    )
    with op.batch_alter_table("attachment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attachment_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_attachment_ine"), ["ine"], unique=False)

    op.create_table(
        "browser_session",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=True),
        sa.Column("session_index", sa.String(length=64), nullable=False),
        sa.Column("logout_token", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("authn_instant", sa.DateTime(), nullable=True),
        sa.Column("authn_context", sa.String(length=128), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_browser_session_account_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_browser_session")),
        sa.UniqueConstraint("logout_token", name=op.f("uq_browser_session_logout_token")),
        sa.UniqueConstraint("session_index", name=op.f("uq_browser_session_session_index")),
    )
    with op.batch_alter_table("browser_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_browser_session_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_browser_session_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "mail_token",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_mail_token_account_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_mail_token")),
    )
    with op.batch_alter_table("mail_token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mail_token_account_id"), ["account_id"], unique=False)

    op.create_table(
        "notice",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("secret_hash", sa.String(length=255), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_notice_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notice_account_id"), ["account_id"], unique=False)

    op.create_table(
        "directory_delivery",
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("degree", sa.String(length=2), nullable=False),
        sa.Column("exported_on", sa.Date(), nullable=True),
        sa.Column("version_af", sa.String(length=32), nullable=False),
        sa.Column("version_sdet", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("feed", "degree", name=op.f("pk_directory_delivery")),
    )
    op.create_table(
        "directory_enrolment",
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("degree", sa.String(length=2), nullable=False),
        sa.Column("student", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("structure", sa.String(length=32), nullable=False),
        sa.Column("division", sa.Text(), nullable=True),
        sa.Column("mef", sa.String(length=32), nullable=True),
        sa.Column("mef_label", sa.Text(), nullable=True),
        sa.Column("level", sa.String(length=4), nullable=True),
        sa.PrimaryKeyConstraint("feed", "degree", "student", "position", name=op.f("pk_directory_enrolment")),
    )
    with op.batch_alter_table("directory_enrolment", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_directory_enrolment_feed_degree_structure_division"), ["feed", "degree", "structure", "division"], unique=False
        )

    op.create_table(
        "directory_feed",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("academy", sa.String(length=2), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_directory_feed")),
    )
    op.create_table(
        "directory_function",
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("degree", sa.String(length=2), nullable=False),
        sa.Column("staff", sa.String(length=32), nullable=False),
        sa.Column("structure", sa.String(length=32), nullable=False),
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("feed", "degree", "staff", "structure", "code", name=op.f("pk_directory_function")),
    )
    with op.batch_alter_table("directory_function", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_directory_function_feed_degree_structure"), ["feed", "degree", "structure"], unique=False)

    op.create_table(
        "directory_guardian",
        sa.Column("birth_key", sa.Text(), nullable=False),
        sa.Column("mobiles", sa.Text(), nullable=False),
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("degree", sa.String(length=2), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("family_name", sa.Text(), nullable=False),
        sa.Column("given_name", sa.Text(), nullable=False),
        sa.Column("birth_name", sa.Text(), nullable=True),
        sa.Column("civility", sa.String(length=4), nullable=True),
        sa.Column("mail", sa.Text(), nullable=True),
        sa.Column("family_key", sa.Text(), nullable=False),
        sa.Column("given_key", sa.Text(), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("feed", "degree", "id", name=op.f("pk_directory_guardian")),
    )
    with op.batch_alter_table("directory_guardian", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_directory_guardian_birth_key_given_key"), ["birth_key", "given_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_directory_guardian_family_key_given_key"), ["family_key", "given_key"], unique=False)

    op.create_table(
        "directory_mef",
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("level", sa.String(length=4), nullable=True),
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("degree", sa.String(length=2), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("feed", "degree", "id", name=op.f("pk_directory_mef")),
    )
    op.create_table(
        "directory_school",
        sa.Column("uai", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("town", sa.Text(), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("agricultural", sa.Boolean(), nullable=False),
        sa.Column("other_academy", sa.Boolean(), nullable=False),
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("degree", sa.String(length=2), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("feed", "degree", "id", name=op.f("pk_directory_school")),
    )
    with op.batch_alter_table("directory_school", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_directory_school_uai"), ["uai"], unique=False)

    op.create_table(
        "directory_staff",
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("degree", sa.String(length=2), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("family_name", sa.Text(), nullable=False),
        sa.Column("given_name", sa.Text(), nullable=False),
        sa.Column("birth_name", sa.Text(), nullable=True),
        sa.Column("civility", sa.String(length=4), nullable=True),
        sa.Column("mail", sa.Text(), nullable=True),
        sa.Column("family_key", sa.Text(), nullable=False),
        sa.Column("given_key", sa.Text(), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("feed", "degree", "id", name=op.f("pk_directory_staff")),
    )
    op.create_table(
        "directory_student",
        sa.Column("ine", sa.String(length=11), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("other_given_names", sa.Text(), nullable=False),
        sa.Column("siecle_number", sa.String(length=16), nullable=True),
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("degree", sa.String(length=2), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("family_name", sa.Text(), nullable=False),
        sa.Column("given_name", sa.Text(), nullable=False),
        sa.Column("birth_name", sa.Text(), nullable=True),
        sa.Column("civility", sa.String(length=4), nullable=True),
        sa.Column("mail", sa.Text(), nullable=True),
        sa.Column("family_key", sa.Text(), nullable=False),
        sa.Column("given_key", sa.Text(), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("feed", "degree", "id", name=op.f("pk_directory_student")),
    )
    with op.batch_alter_table("directory_student", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_directory_student_ine"), ["ine"], unique=False)

    op.create_table(
        "directory_tie",
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("degree", sa.String(length=2), nullable=False),
        sa.Column("student", sa.String(length=32), nullable=False),
        sa.Column("guardian", sa.String(length=32), nullable=False),
        sa.Column("capacity", sa.String(length=9), nullable=False),
        sa.PrimaryKeyConstraint("feed", "degree", "student", "guardian", name=op.f("pk_directory_tie")),
    )
    with op.batch_alter_table("directory_tie", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_directory_tie_feed_degree_guardian"), ["feed", "degree", "guardian"], unique=False)


def downgrade() -> None:

    with op.batch_alter_table("directory_tie", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_directory_tie_feed_degree_guardian"))

    op.drop_table("directory_tie")
    with op.batch_alter_table("directory_student", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_directory_student_ine"))

    op.drop_table("directory_student")
    op.drop_table("directory_staff")
    with op.batch_alter_table("directory_school", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_directory_school_uai"))

    op.drop_table("directory_school")
    op.drop_table("directory_mef")
    with op.batch_alter_table("directory_guardian", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_directory_guardian_family_key_given_key"))
        batch_op.drop_index(batch_op.f("ix_directory_guardian_birth_key_given_key"))

    op.drop_table("directory_guardian")
    with op.batch_alter_table("directory_function", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_directory_function_feed_degree_structure"))

    op.drop_table("directory_function")
    op.drop_table("directory_feed")
    with op.batch_alter_table("directory_enrolment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_directory_enrolment_feed_degree_structure_division"))

    op.drop_table("directory_enrolment")
    op.drop_table("directory_delivery")
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notice_account_id"))

    op.drop_table("notice")
    with op.batch_alter_table("mail_token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mail_token_account_id"))

    op.drop_table("mail_token")
    with op.batch_alter_table("browser_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_browser_session_expires_at"))
        batch_op.drop_index(batch_op.f("ix_browser_session_account_id"))

    op.drop_table("browser_session")
    with op.batch_alter_table("attachment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attachment_ine"))
        batch_op.drop_index(batch_op.f("ix_attachment_account_id"))

    op.drop_table("attachment")
    with op.batch_alter_table("account_record", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_account_record_account_id"))

    op.drop_table("account_record")
    with op.batch_alter_table("throttle", schema=None) as batch_op:
        batch_op.drop_index("ix_throttle_last_failure_at")

    op.drop_table("throttle")
    with op.batch_alter_table("signon_record", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_signon_record_at"))
        batch_op.drop_index(batch_op.f("ix_signon_record_assertion_id"))
        batch_op.drop_index(batch_op.f("ix_signon_record_account_id"))

    op.drop_table("signon_record")
    op.drop_table("service_provider")
    with op.batch_alter_table("seen_request", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_seen_request_expires_at"))

    op.drop_table("seen_request")
    op.drop_table("reserved_identifier")
    with op.batch_alter_table("pending_signon", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pending_signon_expires_at"))

    op.drop_table("pending_signon")
    with op.batch_alter_table("outgoing_mail", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outgoing_mail_next_attempt_at"))
        batch_op.drop_index(batch_op.f("ix_outgoing_mail_created_at"))

    op.drop_table("outgoing_mail")
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_event_reference"))
        batch_op.drop_index(batch_op.f("ix_audit_event_at"))
        batch_op.drop_index(batch_op.f("ix_audit_event_action"))
        batch_op.drop_index(batch_op.f("ix_audit_event_account_id"))

    op.drop_table("audit_event")
    op.drop_table("account")
