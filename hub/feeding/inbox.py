"""The drop folder: an academy leaves its delivery, the worker takes it (IM-21).

``<inbox>/<feed>/`` receives; a file goes to ``done/`` when it is published and to ``held/`` when a human must look, with its
report beside it. Deliveries are taken in the order of their dates. One that is held stops the deltas after it, until what is
published has caught up with it or somebody has taken it away; a complete passes, because it says everything again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy import select

from backends.sdet.academies import academy_code
from backends.sql import SqlDirectory
from backends.sql.models import Delivery as DeliveryTable

from ..db import Database
from ..errors import Refusal
from ..ops.logs import get_logger
from ..settings import Settings
from . import service
from .packing import ARCHIVES, label
from .safety import Busy
from .show import as_text

log = get_logger("feeding")

DONE, HELD = "done", "held"
_TAKEN = (*ARCHIVES, ".xml", ".xml.gz")
_CHECKSUMS = (".sha256", ".md5")
_DAY = re.compile(r"(?<!\d)(20\d{6})(?!\d)")


@dataclass(frozen=True, slots=True)
class Found:
    """A file that waits."""

    path: Path
    day: date
    """From its name, else the day on which it arrived."""
    delta: bool


def sweep(database: Database, directory: SqlDirectory, settings: Settings, *, now: datetime) -> int:
    """Take what is ready in every feed of the drop folder. Returns how many files were taken, published or held."""
    if settings.feeding_inbox is None:
        return 0
    if not settings.feeding_inbox.is_dir():
        log.error("inbox.missing", folder=str(settings.feeding_inbox))
        return 0
    taken = 0
    for folder in sorted(path for path in settings.feeding_inbox.iterdir() if path.name[0] != "."):
        if problem := _distrust(folder):
            log.warning("inbox.refused", folder=label(folder.name), reason=problem)
            continue
        with _alone(folder) as alone:
            if alone:
                taken += _take(folder, database, directory, settings, now)
    return taken


def forget(settings: Settings, *, now: datetime) -> int:
    """Erase the published files that have been kept long enough. Returns how many."""
    if settings.feeding_inbox is None:
        return 0
    erased = 0
    for path in settings.feeding_inbox.glob(f"*/{DONE}/*"):
        if path.is_file() and _arrived(path) < now - settings.retention_import_files:
            path.unlink()
            erased += 1
    return erased


def _distrust(folder: Path) -> str:
    """Why nothing is taken from a folder; empty when all is well."""
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode):
        return "not a folder: each feed has one of its own"
    return "anyone may write there" if facts.st_mode & stat.S_IWOTH else ""


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether no other process is at work in that folder; the lock dies with its holder."""
    with open(folder / ".lock", "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _take(folder: Path, database: Database, directory: SqlDirectory, settings: Settings, now: datetime) -> int:
    taken = 0
    for found in _waiting(folder):
        reason = _integrity(found.path, settings, now)
        if reason is None:
            break  # still arriving: what comes after it waits, too
        if found.delta and _barred(folder, found.day, directory):
            log.warning("inbox.waits", feed=folder.name, file=label(found.path.name), reason="an earlier delivery is held")
            break
        if reason:
            _file(found.path, folder / HELD, {"message": reason, "outcome": "refused", "dates": {}}, reason)
        else:
            try:
                _import(found.path, folder, database, directory, settings)
            except Busy as exc:
                log.warning("inbox.busy", feed=folder.name, reason=str(exc))
                break
        taken += 1
    return taken


def _waiting(folder: Path) -> list[Found]:
    """The files in the order in which they are to be taken: by day, a complete before a delta."""
    found = []
    for path in folder.iterdir():
        if path.name.lower().endswith(_TAKEN) and path.name[0] != "." and stat.S_ISREG(path.lstat().st_mode):
            found.append(Found(path, _day(path), "DELTA" in re.split(r"[^A-Z]+", path.name.upper())))
    return sorted(found, key=lambda f: (f.day, f.delta, f.path.name))


def _day(path: Path) -> date:
    for written in _DAY.findall(path.name):
        try:
            return date.fromisoformat(written)
        except ValueError:
            continue
    return _arrived(path).date()


def _arrived(path: Path) -> datetime:
    """When the file last changed: by the system's clock, which no sender can set."""
    return datetime.fromtimestamp(path.lstat().st_ctime, UTC)


def _integrity(path: Path, settings: Settings, now: datetime) -> str | None:
    """Empty when the file is whole, None when that is not known yet, else why it must not be taken."""
    settled = _arrived(path) <= now - settings.feeding_inbox_settle
    suffixes = _CHECKSUMS[:1] if settings.feeding_inbox_checksum else _CHECKSUMS
    for suffix in suffixes:
        beside = path.with_name(path.name + suffix)
        if beside.is_file() and not beside.is_symlink():
            words = beside.read_text(errors="replace")[:4096].split()
            with path.open("rb") as file:
                if words and words[0].lower() == hashlib.file_digest(file, suffix[1:]).hexdigest():
                    return ""
            return f"the checksum of {beside.name} is not that of the file: nothing was changed" if settled else None
    if settings.feeding_inbox_checksum:
        return "no .sha256 beside the file: nothing was changed" if settled else None
    return "" if settled else None


def _barred(folder: Path, day: date, directory: SqlDirectory) -> bool:
    """Whether a delivery that is held comes between what is published and a delta of that day."""
    with directory.engine.connect() as connection:
        query = select(DeliveryTable.degree, DeliveryTable.exported_on).where(DeliveryTable.feed == folder.name)
        published = {degree: on for degree, on in connection.execute(query) if on}
    for path in (folder / HELD).glob("*.report.json"):
        held = path.with_name(path.name.removesuffix(".report.json"))
        if not held.exists():
            continue
        dates = {degree: date.fromisoformat(on) for degree, on in json.loads(path.read_text())["dates"].items() if on}
        for degree, on in (dates or {"": _day(held)}).items():
            last = published.get(degree) if degree else max(published.values(), default=None)
            if on < day and (last is None or on > last):
                return True
    return False


def _import(path: Path, folder: Path, database: Database, directory: SqlDirectory, settings: Settings) -> None:
    academy = folder.name if academy_code(folder.name) else None
    try:
        number = service.run(database, directory, service.policy(settings), [path], actor="system", feed=folder.name, academy=academy)
        target = DONE
    except Busy:
        raise
    except Refusal:
        number, target = None, HELD
    report = service.shown(service.delivery(database, number))
    _file(path, folder / target, report, as_text(report))


def _file(path: Path, target: Path, report: dict[str, object], text: str) -> None:
    """Move a file with its checksums, its report first: a file that was moved has its report."""
    target.mkdir(mode=0o750, exist_ok=True)
    (target / f"{path.name}.report.json").write_text(json.dumps(report, ensure_ascii=False, indent=2))
    (target / f"{path.name}.report.txt").write_text(f"{text}\n")
    for suffix in (*_CHECKSUMS, ""):
        beside = path.with_name(path.name + suffix)
        if beside.is_file():
            os.replace(beside, target / beside.name)
    log.info("inbox.taken", file=label(path.name), to=target.name)
