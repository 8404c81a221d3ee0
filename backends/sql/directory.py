"""The directory contract over the tables of :mod:`backends.sql.models`: one or two statements per call."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
)  # fmt: skip
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from .. import (
    Capacity,
    Degree,
    Directory,
    Enrolment,
    Features,
    Guardian,
    Health,
    Kind,
    NotFound,
    Page,
    Person,
    Ref,
    Refused,
    School,
    Staff,
    Student,
    Tie,
    Unavailable,
)  # fmt: skip
from ..names import first_name, mail_key, name_key
from . import models
from .feed import Feeding


def _table(model: type[models.DirectoryBase]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table


FEED = _table(models.Feed)
SCHOOL = _table(models.School)
MEF = _table(models.Mef)
STUDENT = _table(models.Student)
ENROLMENT = _table(models.Enrolment)
GUARDIAN = _table(models.Guardian)
TIE = _table(models.Tie)
STAFF = _table(models.Staff)
FUNCTION = _table(models.Function)

_PEOPLE = {Kind.STUDENT: STUDENT, Kind.GUARDIAN: GUARDIAN, Kind.STAFF: STAFF}


def _same(left: FromClause, right: FromClause, **keys: str) -> ColumnElement[bool]:
    """Join condition inside one feed and degree: ``_same(a, b, x="id")`` is also ``a.x = b.id``."""
    pairs = [left.c[mine] == right.c[other] for mine, other in keys.items()]
    return and_(left.c.feed == right.c.feed, left.c.degree == right.c.degree, *pairs)


_OWN_SCHOOL = and_(SCHOOL.c.ended_at.is_(None), SCHOOL.c.other_academy.is_(False))

_ENROLMENTS = (
    select(
        ENROLMENT.c.feed, ENROLMENT.c.degree, ENROLMENT.c.student, SCHOOL.c.uai, ENROLMENT.c.division, ENROLMENT.c.mef,
        func.coalesce(ENROLMENT.c.mef_label, MEF.c.label), func.coalesce(ENROLMENT.c.level, MEF.c.level),
    )
    .select_from(ENROLMENT)
    .join(SCHOOL, and_(_same(ENROLMENT, SCHOOL, structure="id"), _OWN_SCHOOL))
    .outerjoin(MEF, and_(_same(ENROLMENT, MEF, mef="id"), MEF.c.ended_at.is_(None)))
    .order_by(ENROLMENT.c.position)
)  # fmt: skip

_FUNCTIONS = (
    select(FUNCTION.c.feed, FUNCTION.c.degree, FUNCTION.c.staff, SCHOOL.c.uai, FUNCTION.c.code)
    .select_from(FUNCTION)
    .join(SCHOOL, and_(_same(FUNCTION, SCHOOL, structure="id"), _OWN_SCHOOL))
    .order_by(SCHOOL.c.uai, FUNCTION.c.code)
)

_BEARER = STUDENT.alias("bearer")
_AGREED = (
    select(and_(*(func.coalesce(func.min(_BEARER.c[fact]) == func.max(_BEARER.c[fact]), literal(True)) for fact in models.IDENTITY)))
    .where(_BEARER.c.ine == STUDENT.c.ine, _BEARER.c.ended_at.is_(None))
    .scalar_subquery()
)
"""Whether the current records with the INE of a student are those of one child; see :meth:`Directory.students_by_ine`."""

_INE = case((_AGREED, STUDENT.c.ine)).label("ine")


_TIES = (
    select(TIE.c.feed, TIE.c.degree, TIE.c.student, TIE.c.guardian, TIE.c.capacity, _INE)
    .select_from(TIE)
    .join(STUDENT, and_(_same(TIE, STUDENT, student="id"), STUDENT.c.ended_at.is_(None)))
    .join(GUARDIAN, and_(_same(TIE, GUARDIAN, guardian="id"), GUARDIAN.c.ended_at.is_(None)))
)


def _shown(table: Table) -> list[ColumnElement[Any]]:
    """The columns that the contract shows; what only the import needs stays behind, an INE that identifies nobody comes as none."""
    return [_INE if column is STUDENT.c.ine else column for column in table.c if column.name not in ("source", "digest")]


_STUDENTS = (
    select(
        *_shown(STUDENT), FEED.c.academy,
        SCHOOL.c.uai, ENROLMENT.c.division, ENROLMENT.c.mef,
        func.coalesce(ENROLMENT.c.mef_label, MEF.c.label), func.coalesce(ENROLMENT.c.level, MEF.c.level),
    )
    .select_from(STUDENT)
    .join(FEED, STUDENT.c.feed == FEED.c.name)
    .outerjoin(ENROLMENT, _same(ENROLMENT, STUDENT, student="id"))
    .outerjoin(SCHOOL, and_(_same(ENROLMENT, SCHOOL, structure="id"), _OWN_SCHOOL))
    .outerjoin(MEF, and_(_same(ENROLMENT, MEF, mef="id"), MEF.c.ended_at.is_(None)))
    .where(STUDENT.c.ended_at.is_(None))
    .order_by(STUDENT.c.feed, STUDENT.c.degree, STUDENT.c.id, ENROLMENT.c.position)
)  # fmt: skip
"""Students with their enrolments in one statement; the last five columns are those of an enrolment, its UAI first."""


def _people(kind: Kind, *, ended: bool = False) -> Select[Any]:
    table = _PEOPLE[kind]
    there = table.c.ended_at.is_not(None) if ended else table.c.ended_at.is_(None)
    return select(*_shown(table), FEED.c.academy).join_from(table, FEED, table.c.feed == FEED.c.name).where(there)


def _keyed(query: Select[Any], table: FromClause) -> Select[Any]:
    """The query for one key, given as parameters when it runs: made once, so that it is compiled once."""
    return query.where(table.c.feed == bindparam("key_feed"), table.c.degree == bindparam("key_degree"), table.c.id == bindparam("key_id"))


def _key(ref: Ref) -> dict[str, str]:
    return {"key_feed": ref.feed, "key_degree": ref.degree.value, "key_id": ref.id}


_PERSON = {
    Kind.STUDENT: _keyed(_STUDENTS, STUDENT),
    Kind.GUARDIAN: _keyed(_people(Kind.GUARDIAN), GUARDIAN),
    Kind.STAFF: _keyed(_people(Kind.STAFF), STAFF),
}
_FORMER_GUARDIAN = _keyed(_people(Kind.GUARDIAN, ended=True), GUARDIAN)
_BY_INE = _STUDENTS.where(STUDENT.c.ine == bindparam("ine"), _AGREED)
_TIES_OF = {Kind.GUARDIAN: _keyed(_TIES, GUARDIAN), Kind.STUDENT: _keyed(_TIES, STUDENT)}


class SqlDirectory(Directory):
    """The default directory. ``engine`` is a SQLAlchemy engine on SQLite or PostgreSQL whose waits are bounded."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.features = Features.FEEDING | (Features.LOCAL if engine.dialect.name == "sqlite" else Features.NONE)

    def feeding(self, feed: str, academy: str, *, delta: bool = False) -> Feeding:
        """A delivery on its way into ``feed`` of the academy with that two-digit code; see :class:`Feeding`."""
        return Feeding(self.engine, feed, academy, delta=delta)

    def person(self, ref: Ref) -> Person:
        if not (ref.feed + ref.id).isprintable():
            raise NotFound(ascii(str(ref)))
        with self._reading() as connection:
            rows = connection.execute(_PERSON[ref.kind], _key(ref)).all()
            people = _with_enrolments(rows) if ref.kind is Kind.STUDENT else _records(connection, ref.kind, rows)
        if not people:
            raise NotFound(str(ref))
        return people[0]

    def former_guardian(self, ref: Ref) -> Guardian | None:
        if ref.kind is not Kind.GUARDIAN or not (ref.feed + ref.id).isprintable():
            return None
        with self._reading() as connection:
            row = connection.execute(_FORMER_GUARDIAN, _key(ref)).one_or_none()
        return _guardian(row) if row is not None else None

    def students_by_ine(self, ine: str) -> tuple[Student, ...]:
        ine = ine.strip().upper()
        if not ine.isalnum():
            return ()
        with self._reading() as connection:
            found = _with_enrolments(connection.execute(_BY_INE, {"ine": ine}).all())
        return tuple(sorted(found, key=lambda p: p.ref))

    def find_guardians(
        self, family_name: str, given_name: str, *, mobile: str | None = None, mail: str | None = None
    ) -> tuple[Guardian, ...]:
        family, given = name_key(family_name), name_key(first_name(given_name))
        channels: list[ColumnElement[bool]] = []
        if mail and mail.isprintable():
            channels.append(GUARDIAN.c.mail == mail_key(mail))
        if mobile and mobile.isprintable():
            channels.append((literal(" ") + GUARDIAN.c.mobiles + " ").contains(f" {mobile} ", autoescape=True))
        if not (family and given and channels):
            return ()
        named = and_(
            GUARDIAN.c.given_key.startswith(given, autoescape=True), or_(GUARDIAN.c.family_key == family, GUARDIAN.c.birth_key == family)
        )
        with self._reading() as connection:
            rows = connection.execute(_people(Kind.GUARDIAN).where(named, or_(*channels))).all()
        found = (_guardian(row) for row in rows if name_key(first_name(row.given_name)) == given)
        return tuple(sorted(found, key=lambda p: p.ref))

    def ties_of(self, guardian: Ref) -> tuple[Tie, ...]:
        if guardian.kind is not Kind.GUARDIAN:
            return ()
        return self._ties(guardian, lambda tie: tie.student)

    def guardians_of(self, student: Ref) -> tuple[Tie, ...]:
        if student.kind is not Kind.STUDENT:
            return ()
        return self._ties(student, lambda tie: tie.guardian)

    def _ties(self, ref: Ref, order: Any) -> tuple[Tie, ...]:
        with self._reading() as connection:
            rows = connection.execute(_TIES_OF[ref.kind], _key(ref)).all()
        return tuple(sorted((_tie(row) for row in rows), key=order))

    def members(self, uai: str, kind: Kind, *, name: str = "", division: str = "", after: str | None = None, limit: int = 100) -> Page:
        if not 1 <= limit <= 1000:
            raise Refused("limit: 1 to 1000")
        table = _PEOPLE[kind]
        order = (table.c.family_key, table.c.given_key, table.c.feed, table.c.degree, table.c.id)
        query = _people(kind).where(_belongs(kind, uai, division))
        if start := name_key(name):
            query = query.where(or_(*(c.startswith(start, autoescape=True) for c in order[:2])))
        if after is not None:
            query = query.where(tuple_(*order) > tuple_(*(literal(part) for part in _decode(after))))
        with self._reading() as connection:
            rows = connection.execute(query.order_by(*order).limit(limit + 1)).all()
            items = _records(connection, kind, rows[:limit])
        last = rows[limit - 1] if len(rows) > limit else None
        return Page(tuple(items), _encode([getattr(last, column.name) for column in order]) if last is not None else None)

    def school(self, uai: str) -> School:
        query = (
            select(*_shown(SCHOOL), FEED.c.academy)
            .join_from(SCHOOL, FEED, SCHOOL.c.feed == FEED.c.name)
            .where(SCHOOL.c.uai == uai.strip().upper(), SCHOOL.c.ended_at.is_(None))
        )
        enrolled = exists().where(_same(ENROLMENT, SCHOOL, structure="id"))
        # An academy's own record goes before a neighbour's, the degree that has pupils there before the other.
        query = query.order_by(SCHOOL.c.other_academy, enrolled.desc(), SCHOOL.c.degree.desc(), SCHOOL.c.feed, SCHOOL.c.id).limit(1)
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(uai)
        return School(row.uai, row.name, row.academy, Degree(row.degree), row.type, row.town, row.private, row.agricultural)

    def health(self) -> Health:
        tables = {"schools": SCHOOL, "students": STUDENT, "guardians": GUARDIAN, "staff": STAFF}
        counts = [select(func.count()).select_from(t).where(t.c.ended_at.is_(None)).scalar_subquery() for t in tables.values()]
        try:
            with self.engine.connect() as connection:
                row = connection.execute(select(*counts)).one()
        except SQLAlchemyError as exc:
            return Health(False, f"{self.engine.dialect.name}: {type(exc).__name__}")
        return Health(True, self.engine.dialect.name, dict(zip(tables, row, strict=True)))

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self.engine.connect() as connection:
                yield connection
        except (DBAPIError, SQLAlchemyError) as exc:
            raise Unavailable(f"{self.engine.dialect.name}: {type(exc).__name__}") from exc


def _belongs(kind: Kind, uai: str, division: str) -> ColumnElement[bool]:
    """The condition that a person of that kind belongs to the school."""
    here = and_(SCHOOL.c.uai == uai.strip().upper(), _OWN_SCHOOL)
    if kind is Kind.STAFF:
        at_school = select(FUNCTION.c.feed, FUNCTION.c.degree, FUNCTION.c.staff).join(SCHOOL, _same(FUNCTION, SCHOOL, structure="id"))
        return tuple_(STAFF.c.feed, STAFF.c.degree, STAFF.c.id).in_(at_school.where(here))
    enrolled = select(ENROLMENT.c.feed, ENROLMENT.c.degree, ENROLMENT.c.student).join(SCHOOL, _same(ENROLMENT, SCHOOL, structure="id"))
    enrolled = enrolled.where(here, ENROLMENT.c.division == division) if division else enrolled.where(here)
    if kind is Kind.STUDENT:
        return tuple_(STUDENT.c.feed, STUDENT.c.degree, STUDENT.c.id).in_(enrolled)
    tied = select(TIE.c.feed, TIE.c.degree, TIE.c.guardian).join(STUDENT, _same(TIE, STUDENT, student="id"))
    tied = tied.where(STUDENT.c.ended_at.is_(None), tuple_(TIE.c.feed, TIE.c.degree, TIE.c.student).in_(enrolled))
    return tuple_(GUARDIAN.c.feed, GUARDIAN.c.degree, GUARDIAN.c.id).in_(tied)


def _records(connection: Connection, kind: Kind, rows: Sequence[Row[Any]]) -> list[Person]:
    """Typed records from rows of one kind; a second statement brings the parts of all of them."""
    if kind is Kind.GUARDIAN or not rows:
        return [_guardian(row) for row in rows]
    if kind is Kind.STUDENT:
        enrolments = _parts(connection, _ENROLMENTS, ENROLMENT, "student", rows)
        return [_student(row, enrolments.get((row.feed, row.degree, row.id), ())) for row in rows]
    functions = _parts(connection, _FUNCTIONS, FUNCTION, "staff", rows)
    return [_staff(row, functions.get((row.feed, row.degree, row.id), ())) for row in rows]


def _with_enrolments(rows: Sequence[Row[Any]]) -> list[Student]:
    """Students from rows of :data:`_STUDENTS`, which repeat a student for each enrolment."""
    found = []
    for _, group in groupby(rows, key=lambda row: (row.feed, row.degree, row.id)):
        lines = list(group)
        found.append(_student(lines[0], [tuple(line[-5:]) for line in lines if line.uai is not None]))
    return found


def _parts(
    connection: Connection, query: Select[Any], table: Table, owner: str, rows: Iterable[Row[Any]]
) -> dict[tuple[str, str, str], list[tuple[Any, ...]]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        groups.setdefault((row.feed, row.degree), []).append(row.id)
    wanted = or_(*(and_(table.c.feed == feed, table.c.degree == degree, table.c[owner].in_(ids)) for (feed, degree), ids in groups.items()))
    found: dict[tuple[str, str, str], list[tuple[Any, ...]]] = {}
    for feed, degree, id_, *part in connection.execute(query.where(wanted)):
        found.setdefault((feed, degree, id_), []).append(tuple(part))
    return found


def _common(row: Row[Any], kind: Kind) -> dict[str, Any]:
    return {
        "ref": Ref(row.feed, Degree(row.degree), kind, row.id),
        "academy": row.academy,
        "family_name": row.family_name,
        "given_name": row.given_name,
        "birth_name": row.birth_name,
        "civility": row.civility,
        "mail": row.mail,
    }


def _student(row: Row[Any], enrolments: Iterable[tuple[Any, ...]]) -> Student:
    return Student(
        **_common(row, Kind.STUDENT),
        ine=row.ine,
        birth_date=row.birth_date,
        other_given_names=tuple(row.other_given_names.splitlines()),
        siecle_number=row.siecle_number,
        enrolments=tuple(Enrolment(*part) for part in enrolments),
    )


def _guardian(row: Row[Any]) -> Guardian:
    return Guardian(**_common(row, Kind.GUARDIAN), mobiles=tuple(row.mobiles.split()))


def _staff(row: Row[Any], functions: Iterable[tuple[Any, ...]]) -> Staff:
    return Staff(**_common(row, Kind.STAFF), functions=tuple((uai, code) for uai, code in functions))


def _tie(row: Row[Any]) -> Tie:
    degree = Degree(row.degree)
    guardian = Ref(row.feed, degree, Kind.GUARDIAN, row.guardian)
    return Tie(guardian, Ref(row.feed, degree, Kind.STUDENT, row.student), Capacity(row.capacity), row.ine)


def _encode(parts: Sequence[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def _decode(token: str) -> list[str]:
    try:
        parts = json.loads(base64.urlsafe_b64decode(token.encode()))
    except ValueError:
        parts = None
    if not (isinstance(parts, list) and len(parts) == 5 and all(isinstance(part, str) for part in parts)):
        raise Refused("after: not the next of a former page")
    return parts
