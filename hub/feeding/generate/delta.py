"""A delta for a complete that was written before: what changes in a school from one day to the next (aaf.md section 2).

Agents do not change. Structures and nomenclatures come again in whole, as real deltas send them. The complete is read as the
import reads it, one record at a time, so that a delta of an academy takes no more memory than one of a school.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random

from lxml import etree

from backends import Degree
from backends.sdet.records import Category, DeliveryKind, Generation

from ...errors import Refusal
from ..delivery import File, open_delivery
from ..report import Report
from ..xml import requests
from .drafts import EMPTY, Attributes, Draft
from .plan import Summary
from .writer import Delivery, request

NEW_ID = 9_000_000
"""Identifiers of newcomers start there: above any that a generated complete uses."""

_ALWAYS = frozenset({Category.SCHOOL, Category.MEF, Category.SUBJECT})
_MAIL = {Degree.PRIMARY: "ENTPersonMail", Degree.SECONDARY: "mail"}
_MOBILE = {Degree.PRIMARY: "ENTPersRelEleveTelMobile", Degree.SECONDARY: "mobile"}
_GIVEN = {Degree.PRIMARY: "ENTPersonPrenom", Degree.SECONDARY: "givenName"}


def write_delta(complete: Path, folder: Path, share: float, seed: int, summary: Summary) -> date:
    """Write into ``folder`` what changes for that share of the people of a generated ``complete``, dated one day later.

    Returns that day. Raises Refusal when the folder is not empty, or the complete is not one of a single degree with headers.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Refusal(f"{folder} is not empty: choose another directory")
    rng = Random(f"delta {seed}")  # noqa: S311 - must be the same again
    with open_delivery(complete, Report(), kind=DeliveryKind.COMPLETE) as delivery:
        if len(delivery.dates) != 1 or not delivery.academy:
            raise Refusal(f"{complete}: a generated complete of one degree is needed, in which headers name academy and date")
        ((degree, exported_on),) = delivery.dates.items()
        assert exported_on is not None  # a header that names the academy names the date
        day = exported_on + timedelta(days=1)
        changes = Delivery(folder, delivery.academy, degree, Generation.NEW, day, {}, word="Delta")
        try:
            for file in delivery.files:
                for category, id_, attributes in _records(file):
                    if category in _ALWAYS:
                        changes.files[category].write(request(Draft(category, degree, id_, attributes)))
                    elif category in _TURNS and rng.random() < share:
                        number = sum(summary.operations.values())
                        operation, draft = _changed(rng, category, degree, id_, attributes, number)
                        changes.files[category].write(request(draft, operation))
                        summary.operations[operation] += 1
        finally:
            changes.close()
    summary.deltas.append(folder)
    summary.files += len(list(folder.iterdir()))
    return day


def _records(file: File) -> Iterator[tuple[Category, str, Attributes]]:
    """The records of a file of the generator, attribute by attribute."""
    for element in requests(file.source, lambda _: None, lambda _tag, _line: None):
        category = next((c for c in Category if c.word == element.findtext("operationalAttributes/attr/value")), None)
        if category:
            yield category, element.findtext("identifier/id") or "", _attributes(element)


def _attributes(element: etree._Element) -> Attributes:
    return {attr.get("name", ""): [value.text or "" for value in attr] for attr in element.iterfind("attributes/attr")}


Change = Callable[[Degree, str, Attributes, int], tuple[str, str, Attributes]]
"""From degree, id, attributes and a running number to operation, id and attributes."""


def _other_mail(degree: Degree, id_: str, attributes: Attributes, number: int) -> tuple[str, str, Attributes]:
    return "modifyRequest", id_, attributes | {_MAIL[degree]: [f"nouveau.{number}@famille.example"]}


def _only_mail(degree: Degree, id_: str, _: Attributes, number: int) -> tuple[str, str, Attributes]:
    return "modifyRequest", id_, {_MAIL[degree]: [f"seul.{number}@famille.example"]}


def _no_mail(degree: Degree, id_: str, _: Attributes, _number: int) -> tuple[str, str, Attributes]:
    return "modifyRequest", id_, {_MAIL[degree]: EMPTY}


def _other_mobile(degree: Degree, id_: str, attributes: Attributes, number: int) -> tuple[str, str, Attributes]:
    return "modifyRequest", id_, attributes | {_MOBILE[degree]: [f"+33 6 39 98 {number // 100 % 100:02d} {number % 100:02d}"]}


def _no_mobile(degree: Degree, id_: str, _: Attributes, _number: int) -> tuple[str, str, Attributes]:
    return "modifyRequest", id_, {_MOBILE[degree]: EMPTY}


def _left(_: Degree, id_: str, _attributes_: Attributes, _number: int) -> tuple[str, str, Attributes]:
    return "deleteRequest", id_, {}


def _arrived(degree: Degree, _: str, attributes: Attributes, number: int) -> tuple[str, str, Attributes]:
    id_ = str(NEW_ID + number)
    new = {"ENTPersonJointure": [id_], "ENTEleveINE": [f"{number:09d}ZZ"], _GIVEN[degree]: [f"{attributes[_GIVEN[degree]][0]} Noé"]}
    return "addRequest", id_, attributes | new


def _again(_: Degree, id_: str, attributes: Attributes, _number: int) -> tuple[str, str, Attributes]:
    return "addRequest", id_, attributes


_TURNS: dict[Category, tuple[tuple[Change, int], ...]] = {
    Category.STUDENT: ((_other_mail, 50), (_only_mail, 20), (_no_mail, 10), (_left, 8), (_arrived, 8), (_again, 4)),
    Category.GUARDIAN: ((_other_mobile, 55), (_other_mail, 15), (_only_mail, 15), (_no_mobile, 10), (_left, 3), (_again, 2)),
}
"""What happens to people, and how often."""


def _changed(rng: Random, category: Category, degree: Degree, id_: str, attributes: Attributes, number: int) -> tuple[str, Draft]:
    changes, weights = zip(*_TURNS[category], strict=True)
    operation, id_, found = rng.choices(changes, weights)[0](degree, id_, attributes, number)
    return operation, Draft(category, degree, id_, found)
