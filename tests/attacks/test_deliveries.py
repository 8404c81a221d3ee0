"""Hostile archives, mass departures, killed and simultaneous imports (security.md 5.6, FT-09, FT-10)."""

from __future__ import annotations

import gzip
import io
import multiprocessing
import signal
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends import Degree, Kind, NotFound, Ref
from backends.names import name_key
from backends.sdet.records import DeliveryKind
from backends.sql import SqlDirectory, feed
from hub.errors import Refusal
from hub.feeding import delta
from hub.feeding.flow import check, import_delivery
from hub.feeding.generate import Plan, generate
from hub.feeding.packing import Limits
from hub.feeding.safety import Held, Policy
from tests import aaf_kit as kit
from tests.feeding_kit import attempt, kill_at, killed_at_random_points

D2 = Degree.SECONDARY
NAME = "ENT2D_Complet_20240916_Eleve_0000.xml"
CONTENT = kit.document(kit.school(), kit.mef(), kit.agent(), kit.guardian(), kit.student()).encode()


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[SqlDirectory]:
    """Twenty pupils, 501 to 520, each with a mother."""
    with closing(kit.empty_directory(tmp_path / "db")) as directory:
        import_delivery(kit.school_of(tmp_path / "complete", 20), directory)
        yield directory


# Archives ----------------------------------------------------------------------------------------------------------------


def zipped(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    """A zip with those entries, in that order."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def tarred(path: Path, *entries: tuple[str | tarfile.TarInfo, bytes]) -> Path:
    """A tar, compressed when the name says so."""
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, content in entries:
            member = tarfile.TarInfo(name) if isinstance(name, str) else name
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


PACKERS: dict[str, Callable[..., Path]] = {"x.zip": zipped, "x.tar": tarred, "x.tar.gz": tarred, "x.tgz": tarred}


@pytest.mark.covers("IM-13")
def test_every_packing_gives_the_same_directory(tmp_path: Path) -> None:
    """Folder, folder of .xml.gz, zip, tar, tar.gz, with or without a folder inside, any order: one state. Nothing is unpacked to disk."""
    folder = kit.usual(tmp_path / "in").write()
    files = [(path.name, path.read_bytes()) for path in sorted(folder.iterdir(), reverse=True)]
    packed = [folder]
    for name, packer in PACKERS.items():
        (tmp_path / name.replace(".", "")).mkdir()
        packed.append(packer(tmp_path / name.replace(".", "") / name, *files))
        packed.append(packer(tmp_path / name.replace(".", "") / f"in{name}", *((f"20240916/{inner}", data) for inner, data in files)))
    zipped_files = tmp_path / "gz"
    zipped_files.mkdir()
    for inner, data in files:
        (zipped_files / f"{inner}.gz").write_bytes(gzip.compress(data))
    packed.append(zipped_files)
    before = sorted(path for path in tmp_path.rglob("*") if "db" not in path.parts)
    dumps = set()
    for number, path in enumerate(packed):
        with closing(kit.empty_directory(tmp_path / "db" / str(number))) as directory:
            report = import_delivery(path, directory)
            dumps.add(kit.dump(directory))
            assert report.count("2D", "student").created == 1, path
    assert len(dumps) == 1
    assert sorted(path for path in tmp_path.rglob("*") if "db" not in path.parts) == before


def test_single_gzipped_file(tmp_path: Path, directory: SqlDirectory) -> None:
    """One .xml.gz is read like its .xml."""
    path = tmp_path / f"{NAME}.gz"
    path.write_bytes(gzip.compress(CONTENT))
    assert check(path).files == [NAME]


def _special(kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(NAME)
    info.external_attr = (kind | 0o644) << 16
    return info


def _member(kind: bytes, name: str = NAME) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/hostname"
    return member


HOSTILE: dict[str, tuple[str, list[tuple[object, bytes]]]] = {
    "zip parent": ("x.zip", [(f"../{NAME}", CONTENT)]),
    "zip inner parent": ("x.zip", [(f"a/../../{NAME}", CONTENT)]),
    "zip backslash": ("x.zip", [(f"..\\{NAME}", CONTENT)]),
    "zip absolute": ("x.zip", [(f"/tmp/{NAME}", CONTENT)]),
    "zip drive": ("x.zip", [(f"C:\\{NAME}", CONTENT)]),
    "zip link": ("x.zip", [(_special(stat.S_IFLNK), b"/etc/hostname")]),
    "zip device": ("x.zip", [(_special(stat.S_IFCHR), b"")]),
    "zip nested": ("x.zip", [(NAME, CONTENT), ("inner.zip", b"PK")]),
    "zip nested gz": ("x.zip", [(f"{NAME}.gz", gzip.compress(CONTENT))]),
    "zip case": ("x.zip", [(NAME, CONTENT), (NAME.upper(), CONTENT)]),
    "zip bomb": ("x.zip", [(NAME, b" " * (30 << 20))]),
    "zip many": ("x.zip", [(f"{n}.txt", b"") for n in range(120)]),
    "tar parent": ("x.tgz", [(f"../{NAME}", CONTENT)]),
    "tar absolute": ("x.tar", [(f"/tmp/{NAME}", CONTENT)]),
    "tar symbolic link": ("x.tar", [(_member(tarfile.SYMTYPE), b"")]),
    "tar hard link": ("x.tar", [(NAME, CONTENT), (_member(tarfile.LNKTYPE, "b.xml"), b"")]),
    "tar device": ("x.tgz", [(_member(tarfile.CHRTYPE), b"")]),
    "tar fifo": ("x.tar", [(_member(tarfile.FIFOTYPE), b"")]),
    "tar nested": ("x.tgz", [(NAME, CONTENT), ("a/inner.tar.gz", b"x")]),
    "tar twice": ("x.tar", [(NAME, CONTENT), (NAME, CONTENT)]),
    "tar twice by detour": ("x.tar", [(NAME, CONTENT), (f"./{NAME}", CONTENT)]),
    "tar bomb": ("x.tgz", [(NAME, b" " * (30 << 20))]),
    "tar many": ("x.tgz", [(f"{n}.txt", b"") for n in range(120)]),
}


@pytest.mark.covers("IM-04")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_are_refused(tmp_path: Path, directory: SqlDirectory, name: str) -> None:
    """Ways out, links, special files, nested archives, two files of one name, bombs, too many: refused whole, little memory."""
    file, entries = HOSTILE[name]
    path = PACKERS[file](tmp_path / file, *entries)
    before = kit.dump(directory)
    tracemalloc.start()
    with pytest.raises(Refusal, match="refused"):
        import_delivery(path, directory, kind=DeliveryKind.COMPLETE, policy=Policy(limits=Limits(entries=100)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kit.dump(directory) == before
    assert peak < 24 << 20


@pytest.mark.covers("IM-04")
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_in_a_zip_are_refused(tmp_path: Path) -> None:
    """Which one counts would depend on the tool that looks."""
    with pytest.raises(Refusal, match="two entries"):
        check(zipped(tmp_path / "x.zip", (NAME, CONTENT), (NAME, CONTENT)))


@pytest.mark.covers("IM-04")
def test_bombs_that_lie_about_their_size_are_stopped(tmp_path: Path) -> None:
    """A gzip of blanks, a zip whose directory understates, a tar header that asks for gigabytes: stopped at the limit."""
    bomb = tmp_path / f"{NAME}.gz"
    bomb.write_bytes(gzip.compress(CONTENT[:-20] + b" " * (30 << 20)))
    lying = zipped(tmp_path / "x.zip", (NAME, CONTENT + b" " * (30 << 20)))
    lying.write_bytes(lying.read_bytes().replace(struct.pack("<I", len(CONTENT) + (30 << 20)), struct.pack("<I", len(CONTENT))))
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 6 << 30
    greedy = tmp_path / "x.tgz"
    greedy.write_bytes(gzip.compress(header.tobuf() + b" " * (30 << 20)))
    for path in (bomb, lying, greedy):
        tracemalloc.start()
        with pytest.raises(Refusal):
            check(path)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20, path.name
        tracemalloc.stop()


@pytest.mark.covers("IM-04")
def test_limit_on_the_unpacked_size(tmp_path: Path) -> None:
    """More than the operator allows: refused, whatever the ratio; within the limit, read."""
    path = zipped(tmp_path / "x.zip", (NAME, CONTENT))
    with pytest.raises(Refusal, match="limits"):
        check(path, policy=Policy(limits=Limits(size=len(CONTENT) - 1)))
    assert check(path, policy=Policy(limits=Limits(size=len(CONTENT)))).files == [NAME]


@pytest.mark.covers("IM-04")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["x.zip", "x.tar", "x.tgz"]),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.booleans(),
)
def test_damaged_archives_never_crash(tmp_path: Path, name: str, edits: list[tuple[float, int]], cut: bool) -> None:
    """Whatever bytes change or lack, an archive is read or refused with a sentence."""
    path = PACKERS[name](tmp_path / name, (NAME, CONTENT))
    body = bytearray(path.read_bytes())
    for place, value in edits:
        body[int(place * len(body))] = value
    path.write_bytes(body[: int(edits[0][0] * len(body))] if cut else body)
    try:
        check(path, kind=DeliveryKind.COMPLETE)
    except Refusal as refusal:
        if not str(refusal):
            pytest.fail("a refusal without a sentence")


@pytest.mark.parametrize("entry", ["CLG95_GPEI_Complet_20240916_Eleve_0000.xml", "GAR-ENT-Complet-Eleve.xml"])
def test_look_alikes_in_an_archive_are_refused_by_name(tmp_path: Path, entry: str) -> None:
    """Neighbouring formats are named in the refusal, inside an archive too."""
    with pytest.raises(Refusal, match="is not an AAF delivery"):
        check(zipped(tmp_path / "x.zip", (NAME, CONTENT), (entry, CONTENT)))


def test_archive_name_tells_a_delta(tmp_path: Path, directory: SqlDirectory) -> None:
    """When the files do not say it, the archive does."""
    body = kit.document(kit.delete("Eleve", "501"), head=kit.header(day="17/09/2024")).encode()
    report = import_delivery(zipped(tmp_path / "ENT2DVA_Delta_20240917.zip", ("Eleve.xml", body)), directory)
    assert (report.kind, report.count("2D", "student").ended) == ("delta", 1)


# Departures --------------------------------------------------------------------------------------------------------------


def heads(directory: SqlDirectory) -> tuple[int, int]:
    """Pupils and guardians."""
    counts = directory.health().counts
    return counts["students"], counts["guardians"]


@pytest.mark.covers("IM-09")
def test_complete_that_lost_many_is_held(tmp_path: Path, directory: SqlDirectory) -> None:
    """60 % fewer pupils: nothing changes until a human accepts; two fewer of twenty, a tenth, pass."""
    before, small = kit.dump(directory), kit.school_of(tmp_path / "small", 8)
    with pytest.raises(Held, match="student 2D: 8 left of 20"):
        import_delivery(small, directory)
    assert kit.dump(directory) == before
    assert import_delivery(kit.school_of(tmp_path / "tenth", 18), directory).count("2D", "student").ended == 2
    assert import_delivery(small, directory, accept_shrink=True).published
    assert heads(directory) == (8, 8)
    assert import_delivery(small, directory).changes == 0


@pytest.mark.covers("IM-09")
def test_guardians_are_counted_too(tmp_path: Path, directory: SqlDirectory) -> None:
    """All pupils there, a third of the guardians missing: held."""
    folder = kit.school_of(tmp_path / "b", 20)
    path = next(folder.glob("*PersRelEleve*"))
    path.write_text(kit.document(*(kit.guardian(str(n)) for n in range(1501, 1514))), encoding="utf-8")
    with pytest.raises(Held, match="guardian 2D: 13 left of 20"):
        import_delivery(folder, directory)


@pytest.mark.covers("IM-09")
def test_small_shrinks_add_up_over_the_nights(tmp_path: Path, directory: SqlDirectory) -> None:
    """One pupil less each night is noticed on the third; eight days later the count starts from what is left."""
    with time_machine.travel("2026-11-02", tick=True) as clock:
        for night, pupils in enumerate((19, 18)):
            import_delivery(kit.school_of(tmp_path / f"n{night}", pupils, day=17 + night), directory)
            clock.shift(timedelta(days=1))
        third = kit.school_of(tmp_path / "n3", 17, day=19)
        with pytest.raises(Held, match="17 left of 20"):
            import_delivery(third, directory)
        clock.shift(timedelta(days=8))
        assert import_delivery(third, directory).published
    assert heads(directory) == (17, 17)


@pytest.mark.covers("IM-09")
def test_accepted_shrink_is_the_new_measure(tmp_path: Path, directory: SqlDirectory) -> None:
    """What a human accepted is not asked again the night after."""
    import_delivery(kit.school_of(tmp_path / "a", 10, day=17), directory, accept_shrink=True)
    assert import_delivery(kit.school_of(tmp_path / "b", 9, day=18), directory).published
    with pytest.raises(Held, match="8 left of 10"):
        import_delivery(kit.school_of(tmp_path / "c", 8, day=19), directory)


@pytest.mark.covers("IM-09", "IM-13")
def test_emptied_category_is_never_ended(tmp_path: Path, directory: SqlDirectory) -> None:
    """Even a human who accepts does not end the guardians of an academy with a missing file: they stay as they are."""
    folder = kit.school_of(tmp_path / "b", 20)
    next(folder.glob("*PersRelEleve*")).unlink()
    with pytest.raises(Held, match="no record of guardian 2D"):
        import_delivery(folder, directory)
    import_delivery(folder, directory, accept_shrink=True)
    assert heads(directory) == (20, 20)


@pytest.mark.covers("IM-10")
def test_mass_deletion_in_a_delta_is_held(tmp_path: Path, directory: SqlDirectory) -> None:
    """A deletion of many, even hidden behind as many additions, needs a human; a few pass; the same safeguard for an admin."""
    gone = [kit.delete("Eleve", str(n)) for n in range(501, 521)]
    before = kit.dump(directory)
    for hidden in ([], [kit.student(str(n)) for n in range(801, 821)]):
        with pytest.raises(Held, match=r"0 left of 20|20 of 20 deleted"):
            import_delivery(kit.delta(tmp_path / "d", *gone, *hidden), directory)
        assert kit.dump(directory) == before
    assert import_delivery(kit.delta(tmp_path / "e", *gone[:2]), directory).count("2D", "student").ended == 2
    with pytest.raises(Held, match="17 left of 20"):
        import_delivery(kit.delta(tmp_path / "f", gone[2], day=18), directory)
    assert import_delivery(kit.delta(tmp_path / "d", *gone), directory, accept_shrink=True).published
    assert heads(directory) == (0, 20)


def test_two_degrees_are_counted_apart(tmp_path: Path, directory: SqlDirectory) -> None:
    """First-degree pupils do not make up for missing second-degree ones."""
    primary = kit.Delivery(
        tmp_path / "p", {"EtabEducNat": [kit.school_1d()], "Eleve": [kit.student_1d(str(n)) for n in range(1, 40)]},
        head=kit.header(degree="1D", sdet="Annexe 1 version 6.4"),
    )  # fmt: skip
    import_delivery(primary.write(), directory)
    with pytest.raises(Held, match="student 2D: 10 left of 20"):
        import_delivery(kit.school_of(tmp_path / "b", 10), directory)


# Killed, and together ----------------------------------------------------------------------------------------------------


@pytest.mark.covers("FT-09")
def test_killed_at_random_points_leaves_old_or_new(tmp_path: Path) -> None:
    """Twenty real processes, each killed at another moment: never a mixture, and the next import completes."""
    with closing(kit.empty_directory(tmp_path / "db")) as directory:
        killed_at_random_points(f"sqlite:///{tmp_path / 'db' / 'directory.sqlite'}", directory, tmp_path / "in", 20)


@pytest.mark.covers("FT-10")
def test_second_import_into_a_feed_is_refused_while_one_runs(tmp_path: Path, directory: SqlDirectory) -> None:
    """Another process is at work: refused with a sentence, nothing mixed; another feed is free; afterwards the feed is, too."""
    url = str(directory.engine.url)
    folder = kit.delta(tmp_path / "d", kit.student("700"))
    with multiprocessing.get_context("spawn").Pool(1) as pool, directory.feeding("10", "10"):
        assert pool.apply(attempt, (url, str(folder), None)) == "busy"
        other = pool.apply(attempt, (url, str(kit.usual(tmp_path / "u").write()), "other"))
        assert other == "published"
    assert attempt(url, str(folder), None) == "published"


@pytest.mark.covers("FT-10", "IM-12")
def test_simultaneous_imports_do_not_mix(tmp_path: Path, directory: SqlDirectory) -> None:
    """Four processes import the same delta at once: it is published once, whole, whoever wins."""
    url = str(directory.engine.url)
    folder = kit.delta(tmp_path / "d", *(kit.student(str(n)) for n in range(700, 760)), kit.delete("Eleve", "501"))
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        answers = pool.starmap(attempt, [(url, str(folder), None)] * 4)
    assert "published" in answers
    assert set(answers) <= {"published", "busy"}
    assert heads(directory)[0] == 79
    with pytest.raises(NotFound):
        directory.person(Ref("10", D2, Kind.STUDENT, "501"))


def test_claim_dies_with_its_holder(tmp_path: Path, directory: SqlDirectory) -> None:
    """A killed import bars nobody."""
    url, folder = str(directory.engine.url), generate(tmp_path / "in", Plan(students=300, academies=1, degrees=(D2,))).folders[0]
    status, _ = kill_at(url, folder, 0.05)
    assert status == -signal.SIGKILL
    assert import_delivery(folder, directory).published


# Size --------------------------------------------------------------------------------------------------------------------


@pytest.mark.covers("IM-20")
def test_memory_does_not_grow_with_the_delivery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times the pupils, packed, with a delta after: the same memory of Python, within a margin. Small batches show it early."""
    monkeypatch.setattr(feed, "BATCH", 100)
    monkeypatch.setattr(delta, "CHUNK", 50)
    peaks = []
    for students in (150, 600):
        summary = generate(tmp_path / str(students), Plan(students=students, academies=1, degrees=(D2,), delta=0.5, packing="tgz"))
        name_key.cache_clear()
        with closing(kit.empty_directory(tmp_path / f"db{students}")) as directory:
            tracemalloc.start()
            for path in summary.archives:
                import_delivery(path, directory, accept_shrink=True)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert heads(directory)[0] > students * 0.9
    assert peaks[1] < peaks[0] * 1.5
