"""A guardian keeps the account from one school record to the next, even without signing in while both are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from backends import Degree, Kind, Ref
from backends.sql import SqlDirectory
from hub.accounts import service
from hub.accounts.models import Account, AttachmentState
from hub.errors import Refusal
from hub.instance import Instance
from tests import aaf_kit as kit
from tests import accounts_kit
from tests.feed_kit import Feed, subject_of

D1, D2 = Degree.PRIMARY, Degree.SECONDARY
INE = "123456789AB"
BEFORE, AFTER = Ref("10", D1, Kind.GUARDIAN, "601"), Ref("10", D2, Kind.GUARDIAN, "901")
FIRST_DEGREE = kit.header(degree="1D", sdet="Annexe 1 version 6.4")
others = (kit.school_1d(), kit.student_1d("8", relatives=["608$10"]), kit.guardian_1d("608", ENTPersonPrenom="Zoe"))
college = (kit.school(), kit.mef(), kit.student("801", ENTEleveINE=INE, relatives=["901$10$1$1$0$1"]))
no_channel = {"mobile": "", "mail": ""}


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[SqlDirectory]:
    """A directory with a CM2 pupil and the mother, Anne Martin."""
    with closing(kit.empty_directory(tmp_path / "db")) as directory:
        yield directory


@pytest.fixture
def feed(tmp_path: Path, directory: SqlDirectory) -> Feed:
    """Imports into the directory; the CM2 is there."""
    (tmp_path / "in").mkdir()
    feed = Feed(tmp_path / "in", directory)
    feed(*others, kit.guardian_1d("601"), kit.student_1d("9", ENTEleveINE=INE), head=FIRST_DEGREE)
    return feed


@pytest.fixture
def instance(tmp_path: Path, directory: SqlDirectory) -> Instance:
    """A hub on that directory."""
    return accounts_kit.make_instance(tmp_path / "hub", directory)  # type: ignore[arg-type]


def sign_in(instance: Instance, account_id: str) -> tuple[list[str], list[AttachmentState]]:
    """Records and states of the attachments after a sign-in."""
    with instance.database.session() as db:
        account = db.get_one(Account, account_id)
        now = accounts_kit.NOW + timedelta(days=90)
        assert isinstance(service.sign_in(db, instance, account.identifier or "", accounts_kit.GOOD_PASSWORD, now=now), service.Accepted)
        db.commit()
        return [record.ref for record in account.records], [attachment.state for attachment in account.attachments]


@pytest.mark.covers("F071", "F006")
@pytest.mark.parametrize(
    "record", [kit.guardian("901"), kit.guardian("901", givenName="Anne Marie"), kit.guardian("901", **no_channel)],
    ids=["same channels", "more given names", "same names alone"],
)  # fmt: skip
def test_the_summer_passes_without_a_sign_in(instance: Instance, feed: Feed, record: str) -> None:
    """The CM2 record is gone before the parent comes back: the 6e record is the account's, the child stays proved."""
    account = accounts_kit.activate(instance, BEFORE)
    feed(*college, record)
    feed(*others, head=FIRST_DEGREE)
    assert subject_of(instance, account) is None
    with pytest.raises(Refusal, match=r"a\.martin .*ACTIVE"):
        accounts_kit.notice_for(instance, AFTER)
    assert sign_in(instance, account) == ([str(BEFORE), str(AFTER)], [AttachmentState.CONFIRMED])
    subject = subject_of(instance, account)
    assert subject is not None
    assert [(child.ine, child.legal) for child in subject.children] == [(INE, {D2})]
    with pytest.raises(Refusal, match=r"a\.martin: the account is ACTIVE"):
        accounts_kit.notice_for(instance, AFTER)


@pytest.mark.covers("F071")
@pytest.mark.parametrize(
    "record",
    [
        kit.guardian("901", givenName="Paul"),
        kit.guardian("901", sn="DURAND"),
        kit.guardian("901", personalTitle="M."),
        kit.guardian("901", givenName="Anne Marie", **no_channel),
    ],
    ids=["other given name", "other family name", "other title", "other names and no channel"],
)
def test_somebody_else_does_not_inherit(instance: Instance, feed: Feed, record: str) -> None:
    """A guardian of the same child who is another person, or may be: no record is added, the right is gone, a notice is possible."""
    account = accounts_kit.activate(instance, BEFORE)
    feed(*college, record)
    feed(*others, head=FIRST_DEGREE)
    assert sign_in(instance, account) == ([str(BEFORE)], [AttachmentState.ENDED])
    assert subject_of(instance, account) is None
    assert accounts_kit.notice_for(instance, AFTER).account_id != account


@pytest.mark.covers("F071")
def test_names_alone_need_another_feed_or_degree(instance: Instance, feed: Feed) -> None:
    """Inside one feed and degree a second record with the same names may be a homonym: only a channel makes it the same person."""
    account = accounts_kit.activate(instance, BEFORE)
    pupil = kit.student_1d("9", ENTEleveINE=INE, relatives=["602$10"])
    feed(*others, pupil, kit.guardian_1d("602", ENTPersRelEleveTelMobile="", ENTPersonMail=""), head=FIRST_DEGREE)
    assert sign_in(instance, account) == ([str(BEFORE)], [AttachmentState.ENDED])


@pytest.mark.covers("F071")
def test_two_accounts_of_the_same_names_are_a_doubt(instance: Instance, feed: Feed) -> None:
    """Two homonyms proved the same child: neither gets the new record by the names alone."""
    pupil = kit.student_1d("9", ENTEleveINE=INE, relatives=["601$10", "602$10"])
    homonym = kit.guardian_1d("602", ENTPersRelEleveTelMobile="", ENTPersonMail="")
    feed(*others, kit.guardian_1d("601"), homonym, pupil, head=FIRST_DEGREE)
    accounts = [accounts_kit.activate(instance, Ref("10", D1, Kind.GUARDIAN, id_)) for id_ in ("601", "602")]
    feed(*college, kit.guardian("901", **no_channel))
    feed(*others, head=FIRST_DEGREE)
    for account in accounts:
        assert str(AFTER) not in sign_in(instance, account)[0]


def test_a_former_guardian_is_remembered_and_has_no_right(directory: SqlDirectory, feed: Feed) -> None:
    """Who has left is told by the question for it only; who is there is not former."""
    assert directory.former_guardian(BEFORE) is None
    feed(*others, head=FIRST_DEGREE)
    former = directory.former_guardian(BEFORE)
    assert former is not None
    assert (former.given_name, former.ref) == ("Anne", BEFORE)
    assert directory.ties_of(BEFORE) == directory.find_guardians("Martin", "Anne", mobile="+33639980001") == ()
    assert directory.former_guardian(Ref("10", D1, Kind.GUARDIAN, "' OR 1")) is None
