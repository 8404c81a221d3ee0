"""agents: agents of schools and academies, their sessions, delegations, and the school of an audit row.

Revision 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op


revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('agent',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('login', sa.String(length=64), nullable=False),
    sa.Column('ref', sa.String(length=80), nullable=True),
    sa.Column('given_name', sa.String(length=100), nullable=False),
    sa.Column('family_name', sa.String(length=100), nullable=False),
    sa.Column('mail', sa.String(length=254), nullable=True),
    sa.Column('password_hash', sa.String(length=255), nullable=True),
    sa.Column('totp_sealed', sa.String(length=255), nullable=True),
    sa.Column('totp_last_step', sa.Integer(), nullable=True),
    sa.Column('disabled', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('last_sign_in_at', sa.DateTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_agent')),
    sa.UniqueConstraint('login', name=op.f('uq_agent_login')),
    sa.UniqueConstraint('ref', name=op.f('uq_agent_ref'))
    )
    op.create_table('agent_invitation',
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('agent_id', sa.String(length=32), nullable=False),
    sa.Column('expires_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_agent_invitation_agent_id')),
    sa.PrimaryKeyConstraint('token_hash', name=op.f('pk_agent_invitation'))
    )
    op.create_index(op.f('ix_agent_invitation_agent_id'), 'agent_invitation', ['agent_id'])
    op.create_index(op.f('ix_agent_invitation_expires_at'), 'agent_invitation', ['expires_at'])

    op.create_table('agent_passkey',
    sa.Column('credential_id', sa.String(length=512), nullable=False),
    sa.Column('agent_id', sa.String(length=32), nullable=False),
    sa.Column('public_key', sa.LargeBinary(), nullable=False),
    sa.Column('sign_count', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=60), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_agent_passkey_agent_id')),
    sa.PrimaryKeyConstraint('credential_id', name=op.f('pk_agent_passkey'))
    )
    op.create_index(op.f('ix_agent_passkey_agent_id'), 'agent_passkey', ['agent_id'])

    op.create_table('agent_post',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('agent_id', sa.String(length=32), nullable=False),
    sa.Column('function', sa.String(length=8), nullable=False),
    sa.Column('place', sa.String(length=16), nullable=False),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_agent_post_agent_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_agent_post')),
    sa.UniqueConstraint('agent_id', 'function', 'place', name=op.f('uq_agent_post_agent_id_function_place'))
    )
    op.create_index(op.f('ix_agent_post_agent_id'), 'agent_post', ['agent_id'])

    op.create_table('agent_recovery_code',
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.Column('agent_id', sa.String(length=32), nullable=False),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_agent_recovery_code_agent_id')),
    sa.PrimaryKeyConstraint('code_hash', name=op.f('pk_agent_recovery_code'))
    )
    op.create_index(op.f('ix_agent_recovery_code_agent_id'), 'agent_recovery_code', ['agent_id'])

    op.create_table('delegation',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('agent_id', sa.String(length=32), nullable=False),
    sa.Column('uai', sa.String(length=16), nullable=False),
    sa.Column('application', sa.String(length=16), nullable=False),
    sa.Column('starts_on', sa.Date(), nullable=False),
    sa.Column('ends_on', sa.Date(), nullable=False),
    sa.Column('granted_by', sa.String(length=32), nullable=True),
    sa.Column('granted_at', sa.DateTime(), nullable=False),
    sa.Column('revoked_at', sa.DateTime(), nullable=True),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_delegation_agent_id')),
    sa.ForeignKeyConstraint(['granted_by'], ['agent.id'], name=op.f('fk_delegation_granted_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_delegation'))
    )
    op.create_index(op.f('ix_delegation_agent_id'), 'delegation', ['agent_id'])
    op.create_index(op.f('ix_delegation_uai'), 'delegation', ['uai'])

    op.create_table('staff_session',
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('agent_id', sa.String(length=32), nullable=True),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('last_seen_at', sa.DateTime(), nullable=False),
    sa.Column('expires_at', sa.DateTime(), nullable=False),
    sa.Column('strong_at', sa.DateTime(), nullable=True),
    sa.Column('data', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['agent_id'], ['agent.id'], name=op.f('fk_staff_session_agent_id')),
    sa.PrimaryKeyConstraint('token_hash', name=op.f('pk_staff_session'))
    )
    op.create_index(op.f('ix_staff_session_agent_id'), 'staff_session', ['agent_id'])
    op.create_index(op.f('ix_staff_session_expires_at'), 'staff_session', ['expires_at'])

    op.add_column('audit_event', sa.Column('school', sa.String(length=16), nullable=True))
    op.create_index(op.f('ix_audit_event_school'), 'audit_event', ['school'])
