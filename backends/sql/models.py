"""The tables of the ``sql`` directory. The AAF import fills them (:mod:`backends.sql.feed`), nothing else writes.

The key of a record is (feed, degree, id) inside its category (aaf.md section 3). A record that leaves is kept with its
``ended_at`` and is invisible through the contract. There is no foreign key between people and structures on purpose: a
link survives the absence of its end and is completed when the end arrives (aaf.md section 2).
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Index, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class DirectoryBase(DeclarativeBase):
    """Root of the directory tables; their names begin with ``directory_``."""

    metadata = MetaData(
        naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"},
    )


class _Keyed:
    feed: Mapped[str] = mapped_column(String(32), primary_key=True)
    degree: Mapped[str] = mapped_column(String(2), primary_key=True)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)


class _Tracked:
    digest: Mapped[int] = mapped_column(BigInteger)
    """64-bit digest of all that the record says, its links included: equal digests mean an unchanged record."""
    source: Mapped[str] = mapped_column(Text)
    """What the delivery said, in the importer's own form: a delta that changes one attribute is applied on it."""
    ended_at: Mapped[datetime | None]
    """When the record left its feed, UTC without zone."""


class _Named:
    family_name: Mapped[str] = mapped_column(Text)
    given_name: Mapped[str] = mapped_column(Text)
    birth_name: Mapped[str | None] = mapped_column(Text)
    civility: Mapped[str | None] = mapped_column(String(4))
    mail: Mapped[str | None] = mapped_column(Text)
    family_key: Mapped[str] = mapped_column(Text)
    given_key: Mapped[str] = mapped_column(Text)


class Feed(DirectoryBase):
    """A feed: one per academy by default."""

    __tablename__ = "directory_feed"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    academy: Mapped[str] = mapped_column(String(2))


class Delivery(DirectoryBase):
    """What is published of a feed and degree: date and format of the last delivery."""

    __tablename__ = "directory_delivery"
    feed: Mapped[str] = mapped_column(String(32), primary_key=True)
    degree: Mapped[str] = mapped_column(String(2), primary_key=True)
    exported_on: Mapped[date | None]
    version_af: Mapped[str] = mapped_column(String(32))
    version_sdet: Mapped[str] = mapped_column(String(64))


class Headcount(DirectoryBase):
    """How many people a feed had before the changes of a day; a shrink is measured against the highest of several days."""

    __tablename__ = "directory_headcount"
    feed: Mapped[str] = mapped_column(String(32), primary_key=True)
    degree: Mapped[str] = mapped_column(String(2), primary_key=True)
    category: Mapped[str] = mapped_column(String(8), primary_key=True)
    """``student`` or ``guardian``."""
    day: Mapped[date] = mapped_column(primary_key=True)
    """UTC."""
    heads: Mapped[int]


class School(_Keyed, _Tracked, DirectoryBase):
    """A structure by its ENTStructureJointure; pupils point to that number, not to the UAI."""

    __tablename__ = "directory_school"
    uai: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    town: Mapped[str] = mapped_column(Text)
    private: Mapped[bool]
    agricultural: Mapped[bool]
    other_academy: Mapped[bool]
    """The structure names another academy than its feed's; that academy's own record goes first."""
    __table_args__ = (Index(None, "uai"),)


class Mef(_Keyed, _Tracked, DirectoryBase):
    """A course of study of the national nomenclature, with the MEFSTAT4 level."""

    __tablename__ = "directory_mef"
    label: Mapped[str] = mapped_column(Text)
    level: Mapped[str | None] = mapped_column(String(4))


class Student(_Keyed, _Named, _Tracked, DirectoryBase):
    """A pupil."""

    __tablename__ = "directory_student"
    ine: Mapped[str | None] = mapped_column(String(11))
    birth_date: Mapped[date | None]
    other_given_names: Mapped[str] = mapped_column(Text)
    """One name a line."""
    siecle_number: Mapped[str | None] = mapped_column(String(16))
    __table_args__ = (Index(None, "ine"),)


IDENTITY = ("birth_date", "family_key", "given_key")
"""Columns of a pupil in which the records of one INE must agree."""


class Enrolment(DirectoryBase):
    """A pupil in a structure; position 0 is the main one."""

    __tablename__ = "directory_enrolment"
    feed: Mapped[str] = mapped_column(String(32), primary_key=True)
    degree: Mapped[str] = mapped_column(String(2), primary_key=True)
    student: Mapped[str] = mapped_column(String(32), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    structure: Mapped[str] = mapped_column(String(32))
    division: Mapped[str | None] = mapped_column(Text)
    mef: Mapped[str | None] = mapped_column(String(32))
    mef_label: Mapped[str | None] = mapped_column(Text)
    level: Mapped[str | None] = mapped_column(String(4))
    """Level written on the pupil (1D); in 2D it comes from the MEF."""
    __table_args__ = (Index(None, "feed", "degree", "structure", "division"),)


class Guardian(_Keyed, _Named, _Tracked, DirectoryBase):
    """A relative record of the academy."""

    __tablename__ = "directory_guardian"
    birth_key: Mapped[str] = mapped_column(Text)
    mobiles: Mapped[str] = mapped_column(Text)
    """E.164 numbers separated by one blank."""
    __table_args__ = (Index(None, "family_key", "given_key"), Index(None, "birth_key", "given_key"))


class Tie(DirectoryBase):
    """A right of a guardian over a pupil, recomputed by each complete."""

    __tablename__ = "directory_tie"
    feed: Mapped[str] = mapped_column(String(32), primary_key=True)
    degree: Mapped[str] = mapped_column(String(2), primary_key=True)
    student: Mapped[str] = mapped_column(String(32), primary_key=True)
    guardian: Mapped[str] = mapped_column(String(32), primary_key=True)
    capacity: Mapped[str] = mapped_column(String(9))
    __table_args__ = (Index(None, "feed", "degree", "guardian", "student"),)


class Staff(_Keyed, _Named, _Tracked, DirectoryBase):
    """A head or teacher."""

    __tablename__ = "directory_staff"


class Function(DirectoryBase):
    """A function of an agent in a structure: ``DIR`` or ``ENS``."""

    __tablename__ = "directory_function"
    feed: Mapped[str] = mapped_column(String(32), primary_key=True)
    degree: Mapped[str] = mapped_column(String(2), primary_key=True)
    staff: Mapped[str] = mapped_column(String(32), primary_key=True)
    structure: Mapped[str] = mapped_column(String(32), primary_key=True)
    code: Mapped[str] = mapped_column(String(8), primary_key=True)
    __table_args__ = (Index(None, "feed", "degree", "structure"),)
