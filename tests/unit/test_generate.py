"""Synthetic AAF deliveries: the same bytes again, nothing real in them, and every quirk shows."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from lxml import etree

from backends import Degree, Kind
from hub.errors import ConfigurationError, Refusal
from hub.feeding.flow import check
from hub.feeding.generate import ALL, QUIRKS, CastMember, Generation, Plan, Summary, generate
from hub.feeding.generate.cli import generate as command
from hub.feeding.generate.names import Numbers
from hub.feeding.generate.places import DEPARTMENTS, PHONE_PREFIX, landline, uai

Records = dict[tuple[str, str, str], dict[str, dict[str, list[str]]]]
"""By (academy, degree, category), then by id: attributes."""

FOR_FICTION = re.compile(r"\+33 (6 39 98|1 99 00|2 61 91|3 53 01|4 65 71|5 36 49) \d\d \d\d")


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def digest(folder: Path) -> str:
    return hashlib.sha256(repr(sorted(content(folder).items())).encode()).hexdigest()


def read(folder: Path) -> Records:
    """Every record, with an independent reader of the generator's own plain files."""
    found: Records = {}
    for path in sorted(folder.rglob("*.xml")):
        academy, degree = path.parent.name.split("-")
        for request in etree.parse(path).iter("addRequest"):
            category = request.findtext("operationalAttributes/attr/value") or ""
            attributes = {a.get("name", ""): [v.text or "" for v in a.iter("value")] for a in request.iterfind("attributes/attr")}
            found.setdefault((academy, degree, category), {})[request.findtext("identifier/id") or ""] = attributes
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary, Records]:
    """A delivery of 1,200 pupils in two academies, both degrees."""
    folder = tmp_path_factory.mktemp("plain")
    summary = generate(folder, Plan(students=1200))
    return folder, summary, read(folder)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary, Records]:
    """The same in the old generation."""
    folder = tmp_path_factory.mktemp("old")
    summary = generate(folder, Plan(students=400, generation=Generation.OLD))
    return folder, summary, read(folder)


def record(records: Records, member: CastMember, at: int = 0) -> dict[str, list[str]]:
    ref = member.refs[at]
    category = "Eleve" if ref.kind is Kind.STUDENT else "PersRelEleve"
    return records[ref.feed, ref.degree.value, category][ref.id]


def values(records: Records, degree: str, category: str, name: str) -> list[str]:
    return [
        value
        for (_, d, c), people in records.items()
        if (d, c) == (degree, category)
        for person in people.values()
        for value in person[name]
        if value
    ]


# Same bytes


def test_same_plan_gives_same_bytes_in_another_process(tmp_path: Path) -> None:
    """Neither the order of hashes nor the clock changes a byte."""
    generate(tmp_path / "here", Plan(students=60, quirks=(ALL,)))
    code = (
        "from pathlib import Path; import sys; from hub.feeding.generate import Plan, generate;"
        "generate(Path(sys.argv[1]), Plan(students=60, quirks=('all',)))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "there")], check=True, env={"PYTHONHASHSEED": "7"})
    assert digest(tmp_path / "here") == digest(tmp_path / "there")


@pytest.mark.parametrize("other", [Plan(students=60, seed=2), Plan(students=61), Plan(students=60, date=date(2025, 10, 1))])
def test_another_plan_gives_other_bytes(tmp_path: Path, other: Plan) -> None:
    """Seed, size and date all count."""
    generate(tmp_path / "one", Plan(students=60))
    generate(tmp_path / "two", other)
    assert digest(tmp_path / "one") != digest(tmp_path / "two")


# Form


def test_folders_files_and_headers(plain: tuple[Path, Summary, Records]) -> None:
    """One folder per academy and degree; each file is well-formed and begins as real ones do."""
    folder, summary, _ = plain
    assert [path.name for path in summary.folders] == ["13-1D", "13-2D", "10-1D", "10-2D"]
    name = re.compile(r"(ENT2DVA|ENT1D)_Complet_20250915_(Eleve|PersRelEleve|PersEducNat|EtabEducNat|MefEducNat|MatiereEducNat)_0000\.xml")
    for path, data in content(folder).items():
        academy, degree = path.split("/")[0].split("-")
        assert name.fullmatch(path.split("/")[1])
        assert data.isascii()
        text = data.decode()
        assert text.startswith(
            '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE ficAlimMENESR SYSTEM "ficAlimMENESR.dtd">\n<ficAlimMENESR>\n'
        )
        sdet = "Annexe 4bis version 6.4" if degree == "2D" else "Annexe 1 version 6.4"
        for said in (f'codeAcademieExport="{academy}"', f'degre="{degree}"', f'versionSDET="{sdet}"', 'dateGenerationExport="15/09/2025"'):
            assert f"<!-- {said} -->" in text
        etree.fromstring(data)


def test_summary_counts_what_is_written(plain: tuple[Path, Summary, Records]) -> None:
    """The counts of the summary are those of the files, and pupils are as many as asked for."""
    folder, summary, records = plain
    assert {key: len(people) for key, people in records.items()} == summary.records
    assert sum(n for (*_, category), n in summary.records.items() if category == "Eleve") == 1200
    assert summary.files == len(content(folder))


def test_a_category_is_split_over_files(tmp_path: Path) -> None:
    """A file ends after 3,300 records."""
    generate(tmp_path, Plan(students=3400, academies=1, degrees=(Degree.SECONDARY,)))
    counts = [path.read_bytes().count(b"<addRequest>") for path in sorted(tmp_path.rglob("*_Eleve_*"))]
    assert counts == [3300, 100]


def test_links_lead_to_records_of_the_same_folder(plain: tuple[Path, Summary, Records]) -> None:
    """Relatives, schools, classes and back links all exist where they are named."""
    _, _, records = plain
    for (academy, degree, category), people in records.items():
        if category != "Eleve":
            continue
        guardians, schools = records[academy, degree, "PersRelEleve"], records[academy, degree, "EtabEducNat"]
        named = set()
        for id_, pupil in people.items():
            school = schools[pupil["ENTPersonStructRattach"][0]]
            ties = pupil["ENTElevePersRelEleve" if degree == "2D" else "ENTEleveAutoriteParentale"]
            for relative in (value.split("$")[0] for value in ties if value):
                named.add(relative)
                assert id_ in guardians[relative]["ENTAuxPersRelEleveEleve" if degree == "2D" else "ENTPersRelEleveEleve"]
            if degree == "2D":
                division = pupil["ENTEleveClasses"][0].split("$")[1]
                assert division in {value.split("$")[0] for value in school["ENTStructureClasses"]}
        assert named == set(guardians)


def test_uai_have_their_department_and_check_letter(plain: tuple[Path, Summary, Records]) -> None:
    """Each structure has a UAI of its academy, with the right letter, and no other has it."""
    _, _, records = plain
    seen = []
    for (academy, _, category), schools in records.items():
        for school in schools.values() if category == "EtabEducNat" else ():
            code = school["ENTStructureUAI"][0]
            assert re.fullmatch(r"\d{7}[A-HJ-NPR-Z]", code)
            assert code == uai(int(code[:7]))
            assert code[:3] in DEPARTMENTS[academy]
            seen.append(code)
    assert len(seen) == len(set(seen))


def test_known_check_letter() -> None:
    """Letter of a number worked out by hand: 160001 = 23 × 6956 + 13, the fourteenth letter."""
    assert uai(160001) == "0160001P"


def test_phones_are_for_fiction_and_mails_under_example_domains(plain: tuple[Path, Summary, Records]) -> None:
    """No number and no address can be anybody's."""
    folder, _, _ = plain
    phones = mails = 0
    for data in content(folder).values():
        text = data.decode()
        for phone in re.findall(r"<value>(\+?[\d ]*\+[\d ]*|0\d{9})</value>", text):
            assert FOR_FICTION.fullmatch(phone)
            phones += 1
        for mail in re.findall(r"<value>([^<]*@[^<]*)</value>", text):
            assert re.fullmatch(r"[^@ ]+@([a-z-]+\.example|example\.(org|net))", mail)
            mails += 1
    assert phones > 500
    assert mails > 300


@pytest.mark.parametrize("code", DEPARTMENTS)
def test_landlines_of_every_academy_are_for_fiction(code: str) -> None:
    """Whatever the academy, and for those that have no range of their own."""
    assert FOR_FICTION.fullmatch(landline(code, 12_345))
    assert set(PHONE_PREFIX) <= set(DEPARTMENTS)


@pytest.mark.parametrize(("generation", "form"), [(Generation.NEW, r"\d{9}[A-HJ-NPR-Z]{2}"), (Generation.OLD, r"\d{10}[A-HJ-NPR-Z]")])
def test_ine_have_the_form_of_their_time(generation: Generation, form: str) -> None:
    """Nine digits and two letters, ten and one before; none is given twice."""
    numbers = Numbers(3, generation)
    found = [numbers.ine() for _ in range(5000)]
    assert all(re.fullmatch(form, ine) for ine in found)
    assert len(set(found)) == 5000


# People


def test_family_cases_are_there(plain: tuple[Path, Summary, Records]) -> None:
    """Separated parents, contacts, persons in charge, adult pupils, missing INE, siblings, rare names."""
    _, summary, records = plain
    ties = [value.split("$") for value in values(records, "2D", "Eleve", "ENTElevePersRelEleve")]
    assert all(len(tie) == 6 for tie in ties)
    assert {tie[3] for tie in ties} == {"0", "1", "2"}
    assert {"10", "20", "38", "39", "50", "70", "90"} <= {tie[1] for tie in ties}
    assert all(len(value.split("$")) == 2 for value in values(records, "1D", "Eleve", "ENTEleveAutoriteParentale"))
    assert record(records, summary.cast["pupil_without_ine"])["ENTEleveINE"] == [""]
    names = "".join(values(records, "2D", "PersRelEleve", "sn") + values(records, "2D", "PersRelEleve", "givenName"))
    assert {"É", "é", "-", "'", " "} <= set(names)
    shared = [person for person in records["13", "2D", "PersRelEleve"].values() if len(person["ENTAuxPersRelEleveEleve"]) > 1]
    assert shared
    mails = values(records, "2D", "PersRelEleve", "mail")
    assert len(mails) > len(set(mails))


def test_brothers_and_sisters_could_be(plain: tuple[Path, Summary, Records]) -> None:
    """Children of one mother have different first names, and are twins or born nine months apart."""
    _, _, records = plain
    births: dict[str, dict[str, date]] = {}
    for pupil in records["10", "2D", "Eleve"].values():
        day, month, year = map(int, pupil["ENTPersonDateNaissance"][0].split("/"))
        for value in pupil["ENTElevePersRelEleve"]:
            if value.split("$")[1:2] == ["10"]:
                known = births.setdefault(value.split("$")[0], {})
                assert pupil["givenName"][0] not in known
                known[pupil["givenName"][0]] = date(year, month, day)
    families = [sorted(found.values()) for found in births.values() if len(found) > 1]
    gaps = [(b - a).days for found in families for a, b in pairwise(found)]
    assert len(gaps) > 10
    assert all(gap == 0 or gap > 270 for gap in gaps)


def test_a_person_of_two_academies_has_two_records(plain: tuple[Path, Summary, Records]) -> None:
    """Same names and mobile, in two folders."""
    _, _, records = plain

    def people(academy: str) -> set[tuple[str, ...]]:
        found = records[academy, "2D", "PersRelEleve"].values()
        return {(p["sn"][0], p["givenName"][0], p["mobile"][0]) for p in found if p["mobile"][0]}

    assert people("13") & people("10")


def test_one_number_is_another_person_elsewhere(plain: tuple[Path, Summary, Records]) -> None:
    """Identifiers are unique only inside one academy and degree, as in real exports."""
    _, _, records = plain
    assert set(records["13", "2D", "PersRelEleve"]) & set(records["10", "2D", "PersRelEleve"])
    assert set(records["13", "2D", "Eleve"]) & (set(records["13", "1D", "Eleve"]) | set(records["13", "1D", "PersRelEleve"]))


def test_old_generation_has_old_codes_levels_and_headers(old: tuple[Path, Summary, Records]) -> None:
    """Codes 1 to 7; levels 1 and 2 are those of ENTEleveAutoriteParentale; no header of 2024."""
    folder, _, records = old
    levels = set()
    for pupil in (records["13", "2D", "Eleve"] | records["10", "2D", "Eleve"]).values():
        ties = [value.split("$") for value in pupil["ENTElevePersRelEleve"] if value]
        assert all(tie[1] in "1234567" for tie in ties)
        legal = [tie[0] for tie in ties if tie[3] in ("1", "2")]
        assert legal == [id_ for id_ in pupil["ENTEleveAutoriteParentale"] if id_]
        levels |= {tie[3] for tie in ties}
        assert "ENTEleveAdresseRel" not in pupil
    assert levels == {"0", "1", "2"}
    for data in content(folder).values():
        assert b'versionAF="AAF-VE1803"' in data
        assert b"codeAcademieExport" not in data


def test_services_and_agricultural_schools_have_no_pupils(plain: tuple[Path, Summary, Records]) -> None:
    """They are delivered all the same."""
    _, _, records = plain
    schools = records["13", "2D", "EtabEducNat"]
    attended = set(values(records, "2D", "Eleve", "ENTPersonStructRattach"))
    empty = {school["ENTEtablissementMinistereTutelle"][0] for key, school in schools.items() if key not in attended}
    assert "MINISTERE DE L'AGRICULTURE" in empty


def test_agents_have_a_school_and_teachers_a_class(plain: tuple[Path, Summary, Records]) -> None:
    """Heads, deputies and teachers, as staff scope needs them."""
    _, _, records = plain
    agents = list(records["13", "2D", "PersEducNat"].values())
    functions = {a["ENTPersonFonctions"][0].split("$")[1] for a in agents}
    assert {"DIR", "ENS", "EDU"} == functions
    assert any("ADJOINT" in a["ENTPersonFonctions"][0] for a in agents)
    assert all(a["ENTAuxEnsClasses"][0] for a in agents if a["ENTPersonFonctions"][0].split("$")[1] == "ENS")


# Cast


@pytest.mark.parametrize("students", [24, 400])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_cast_is_there_from_a_few_dozen_pupils_on(tmp_path: Path, students: int, seed: int) -> None:
    """Each member has a record that says what the summary says."""
    summary = generate(tmp_path, Plan(students=students, seed=seed, quirks=(ALL,) if students == 24 else ()))
    records = read(tmp_path) if students == 400 else {}
    assert {"college_pupil", "new_pupil", "primary_guardian", "guardian_of_three", "person_in_charge", "adult_pupil"} <= set(summary.cast)
    for member in summary.cast.values() if records else ():
        for at, ref in enumerate(member.refs):
            found = record(records, member, at)
            second = ref.degree is Degree.SECONDARY
            assert found["sn" if second else "ENTPersonNom"] == [member.family_name]
            assert found["givenName" if second else "ENTPersonPrenom"] == [member.given_name]
            if ref.kind is Kind.STUDENT:
                assert found["ENTEleveINE"] == [member.ine or ""]
            else:
                assert found["mobile" if second else "ENTPersRelEleveTelMobile"] == [member.mobile]
                assert found["mail" if second else "ENTPersonMail"] == [member.mail]


def test_guardian_of_three(plain: tuple[Path, Summary, Records]) -> None:
    """Legal for a child of each of two academies, in charge of a third; the files say so."""
    _, summary, records = plain
    member = summary.cast["guardian_of_three"]
    assert [ref.feed for ref in member.refs] == ["13", "10"]
    assert [(child.ref.feed, child.capacity) for child in member.children] == [("13", "LEGAL"), ("10", "LEGAL"), ("13", "IN_CHARGE")]
    own = {ref.feed: ref.id for ref in member.refs}
    for child in member.children:
        pupil = records[child.ref.feed, "2D", "Eleve"][child.ref.id]
        (tie,) = [v.split("$") for v in pupil["ENTElevePersRelEleve"] if v.split("$")[0] == own[child.ref.feed]]
        assert tie[3] == {"LEGAL": "1", "IN_CHARGE": "2"}[child.capacity]
        assert pupil["ENTPersonDateNaissance"] == [f"{child.birth_date:%d/%m/%Y}"]
        assert pupil["ENTEleveINE"] == [child.ine]


def test_college_pupil_and_primary_guardian(plain: tuple[Path, Summary, Records]) -> None:
    """A pupil of a collège with a mail; a guardian whose only child is in the first degree."""
    _, summary, records = plain
    pupil = summary.cast["college_pupil"]
    assert record(records, pupil)["ENTEleveLibelleMEF"] == ["6EME"]
    assert record(records, pupil)["mail"] == [pupil.mail]
    guardian = summary.cast["primary_guardian"]
    assert [ref.degree for ref in guardian.refs] == [Degree.PRIMARY]
    assert [child.capacity for child in guardian.children] == ["LEGAL"]


def test_adult_pupil_is_of_age_and_his_own_relative(plain: tuple[Path, Summary, Records]) -> None:
    """Code 70 on a record of another number."""
    _, summary, records = plain
    adult = summary.cast["adult_pupil"]
    assert adult.birth_date and date(2025, 9, 15) - adult.birth_date > timedelta(days=18 * 365.25)
    codes = {v.split("$")[1]: v.split("$")[0] for v in record(records, adult)["ENTElevePersRelEleve"]}
    assert codes["70"] != adult.ref.id


def test_cast_that_the_plan_cannot_have_is_left_out(tmp_path: Path) -> None:
    """No first degree, one academy, old codes: their members are missing, the others there."""
    first = generate(tmp_path / "1", Plan(students=40, degrees=(Degree.PRIMARY,))).cast
    assert set(first) == {"primary_pupil", "primary_guardian"}
    assert "guardian_of_three" not in generate(tmp_path / "2", Plan(students=40, academies=1)).cast
    old = generate(tmp_path / "3", Plan(students=40, generation=Generation.OLD)).cast
    assert "person_in_charge" not in old
    assert "college_pupil" in old
    assert generate(tmp_path / "4", Plan(students=23)).cast == {}


# Quirks

SHOWN: dict[str, bytes | Callable[[dict[str, bytes]], bool]] = {
    "unknown-attribute": rb'<attr name="ENTEleveAttributNouveau">',
    "surrounding-blanks": rb'name="sn"><value>  [^<]+ </value>',
    "duplicate-record": lambda files: any(ids(data) != sorted(set(ids(data)), key=ids(data).index) for data in files.values()),
    "id-differs": rb'<id>(\d+)</id></identifier>\n<attributes>\n<attr name="ENTPersonJointure"><value>(?:\1)9<',
    "guardian-missing": rb"<value>99999999\$",
    "pupil-own-guardian": rb'<id>(\d+)</id>(?:(?!</addRequest>)[\s\S])*<value>\1\$70\$',
    "relative-twice": rb"<value>(\d+)\$\d\d\$.*<value>\1\$\d\d\$0\$0\$1\$0<",
    "relative-default": rb"<value>(\d+)\$\d\d\$.*<value>\1\$1\$1\$1\$1\$0<",
    "sibling-levels": rb'name="ENTElevePersRelEleve"><value>\d+\$(10|20|50|51)\$[01]\$0\$0\$[01]<',
    "fields-missing": rb"<value>\d+\$\d\d\$\d\$\d<",
    "fields-extra": rb"<value>\d+\$\d\d\$\d\$\d\$\d\$\d\$1\$1<",
    "dollar-in-label": rb'name="ENT(EleveClasses|PersonClasses)"><value>[^<]*\$A<',
    "relation-unknown": rb"<value>\d+\$99\$",
    "level-2-without-relation": rb"<value>\d+\$\$0\$2\$1\$0<",
    "level-3": rb"<value>\d+\$\d\d\$\d\$3\$\d\$\d<",
    "ine-missing": lambda files: any(
        b"<value>Eleve<" in record and b'"ENTEleveINE"' not in record for data in files.values() for record in data.split(b"</addRequest>")
    ),
    "ine-empty": rb'"ENTEleveINE"><value/>',
    "ine-old-form": rb'"ENTEleveINE"><value>\d{10}[A-Z]<',
    "ine-malformed": rb'"ENTEleveINE"><value>\d{7}<',
    "ine-lower-case": rb'"ENTEleveINE"><value>\d{9}[a-z]{2}<',
    "ine-two-feeds": lambda files: bool(ines(files, "1D") & ines(files, "2D")),
    "birth-missing": rb"<value>Eleve<(?:(?!</addRequest>)[\s\S])*\"ENTPersonDateNaissance\"><value/>",
    "birth-unreadable": rb"<value>31/02/2012<",
    "birth-fake": rb"<value>01/01/1914<",
    "structure-unknown": rb'"ENTPersonStructRattach"><value>999999<',
    "class-elsewhere": rb"<value>999998\$",
    "class-empty": rb'name="ENT(EleveClasses|PersonClasses)"><value>\d+\$<',
    "title-missing": rb'"(personalTitle|ENTPersonCivilite)"><value/>',
    "title-short": rb'"(personalTitle|ENTPersonCivilite)"><value>M<',
    "title-mr": rb'"(personalTitle|ENTPersonCivilite)"><value>Mr<',
    "title-dotted": rb'"(personalTitle|ENTPersonCivilite)"><value>Mme\.<',
    "title-mlle": rb'"(personalTitle|ENTPersonCivilite)"><value>Mlle<',
    "phone-short": rb"<value>063<",
    "phone-foreign": rb"<value>\+447700900123<",
    "phone-zeros": rb"<value>0000000000<",
    "phone-blanks": rb"<value>\+33  6  39  98",
    "phone-long": rb"<value>\+33 6 39 98 \d\d \d\d 5678<",
    "phone-elsewhere": rb'"(homePhone|ENTPersonTelPerso)"><value>\+33 6 39',
    "mail-invalid": rb"<value>pas d&apos;adresse<",
    "mail-upper": rb"<value>[A-Z0-9.]+@[A-Z.-]+<",
    "mail-shared": lambda files: any(len(found) > len(set(found)) for found in (mails(data) for data in files.values())),
    "name-digits": rb'"(sn|ENTPersonNom)"><value>[^<]*2</value>',
    "name-one-letter": rb'"(givenName|ENTPersonPrenom)"><value>(.|&#\d+;)</value>',
    "name-double-hyphen": rb'"(sn|ENTPersonNom)"><value>[^<]*--',
    "birth-name-empty": rb'"ENTPersonNomPatro"><value/>',
    "uai-malformed": rb'"ENTStructureUAI"><value>\d{6}Z[A-Z]<',
    "uai-lower-case": rb'"ENTStructureUAI"><value>\d{7}[a-z]<',
    "uai-letter": lambda files: any(uai(int(code[:7])) != code.decode() for data in files.values() for code in codes(data)),
    "school-of-other-academy": rb"<value>GUYANE<",
    "header-missing": lambda files: any(b"versionAF" not in data for data in files.values()),
    "doctype-missing": lambda files: any(b"<!DOCTYPE" not in data for data in files.values()),
    "encoding-utf8": lambda files: decodes(files, "Etab", "utf-8"),
    "encoding-latin9": lambda files: decodes(files, "_Eleve_", "iso-8859-15") and b'encoding="ISO-8859-15"' in some(files, "_Eleve_")[0],
    "encoding-wrong": lambda files: decodes(files, "PersRel", "iso-8859-15") and not decodes(files, "PersRel", "utf-8"),
    "encoding-undeclared": lambda files: decodes(files, "PersEduc", "utf-8") and b"encoding" not in some(files, "PersEduc")[0],
    "named-entities": rb"&[A-Za-z]+(acute|grave|cedil|circ|uml|lig|tilde|slash);",
    "double-escaped": rb"&amp;#\d+;",
    "empty-values": rb"<value></value>",
    "file-date-malformed": lambda files: any("_202500915_" in name for name in files),
    "sequence-gap": lambda files: any("_Eleve_0002" in name for name in files) and not any("_Eleve_0001" in name for name in files),
    "unknown-category": rb"<value>PersExterne<",
    "unknown-operation": rb"<moveRequest>",
    "guardian-unused": rb"<value>PersRelEleve</value></attr></operationalAttributes>\n<identifier><id>90000001<",
    "modify-unknown": rb'<modifyRequest>[\s\S]*<modification operation="replace" name=',
    "delete-unknown": rb"<deleteRequest>[\s\S]*<id>90000001</id></identifier>\n</deleteRequest>",
    "file-empty": lambda files: any(b"Request>" not in data for data in some(files, "_Eleve_0001")),
    "file-zero-bytes": lambda files: b"" in some(files, "_Eleve_0001"),
    "file-truncated": lambda files: any(data and not data.endswith(b"</ficAlimMENESR>\n") for data in some(files, "_Eleve_0001")),
    "degrees-mixed": lambda files: any("2D/ENT1D_" in name and b'degre="1D"' in data for name, data in files.items()),
    "delta-among-completes": lambda files: any("_Delta_" in name for name in files),
    "file-twice": lambda files: len(set(files.values())) < len(files),
    "dtd-beside": lambda files: any(name.endswith("/ficAlimMENESR.dtd") for name in files),
    "header-of-other-generation": rb'versionSDET="Annexe 4bis version 6.0"',
    "date-old": rb'dateGenerationExport="16/08/2025"',
    "date-future": rb'dateGenerationExport="15/09/2035"',
    "shrunk": lambda files: sum(data.count(b"<value>Eleve<") for data in files.values()) < 160,
}  # fmt: skip


def ids(data: bytes) -> list[bytes]:
    return re.findall(rb"<id>(\d+)</id>", data)


def codes(data: bytes) -> list[bytes]:
    return re.findall(rb'"ENTStructureUAI"><value>(\d{7}[A-Z])<', data)


def mails(data: bytes) -> list[bytes]:
    return re.findall(rb"<value>([^<]+@[^<]+)</value>", data) if b"<value>PersRelEleve<" in data else []


def ines(files: dict[str, bytes], degree: str) -> set[bytes]:
    return {ine for name, data in files.items() if degree in name for ine in re.findall(rb'"ENTEleveINE"><value>(\w+)<', data)}


def some(files: dict[str, bytes], part: str) -> list[bytes]:
    return [data for name, data in files.items() if part in name]


def decodes(files: dict[str, bytes], part: str, encoding: str) -> bool:
    """Whether one of those files has bytes outside ASCII that are letters of the encoding."""
    for data in some(files, part):
        try:
            if not data.isascii() and re.search(r"[éèÉÈ]", data.decode(encoding)):
                return True
        except UnicodeDecodeError:
            continue
    return False


def shows(quirk: str, files: dict[str, bytes]) -> bool:
    sign = SHOWN[quirk]
    return any(re.search(sign, data) for data in files.values()) if isinstance(sign, bytes) else sign(files)


ALWAYS_A_FEW = {"ine-empty", "title-missing", "mail-shared"}
"""Cases that a delivery without quirks shows too."""


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the plan of the quirk tests, without quirk."""
    folder = tmp_path_factory.mktemp("without")
    generate(folder, Plan(students=200, academies=1))
    return content(folder)


@pytest.mark.parametrize("quirk", QUIRKS)
def test_each_quirk_shows_and_only_when_asked_for(tmp_path: Path, without: dict[str, bytes], quirk: str) -> None:
    """The bytes have what the quirk says; without it they have not."""
    summary = generate(tmp_path, Plan(students=200, academies=1, quirks=(quirk,)))
    files = content(tmp_path)
    assert shows(quirk, files)
    assert files != without
    assert set(summary.quirks) == {quirk}
    if quirk not in ALWAYS_A_FEW:
        assert not shows(quirk, without)


def test_all_quirks_show_together(tmp_path: Path) -> None:
    """`all` plays every quirk that leaves the delivery what it is."""
    summary = generate(tmp_path, Plan(students=400, academies=1, quirks=(ALL,)))
    expected = {name for name, quirk in QUIRKS.items() if not quirk.alone}
    assert set(summary.quirks) == expected
    files = content(tmp_path)
    hidden = {name for name in expected - {"file-empty", "empty-values", "named-entities"} if not shows(name, files)}
    assert hidden <= {"encoding-wrong", "sequence-gap"}


# Refusals, memory, command


@pytest.mark.parametrize("wrong", [{"students": 0}, {"academies": 0}, {"academies": 99}, {"degrees": ()}, {"quirks": ("no-such",)}])
def test_impossible_plans_are_refused(wrong: dict[str, object]) -> None:
    """With a sentence; the same plan without the wrong part is fine."""
    assert Plan(students=1)
    with pytest.raises(Refusal):
        Plan(**{"students": 1, **wrong})  # type: ignore[arg-type]


def test_a_delivery_never_mixes_with_an_older_one(tmp_path: Path) -> None:
    """A folder that is not empty is left as it is."""
    generate(tmp_path, Plan(students=1))
    before = digest(tmp_path)
    with pytest.raises(Refusal, match="not empty"):
        generate(tmp_path, Plan(students=1, seed=2))
    assert digest(tmp_path) == before


def test_missing_faker_is_said_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faker is optional; the message says how to get it, and nothing is written."""
    monkeypatch.setitem(sys.modules, "faker", None)
    with pytest.raises(ConfigurationError, match=r'pip install "preau\[demo\]"'):
        generate(tmp_path, Plan(students=1))
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_delivery(tmp_path: Path) -> None:
    """Ten times more pupils take about the same memory."""

    def peak(students: int) -> int:
        tracemalloc.start()
        try:
            generate(tmp_path / str(students), Plan(students=students, academies=1))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(30)  # what is loaded once
    assert peak(3000) < 1.5 * peak(300)


def test_command_writes_and_summarises(tmp_path: Path) -> None:
    """The same from the command line, as text and as JSON."""
    options = ["--students", "40", "--degree", "2d", "--seed", "5", "--date", "2025-11-03", "--quirk", "ine-empty"]
    result = CliRunner().invoke(command, [str(tmp_path / "json"), *options, "--json"], catch_exceptions=False)
    summary = json.loads(result.output)
    assert summary["cast"]["college_pupil"]["refs"][0].startswith("13/2D/student/")
    assert summary["quirks"]["ine-empty"] >= 2
    result = CliRunner().invoke(command, [str(tmp_path / "text"), *options], catch_exceptions=False)
    assert result.exit_code == 0
    assert "college_pupil" in result.output
    assert digest(tmp_path / "json") == digest(tmp_path / "text")
    assert all("_20251103_" in name for name in content(tmp_path / "text"))


def test_command_lists_quirks_and_refuses_unknown_ones(tmp_path: Path) -> None:
    """The list needs no other argument; an unknown name is a usage error."""
    listed = CliRunner().invoke(command, ["--list-quirks"])
    assert listed.exit_code == 0
    assert all(name in listed.output for name in QUIRKS)
    refused = CliRunner().invoke(command, [str(tmp_path), "--students", "1", "--quirk", "no-such"])
    assert refused.exit_code == 2


# Deltas and archives


def test_delta_is_read_as_one_and_says_what_it_did(tmp_path: Path) -> None:
    """Of the day after, with every operation, structures in whole, agents left alone; the same bytes again; from a folder or an archive."""
    plan = Plan(students=400, academies=1, degrees=(Degree.SECONDARY,), delta=0.3)
    summary = generate(tmp_path / "a", plan)
    (delta,) = summary.deltas
    assert set(summary.operations) == {"addRequest", "modifyRequest", "deleteRequest"}
    report = check(delta)
    assert (report.kind, report.dates["2D"]) == ("delta", date(2025, 9, 16))
    assert report.count("2D", "school").read == sum(n for key, n in summary.records.items() if key[2] == "EtabEducNat")
    assert ("2D", "staff") not in report.counts
    assert 0.15 < report.count("2D", "student").read / 400 < 0.45
    result = CliRunner().invoke(command, [str(tmp_path / "b"), "--delta-from", str(summary.folders[0]), "--delta", "0.3"])
    assert result.exit_code == 0, result.output
    assert content(tmp_path / "b") == content(delta)


@pytest.mark.parametrize("packing", ["zip", "tar", "tgz"])
def test_archives_hold_the_same_files_and_have_their_checksum(tmp_path: Path, packing: str) -> None:
    """Same plan, same bytes; the checksum beside is right; the complete reads as the folder does."""
    plain = generate(tmp_path / "plain", Plan(students=60, degrees=(Degree.PRIMARY,), delta=0.2))
    written = []
    for turn in ("a", "b"):
        plan = Plan(students=60, degrees=(Degree.PRIMARY,), delta=0.2, packing=packing)
        summary = generate(tmp_path / turn, plan)
        assert len(summary.archives) == 4
        written.append(content(tmp_path / turn))
        for path in summary.archives:
            digest, name = path.with_name(f"{path.name}.sha256").read_text().split()
            assert (digest, name) == (hashlib.sha256(path.read_bytes()).hexdigest(), path.name)
    assert written[0] == written[1]
    folders = [*plain.folders, *plain.deltas]
    assert [check(path).to_json() for path in summary.archives] == [check(path).to_json() for path in folders]


def test_what_no_delta_can_be_made_of_is_refused(tmp_path: Path) -> None:
    """Old generation, a share beyond the whole, a folder that is not empty, a command without anything to do."""
    with pytest.raises(Refusal):
        Plan(students=10, generation=Generation.OLD, delta=0.1)
    with pytest.raises(Refusal):
        Plan(students=10, delta=1.5)
    summary = generate(tmp_path / "a", Plan(students=30, academies=1, degrees=(Degree.PRIMARY,)))
    result = CliRunner().invoke(command, [str(summary.folders[0]), "--delta-from", str(summary.folders[0])])
    assert isinstance(result.exception, Refusal)
    assert CliRunner().invoke(command, [str(tmp_path / "c")]).exit_code == 2
