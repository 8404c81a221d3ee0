"""Hostile, broken and forged AAF deliveries (security.md 5.6)."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends import Capacity, Degree, Kind, NotFound, Person, Ref, Student
from backends.sdet.causes import Cause
from backends.sdet.records import DeliveryKind
from backends.sql import SqlDirectory
from backends.sql.feed import Feeding
from hub.errors import Refusal
from hub.feeding import xml
from hub.feeding.flow import check, import_delivery
from hub.feeding.packing import Entry
from tests import aaf_kit as kit

D1, D2 = Degree.PRIMARY, Degree.SECONDARY
ROOT = "<ficAlimMENESR>\n"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[SqlDirectory]:
    """A directory that holds the usual delivery."""
    with closing(kit.empty_directory(tmp_path / "db")) as directory:
        import_delivery(kit.usual(tmp_path / "usual").write(), directory)
        yield directory


def pupil(directory: SqlDirectory, id_: str = "501", feed: str = "10", degree: Degree = D2) -> Student:
    """A pupil of the directory."""
    person = directory.person(Ref(feed, degree, Kind.STUDENT, id_))
    assert isinstance(person, Student)
    return person


def with_pupils(folder: Path, *pupils: str) -> Path:
    """The usual delivery with other pupils."""
    usual = kit.usual(folder)
    usual.records["Eleve"] = list(pupils)
    return usual.write()


def refused(directory: SqlDirectory, path: Path, content: str | bytes, match: str = "x.xml") -> None:
    """The file is refused and the directory is what it was."""
    before = kit.dump(directory)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(Refusal, match=match):
        import_delivery(path, directory, academy="10", kind=DeliveryKind.COMPLETE)
    assert kit.dump(directory) == before


# XML ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.covers("IM-01")
def test_the_doctype_of_real_files_is_accepted_and_never_loaded(tmp_path: Path) -> None:
    """The DOCTYPE is accepted; a DTD beside the data, even one that defines entities, is never read."""
    folder = kit.usual(tmp_path / "in").write()
    (folder / "ficAlimMENESR.dtd").write_text('<!ENTITY eacute "STOLEN"><!ATTLIST value forged CDATA "yes">')
    (folder / "ENT2D_Complet_20240916_Eleve_0000.xml").write_text(
        kit.document(kit.student(givenName="L@a")).replace("L@a", "L&eacute;a"), encoding="utf-8"
    )
    with closing(kit.empty_directory(tmp_path / "db")) as directory:
        import_delivery(folder, directory)
        assert pupil(directory).given_name == "Léa"


DOCTYPES = [
    '<!DOCTYPE ficAlimMENESR SYSTEM "other.dtd">',
    '<!DOCTYPE ficAlimMENESR SYSTEM "http://127.0.0.1:9/ficAlimMENESR.dtd">',
    '<!DOCTYPE ficAlimMENESR SYSTEM "../ficAlimMENESR.dtd">',
    '<!DOCTYPE other SYSTEM "ficAlimMENESR.dtd">',
    '<!DOCTYPE ficAlimMENESR PUBLIC "-//X//Y" "ficAlimMENESR.dtd">',
    "<!DOCTYPE ficAlimMENESR>",
    '<!DOCTYPE ficAlimMENESR SYSTEM "ficAlimMENESR.dtd" []>',
    '<!DOCTYPE ficAlimMENESR SYSTEM "ficAlimMENESR.dtd" [<!ENTITY x "y">]>',
    '<!DOCTYPE ficAlimMENESR [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
    '<!DOCTYPE ficAlimMENESR [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    '<!doctype ficAlimMENESR SYSTEM "ficAlimMENESR.dtd">',
    '<!DOCTYPE ficAlimMENESR SYSTEM "ficAlimMENESR.dtd"><!DOCTYPE ficAlimMENESR SYSTEM "ficAlimMENESR.dtd">',
    '<!-- <!DOCTYPE ficAlimMENESR SYSTEM "ficAlimMENESR.dtd"> --><!DOCTYPE ficAlimMENESR [<!ENTITY x "y">]>',
]


@pytest.mark.covers("IM-02", "IM-03")
@pytest.mark.parametrize("doctype", DOCTYPES)
def test_any_other_doctype_is_refused(tmp_path: Path, directory: SqlDirectory, doctype: str) -> None:
    """Another name or system id, a public id, an internal subset, a parameter entity: the file is refused."""
    refused(directory, tmp_path / "x.xml", kit.document(kit.student(), doctype=doctype))


@pytest.mark.covers("IM-03")
def test_a_doctype_pushed_far_down_is_refused(tmp_path: Path, directory: SqlDirectory) -> None:
    """A prolog longer than what is looked at hides nothing."""
    for filler in (" " * 70000, "<!--" + "x" * 70000 + "-->"):
        refused(directory, tmp_path / "x.xml", kit.document(kit.student(), doctype=filler + '<!DOCTYPE x [<!ENTITY x "y">]>'))


@pytest.mark.covers("IM-03")
def test_billion_laughs_and_external_entities_are_refused(tmp_path: Path, directory: SqlDirectory) -> None:
    """Entities are declared in a DOCTYPE that no file may have."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    for subset in (f'<!ENTITY l0 "ha">{laughs}', '<!ENTITY l9 SYSTEM "file:///etc/hostname">'):
        body = kit.document(kit.student(), doctype=f'<!DOCTYPE ficAlimMENESR SYSTEM "ficAlimMENESR.dtd" [{subset}]>')
        refused(directory, tmp_path / "x.xml", body.replace("MARTIN", "&l9;"))


@pytest.mark.covers("IM-03")
def test_deep_nesting_is_refused(tmp_path: Path, directory: SqlDirectory) -> None:
    """Depth is bounded."""
    refused(directory, tmp_path / "x.xml", kit.document("<addRequest>" * 100000))


@pytest.mark.covers("IM-03")
@pytest.mark.parametrize(
    "piece", ["x" * 1000, "<value>x</value>" * 60, "<!-- x -->" * 100, "<attr name='a'/>" * 60, "&#233;" * 160, "<x/>" * 250]
)
def test_endless_record_is_refused_with_little_memory(tmp_path: Path, directory: SqlDirectory, piece: str) -> None:
    """A value or record without end stops at a bound, long before the file does."""
    start = '<addRequest><operationalAttributes/><identifier/><attributes><attr name="sn"><value>'
    if piece.startswith("<value>"):
        start = start.removesuffix("<value>")
    body = kit.document(start + piece * 20000)
    before = resident()
    refused(directory, tmp_path / "x.xml", body)
    assert resident() - before < 120


def resident() -> int:
    """Memory of this process, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


BROKEN: dict[str, Callable[[str], str | bytes]] = {
    "empty": lambda _: b"",
    "blank": lambda _: b" \n\n",
    "byte order mark only": lambda _: b"\xef\xbb\xbf",
    "text": lambda _: "nom;prenom\nMARTIN;Lea\n",
    "binary": lambda _: random.Random(1).randbytes(5000),
    "html": lambda _: "<html><body>Erreur 500</body></html>",
    "saml": lambda _: '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"/>',
    "gar": lambda _: '<men:GAR-ENT-Eleve xmlns:men="x"/>',
    "truncated in a tag": lambda body: body[:-40],
    "truncated after a record": lambda body: body.removesuffix("</ficAlimMENESR>\n"),
    "truncated in the prolog": lambda body: body[:60],
    "two roots": lambda body: body + "<ficAlimMENESR/>",
    "text after the root": lambda body: body + "x",
    "ampersand": lambda body: body.replace("MARTIN", "MARTIN & FILS"),
    "nul byte": lambda body: body.replace("MARTIN", "MAR\x00TIN"),
    "control byte": lambda body: body.replace("MARTIN", "MAR\x01TIN"),
    "utf-16": lambda body: body.replace("UTF-8", "UTF-16").encode("utf-16"),
    "utf-7": lambda body: body.replace("UTF-8", "UTF-7"),
    "unknown encoding": lambda body: body.replace("UTF-8", "x-unknown"),
}


@pytest.mark.covers("IM-03", "IM-09")
@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_whole(tmp_path: Path, directory: SqlDirectory, name: str) -> None:
    """A file that is no well-formed AAF export is refused with a sentence, never a stack trace; nothing changes."""
    body = kit.document(kit.student("502"))
    refused(directory, tmp_path / "x.xml", BROKEN[name](body), match="x.xml|no record")


def test_one_broken_file_refuses_the_delivery(tmp_path: Path, directory: SqlDirectory) -> None:
    """A good delivery with one truncated file changes nothing; the same delivery repaired is published."""
    folder = with_pupils(tmp_path / "in", kit.student("501"), kit.student("502"))
    path = folder / "ENT2D_Complet_20240916_PersRelEleve_0000.xml"
    whole, before = path.read_text(), kit.dump(directory)
    path.write_text(whole[:-30])
    with pytest.raises(Refusal, match=r"PersRelEleve_0000.xml, line \d+"):
        import_delivery(folder, directory)
    assert kit.dump(directory) == before
    path.write_text(whole)
    assert import_delivery(folder, directory).count("2D", "student").created == 1


def test_links_special_and_hidden_files_are_not_read(tmp_path: Path, directory: SqlDirectory) -> None:
    """A symbolic link may point anywhere, a pipe never ends, a hidden file is another program's: reported, not opened."""
    elsewhere = kit.Delivery(tmp_path / "elsewhere", {"Eleve": [kit.student("666")]}).write()
    folder = kit.usual(tmp_path / "in").write()
    (folder / "more.xml").symlink_to(elsewhere / "ENT2D_Complet_20240916_Eleve_0000.xml")
    (folder / "sub").symlink_to(elsewhere)
    (folder / "._x.xml").write_bytes(b"\x00\x05\x16\x07")
    os.mkfifo(folder / "pipe.xml")
    report = import_delivery(folder, directory)
    assert report.causes[Cause.file_ignored] == 4
    assert {place.file for place in report.places[Cause.file_ignored]} == {"more.xml", "sub", "._x.xml", "pipe.xml"}
    assert report.count("2D", "student").read == 1
    with pytest.raises(Refusal, match=r"no \.xml file"):
        import_delivery(folder / "more.xml", directory)


def test_a_folder_that_cannot_be_read_is_no_empty_one(tmp_path: Path, directory: SqlDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pupils would leave: the delivery is refused."""
    folder = kit.usual(tmp_path / "in").write()
    (folder / "more").mkdir()
    scandir = os.scandir

    def locked(path: str) -> object:
        if str(path).endswith("more"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", locked)
        with pytest.raises(Refusal, match="more: cannot be read"):
            import_delivery(folder, directory)
    assert import_delivery(folder, directory).published


_WHOLE = kit.document(kit.school(), kit.mef(), kit.agent(), kit.guardian(), kit.student()).encode()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.tuples(st.integers(0, len(_WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=6), cut=st.booleans())
def test_flipped_bytes_never_crash(tmp_path: Path, edits: list[tuple[int, int]], cut: bool) -> None:
    """Whatever bytes change, the file is read or refused."""
    body = bytearray(_WHOLE)
    for place, value in edits:
        body[place] = value
    path = tmp_path / "x.xml"
    path.write_bytes(body[: edits[0][0]] if cut else body)
    try:
        assert check(path, kind=DeliveryKind.COMPLETE).files == ["x.xml"]
    except Refusal as refusal:
        if not str(refusal):
            pytest.fail("a refusal without a sentence")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet="é&;aceutlg#x0123 €", max_size=60), size=st.integers(1, 70))
def test_references_are_translated_alike_wherever_a_chunk_ends(tmp_path: Path, text: str, size: int) -> None:
    """Reading by small pieces or at once gives the same characters, or the same refusal."""
    path = tmp_path / "x.xml"
    path.write_text(kit.document(kit.record("Eleve", "1", sn="@")).replace("@", text), encoding="utf-8")

    def read() -> bytes:
        return b"".join(xml._clean(xml.inspect(Entry("x.xml", "x.xml", lambda: path.open("rb")))))

    whole = read()
    chunk, xml.CHUNK = xml.CHUNK, size
    try:
        assert read() == whole
    finally:
        xml.CHUNK = chunk


# Characters --------------------------------------------------------------------------------------------------------------


@pytest.mark.covers("IM-14")
@pytest.mark.parametrize(
    ("declared", "written", "cause"),
    [
        ("UTF-8", "utf-8", None),
        ("UTF-8", "utf-8-sig", None),
        ("", "utf-8", Cause.encoding_undeclared),
        ("ISO-8859-15", "iso-8859-15", None),
        ("iso-8859-15", "iso-8859-15", None),
        ("UTF-8", "iso-8859-15", Cause.encoding_wrong),
        ("", "iso-8859-15", Cause.encoding_wrong),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_every_encoding_gives_the_right_characters(
    tmp_path: Path, directory: SqlDirectory, declared: str, written: str, cause: Cause | None, ends: str
) -> None:
    """Declared, undeclared or wrongly declared, with byte order mark and CRLF: the names come out right."""
    folder = with_pupils(tmp_path / "in", kit.student())
    body = kit.document(kit.student(sn="CŒUR", givenName="Zoé€"), encoding=declared).replace("\n", ends)
    (folder / "ENT2D_Complet_20240916_Eleve_0000.xml").write_bytes(body.encode(written))
    report = import_delivery(folder, directory)
    assert (pupil(directory).family_name, pupil(directory).given_name) == ("CŒUR", "Zoé€")
    assert cause is None or report.causes[cause] == 1


@pytest.mark.covers("IM-14")
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("L&#233;a", "Léa"), ("L&#xE9;a", "Léa"), ("L&eacute;a", "Léa"), ("C&oelig;ur &euro;", "Cœur €"), ("L&amp;eacute;a", "L&eacute;a"),
        ("Le\u0301a", "Léa"), ("A&amp;B", "A&B"), ("A&lt;B&gt;&quot;&apos;", "A<B>\"'"), (" L\n a ", "L a"), ("<![CDATA[A<B]]>", "A<B"),
        ("A&#38;lt;B", "A&lt;B"), ("L&#0233;a", "Léa"), ("A&nbsp;B", "A B"),
    ],
)  # fmt: skip
def test_references_become_characters_once(tmp_path: Path, directory: SqlDirectory, written: str, read: str) -> None:
    """Named, numeric and predefined references are translated once; decomposed letters are composed."""
    folder = with_pupils(tmp_path / "in", kit.student())
    path = folder / "ENT2D_Complet_20240916_Eleve_0000.xml"
    path.write_text(kit.document(kit.student(givenName="@")).replace("@", written), encoding="utf-8")
    import_delivery(folder, directory)
    assert pupil(directory).given_name == read


@pytest.mark.covers("IM-14")
@pytest.mark.parametrize(
    "piece",
    ["&#0;", "&#1;", "&#x1F;", "&#xD800;", "&#xFFFE;", "&#99999999;", "&unknown;", "&LT;", "&#133;", "\x80", "\x9f", "\x7f", "\ufffd"],
)
def test_forbidden_character_isolates_one_record(tmp_path: Path, directory: SqlDirectory, piece: str) -> None:
    """The record is left out with its line, what is published of it stays, its neighbours are imported."""
    folder = with_pupils(tmp_path / "in", kit.student("501"))
    path = folder / "ENT2D_Complet_20240916_Eleve_0000.xml"
    body = kit.document(kit.student("500"), kit.student("501", sn="MAR@TIN"), kit.student("502")).replace("@", piece)
    path.write_text(body, encoding="utf-8")
    report = import_delivery(folder, directory)
    assert report.causes[Cause.character_forbidden] == report.count("2D", "student").refused == 1
    place = report.places[Cause.character_forbidden][0]
    lines = body.split("\n")
    assert lines[place.line - 1] == "<addRequest>"
    assert "<id>501</id>" in lines[place.line + 1]
    assert pupil(directory, "501").family_name == "MARTIN"
    assert pupil(directory, "500").family_name == pupil(directory, "502").family_name == "MARTIN"


@pytest.mark.covers("IM-15")
@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "{{7*7}}", "*)(uid=*", ",ou=people", "'; DROP TABLE directory_student; --", "%s%n",
     "O’Brien--D'Été", "a\tb"],
)  # fmt: skip
def test_names_are_text(tmp_path: Path, directory: SqlDirectory, name: str) -> None:
    """Whatever a name looks like, it is stored and found as text; line ends and tabs become blanks."""
    import_delivery(with_pupils(tmp_path / "in", kit.student(sn=name, givenName="A\r\nBcc: x")), directory)
    assert pupil(directory).family_name == name.replace("\t", " ")
    assert pupil(directory).given_name == "A Bcc: x"
    assert [p.ref.id for p in directory.members("0690001B", Kind.STUDENT, name=name).items] == ["501"]


@pytest.mark.covers("IM-16")
def test_people_who_look_alike_stay_apart(tmp_path: Path, directory: SqlDirectory) -> None:
    """Twins, homonyms, one letter, no family name, 200 characters: one record each."""
    long = "Marie-" * 33 + "Lo"
    pupils = [
        kit.student("501"), kit.student("502"), kit.student("503", sn="X", givenName="Y"), kit.student("504", sn="", givenName="Ya"),
        kit.student("505", sn=long), kit.student("506", sn="", givenName="", ENTPersonNomPatro="Ba"),
    ]  # fmt: skip
    report = import_delivery(with_pupils(tmp_path / "in", *pupils), directory)
    people: list[Person] = list(directory.members("0690001B", Kind.STUDENT).items)
    assert len({person.ref for person in people}) == 6
    assert pupil(directory, "501").family_name == pupil(directory, "502").family_name
    assert pupil(directory, "505").family_name == long
    assert (pupil(directory, "504").family_name, pupil(directory, "506").family_name) == ("", "Ba")
    assert report.causes[Cause.family_name_missing] == 2


@pytest.mark.covers("IM-16")
def test_record_without_any_name_or_of_absurd_length_is_left_out(tmp_path: Path, directory: SqlDirectory) -> None:
    """Nothing to call a person by, or a value of thousands of characters: that record only is refused."""
    pupils = [kit.student("501"), kit.student("502", sn="", givenName=""), kit.student("503", sn="A" * 1001)]
    report = import_delivery(with_pupils(tmp_path / "in", *pupils), directory)
    assert report.causes[Cause.name_missing] == report.causes[Cause.value_too_long] == 1
    assert [p.ref.id for p in directory.members("0690001B", Kind.STUDENT).items] == ["501"]


# Whose record is it ------------------------------------------------------------------------------------------------------


@pytest.mark.covers("IM-05")
def test_pupils_of_a_school_of_another_academy_are_refused(tmp_path: Path, directory: SqlDirectory) -> None:
    """A feed cannot put pupils, nor itself, in a school of another academy: refused and reported; its own stay."""
    usual = kit.usual(tmp_path / "in")
    usual.records["EtabEducNat"].append(kit.school("1001", "0130001F", academy="002"))
    usual.records["Eleve"] = [
        kit.student("501"), kit.student("502", ENTPersonStructRattach="1001", ENTEleveClasses="1001$3A"),
        kit.student("503", ENTEleveClasses=["1000$6A", "1001$3A"]),
    ]  # fmt: skip
    usual.records["PersEducNat"].append(kit.agent("702", ["1001$DIR$x$y$z", "1000$ENS$x$y$z"]))
    report = import_delivery(usual.write(), directory)
    assert report.causes[Cause.school_of_other_academy] == report.count("2D", "student").refused == 1
    assert report.places[Cause.school_of_other_academy][0].id == "502"
    assert report.causes[Cause.school_names_other_academy] == 1
    assert report.causes[Cause.link_to_foreign_school] == 2
    with pytest.raises(NotFound):
        pupil(directory, "502")
    assert [e.uai for e in pupil(directory, "503").enrolments] == ["0690001B"]
    for kind in (Kind.STUDENT, Kind.GUARDIAN, Kind.STAFF):
        assert directory.members("0130001F", kind).items == ()


@pytest.mark.covers("IM-05")
def test_own_record_of_a_school_goes_first(tmp_path: Path, directory: SqlDirectory) -> None:
    """A neighbour's description of a school never replaces the one of its academy, in whichever order they come."""
    usual = kit.usual(tmp_path / "in")
    usual.records["EtabEducNat"].append(kit.school("1001", "0130001F", academy="002", ENTStructureNomCourant="FORGED"))
    import_delivery(usual.write(), directory)
    assert directory.school("0130001F").name == "FORGED"
    own = kit.Delivery(tmp_path / "b", {"EtabEducNat": [kit.school("5", "0130001F", academy="002")]}, head=kit.header(academy="02"))
    import_delivery(own.write(), directory)
    assert (directory.school("0130001F").name, directory.school("0130001F").academy) == ("COLLEGE DES TILLEULS", "02")


@pytest.mark.covers("IM-05")
def test_files_of_another_academy_are_refused(tmp_path: Path, directory: SqlDirectory) -> None:
    """Headers, option and feed must name one academy."""
    usual = kit.usual(tmp_path / "in")
    before = kit.dump(directory)
    with pytest.raises(Refusal, match="academy 10, not 02"):
        import_delivery(usual.write(), directory, academy="02")
    usual.head = kit.header(academy="02")
    with pytest.raises(Refusal, match="belongs to academy 10"):
        import_delivery(usual.write(), directory, feed="10")
    (usual.folder / "more.xml").write_text(kit.document(kit.student("9")), encoding="utf-8")
    with pytest.raises(Refusal, match="several academies"):
        import_delivery(usual.folder, directory)
    assert kit.dump(directory) == before


@pytest.mark.covers("IM-06")
def test_one_number_in_two_academies_names_two_people(tmp_path: Path, directory: SqlDirectory) -> None:
    """The same ids from another academy neither replace nor read the first ones."""
    usual = kit.usual(tmp_path / "in")
    usual.head = kit.header(academy="02")
    stranger = kit.student(sn="AUTRE", ENTEleveINE="000000777AB", relatives=["601$10$1$1$0$1"])
    usual.records = {"EtabEducNat": [kit.school(uai="0130001A", academy="002")], "Eleve": [stranger]}
    import_delivery(usual.write(), directory)
    assert (pupil(directory, feed="10").family_name, pupil(directory, feed="02").family_name) == ("MARTIN", "AUTRE")
    assert directory.guardians_of(Ref("02", D2, Kind.STUDENT, "501")) == ()
    assert [t.student.feed for t in directory.ties_of(Ref("10", D2, Kind.GUARDIAN, "601"))] == ["10"]


@pytest.mark.covers("IM-06")
@pytest.mark.parametrize("feed", ["../x", "a/b", "é", "", " ", "x" * 33, "10;DROP"])
def test_feed_names_are_plain(tmp_path: Path, directory: SqlDirectory, feed: str) -> None:
    """A feed name goes into references and cannot hold a separator. An empty one means the default."""
    folder = kit.usual(tmp_path / "in").write()
    if feed:
        with pytest.raises(Refusal, match="feed name"):
            import_delivery(folder, directory, feed=feed)
    assert import_delivery(folder, directory, feed="lyon-2", new_feed=True).feed == "lyon-2"


@pytest.mark.covers("IM-07")
@pytest.mark.parametrize(
    "value",
    ["601$10$1$0$1$0", "601$10$1$1$0", "601$10$1$1$0$1$1", "$10$1$1$0$1", "601", "601$70$1$1$1$1", "601$10$0$3$1$0", "601$$1$2$0$1",
     "999$10$1$1$0$1", "601;10;1;1;0;1", "601$10$1$１$0$1"],
)  # fmt: skip
def test_no_guardian_by_accident(tmp_path: Path, directory: SqlDirectory, value: str) -> None:
    """Contacts, malformed values, absent people: the relative has no right, not even the one of yesterday."""
    import_delivery(with_pupils(tmp_path / "in", kit.student(relatives=[value])), directory)
    assert directory.guardians_of(pupil(directory).ref) == ()
    assert directory.ties_of(Ref("10", D2, Kind.GUARDIAN, "601")) == ()


@pytest.mark.covers("IM-07")
def test_back_link_and_deprecated_attributes_grant_nothing(tmp_path: Path, directory: SqlDirectory) -> None:
    """Only the composite of the pupil counts in the second degree."""
    usual = kit.usual(tmp_path / "in")
    usual.records["Eleve"] = [kit.student(relatives=[], ENTEleveAutoriteParentale=["601"], ENTEleveMere="601", ENTEleveParents="601")]
    usual.records["PersRelEleve"] = [kit.guardian(ENTAuxPersRelEleveEleve="501")]
    import_delivery(usual.write(), directory)
    assert directory.ties_of(Ref("10", D2, Kind.GUARDIAN, "601")) == ()


@pytest.mark.covers("IM-07")
def test_codes_of_another_generation_than_the_header_are_held(tmp_path: Path, directory: SqlDirectory) -> None:
    """Level 2 of an old code under a new header may be a parent or not: a human decides, nothing changes."""
    before = kit.dump(directory)
    with pytest.raises(Refusal, match="held for a human"):
        import_delivery(with_pupils(tmp_path / "in", kit.student(relatives=["601$2$1$2$0$1"])), directory)
    assert kit.dump(directory) == before
    import_delivery(with_pupils(tmp_path / "in", kit.student(relatives=["601$10$1$2$0$1"])), directory)
    assert [t.capacity for t in directory.guardians_of(pupil(directory).ref)] == [Capacity.IN_CHARGE]


@pytest.mark.covers("IM-18")
def test_unknown_attributes_and_categories_are_ignored_and_reported(tmp_path: Path, directory: SqlDirectory) -> None:
    """The format grows: what is unknown is counted, and gives nobody a profile."""
    usual = kit.usual(tmp_path / "in")
    usual.records["Eleve"] = [
        kit.student(ENTPersonNouveau="1", ENTPersonAdmin="O"), kit.record("PersAdmin", "801", sn="ROOT"), "<grantRequest/>\n",
        kit.record("eleve", "802", sn="ROOT"), kit.record("", "803", sn="ROOT"),
    ]  # fmt: skip
    report = import_delivery(usual.write(), directory)
    assert dict(report.unknown_attributes) == {("Eleve", "ENTPersonNouveau"): 1, ("Eleve", "ENTPersonAdmin"): 1}
    assert report.causes[Cause.category_unknown] == 3
    assert report.causes[Cause.operation_unknown] == 1
    assert directory.health().counts == {"schools": 1, "students": 1, "guardians": 1, "staff": 1}


@pytest.mark.covers("IM-19")
def test_functions_forged_in_a_pupil_or_guardian_file_have_no_effect(tmp_path: Path, directory: SqlDirectory) -> None:
    """A pupil who calls himself head is a pupil; only agents have functions."""
    usual = kit.usual(tmp_path / "in")
    forged = {"ENTPersonFonctions": "1000$DIR$x$y$z", "ENTPersonCategorieEnseignant": "O"}
    usual.records["Eleve"] = [kit.student(**forged)]
    usual.records["PersRelEleve"] = [kit.guardian(**forged)]
    report = import_delivery(usual.write(), directory)
    assert [p.ref.id for p in directory.members("0690001B", Kind.STAFF).items] == ["701"]
    assert report.unknown_attributes["Eleve", "ENTPersonFonctions"] == 1
    for kind, id_ in ((Kind.STAFF, "501"), (Kind.STAFF, "601")):
        with pytest.raises(NotFound):
            directory.person(Ref("10", D2, kind, id_))


# Publication -------------------------------------------------------------------------------------------------------------


@pytest.mark.covers("IM-12")
def test_the_same_delivery_twice_changes_nothing(tmp_path: Path, directory: SqlDirectory) -> None:
    """Byte for byte, the database file is what it was."""
    folder = tmp_path / "usual"
    database = tmp_path / "db" / "directory.sqlite"
    with directory.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    before = database.read_bytes(), kit.dump(directory)
    report = import_delivery(folder, directory)
    with directory.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert (database.read_bytes(), kit.dump(directory)) == before
    assert report.changes == 0
    assert report.count("2D", "student").unchanged == 1
    import_delivery(with_pupils(tmp_path / "in", kit.student(sn="AUTRE")), directory)
    assert kit.dump(directory) != before[1]


@pytest.mark.covers("IM-12")
def test_record_given_twice_counts_once(tmp_path: Path, directory: SqlDirectory) -> None:
    """The first one is kept, the second is reported with its line; a pupil and a guardian may share a number."""
    usual = kit.usual(tmp_path / "in")
    usual.records["Eleve"] = [kit.student("601"), kit.student("601", sn="AUTRE")]
    report = import_delivery(usual.write(), directory)
    assert report.causes[Cause.record_duplicate] == 1
    assert pupil(directory, "601").family_name == "MARTIN"


@pytest.mark.covers("IM-13")
def test_any_order_of_files_gives_the_same_state(tmp_path: Path) -> None:
    """Files by files, in one file, in folders, in any order: the directory is the same."""
    folder = kit.usual(tmp_path / "in").write()
    files = sorted(folder.iterdir())
    dumps = []
    for turn in range(4):
        random.Random(turn).shuffle(files)
        with closing(kit.empty_directory(tmp_path / f"db{turn}")) as directory:
            import_delivery(files, directory)
            dumps.append(kit.dump(directory))
    mixed = tmp_path / "mixed.xml"
    mixed.write_text(kit.document(kit.student(), kit.guardian(), kit.agent(), kit.mef(), kit.school()), encoding="utf-8")
    with closing(kit.empty_directory(tmp_path / "db9")) as directory:
        import_delivery(mixed, directory, kind=DeliveryKind.COMPLETE)
        dumps.append(kit.dump(directory))
    assert len(set(dumps)) == 1


@pytest.mark.covers("IM-13")
@pytest.mark.parametrize("step", ["_compare", "_replace", "_remember", "complete", "_flush"])
def test_failure_at_any_step_leaves_the_old_state(
    tmp_path: Path, directory: SqlDirectory, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """An import that dies half way leaves what was published, whole; the next one goes through."""
    folder = with_pupils(tmp_path / "in", kit.student("502"), kit.student("503"))
    before = kit.dump(directory)
    calls = 0
    real = getattr(Feeding, step)

    def fail(self: Feeding, *args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == (3 if step in ("_compare", "_flush") else 1):
            raise KeyboardInterrupt
        return real(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Feeding, step, fail)
        with pytest.raises(KeyboardInterrupt):
            import_delivery(folder, directory)
    assert kit.dump(directory) == before
    assert import_delivery(folder, directory).count("2D", "student").created == 2


@pytest.mark.covers("IM-22")
@pytest.mark.parametrize("name", [b"ENT_\x1b[2J\nroot: ok_Eleve_0000.xml", b"ENT_\xff\xfe_Eleve_0000.xml", "ENT_\u202elmx.xml".encode()])
def test_file_names_cannot_write_on_the_terminal(tmp_path: Path, directory: SqlDirectory, name: bytes) -> None:
    """A file name with control or undecodable characters is shown without them, in reports and refusals."""
    folder = kit.usual(tmp_path / "in").write()
    path = folder / os.fsdecode(name)
    path.write_text(kit.document(kit.student("502"), head=""), encoding="utf-8")
    text = import_delivery(folder, directory).to_text()
    assert text.encode().decode().replace("\n", "").isprintable()
    assert "ENT_?" in text
    path.write_text("broken")
    with pytest.raises(Refusal) as refusal:
        import_delivery(folder, directory)
    assert str(refusal.value).isprintable()


@pytest.mark.covers("IM-22")
def test_report_says_no_more_than_needed(tmp_path: Path, directory: SqlDirectory) -> None:
    """Refused lines and anomalies name file, line and number; no name, date, INE, phone or mail appears."""
    usual = kit.usual(tmp_path / "in")
    usual.records["Eleve"] = [
        kit.student("501", ENTEleveINE="SECRETINE", ENTPersonDateNaissance="99/99/2013", sn="SECRETNAME", personalTitle="SECRETTITLE"),
        kit.student("502", sn="SECRET\ufffdNAME"), kit.record("Eleve", "SECRETID\u202e", sn="SECRETNAME"),
    ]  # fmt: skip
    usual.records["PersRelEleve"] = [kit.guardian(mail="SECRETMAIL", mobile="SECRETPHONE", sn="SECRETNAME1")]
    report = import_delivery(usual.write(), directory)
    assert report.count("2D", "student").refused == 2
    text, written = report.to_text(), json.dumps(report.to_json())
    assert "Eleve 502" in text
    for said in (text, written):
        assert "SECRETN" not in said
        assert not any(f"SECRET{what}" in said for what in ("INE", "NAME", "TITLE", "MAIL", "PHONE"))
        assert "99/99/2013" not in said
        assert "\u202e" not in said


KILLED = """
import os, signal, sys
from pathlib import Path
from backends.sql import SqlDirectory, create_directory_engine
from backends.sql.feed import Feeding
from hub.feeding.flow import import_delivery

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

database, folder, step = sys.argv[1:]
if step != "progress":
    setattr(Feeding, step, die)
import_delivery(Path(folder), SqlDirectory(create_directory_engine("sqlite:///" + database)), progress=die if step == "progress" else None)
"""


@pytest.mark.covers("IM-13")
@pytest.mark.parametrize("step", ["progress", "_remember"])
def test_killed_process_leaves_the_old_state(tmp_path: Path, directory: SqlDirectory, step: str) -> None:
    """Killed while reading, or with everything written but not committed: the old state, whole; the next import goes through."""
    folder = with_pupils(tmp_path / "in", kit.student("502"))
    before = kit.dump(directory)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "db" / "directory.sqlite"), str(folder), step]
    assert subprocess.run(command, cwd=Path(__file__).parents[2], check=False).returncode == -signal.SIGKILL
    assert kit.dump(directory) == before
    counts = import_delivery(folder, directory).count("2D", "student")
    assert (counts.created, counts.ended) == (1, 1)
