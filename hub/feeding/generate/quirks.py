"""The cases of the data-quality list (aaf.md section 13), each behind a name."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from backends import Degree
from backends.sdet.records import Category

from ...errors import Refusal
from . import mistakes as m
from .drafts import Draft
from .writer import CategoryFiles, Delivery, Style, escaped_twice, header, named_entities, request

PERIOD = 20
"""Of so many records, one takes part in a quirk."""


@dataclass(frozen=True, slots=True)
class Quirk:
    """Something that a real delivery may do wrong, or merely otherwise. It acts in one of the ways below."""

    name: str
    case: int
    """Number in aaf.md section 13; 0: named elsewhere in aaf.md."""
    says: str
    alone: bool = False
    """Not in ``all``: it makes the whole delivery another one, or unusable."""
    category: Category = Category.STUDENT
    make: Callable[[], m.Mistake] | None = None
    """Makes the mistake that changes a record before it is written."""
    text: Callable[[str], str] | None = None
    """Changes the XML of a record."""
    style: dict[str, Any] | None = None
    """Changes how the files of the category are written."""
    close: Callable[[Delivery], None] | None = None
    """Adds records or files once all others are written."""


def _on(category: Category, *rows: tuple[str, int, str, m.Mistake]) -> list[Quirk]:
    def always(mistake: m.Mistake) -> Callable[[], m.Mistake]:
        return lambda: mistake

    return [Quirk(name, case, says, category=category, make=always(mistake)) for name, case, says, mistake in rows]


_STUDENTS = _on(
    Category.STUDENT,
    ("unknown-attribute", 1, "an attribute that no known version has", m.unknown_attribute),
    ("surrounding-blanks", 4, "blanks around names and dates", m.blanks),
    ("duplicate-record", 5, "the same pupil twice in one delivery", m.duplicate),
    ("id-differs", 6, "an identifier that is not the joint key", m.other_joint),
    ("guardian-missing", 8, "a relative who is named but not delivered", m.absent_relative),
    ("pupil-own-guardian", 8, "a pupil named as his own relative, under his pupil's id", m.own_relative),
    ("relative-twice", 9, "the same relative twice, with other flags", m.more_ties(lambda _, f: f"{f[0]}${f[1]}$0$0$1$0")),
    ("relative-default", 9, "the same relative twice, once in the default row 1$1$1$1$0", m.more_ties(lambda _, f: f"{f[0]}$1$1$1$1$0")),
    ("sibling-levels", 9, "a parent without level for one of two siblings", m.sibling_level),
    ("fields-missing", 10, "a relative with four fields instead of six", m.tie(lambda f: "$".join(f[:4]))),
    ("fields-extra", 10, "a relative with eight fields instead of six", m.tie(lambda f: "$".join([*f, "1", "1"]))),
    ("dollar-in-label", 10, "the name of a class with a $ in it", m.change("classes", lambda v: f"{v}$A")),
    ("relation-unknown", 11, "an unknown relation code", m.tie(m.unknown_relation)),
    ("level-2-without-relation", 11, "level 2 without a relation code", m.tie(lambda f: f"{f[0]}$$0$2$1$0")),
    ("level-3", 11, "level 3, person to call in SIECLE", m.tie(lambda f: "$".join([*f[:3], "3", *f[4:]]))),
    ("ine-missing", 12, "a pupil without the INE attribute", m.remove("ine")),
    ("ine-empty", 12, "an empty INE", m.put("ine", "")),
    ("ine-old-form", 12, "an INE of before 2018: ten digits and a letter", m.change("ine", lambda v: f"{v[:9]}0{v[10]}")),
    ("ine-malformed", 12, "an INE that is none", m.change("ine", lambda v: v[:7])),
    ("ine-lower-case", 12, "an INE in lower case", m.change("ine", str.lower)),
    ("birth-missing", 13, "a pupil without birth date", m.put("birth", "")),
    ("birth-unreadable", 13, "a birth date that is none", m.put("birth", "31/02/2012")),
    ("birth-fake", 13, "a birth date of 1914", m.put("birth", "01/01/1914")),
    ("structure-unknown", 18, "a pupil of a structure that is not delivered", m.put("structure", "999999")),
    ("class-elsewhere", 19, "a class in another structure", m.change("classes", lambda v: "$".join(["999998", *v.split("$")[1:]]))),
    ("class-empty", 19, "a class without name", m.change("classes", lambda v: v.split("$")[0] + "$")),
)
_STUDENTS.append(Quirk("ine-two-feeds", 12, "a child of CM2 who is in 6e too, under one INE", make=m.TwoFeeds))

_GUARDIANS = _on(
    Category.GUARDIAN,
    ("title-missing", 14, "a guardian without title", m.put("civility", "")),
    ("title-short", 14, "the title M", m.change("civility", lambda _: "M", among=lambda v: v == "M.")),
    ("title-mr", 14, "the title Mr", m.change("civility", lambda _: "Mr", among=lambda v: v == "M.")),
    ("title-dotted", 14, "the title Mme.", m.change("civility", lambda _: "Mme.", among=lambda v: v == "Mme")),
    ("title-mlle", 14, "the title Mlle", m.change("civility", lambda _: "Mlle", among=lambda v: v == "Mme")),
    ("phone-short", 15, "a phone of three digits", m.phone(lambda _: "063")),
    ("phone-foreign", 15, "a phone of another country, without blanks", m.phone(lambda _: "+447700900123")),
    ("phone-zeros", 15, "a phone made of zeros", m.phone(lambda _: "0000000000")),
    ("phone-blanks", 15, "a phone with double blanks", m.phone(lambda v: v.replace(" ", "  "))),
    ("phone-long", 15, "a phone with digits too many", m.phone(lambda v: f"{v} 5678")),
    ("phone-elsewhere", 15, "a mobile in the field of the home phone", m.mobile_elsewhere),
    ("mail-invalid", 16, "a mail that is no address", m.put("mail", "pas d'adresse")),
    ("mail-upper", 16, "a mail in upper case", m.change("mail", str.upper)),
    ("name-digits", 17, "a name with digits", m.change("family", lambda v: f"{v}2")),
    ("name-one-letter", 17, "a first name of one letter", m.change("given", lambda v: v[0])),
    ("name-double-hyphen", 17, "a name with two hyphens", m.change("family", lambda v: f"{v}--{v}")),
    ("birth-name-empty", 17, "an empty birth name", m.put("birth_name", "")),
)
_GUARDIANS.append(Quirk("mail-shared", 16, "a mail shared by two persons", category=Category.GUARDIAN, make=m.SharedMail))

_SCHOOLS = _on(
    Category.SCHOOL,
    ("uai-malformed", 18, "a UAI of six digits and two letters", m.uai(lambda v: f"{v[:6]}Z{v[-1]}")),
    ("uai-lower-case", 18, "a UAI in lower case", m.uai(str.lower)),
    ("uai-letter", 18, "a UAI with a wrong check letter", m.uai(m.next_letter)),
    ("school-of-other-academy", 0, "a structure that names another academy", m.other_academy),
)

_WRITING = [
    Quirk("header-missing", 2, "files without header comments", category=Category.GUARDIAN, style={"header": False}),
    Quirk("doctype-missing", 0, "files without DOCTYPE", category=Category.SCHOOL, style={"doctype": False}),
    Quirk("encoding-utf8", 3, "accents as UTF-8 bytes", category=Category.SCHOOL, style={"written": "utf-8"}),
    Quirk("encoding-latin9", 3, "files in ISO-8859-15", style={"declared": "ISO-8859-15", "written": "iso-8859-15"}),
    Quirk("encoding-wrong", 3, "ISO-8859-15 declared as UTF-8", category=Category.GUARDIAN, style={"written": "iso-8859-15"}),
    Quirk(
        "encoding-undeclared", 3, "UTF-8 without declaration", category=Category.STAFF, style={"declared": None, "written": "utf-8"}
    ),
    Quirk("named-entities", 3, "HTML named entities in names", text=named_entities),
    Quirk("double-escaped", 3, "entities escaped twice", category=Category.GUARDIAN, text=escaped_twice),
    Quirk(
        "empty-values", 4, "<value></value> for <value/>", category=Category.GUARDIAN,
        text=lambda xml: xml.replace("<value/>", "<value></value>"),
    ),
    Quirk("file-date-malformed", 21, "a date of nine digits in file names", category=Category.SCHOOL, style={"day": "202500915"}),
    Quirk("sequence-gap", 24, "file numbers 0000, 0002, 0004", alone=True, style={"first": 5, "step": 2}),
]  # fmt: skip

_STRANGER = Draft(
    Category.STUDENT, Degree.SECONDARY, "90000001",
    {"ENTPersonJointure": ["90000001"], "sn": ["INCONNU"], "givenName": ["Camille"], "ENTPersonDateNaissance": ["02/03/2012"]},
)  # fmt: skip


def _stranger(degree: Degree) -> Draft:
    """A pupil whom no other record knows."""
    if degree is Degree.SECONDARY:
        return _STRANGER
    names = {"ENTPersonNom": ["INCONNU"], "ENTPersonPrenom": ["Camille"], "ENTPersonDateNaissance": ["02/03/2017"]}
    return replace(_STRANGER, degree=degree, attributes={"ENTPersonJointure": ["90000001"], **names})


def _unused_guardian(delivery: Delivery) -> None:
    stranger = replace(_stranger(delivery.degree), category=Category.GUARDIAN)
    delivery.files[Category.GUARDIAN].append(request(stranger))


def _more(xml: str) -> Callable[[Delivery], None]:
    return lambda delivery: delivery.files[Category.STUDENT].append(xml)


def _requests(operation: str) -> Callable[[Delivery], None]:
    return lambda delivery: delivery.files[Category.STUDENT].append(request(_stranger(delivery.degree), operation))


def _students(delivery: Delivery) -> CategoryFiles:
    files = delivery.files[Category.STUDENT]
    files.close()
    return files


def _add_file(content: Callable[[bytes], bytes]) -> Callable[[Delivery], None]:
    """One more pupil file, made from a whole one that holds one record."""

    def close(delivery: Delivery) -> None:
        files = _students(delivery)
        path = files.next_path()
        files.paths.append(path)
        path.write_bytes(content(files.whole([request(_stranger(delivery.degree))])))

    return close


def _empty(delivery: Delivery) -> None:
    files = _students(delivery)
    files.paths.append(files.next_path())
    files.paths[-1].write_bytes(files.whole())


def _twice(delivery: Delivery) -> None:
    files = delivery.files[Category.GUARDIAN]
    files.close()
    if files.paths:
        shutil.copyfile(files.paths[0], files.next_path())


def _other_degree(delivery: Delivery) -> None:
    other = Degree.PRIMARY if delivery.degree is Degree.SECONDARY else Degree.SECONDARY
    path = delivery.path(Category.STUDENT, 900, prefix="ENT1D" if other is Degree.PRIMARY else "ENT2DVA")
    head = header(delivery.code, other, delivery.generation, delivery.day)
    path.write_bytes(CategoryFiles(lambda _: path, head, Style()).whole([request(_stranger(other))]))


def _delta(delivery: Delivery) -> None:
    path = delivery.path(Category.STUDENT, 0, kind="Delta")
    path.write_bytes(_students(delivery).whole([request(_stranger(delivery.degree))]))


DTD = """<!ELEMENT ficAlimMENESR (addRequest|modifyRequest|deleteRequest)*>
<!ELEMENT addRequest (operationalAttributes, identifier, attributes)>
<!ELEMENT modifyRequest (operationalAttributes, identifier, modifications)>
<!ELEMENT deleteRequest (operationalAttributes, identifier)>
<!ELEMENT operationalAttributes (attr)>
<!ELEMENT identifier (id)>
<!ELEMENT id (#PCDATA)>
<!ELEMENT attributes (attr+)>
<!ELEMENT attr (value+)>
<!ATTLIST attr name CDATA #REQUIRED>
<!ELEMENT modifications (modification+)>
<!ELEMENT modification (value+)>
<!ATTLIST modification name CDATA #REQUIRED operation (replace) #REQUIRED>
<!ELEMENT value (#PCDATA)>
"""


def _dtd(delivery: Delivery) -> None:
    (delivery.folder / "ficAlimMENESR.dtd").write_text(DTD, encoding="ascii")


_UNKNOWN_CATEGORY = request(_STRANGER).replace("<value>Eleve</value>", "<value>PersExterne</value>")

_FILES = [
    Quirk("unknown-category", 1, "a record of an unknown category", close=_more(_UNKNOWN_CATEGORY)),
    Quirk("unknown-operation", 1, "an unknown operation", close=_more(request(_STRANGER, "moveRequest"))),
    Quirk("guardian-unused", 8, "a guardian whom no pupil names", close=_unused_guardian),
    Quirk("modify-unknown", 7, "a modification of an unknown pupil", alone=True, close=_requests("modifyRequest")),
    Quirk("delete-unknown", 7, "a deletion of an unknown pupil", alone=True, close=_requests("deleteRequest")),
    Quirk("file-empty", 20, "a pupil file without record", close=_empty),
    Quirk("file-zero-bytes", 20, "a pupil file of 0 byte", alone=True, close=_add_file(lambda _: b"")),
    Quirk("file-truncated", 20, "a pupil file cut in the middle", alone=True, close=_add_file(lambda whole: whole[: len(whole) * 2 // 3])),
    Quirk("degrees-mixed", 22, "a file of the other degree in the folder", alone=True, close=_other_degree),
    Quirk("delta-among-completes", 22, "a file named Delta among completes", alone=True, close=_delta),
    Quirk("file-twice", 25, "the same guardian file twice", close=_twice),
    Quirk("dtd-beside", 0, "the DTD beside the files", close=_dtd),
]

OTHER_HEADER, OLD_DATE, FUTURE_DATE, SHRUNK = "header-of-other-generation", "date-old", "date-future", "shrunk"
_WHOLE = [
    Quirk(OTHER_HEADER, 11, "headers of the generation that the codes are not of", alone=True),
    Quirk(OLD_DATE, 21, "a delivery dated one month earlier", alone=True),
    Quirk(FUTURE_DATE, 21, "a delivery dated ten years later", alone=True),
    Quirk(SHRUNK, 23, "only every second family is delivered", alone=True),
]

QUIRKS = {quirk.name: quirk for quirk in _STUDENTS + _GUARDIANS + _SCHOOLS + _WRITING + _FILES + _WHOLE}
"""Every quirk by name."""
ALL = "all"
"""Stands for every quirk that is not :attr:`Quirk.alone`."""


def check_names(names: Iterable[str]) -> None:
    """Raise ``Refusal`` on a name that is no quirk."""
    for name in names:
        if name != ALL and name not in QUIRKS:
            raise Refusal(f"unknown quirk {name!r}: see --list-quirks")


def chosen(names: Iterable[str]) -> list[Quirk]:
    """The quirks of those names, each once, in the order of the list."""
    wanted = set(names)
    return [quirk for quirk in QUIRKS.values() if quirk.name in wanted or (ALL in wanted and not quirk.alone)]


class Turns:
    """Plays quirks in the deliveries of one academy, and counts them.

    Each record takes part in one quirk at most: the first whose turn it is and that it lends itself to. In the long run, one
    record in :data:`PERIOD` is touched.
    """

    def __init__(self, quirks: Iterable[Quirk], played: Counter[str]) -> None:
        self._quirks = list(quirks)
        self._played = played
        self._mistakes = {quirk.name: quirk.make() for quirk in self._quirks if quirk.make}
        self._of = {category: [q for q in self._quirks if q.category is category and (q.make or q.text)] for category in Category}
        self._seen: Counter[tuple[Degree, Category]] = Counter()
        self._due: Counter[tuple[Degree, str]] = Counter()

    def styles(self) -> dict[Category, Style]:
        """How to write the files of each category."""
        found: dict[Category, Style] = {}
        for quirk in self._quirks:
            if quirk.style:
                found[quirk.category] = replace(found.get(quirk.category, Style()), **quirk.style)
                self._played[quirk.name] += 1
        return found

    def render(self, draft: Draft) -> str:
        """The XML of a record, after the quirk whose turn it is."""
        quirks = self._of[draft.category]
        if quirks:
            self._seen[draft.degree, draft.category] += 1
            seen = self._seen[draft.degree, draft.category]
            for quirk in quirks:
                if self._due[draft.degree, quirk.name] > seen:
                    continue
                xml = self._play(quirk, draft)
                if xml is not None:
                    self._due[draft.degree, quirk.name] = seen + PERIOD * len(quirks)
                    return xml
        return request(draft)

    def _play(self, quirk: Quirk, draft: Draft) -> str | None:
        """The XML after that quirk; None when the record does not lend itself to it."""
        if quirk.text:
            plain = request(draft)
            xml = quirk.text(plain)
            if xml == plain:
                return None
        elif self._mistakes[quirk.name](draft):
            xml = request(draft)
        else:
            return None
        self._played[quirk.name] += 1
        return xml * draft.copies

    def close(self, delivery: Delivery) -> None:
        """Add what comes at the end of the delivery."""
        for quirk in self._quirks:
            if quirk.close:
                quirk.close(delivery)
                self._played[quirk.name] += 1
