"""The writing side of the ``sql`` directory: stage a delivery aside, compare it, publish it in one transaction.

Staging fills temporary tables of a connection of its own: no lock is held on the published tables, and a process that
dies leaves nothing behind. Publication is a handful of set statements inside one transaction, so that readers see the
old state or the new one, never a mixture (aaf.md section 12, rules 5 and 6).
"""

# ruff: noqa: S608 -- table and column names are constants of this module; every value is bound.

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from types import TracebackType
from typing import Any, NamedTuple, Self

from sqlalchemy import (
    BigInteger,
    Column,
    CursorResult,
    Date,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    select,
    text,
)
from sqlalchemy.exc import DataError, SQLAlchemyError

from .. import Refused, Unavailable
from . import models
from .rows import CATEGORIES, Category, Change, DeliveryRow, Found, Origin, Part, Record

BATCH = 2000


class Feeding:
    """One delivery on its way into one feed. A context manager: leaving it without :meth:`publish` changes nothing.

    Raises Unavailable when the database does not answer, or is busy beyond the bound of its engine; Refused when it has no
    directory tables or refuses a value.
    """

    def __init__(self, engine: Engine, feed: str, academy: str) -> None:
        self.feed = feed
        self.academy = academy
        self._engine = engine
        self._pending: defaultdict[type, list[tuple[Any, ...]]] = defaultdict(list)

    def __enter__(self) -> Self:
        try:
            self._connection = self._engine.connect()
            if not self._connection.dialect.has_table(self._connection, str(models.Feed.__tablename__)):
                self._connection.close()
                raise Refused("no directory tables in this database: run `preau init`")
            self._connection.detach()
            if self._connection.dialect.name == "postgresql":
                self._run("SET statement_timeout = 0")  # a national import takes longer than a page may
            _STAGE.create_all(self._connection)
            self._connection.commit()
        except SQLAlchemyError as exc:
            raise self._unavailable(exc) from exc
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()
        if isinstance(error, (DataError, self._engine.dialect.loaded_dbapi.DataError)):
            raise Refused(f"{self._engine.dialect.name} refuses a value: {type(error).__name__}") from error
        if isinstance(error, (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error)):
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> Unavailable:
        return Unavailable(f"{self._engine.dialect.name}: {type(error).__name__}")

    # Staging --------------------------------------------------------------------------------------------------------

    def add(self, record: Record, parts: Iterable[Part] = (), *, file: int = 0, line: int = 0) -> None:
        """Stage a record and its parts. Each (category, degree, id) is staged at most once: the caller sees to it."""
        parts = list(parts)
        for part in parts:
            self._put(type(part), part)
        self._put(type(record), (*record, _digest(record, parts), file, line))

    def repeat(self, record: Record, parts: Iterable[Part] = (), *, file: int = 0, line: int = 0) -> None:
        """Note a record whose key is staged already: :meth:`contradictions` compares the two."""
        category = next(category.name for category in CATEGORIES if category.row is type(record))
        self._put(_Repeated, (category, record.degree, record.id, _digest(record, parts), file, line))

    def keep(self, category: str, degree: str, id_: str) -> None:
        """Leave the published record of that key as it is: the delivered one cannot be read."""
        self._put(_Kept, (category, degree, id_))

    def keep_rights(self, degree: str, student: str, rights: Mapping[str, str]) -> None:
        """Of a kept pupil, publication withdraws every right that is not among these (guardian to capacity), and adds none."""
        for guardian, capacity in (("", ""), *rights.items()):  # the row without guardian: this pupil's rights could be read
            self._put(_KeptRight, (degree, student, guardian, capacity))

    def _put(self, kind: type, row: tuple[Any, ...]) -> None:
        pending = self._pending[kind]
        pending.append(row)
        if len(pending) >= BATCH:
            self._flush(kind)

    def _flush(self, kind: type) -> None:
        rows, self._pending[kind] = self._pending[kind], []
        name, columns = _TARGETS[kind]
        names = ", ".join(columns)
        if self._connection.dialect.name == "postgresql":
            cursor: Any = self._connection.connection.cursor()
            with cursor, cursor.copy(f"COPY {name} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join("?" for _ in columns)
            self._connection.exec_driver_sql(f"INSERT INTO {name} ({names}) VALUES ({marks})", rows)

    def complete(self) -> None:
        """End staging: everything is written and indexed. Call once, before the questions and the publication."""
        for kind in [kind for kind, rows in self._pending.items() if rows]:
            self._flush(kind)
        for index in _INDEXES:
            self._run(index)
        if self._connection.dialect.name == "postgresql":
            for name, _ in _TARGETS.values():
                self._run(f"ANALYZE {name}")
        self._connection.commit()

    # Questions about what is staged ---------------------------------------------------------------------------------

    def contradictions(self) -> list[tuple[Origin, Origin]]:
        """Keys that two files of the delivery fill with different content: the first hundred, both places."""
        found = []
        for category in CATEGORIES:
            rows = self._run(
                f"SELECT s.degree, s.id, s.file, s.line, r.file, r.line FROM stage_repeated r JOIN stage_{category.name} s "
                f"ON s.degree = r.degree AND s.id = r.id WHERE r.category = '{category.name}' AND s.file <> r.file "
                f"AND s.digest <> r.digest ORDER BY r.file, r.line LIMIT 100"
            )
            for degree, id_, file, line, other_file, other_line in rows:
                first = Origin(category.name, degree, file, line, id_)
                found.append((first, first._replace(file=other_file, line=other_line)))
        return found

    def claim_schools(self) -> Found:
        """Mark as foreign the structures that a feed of another academy has published as its own: whoever spoke first for a
        school keeps it until it lets it go (IM-05)."""
        found = self._find("school", _CLAIMED)
        if found.total:  # the digest is turned over with the mark, so that the same state has the same digest every night
            self._run(f"UPDATE stage_school AS s SET other_academy = :foreign, digest = -1 - digest WHERE {_CLAIMED}", foreign=True)
        return found

    def refuse_foreign_students(self) -> Found:
        """Take out the pupils whose main school belongs to another academy: a feed speaks for its own schools (IM-05)."""
        found = self._find("student", _FOREIGN_MAIN)
        self._run(f"DELETE FROM stage_student AS s WHERE {_FOREIGN_MAIN}")
        return found

    def findings(self) -> Iterator[tuple[str, Found]]:
        """What only the whole delivery shows, as (name, where); nothing is taken out. Links to a foreign school are
        stored and stay invisible."""
        for name, category, condition in _FINDINGS:
            yield name, self._find(category, condition)

    def _find(self, category: str, condition: str) -> Found:
        source = f"FROM stage_{category} s WHERE {condition}"
        counts = {row[0]: row[1] for row in self._run(f"SELECT s.degree, count(*) {source} GROUP BY s.degree")}
        rows = self._run(f"SELECT s.degree, s.file, s.line, s.id {source} ORDER BY s.file, s.line LIMIT 100") if counts else ()
        return Found(counts, tuple(Origin(category, *row) for row in rows))

    # Publication ----------------------------------------------------------------------------------------------------

    def publish(self, deliveries: Iterable[DeliveryRow], accept: Callable[[list[Change]], None]) -> list[Change]:
        """Compare with what is published and replace it, in one transaction.

        ``accept`` sees the comparison first and may raise: nothing is changed then. Only categories that were delivered
        are compared; a delivery equal to what is published writes nothing at all (IM-12).
        """
        self._connection.commit()
        now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        try:
            self._lock()
            changes = [self._compare(category, degree) for category in CATEGORIES for degree in ("1D", "2D")]
            accept(changes)
            for change, category in zip(changes, (c for c in CATEGORIES for _ in range(2)), strict=True):
                if change.created or change.changed or change.ended:
                    self._replace(category, change.degree, now)
            self._withdraw()
            self._remember(deliveries)
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()
        return changes

    def _lock(self) -> None:
        if self._connection.dialect.name == "sqlite":
            self._connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            self._run("SELECT pg_advisory_xact_lock(hashtext(:name))", name=f"preau feed {self.feed}")

    def _compare(self, category: Category, degree: str) -> Change:
        stage, live = f"stage_{category.name}", category.table
        scope = "t.feed = :feed AND t.degree = :degree AND t.ended_at IS NULL"
        published = self._run(f"SELECT count(*) FROM {live} t WHERE {scope}", degree=degree).scalar_one()
        delivered, known, unchanged = self._run(
            f"SELECT count(*), count(t.id), coalesce(sum(CASE WHEN t.digest = s.digest THEN 1 ELSE 0 END), 0) "
            f"FROM {stage} s LEFT JOIN {live} t ON t.id = s.id AND {scope} WHERE s.degree = :degree",
            degree=degree,
        ).one()
        ended = 0
        if delivered:
            ended = self._run(f"SELECT count(*) FROM {live} t WHERE {scope} AND {_gone(category)}", degree=degree).scalar_one()
        return Change(degree, category.name, published, delivered, delivered - known, known - unchanged, unchanged, ended)

    def _replace(self, category: Category, degree: str, now: datetime) -> None:
        stage, live = f"stage_{category.name}", category.table
        scope = f"{live}.feed = :feed AND {live}.degree = :degree"
        same_key = f"s.degree = :degree AND s.id = {live}.id"
        self._run(
            f"DELETE FROM {live} WHERE {scope} AND EXISTS "
            f"(SELECT 1 FROM {stage} s WHERE {same_key} AND (s.digest <> {live}.digest OR {live}.ended_at IS NOT NULL))",
            degree=degree,
        )
        self._run(
            f"UPDATE {live} SET ended_at = :now WHERE {scope} AND ended_at IS NULL AND {_gone(category, live)}", degree=degree, now=now
        )
        fresh = (
            f"SELECT 1 FROM {stage} s WHERE s.degree = :degree AND s.id = {{key}} "
            f"AND NOT EXISTS (SELECT 1 FROM {live} t WHERE t.feed = :feed AND t.degree = :degree AND t.id = s.id)"
        )
        for row, model in category.parts:
            part, owner, columns = str(model.__tablename__), category.name, ", ".join(row._fields)
            self._run(
                f"DELETE FROM {part} WHERE feed = :feed AND degree = :degree AND NOT EXISTS (SELECT 1 FROM {live} t "
                f"WHERE t.feed = :feed AND t.degree = :degree AND t.id = {part}.{owner} AND t.ended_at IS NULL)",
                degree=degree,
            )
            self._run(
                f"INSERT INTO {part} (feed, {columns}) SELECT CAST(:feed AS VARCHAR), {columns} FROM stage_{_short(model)} p "
                f"WHERE p.degree = :degree AND EXISTS ({fresh.format(key=f'p.{owner}')})",
                degree=degree,
            )
        columns = ", ".join((*category.row._fields, "digest"))
        self._run(
            f"INSERT INTO {live} (feed, {columns}) SELECT CAST(:feed AS VARCHAR), {columns} FROM {stage} p "
            f"WHERE p.degree = :degree AND EXISTS ({fresh.format(key='p.id')})",
            degree=degree,
        )
        if self._connection.dialect.name == "postgresql":
            for table in (live, *(str(model.__tablename__) for _, model in category.parts)):
                self._run(f"ANALYZE {table}")

    def _withdraw(self) -> None:
        """End the rights that a kept pupil's record no longer states; without its digest, its next form is read anew."""
        withdrawn = f"directory_tie t WHERE t.feed = :feed AND {_WITHDRAWN}"
        if self._run(f"SELECT count(*) FROM {withdrawn}").scalar_one():
            self._run(
                f"UPDATE directory_student AS u SET digest = 0 WHERE u.feed = :feed AND EXISTS "
                f"(SELECT 1 FROM {withdrawn} AND t.degree = u.degree AND t.student = u.id)"
            )
            self._run(f"DELETE FROM directory_tie AS t WHERE t.feed = :feed AND {_WITHDRAWN}")

    def _remember(self, deliveries: Iterable[DeliveryRow]) -> None:
        if self.published_academy() is None:
            self._run("INSERT INTO directory_feed (name, academy) VALUES (:feed, :academy)")
        for row in deliveries:
            if self.delivered(row.degree) != row:
                self._run("DELETE FROM directory_delivery WHERE feed = :feed AND degree = :degree", degree=row.degree)
                self._run(
                    "INSERT INTO directory_delivery (feed, degree, exported_on, version_af, version_sdet) "
                    "VALUES (:feed, :degree, :exported_on, :version_af, :version_sdet)",
                    **row._asdict(),
                )

    # What is published ----------------------------------------------------------------------------------------------

    def published_academy(self) -> str | None:
        """Academy of the feed, None when the feed is new."""
        return self._connection.execute(select(models.Feed.academy).where(models.Feed.name == self.feed)).scalar_one_or_none()

    def feeds_of_academy(self) -> list[str]:
        """The feeds that are published for this academy, this one left out."""
        query = select(models.Feed.name).where(models.Feed.academy == self.academy, models.Feed.name != self.feed)
        return list(self._connection.execute(query.order_by(models.Feed.name)).scalars())

    def delivered(self, degree: str) -> DeliveryRow | None:
        """The complete that is published for that degree, None before the first."""
        table = models.Delivery
        query = select(table.degree, table.exported_on, table.version_af, table.version_sdet)
        found = self._connection.execute(query.where(table.feed == self.feed, table.degree == degree)).one_or_none()
        return DeliveryRow(*found) if found else None

    def _run(self, statement: str, **values: Any) -> CursorResult[Any]:
        clause = text(statement)
        if ":now" in statement:
            clause = clause.bindparams(bindparam("now", type_=DateTime))
        if ":exported_on" in statement:
            clause = clause.bindparams(bindparam("exported_on", type_=Date))
        for name in ("feed", "academy"):
            if f":{name}" in statement:
                values[name] = getattr(self, name)
        return self._connection.execute(clause, values)


def _gone(category: Category, live: str = "t") -> str:
    """SQL: the published record is neither delivered nor kept because its delivered form cannot be read."""
    return (
        f"NOT EXISTS (SELECT 1 FROM stage_{category.name} s WHERE s.degree = {live}.degree AND s.id = {live}.id) "
        f"AND NOT EXISTS (SELECT 1 FROM stage_kept k "
        f"WHERE k.category = '{category.name}' AND k.degree = {live}.degree AND k.id = {live}.id)"
    )


def _in_school(link: str, foreign: bool) -> str:
    """SQL: the structure of ``link`` is known to the feed and foreign, or known at all. What is delivered goes first."""
    staged = f"SELECT 1 FROM stage_school x WHERE x.degree = {link}.degree AND x.id = {link}.structure"
    live = (
        f"SELECT 1 FROM directory_school y WHERE y.feed = :feed AND y.degree = {link}.degree AND y.id = {link}.structure "
        f"AND y.ended_at IS NULL"
    )
    if not foreign:
        return f"(EXISTS ({staged}) OR EXISTS ({live}))"
    return f"(EXISTS ({staged} AND x.other_academy) OR (EXISTS ({live} AND y.other_academy) AND NOT EXISTS ({staged})))"


def _linked(part: str, owner: str, condition: str) -> str:
    return f"EXISTS (SELECT 1 FROM stage_{part} p WHERE p.degree = s.degree AND p.{owner} = s.id AND {condition})"


_FOREIGN_MAIN = _linked("enrolment", "student", f"p.position = 0 AND {_in_school('p', foreign=True)}")
_WITHDRAWN = (
    "EXISTS (SELECT 1 FROM stage_kept_right k WHERE k.degree = t.degree AND k.student = t.student AND k.guardian = '') "
    "AND NOT EXISTS (SELECT 1 FROM stage_kept_right k WHERE k.degree = t.degree AND k.student = t.student "
    "AND k.guardian = t.guardian AND k.capacity = t.capacity) "
    "AND NOT EXISTS (SELECT 1 FROM stage_student s WHERE s.degree = t.degree AND s.id = t.student)"
)
_CLAIMED = (
    "NOT s.other_academy AND EXISTS (SELECT 1 FROM directory_school o JOIN directory_feed f ON f.name = o.feed "
    "WHERE o.uai = s.uai AND o.ended_at IS NULL AND NOT o.other_academy AND f.academy <> :academy)"
)
_DIFFERS = "o.ine = s.ine AND (" + " OR ".join(f"o.{fact} <> s.{fact}" for fact in models.IDENTITY) + ")"
_DISPUTED = (
    f"(EXISTS (SELECT 1 FROM stage_student o WHERE {_DIFFERS}) OR EXISTS (SELECT 1 FROM directory_student o WHERE {_DIFFERS} "
    "AND o.ended_at IS NULL AND (o.feed <> :feed OR o.degree <> s.degree)))"
)
_KNOWN_GUARDIAN = (
    "(EXISTS (SELECT 1 FROM stage_guardian g WHERE g.degree = p.degree AND g.id = p.guardian) OR EXISTS "
    "(SELECT 1 FROM directory_guardian h WHERE h.feed = :feed AND h.degree = p.degree AND h.id = p.guardian AND h.ended_at IS NULL))"
)
_FINDINGS = (
    ("link_to_foreign_school", "student", _linked("enrolment", "student", _in_school("p", foreign=True))),
    ("link_to_foreign_school", "staff", _linked("function", "staff", _in_school("p", foreign=True))),
    ("structure_unknown", "student", _linked("enrolment", "student", f"NOT {_in_school('p', foreign=False)}")),
    ("guardian_missing", "student", _linked("tie", "student", f"NOT {_KNOWN_GUARDIAN}")),
    ("guardian_unused", "guardian", "NOT EXISTS (SELECT 1 FROM stage_tie p WHERE p.degree = s.degree AND p.guardian = s.id)"),
    ("ine_twice", "student", "EXISTS (SELECT 1 FROM stage_student o WHERE o.ine = s.ine AND o.degree = s.degree AND o.id <> s.id)"),
    ("ine_disputed", "student", _DISPUTED),
)


class _KeptRight(NamedTuple):
    degree: str
    student: str
    guardian: str
    capacity: str


class _Repeated(NamedTuple):
    category: str
    degree: str
    id: str
    digest: int
    file: int
    line: int


def _digest(record: Record, parts: Iterable[Part]) -> int:
    said = "".join(map(tuple.__repr__, (record, *parts)))
    return int.from_bytes(blake2b(said.encode(), digest_size=8).digest(), "big", signed=True)


class _Kept(NamedTuple):
    category: str
    degree: str
    id: str


def _short(model: type[models.DirectoryBase]) -> str:
    return str(model.__tablename__).removeprefix("directory_")


def _temporary(metadata: MetaData, name: str, columns: Iterable[Column[Any]]) -> Table:
    return Table(f"stage_{name}", metadata, *columns, prefixes=["TEMPORARY"])


def _stage() -> tuple[MetaData, dict[type, tuple[str, tuple[str, ...]]]]:
    """The temporary tables, one for each row type, with their columns in the order of the row."""
    metadata = MetaData()
    targets: dict[type, tuple[str, tuple[str, ...]]] = {}

    def mirror(row: type[Record | Part], model: type[models.DirectoryBase], *more: str) -> None:
        source = model.__table__.columns
        columns = [Column(name, source[name].type) for name in row._fields]
        columns += [Column(name, source[name].type if name in source else Integer()) for name in more]
        table = _temporary(metadata, _short(model), columns)
        targets[row] = (table.name, tuple(column.name for column in columns))

    for category in CATEGORIES:
        mirror(category.row, category.model, "digest", "file", "line")
        for part in category.parts:
            mirror(*part)
    kept = _temporary(metadata, "kept", [Column(name, String(32)) for name in _Kept._fields])
    targets[_Kept] = (kept.name, _Kept._fields)
    rights = _temporary(metadata, "kept_right", [Column(name, String(32)) for name in _KeptRight._fields])
    targets[_KeptRight] = (rights.name, _KeptRight._fields)
    types = {"digest": BigInteger(), "file": Integer(), "line": Integer()}
    repeated = _temporary(metadata, "repeated", [Column(name, types.get(name, String(32))) for name in _Repeated._fields])
    targets[_Repeated] = (repeated.name, _Repeated._fields)
    return metadata, targets


_STAGE, _TARGETS = _stage()
_INDEXES = [f"CREATE INDEX stage_{c.name}_key ON stage_{c.name} (degree, id)" for c in CATEGORIES] + [
    "CREATE INDEX stage_kept_key ON stage_kept (category, degree, id)",
    "CREATE INDEX stage_kept_right_key ON stage_kept_right (degree, student)",
    "CREATE INDEX stage_student_ine ON stage_student (ine)",
    "CREATE INDEX stage_tie_guardian ON stage_tie (degree, guardian)",
    "CREATE INDEX stage_tie_student ON stage_tie (degree, student)",
    "CREATE INDEX stage_enrolment_student ON stage_enrolment (degree, student)",
    "CREATE INDEX stage_function_staff ON stage_function (degree, staff)",
]
