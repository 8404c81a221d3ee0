"""A small school in memory, and accounts made through the real services."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from backends import Capacity, Degree, Enrolment, Guardian, Kind, Ref, School, Student, Tie
from backends.memory import MemoryDirectory
from hub.accounts import attachments, mail_address, notices, service
from hub.accounts.credentials import choose_password, password_problems
from hub.accounts.models import Account, AccountKind, AttachmentState
from hub.accounts.notices import NoticeDocument
from hub.activation.service import ChildAnswer, answer_children, give_birth_date
from hub.db import Database
from hub.db.tables import Base
from hub.instance import Instance, create_secret
from hub.settings import Settings

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
COLLEGE, LYCEE = "0131234A", "0139999Z"
GOOD_PASSWORD = "sept girafes bleues dansent"
OTHER_PASSWORD = "quatre tortues vertes chantent"


def ref(kind: Kind, id_: str, *, feed: str = "13", degree: Degree = Degree.SECONDARY) -> Ref:
    """A record key; by default of the second degree of academy 13."""
    return Ref(feed, degree, kind, id_)


def student(id_: str, given_name: str = "Léa", family_name: str = "Martin", **values: Any) -> Student:
    """A pupil of the collège, twelve years old, with an INE made of ``id_``."""
    feed, degree = values.pop("feed", "13"), values.pop("degree", Degree.SECONDARY)
    facts: dict[str, Any] = {
        "ine": f"{int(id_):09d}AA",
        "birth_date": date(2014, 7, 14),
        "enrolments": (Enrolment(COLLEGE, division="6A"),),
    }
    return Student(ref(Kind.STUDENT, id_, feed=feed, degree=degree), "13", family_name, given_name, **{**facts, **values})


def guardian(id_: str, given_name: str = "Camille", family_name: str = "Martin", **values: Any) -> Guardian:
    """A guardian with a mobile and a mail made of ``id_``."""
    feed, degree = values.pop("feed", "13"), values.pop("degree", Degree.SECONDARY)
    facts: dict[str, Any] = {"mobiles": (f"+3363998{int(id_):04d}",), "mail": f"parent{id_}@famille-demo.fr", "civility": "Mme"}
    return Guardian(ref(Kind.GUARDIAN, id_, feed=feed, degree=degree), "13", family_name, given_name, **{**facts, **values})


def tie(parent: Guardian, child: Student, capacity: Capacity = Capacity.LEGAL) -> Tie:
    """The right of ``parent`` over ``child``."""
    return Tie(parent.ref, child.ref, capacity, child.ine)


LEA = student("1")
TOM = student("2", "Tom", birth_date=date(2010, 1, 2), enrolments=(Enrolment(LYCEE, division="2nde 3"),))
CAMILLE = guardian("10")
ALEX = guardian("11", "Alex", "Durand", civility="M.")


def small_directory() -> MemoryDirectory:
    """Léa (12) and Tom (16) with their mother Camille; Alex is in charge of Léa."""
    schools = (
        School(COLLEGE, "Collège des Tilleuls", "13", Degree.SECONDARY),
        School(LYCEE, "Lycée du Moulin", "13", Degree.SECONDARY),
    )
    ties = (tie(CAMILLE, LEA), tie(CAMILLE, TOM), tie(ALEX, LEA, Capacity.IN_CHARGE))
    return MemoryDirectory((LEA, TOM, CAMILLE, ALEX), ties, schools)


def quick_settings(folder: Path, **values: Any) -> Settings:
    """Settings whose password hashes cost next to nothing. Everything else is as delivered."""
    return Settings(**{"instance_dir": folder, "argon2_memory_kib": 64, "argon2_time_cost": 1, **values})


def make_instance(folder: Path, directory: MemoryDirectory | None = None, *, database_url: str = "", **values: Any) -> Instance:
    """An instance with its tables, a secret and an in-memory directory."""
    settings = quick_settings(folder, database_url=database_url, **values)
    create_secret(settings.secret_file)
    instance = Instance(settings)
    instance.__dict__["database"] = Database(settings.database)
    instance.__dict__["directory"] = directory if directory is not None else small_directory()
    Base.metadata.create_all(instance.database.engine)
    return instance


def notice_for(instance: Instance, who: Ref, *, now: datetime = NOW) -> NoticeDocument:
    """A committed notice for that person."""
    with instance.database.transaction() as db:
        return notices.notify(db, instance.directory, instance.settings, who, actor="system", now=now)


def activate(instance: Instance, who: Ref, *, password: str = GOOD_PASSWORD, now: datetime = NOW) -> str:
    """Take that person through the whole activation with the real services. Returns the account's id."""
    document = notice_for(instance, who, now=now)
    with instance.database.session() as db:
        outcome = service.sign_in(db, instance, document.identifier, document.secret, now=now)
        assert isinstance(outcome, service.Accepted)
        account = db.get_one(Account, outcome.account_id)
        assert password_problems(db, instance, account, password, password) == []
        choose_password(db, instance, account, password, now=now)
        if account.kind is AccountKind.STUDENT:
            born = instance.directory.students_by_ine(account.ine or "")[0].birth_date
            assert born is not None
            assert give_birth_date(db, instance, account, born, now=now) is None
        else:
            _prove_children(db, instance, account, now=now)
            _confirm_mail(db, instance, account, f"{document.identifier}@famille-demo.fr", now=now)
        db.commit()
        return account.id


def _prove_children(db: Session, instance: Instance, account: Account, *, now: datetime) -> None:
    answers = []
    for attachment in account.attachments:
        if attachment.state is AttachmentState.PROPOSED:
            born = instance.directory.students_by_ine(attachment.ine)[0].birth_date
            answers.append(ChildAnswer(attachment.id, born))
    assert answer_children(db, instance, account, answers, {}, now=now) == {}


def _confirm_mail(db: Session, instance: Instance, account: Account, address: str, *, now: datetime) -> None:
    assert mail_address.ask(db, instance, account, address, now=now) is None
    assert mail_address.confirm(db, link_token(db, address), now=now) is account


def link_token(db: Session, address: str) -> str:
    """The token of the newest link written to that address, read from the outbox as its owner would."""
    from sqlalchemy import select

    from hub.messaging.models import OutgoingMail

    mail = db.scalars(select(OutgoingMail).where(OutgoingMail.to == address).order_by(OutgoingMail.created_at.desc())).first()
    assert mail is not None
    return mail.text.split("/activation/mail/")[1].split()[0]


__all__ = [
    "ALEX", "CAMILLE", "COLLEGE", "GOOD_PASSWORD", "LEA", "LYCEE", "NOW", "OTHER_PASSWORD", "TOM", "activate", "attachments", "guardian",
    "link_token", "make_instance", "notice_for", "quick_settings", "ref", "replace", "small_directory", "student", "tie",
]  # fmt: skip
