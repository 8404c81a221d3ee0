"""Small deliveries into a real directory, and what a sign-on would say after each."""

from __future__ import annotations

from pathlib import Path

from backends.sql import SqlDirectory
from hub.accounts.models import Account
from hub.feeding.flow import import_delivery
from hub.feeding.report import Report
from hub.instance import Instance
from hub.release.policy import Subject
from hub.signon.subject import resolve
from tests import aaf_kit as kit


class Feed:
    """Deliveries of one file each."""

    def __init__(self, folder: Path, directory: SqlDirectory) -> None:
        self.folder, self.directory, self.number = folder, directory, 0

    def __call__(self, *records: str, head: str | None = None, **options: object) -> Report:
        """Import these records; of so few people, one who leaves is always a shrink."""
        self.number += 1
        folder = self.folder / str(self.number)
        folder.mkdir()
        path = folder / "x_Complet_Eleve_0000.xml"
        path.write_text(kit.document(*records, head=head), encoding="utf-8")
        return import_delivery(path, self.directory, accept_shrink=True, **options)  # type: ignore[arg-type]


def subject_of(instance: Instance, account_id: str) -> Subject | None:
    """The person that a sign-on would name now."""
    with instance.database.session() as db:
        return resolve(db.get_one(Account, account_id), instance.directory)
