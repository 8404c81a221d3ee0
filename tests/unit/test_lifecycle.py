"""The state machine of an account."""

from __future__ import annotations

import ast
import re
import tempfile
from datetime import datetime, timedelta
from itertools import pairwise, product
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Table, func, select

import hub
from hub import codes
from hub.accounts import lifecycle, mail_address, service
from hub.accounts.credentials import choose_password
from hub.accounts.lifecycle import TABLE, Event, ImpossibleTransition, transition
from hub.accounts.models import Account, AttachmentState, Notice, Origin, State
from hub.accounts.notices import notify
from hub.activation.service import ChildAnswer, answer_children
from hub.audit.models import AuditEvent
from hub.codes import Channel
from hub.db.tables import Base
from hub.enrolment import service as enrolment
from hub.errors import Refusal
from hub.jobs.cleanup import expire_notices
from hub.messaging.models import OutgoingMail, OutgoingSms
from hub.recovery import service as recovery
from hub.recovery.jobs import answer_due
from hub.recovery.models import RecoveryKind
from hub.throttle import Visitor
from tests.accounts_kit import CAMILLE, GOOD_PASSWORD, LEA, NOW, OTHER_PASSWORD, link_token, make_instance, notice_for

ALLOWED = {
    (State.KNOWN, Event.INFORM): State.INFORMED,
    (State.INFORMED, Event.INFORM): State.INFORMED,
    (State.ACTIVATING, Event.INFORM): State.INFORMED,
    (State.INFORMED, Event.EXPIRE): State.KNOWN,
    (State.INFORMED, Event.SIGN_IN_WITH_PROVISIONAL): State.ACTIVATING,
    (State.KNOWN, Event.ENROL): State.ACTIVATING,
    (State.INFORMED, Event.ENROL): State.ACTIVATING,
    (State.ACTIVATING, Event.ENROL): State.ACTIVATING,
    (State.ACTIVATING, Event.COMPLETE): State.ACTIVE,
    (State.ACTIVATING, Event.ABANDON): State.KNOWN,
}


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)), ids=lambda value: value.name)
def test_each_event_in_each_state(state: State, event: Event):
    """Written out beside the table: what is not listed here is impossible, and says so."""
    if (state, event) in ALLOWED:
        assert transition(state, event) is ALLOWED[state, event]
        return
    with pytest.raises(ImpossibleTransition, match=state.value):
        transition(state, event)


def test_the_table_has_one_line_for_a_state_and_event():
    """No line hides another."""
    assert len({(line.source, line.event) for line in TABLE}) == len(TABLE) == len(ALLOWED)


def test_an_active_account_is_not_completed_again(tmp_path: Path):
    """An event that lost a race changes nothing and writes nothing."""
    instance = make_instance(tmp_path)
    document = notice_for(instance, LEA.ref)
    with instance.database.session() as late, instance.database.session() as early:
        slow, fast = late.get_one(Account, document.account_id), early.get_one(Account, document.account_id)
        lifecycle.apply(early, fast, Event.SIGN_IN_WITH_PROVISIONAL, actor="system", now=NOW)
        early.commit()
        with pytest.raises(ImpossibleTransition):
            lifecycle.apply(late, slow, Event.SIGN_IN_WITH_PROVISIONAL, actor="system", now=NOW)
        late.rollback()
        assert late.scalar(select(func.count()).where(AuditEvent.action == Event.SIGN_IN_WITH_PROVISIONAL.value)) == 1
    instance.close()


def test_guards_hold_whoever_asks(tmp_path: Path):
    """A valid notice does not expire, an expired one opens nothing, an account without password is not completed."""
    instance = make_instance(tmp_path)
    document = notice_for(instance, LEA.ref)
    with instance.database.session() as db:
        account = db.get_one(Account, document.account_id)
        with pytest.raises(Refusal):
            lifecycle.apply(db, account, Event.EXPIRE, actor="system", now=document.expires_at - timedelta(seconds=1))
        with pytest.raises(Refusal):
            lifecycle.apply(db, account, Event.SIGN_IN_WITH_PROVISIONAL, actor="system", now=document.expires_at)
        lifecycle.apply(db, account, Event.SIGN_IN_WITH_PROVISIONAL, actor="system", now=NOW)
        with pytest.raises(Refusal):
            lifecycle.apply(db, account, Event.COMPLETE, actor="system", now=NOW)
        assert account.state is State.ACTIVATING
    instance.close()


def _offences(tree: ast.AST) -> list[int]:
    """Lines that give an account a state, by assignment, in ``values(…)`` or in ``Account(…)``."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            flat = [t for target in targets for t in (target.elts if isinstance(target, ast.Tuple) else [target])]
            for target in flat:
                if (
                    isinstance(target, ast.Attribute)
                    and target.attr == "state"
                    and (_says_account(target.value) or _names_state(node.value))
                ):
                    found.append(node.lineno)
        elif isinstance(node, ast.Call):
            is_account = isinstance(node.func, ast.Name) and node.func.id == "Account"
            for keyword in node.keywords:
                if keyword.arg == "state" and (is_account or _names_state(keyword.value)):
                    found.append(node.lineno)
    return found


def _says_account(node: ast.expr) -> bool:
    return "account" in ast.unparse(node).lower().rsplit(".", 1)[-1]


def _names_state(node: ast.expr | None) -> bool:
    return node is not None and any(
        isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "State" for part in ast.walk(node)
    )


def test_nothing_else_changes_a_state():
    """No line of the code base gives an account a state but the life cycle."""
    root = Path(hub.__file__).parent
    offenders = {
        str(path.relative_to(root)): lines
        for path in sorted(root.rglob("*.py"))
        if path.name != "lifecycle.py" and (lines := _offences(ast.parse(path.read_text())))
    }
    offenders.pop("accounts/models.py", None)
    assert offenders == {}


@pytest.mark.parametrize(
    "line",
    [
        "account.state = x",
        "self.account.state = x",
        "row.state = State.ACTIVE",
        "a, account.state = 1, 2",
        "Account(state=x)",
        "q.values(state=State.KNOWN)",
    ],
)
def test_the_search_finds_what_it_looks_for(line: str):
    """The check above can fail."""
    assert _offences(ast.parse(line)) == [1]


class GuardianLife(RuleBasedStateMachine):
    """Any order of what schools, guardians with and without a letter, strangers, time and the clean-up do."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.instance = make_instance(Path(self.folder.name))
        self.now: datetime = NOW
        self.secrets: list[str] = []
        self.identifier: str | None = None
        self.id: str | None = None
        self.password: str | None = None
        self.enrolled = False
        self.codes: list[str] = []
        self.links: list[str] = []

    def teardown(self) -> None:
        if hasattr(self, "instance"):
            self.instance.close()
            self.folder.cleanup()

    def instance_tables(self) -> list[Table]:
        """All but the outbox, which has to know what it sends, until it is sent."""
        return [table for name, table in Base.metadata.tables.items() if not name.startswith("outgoing_")]

    def state(self) -> State:
        if self.id is None:
            return State.KNOWN
        with self.instance.database.session() as db:
            return db.get_one(Account, self.id).state

    @rule()
    def school_informs(self) -> None:
        before = self.state()
        try:
            with self.instance.database.transaction() as db:
                document = notify(db, self.instance.directory, self.instance.settings, CAMILLE.ref, actor="system", now=self.now)
        except Refusal:
            assert before is State.ACTIVE
            return
        assert before is not State.ACTIVE
        assert self.identifier in (None, document.identifier), "the identifier never changes"
        self.identifier, self.id, self.password, self.enrolled = document.identifier, document.account_id, None, False
        self.secrets.append(document.secret)

    @precondition(lambda self: self.secrets)
    @rule()
    def guardian_signs_in_with_the_newest_letter(self) -> None:
        before = self.state()
        with self.instance.database.session() as db:
            outcome = service.sign_in(db, self.instance, self.identifier or "", self.secrets[-1], now=self.now)
            db.commit()
        if isinstance(outcome, service.Accepted):
            assert before in (State.INFORMED, State.ACTIVATING)
            assert self.password is None, "the letter is void once a password is chosen"
            assert not self.enrolled, "the letter is void once its owner has enrolled"
            assert self.state() is State.ACTIVATING
        else:
            assert outcome.code in ("M07", "M12", "M13")

    @precondition(lambda self: len(self.secrets) > 1)
    @rule()
    def somebody_uses_an_old_letter(self) -> None:
        before = self.state()
        with self.instance.database.session() as db:
            outcome = service.sign_in(db, self.instance, self.identifier or "", self.secrets[-2], now=self.now)
            db.commit()
        assert outcome.code in ("M07", "M13")
        assert self.state() is before

    def ask_code(self, given_name: str) -> str | None:
        """The id of a code that was sent, None when the claim was refused."""
        claim = enrolment.Claim(Channel.SMS, CAMILLE.mobiles[0], "Martin", given_name)
        with self.instance.database.transaction() as db:
            sent = enrolment.begin(db, self.instance, claim, session_index="_browser", visitor=Visitor(), now=self.now)
        return sent.id if isinstance(sent, codes.Sent) else None

    def newest_sms(self) -> str:
        with self.instance.database.session() as db:
            text = db.scalars(select(OutgoingSms.text).order_by(OutgoingSms.created_at.desc())).first() or ""
        return re.findall(r"\d{6}", text)[0]

    @rule(right=st.booleans())
    def guardian_enrols(self, right: bool) -> None:
        before, id_ = self.state(), self.ask_code("Camille")
        if id_ is None:
            return
        code = self.newest_sms()
        self.codes.append(code)
        with self.instance.database.session() as db:
            row = codes.find(db, id_, purpose=enrolment.PURPOSE, session_index="_browser")
            assert row is not None
            judged = codes.judge(db, self.instance, row, code if right else code[::-1] + "0", now=self.now)
            if not isinstance(judged, codes.Judged):
                assert not right
                assert self.state() is before, "no path without the code"
                return
            outcome = enrolment.accept(db, self.instance, judged, now=self.now)
            db.commit()
        if before is State.ACTIVE:
            assert outcome == enrolment.Stopped("M31")
            return
        assert isinstance(outcome, enrolment.Enrolled)
        assert self.id in (None, outcome.account_id), "one human, one account"
        self.id, self.password, self.enrolled = outcome.account_id, None, True
        with self.instance.database.session() as db:
            self.identifier = db.get_one(Account, self.id).identifier

    @rule()
    def somebody_else_claims_the_number(self) -> None:
        before = self.state()
        assert self.ask_code("Alex") is None
        assert self.state() is before

    @rule(right=st.booleans())
    def somebody_forgot_the_password(self, right: bool) -> None:
        before = self.state()
        kind = RecoveryKind.PASSWORD_BY_MAIL
        with self.instance.database.transaction() as db:
            address = (db.get_one(Account, self.id).mail if self.id and right else None) or "stranger@ailleurs.example"
            mails = db.scalar(select(func.count()).select_from(OutgoingMail).where(OutgoingMail.subject.like("Choisissez%")))
            asked = recovery.ask(
                db, self.instance, kind, target=address, identifier=self.identifier or "x", visitor=Visitor(), now=self.now
            )
        answer_due(self.instance, now=self.now)
        with self.instance.database.session() as db:
            sent = db.scalars(select(OutgoingMail).where(OutgoingMail.subject.like("Choisissez%")).order_by(OutgoingMail.created_at)).all()
            assert self.state() is before
            if len(sent) == mails:
                return
            assert before is State.ACTIVE, "a link only for an account that is open"
            assert asked is None
            assert sent[-1].to == address
            token = re.findall(r"/recovery/password/(\S+)", sent[-1].text)[0]
            self.links.append(token)
            assert recovery.reset(db, self.instance, token, GOOD_PASSWORD, now=self.now) is not None
            db.commit()
            assert recovery.reset(db, self.instance, token, OTHER_PASSWORD, now=self.now) is None, "once"

    @precondition(lambda self: self.id and self.state() is State.ACTIVATING)
    @rule(right=st.booleans())
    def guardian_finishes(self, right: bool) -> None:
        with self.instance.database.session() as db:
            account = db.get_one(Account, self.id)
            answers = [
                ChildAnswer(a.id, self.instance.directory.students_by_ine(a.ine)[0].birth_date if right else self.now.date())
                for a in account.attachments
            ]
            answer_children(db, self.instance, account, answers, {}, now=self.now)
            choose_password(db, self.instance, account, GOOD_PASSWORD, now=self.now)
            self.password = GOOD_PASSWORD
            lifecycle.complete_guardian(db, account, now=self.now)
            if mail_address.ask(db, self.instance, account, "c@famille-demo.fr", now=self.now) is None:
                mail_address.confirm(db, link_token(db, "c@famille-demo.fr"), now=self.now)
            db.commit()

    @precondition(lambda self: self.password)
    @rule()
    def guardian_signs_in_with_the_password(self) -> None:
        with self.instance.database.session() as db:
            outcome = service.sign_in(db, self.instance, self.identifier or "", GOOD_PASSWORD, now=self.now)
            db.commit()
        assert isinstance(outcome, service.Accepted) == (self.state() in (State.ACTIVATING, State.ACTIVE)) or outcome.code == "M13"

    @rule()
    def wrong_password(self) -> None:
        with self.instance.database.session() as db:
            assert service.sign_in(db, self.instance, self.identifier or "x.y", OTHER_PASSWORD, now=self.now).code in ("M07", "M13")
            db.commit()

    @rule(days=st.booleans())
    def time_passes_and_the_clean_up_runs(self, days: bool) -> None:
        self.now += timedelta(days=40) if days else timedelta(hours=1)
        before = self.state()
        expire_notices(self.instance.database, now=self.now)
        if before is not State.ACTIVE and self.state() is State.KNOWN:
            self.password = None

    @invariant()
    def facts_fit_the_state(self) -> None:
        if getattr(self, "id", None) is None:
            return
        with self.instance.database.session() as db:
            account = db.get_one(Account, self.id)
            confirmed = [a for a in account.attachments if a.state is AttachmentState.CONFIRMED]
            secrets = db.scalars(select(Notice).where(Notice.secret_hash.is_not(None), Notice.ended_at.is_(None))).all()
            moves = db.scalars(select(AuditEvent).where(AuditEvent.action.in_([e.value for e in Event])).order_by(AuditEvent.id)).all()
            assert account.state in (State.KNOWN, State.INFORMED, State.ACTIVATING, State.ACTIVE)
            assert len(secrets) <= 1
            if account.state is State.ACTIVE:
                assert account.password_hash
                assert account.mail_confirmed_at or account.mobile_confirmed_at
                assert confirmed
                assert account.activated_at
                assert account.origin is (Origin.GUARDIAN if self.enrolled else Origin.SCHOOL)
                assert not secrets
            else:
                assert account.last_sign_in_at is None
                assert account.activated_at is None
            if account.state in (State.KNOWN, State.INFORMED):
                assert account.password_hash is None
                assert not account.attachments
            if account.state is State.KNOWN:
                assert not secrets
            kept = " ".join(str(row) for table in self.instance_tables() for row in db.execute(select(table)))
            for secret in (*self.secrets, *self.links, GOOD_PASSWORD):
                assert secret not in kept, "no secret is readable at rest"
            chain = [(m.details["before"], m.details["after"]) for m in moves]
            assert chain[0][0] == "KNOWN"
            assert all(first[1] == second[0] for first, second in pairwise(chain)), "the audit tells the whole life"
            assert chain[-1][1] == account.state.value


TestGuardianLife = GuardianLife.TestCase
TestGuardianLife.settings = settings(max_examples=20, stateful_step_count=22, deadline=None)
