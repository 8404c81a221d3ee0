"""The writing side of the ``sql`` directory: stage a delivery aside, compare it, publish it in one transaction.

Staging fills temporary tables of a connection of its own: no lock is held on the published tables, and a process that
dies leaves nothing behind. Publication is a handful of set statements inside one transaction, so that readers see the
old state or the new one, never a mixture (aaf.md section 12, rules 5 and 6). One delivery at a time goes into a feed
(rule 7): the claim on it dies with the process that holds it.
"""

# ruff: noqa: S608 -- table and column names are constants of this package; every value is bound.

from __future__ import annotations

import fcntl
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from struct import Struct
from types import TracebackType
from typing import IO, Any, Self

from sqlalchemy import CursorResult, Date, DateTime, Engine, bindparam, select, text
from sqlalchemy.exc import DataError, SQLAlchemyError

from .. import Refused, Unavailable
from . import models, stage
from .rows import CATEGORIES, Category, Change, DeliveryRow, Found, Origin, Part, Record, SchoolChange
from .stage import CLAIMED, FOREIGN_MAIN, INDEXES, STAGE, TARGETS, WITHDRAWN, Kept, KeptRight, Mark, Removed, Repeated, gone, short

BATCH = 2000
HEADS_KEPT = timedelta(days=92)
"""How long head counts are kept."""
_DIGEST = Struct(">q")
_CATEGORY = {category.name: category for category in CATEGORIES}


class Feeding:
    """One delivery on its way into one feed. A context manager: leaving it without :meth:`publish` changes nothing.

    A complete says everything; with ``delta``, what is not named stays. Raises Unavailable when the database does not
    answer, is busy beyond the bound of its engine, or when another delivery is on its way into the same feed; Refused when it has
    no directory tables or refuses a value.
    """

    def __init__(self, engine: Engine, feed: str, academy: str, *, delta: bool = False) -> None:
        self.feed = feed
        self.academy = academy
        self.delta = delta
        self._engine = engine
        self._claim: IO[bytes] | None = None
        self._pending: defaultdict[type, list[tuple[Any, ...]]] = defaultdict(list)

    def __enter__(self) -> Self:
        try:
            self._connection = self._engine.connect()
        except SQLAlchemyError as exc:
            raise self._unavailable(exc) from exc
        try:
            self._connection.detach()
            if not self._connection.dialect.has_table(self._connection, str(models.Feed.__tablename__)):
                raise Refused("no directory tables in this database: run `preau init`")
            self._claim_feed()
            if self._connection.dialect.name == "postgresql":
                self._run("SET statement_timeout = 0")  # a national import takes longer than a page may
            STAGE.create_all(self._connection)
            if self.delta:
                self._index()
            self._connection.commit()
        except SQLAlchemyError as exc:
            self._leave()
            raise self._unavailable(exc) from exc
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._leave()
        if isinstance(error, (DataError, self._engine.dialect.loaded_dbapi.DataError)):
            raise Refused(f"{self._engine.dialect.name} refuses a value: {type(error).__name__}") from error
        if isinstance(error, (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error)):
            raise self._unavailable(error) from error

    def _leave(self) -> None:
        self._connection.close()
        if self._claim:
            self._claim.close()

    def _claim_feed(self) -> None:
        """Be alone with the feed until this process leaves it or dies: a lock of the server, or of a file beside SQLite's."""
        database = self._engine.url.database
        if self._connection.dialect.name == "postgresql":
            free = self._run("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))", name=f"preau import {self.feed}").scalar_one()
        elif database and database != ":memory:":
            self._claim = open(f"{database}-import-{self.feed}", "ab")  # noqa: SIM115 -- closed by _leave
            try:
                fcntl.flock(self._claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
                free = True
            except BlockingIOError:
                free = False
        else:
            free = True
        if not free:
            raise Unavailable(f"another delivery is on its way into feed {self.feed!r}")

    def _unavailable(self, error: BaseException) -> Unavailable:
        return Unavailable(f"{self._engine.dialect.name}: {type(error).__name__}")

    # Staging --------------------------------------------------------------------------------------------------------

    def add(self, record: Record, parts: Iterable[Part] = (), *, file: int = 0, line: int = 0) -> None:
        """Stage a record and its parts. Each (category, degree, id) is staged at most once: the caller sees to it."""
        said = _said(record)
        for part in parts:
            said += tuple.__repr__(part)
            self._put(type(part), part)
        self._put(type(record), (*record, _digest(said), file, line))

    def repeat(self, record: Record, parts: Iterable[Part] = (), *, file: int = 0, line: int = 0) -> None:
        """Note a record whose key is staged already: :meth:`contradictions` compares the two."""
        category = next(category.name for category in CATEGORIES if category.row is type(record))
        digest = _digest(_said(record) + "".join(map(tuple.__repr__, parts)))
        self._put(Repeated, (category, record.degree, record.id, digest, file, line))

    def keep(self, category: str, degree: str, id_: str) -> None:
        """Leave the published record of that key as it is: the delivered one cannot be read."""
        self._put(Kept, Mark(category, degree, id_))

    def keep_rights(self, degree: str, student: str, rights: Mapping[str, str]) -> None:
        """Of a kept pupil, publication withdraws every right that is not among these (guardian to capacity), and adds none."""
        for guardian, capacity in (("", ""), *rights.items()):  # the row without guardian: this pupil's rights could be read
            self._put(KeptRight, (degree, student, guardian, capacity))

    def remove(self, category: str, degree: str, id_: str) -> None:
        """In a delta: end the published record of that key, if there is one."""
        self._put(Removed, Mark(category, degree, id_))

    def take_back(self, category: str, degree: str, id_: str) -> tuple[str | None, bool]:
        """Forget what was staged for that key: the source of the record, if any, and whether it was a removal."""
        kind, key = _CATEGORY[category], {"degree": degree, "id": id_}
        for row in (kind.row, Removed, *(row for row, _ in kind.parts)):
            self._flush(row)
        source = self._run(f"SELECT source FROM stage_{category} WHERE degree = :degree AND id = :id", **key).scalar_one_or_none()
        self._run(f"DELETE FROM stage_{category} WHERE degree = :degree AND id = :id", **key)
        for _, model in kind.parts:
            self._run(f"DELETE FROM stage_{short(model)} WHERE degree = :degree AND {category} = :id", **key)
        mark = "DELETE FROM stage_removed WHERE category = :category AND degree = :degree AND id = :id"
        return source, self._run(mark, category=category, **key).rowcount > 0

    def sources(self, category: str, degree: str, ids: Collection[str]) -> dict[str, str]:
        """What was said of the published records with those ids, by id; a record that is not published is missing."""
        living = f"FROM {_CATEGORY[category].table} WHERE feed = :feed AND degree = :degree AND ended_at IS NULL"
        return {row[0]: row[1] for row in self._run(f"SELECT id, source {living} AND id IN :ids", degree=degree, ids=list(ids))}

    def _put(self, kind: type, row: tuple[Any, ...]) -> None:
        pending = self._pending[kind]
        pending.append(row)
        if len(pending) >= BATCH:
            self._flush(kind)

    def _flush(self, kind: type) -> None:
        rows, self._pending[kind] = self._pending[kind], []
        if not rows:
            return
        name, columns = TARGETS[kind]
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
        for kind in list(self._pending):
            self._flush(kind)
        if not self.delta:
            self._index()
        if self._connection.dialect.name == "postgresql":
            for name, _ in TARGETS.values():
                self._run(f"ANALYZE {name}")
        self._connection.commit()

    def _index(self) -> None:
        for index in INDEXES:
            self._run(index)

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
        found = self._find("school", CLAIMED)
        if found.total:  # the digest is turned over with the mark, so that the same state has the same digest every night
            self._run(f"UPDATE stage_school AS s SET other_academy = :foreign, digest = -1 - digest WHERE {CLAIMED}", foreign=True)
        return found

    def refuse_foreign_students(self) -> Found:
        """Take out the pupils whose main school belongs to another academy: a feed speaks for its own schools (IM-05)."""
        found = self._find("student", FOREIGN_MAIN)
        if found.total:
            if self.delta:
                columns = "SELECT CAST('student' AS VARCHAR), s.degree, s.id"
                self._run(f"INSERT INTO stage_removed (category, degree, id) {columns} FROM stage_student s WHERE {FOREIGN_MAIN}")
            self._run(f"DELETE FROM stage_student AS s WHERE {FOREIGN_MAIN}")
        return found

    def findings(self) -> Iterator[tuple[str, Found]]:
        """What only the whole delivery shows, as (name, where); nothing is taken out. Links to a foreign school are
        stored and stay invisible."""
        for name, category, condition in stage.findings(self.delta):
            yield name, self._find(category, condition)

    def _find(self, category: str, condition: str) -> Found:
        source = f"FROM stage_{category} s WHERE {condition}"
        counts = {row[0]: row[1] for row in self._run(f"SELECT s.degree, count(*) {source} GROUP BY s.degree")}
        rows = self._run(f"SELECT s.degree, s.file, s.line, s.id {source} ORDER BY s.file, s.line LIMIT 100") if counts else ()
        return Found(counts, tuple(Origin(category, *row) for row in rows))

    def school_changes(self) -> Iterator[SchoolChange]:
        """What publication would do to the pupils of each structure, by their main one."""
        for degree in ("1D", "2D"):
            scope = "t.feed = :feed AND t.degree = :degree AND t.ended_at IS NULL"
            delivered = (
                "SELECT e.structure, sum(CASE WHEN t.id IS NULL THEN 1 ELSE 0 END), sum(CASE WHEN t.digest <> s.digest THEN 1 ELSE 0 END), "
                "sum(CASE WHEN t.digest = s.digest THEN 1 ELSE 0 END), 0 FROM stage_student s "
                "JOIN stage_enrolment e ON e.degree = s.degree AND e.student = s.id AND e.position = 0 "
                f"LEFT JOIN directory_student t ON t.id = s.id AND {scope} WHERE s.degree = :degree GROUP BY e.structure"
            )
            ended = (
                "SELECT e.structure, 0, 0, 0, count(*) FROM directory_student t JOIN directory_enrolment e ON e.feed = t.feed "
                "AND e.degree = t.degree AND e.student = t.id AND e.position = 0 "
                f"WHERE {scope} AND {gone(_CATEGORY['student'], self.delta)} GROUP BY e.structure"
            )
            for statement in (delivered, ended):
                for structure, *counts in self._run(statement, degree=degree):
                    yield SchoolChange(degree, structure, *map(int, counts))

    # Publication ----------------------------------------------------------------------------------------------------

    def publish(self, deliveries: Iterable[DeliveryRow], accept: Callable[[list[Change]], bool]) -> list[Change]:
        """Compare with what is published and replace it, in one transaction.

        ``accept`` sees the comparison first and may raise: nothing is changed then. It says whether heads are counted anew
        from here. Only categories that were delivered are compared; a delivery equal to what is published writes nothing
        at all (IM-12).
        """
        self._connection.commit()
        now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        try:
            if self._connection.dialect.name == "sqlite":
                self._connection.exec_driver_sql("BEGIN IMMEDIATE")
            changes = [self._compare(category, degree) for category in CATEGORIES for degree in ("1D", "2D")]
            self._remember_heads(changes, now.date(), anew=accept(changes))
            for change in changes:
                if change.created or change.changed or change.ended:
                    self._replace(_CATEGORY[change.category], change.degree, now)
            self._withdraw()
            self._remember(deliveries)
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()
        return changes

    def _compare(self, category: Category, degree: str) -> Change:
        table, live = f"stage_{category.name}", category.table
        scope = "t.feed = :feed AND t.degree = :degree AND t.ended_at IS NULL"
        published = self._run(f"SELECT count(*) FROM {live} t WHERE {scope}", degree=degree).scalar_one()
        delivered, known, unchanged = self._run(
            f"SELECT count(*), count(t.id), coalesce(sum(CASE WHEN t.digest = s.digest THEN 1 ELSE 0 END), 0) "
            f"FROM {table} s LEFT JOIN {live} t ON t.id = s.id AND {scope} WHERE s.degree = :degree",
            degree=degree,
        ).one()
        ended = 0
        if delivered or self.delta:
            ended = self._run(f"SELECT count(*) FROM {live} t WHERE {scope} AND {gone(category, self.delta)}", degree=degree).scalar_one()
        return Change(degree, category.name, published, delivered, delivered - known, known - unchanged, unchanged, ended)

    def _replace(self, category: Category, degree: str, now: datetime) -> None:
        table, live = f"stage_{category.name}", category.table
        scope = f"{live}.feed = :feed AND {live}.degree = :degree"
        self._run(
            f"DELETE FROM {live} WHERE {scope} AND {live}.id IN (SELECT s.id FROM {table} s JOIN {live} t ON t.id = s.id "
            f"WHERE s.degree = :degree AND t.feed = :feed AND t.degree = :degree AND (s.digest <> t.digest OR t.ended_at IS NOT NULL))",
            degree=degree,
        )
        self._run(
            f"UPDATE {live} SET ended_at = :now WHERE {scope} AND ended_at IS NULL AND {gone(category, self.delta, live)}",
            degree=degree,
            now=now,
        )
        fresh = (
            f"SELECT 1 FROM {table} s WHERE s.degree = :degree AND s.id = {{key}} "
            f"AND NOT EXISTS (SELECT 1 FROM {live} t WHERE t.feed = :feed AND t.degree = :degree AND t.id = s.id)"
        )
        for row, model in category.parts:
            part, owner, columns = str(model.__tablename__), category.name, ", ".join(row._fields)
            touched = (
                f" AND {part}.{owner} IN (SELECT id FROM {table} WHERE degree = :degree UNION ALL "
                f"SELECT id FROM stage_removed WHERE category = '{category.name}' AND degree = :degree)"
            )
            self._run(
                f"DELETE FROM {part} WHERE feed = :feed AND degree = :degree{touched if self.delta else ''} AND NOT EXISTS "
                f"(SELECT 1 FROM {live} t "
                f"WHERE t.feed = :feed AND t.degree = :degree AND t.id = {part}.{owner} AND t.ended_at IS NULL)",
                degree=degree,
            )
            self._run(
                f"INSERT INTO {part} (feed, {columns}) SELECT CAST(:feed AS VARCHAR), {columns} FROM stage_{short(model)} p "
                f"WHERE p.degree = :degree AND EXISTS ({fresh.format(key=f'p.{owner}')})",
                degree=degree,
            )
        columns = ", ".join((*category.row._fields, "digest"))
        self._run(
            f"INSERT INTO {live} (feed, {columns}) SELECT CAST(:feed AS VARCHAR), {columns} FROM {table} p "
            f"WHERE p.degree = :degree AND EXISTS ({fresh.format(key='p.id')})",
            degree=degree,
        )
        if self._connection.dialect.name == "postgresql":
            for name in (live, *(str(model.__tablename__) for _, model in category.parts)):
                self._run(f"ANALYZE {name}")

    def _withdraw(self) -> None:
        """End the rights that a kept pupil's record no longer states. Without its digest, its next form is read anew; without
        its source, no delta can bring them back by changing another part of it."""
        withdrawn = f"directory_tie t WHERE t.feed = :feed AND {WITHDRAWN}"
        if self._run(f"SELECT count(*) FROM {withdrawn}").scalar_one():
            self._run(
                f"UPDATE directory_student AS u SET digest = 0, source = '' WHERE u.feed = :feed AND EXISTS "
                f"(SELECT 1 FROM {withdrawn} AND t.degree = u.degree AND t.student = u.id)"
            )
            self._run(f"DELETE FROM directory_tie AS t WHERE t.feed = :feed AND {WITHDRAWN}")

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

    def _remember_heads(self, changes: Iterable[Change], today: date, *, anew: bool) -> None:
        """Write down how many there were before this day's changes: what the next nights are measured against."""
        if anew:
            self._run("DELETE FROM directory_headcount WHERE feed = :feed")
            return
        for change in changes:
            if change.category in ("student", "guardian") and change.created != change.ended:
                key = {"degree": change.degree, "category": change.category, "today": today}
                where = "feed = :feed AND degree = :degree AND category = :category AND day = :today"
                known = self._run(f"SELECT heads FROM directory_headcount WHERE {where}", **key).scalar_one_or_none()
                if known is None:
                    self._run("DELETE FROM directory_headcount WHERE feed = :feed AND day < :today", today=today - HEADS_KEPT)
                    self._run(
                        "INSERT INTO directory_headcount (feed, degree, category, day, heads) "
                        "VALUES (:feed, :degree, :category, :today, :heads)",
                        heads=change.published,
                        **key,
                    )
                elif known < change.published:
                    self._run(f"UPDATE directory_headcount SET heads = :heads WHERE {where}", heads=change.published, **key)

    # What is published ----------------------------------------------------------------------------------------------

    def most_heads(self, degree: str, category: str, since: date) -> int:
        """The highest count of published pupils or guardians that a day since then began with; 0 when none changed."""
        query = "SELECT coalesce(max(heads), 0) FROM directory_headcount WHERE feed = :feed AND degree = :degree AND category = :category"
        return int(self._run(f"{query} AND day >= :today", degree=degree, category=category, today=since).scalar_one())

    def published_academy(self) -> str | None:
        """Academy of the feed, None when the feed is new."""
        return self._connection.execute(select(models.Feed.academy).where(models.Feed.name == self.feed)).scalar_one_or_none()

    def feeds_of_academy(self) -> list[str]:
        """The feeds that are published for this academy, this one left out."""
        query = select(models.Feed.name).where(models.Feed.academy == self.academy, models.Feed.name != self.feed)
        return list(self._connection.execute(query.order_by(models.Feed.name)).scalars())

    def delivered(self, degree: str) -> DeliveryRow | None:
        """The last delivery that was published for that degree, None before the first."""
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
        if ":today" in statement:
            clause = clause.bindparams(bindparam("today", type_=Date))
        if ":ids" in statement:
            clause = clause.bindparams(bindparam("ids", expanding=True))
        for name in ("feed", "academy"):
            if f":{name}" in statement:
                values[name] = getattr(self, name)
        return self._connection.execute(clause, values)


def _said(record: Record) -> str:
    """All that a record says, its parts left out."""
    return record.source + tuple.__repr__(record[:-1])


def _digest(said: str) -> int:
    found: int = _DIGEST.unpack(blake2b(said.encode(), digest_size=8).digest())[0]
    return found
