"""Small AAF deliveries written by hand, for the tests of the import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

from backends.sql import SqlDirectory, create_directory_engine
from backends.sql.models import DirectoryBase

DOCTYPE = '<!DOCTYPE ficAlimMENESR SYSTEM "ficAlimMENESR.dtd">\n'
FAMILIES = {"EtabEducNat": "categorieStructure", "MefEducNat": "categorieMef", "MatEducNat": "categorieMatiere"}
Value = str | Sequence[str]


def record(category: str, id_: str, *, operation: str = "addRequest", **attributes: Value) -> str:
    """One request; values are escaped, an empty one is written empty."""
    body = "".join(f'<attr name="{name}">{_values(value)}</attr>\n' for name, value in attributes.items())
    family = FAMILIES.get(category, "categoriePersonne")
    return (
        f'<{operation}>\n<operationalAttributes><attr name="{family}"><value>{category}</value></attr></operationalAttributes>\n'
        f"<identifier><id>{id_}</id></identifier>\n<attributes>\n{body}</attributes>\n</{operation}>\n"
    )


def modify(category: str, id_: str, **attributes: Value) -> str:
    """A modification that lists those attributes; an empty value clears."""
    body = "".join(
        f'<modification name="{name}" operation="replace">{_values(value)}</modification>\n' for name, value in attributes.items()
    )
    return _request(category, id_, "modifyRequest", f"<modifications>\n{body}</modifications>\n")


def delete(category: str, id_: str) -> str:
    """A deletion."""
    return _request(category, id_, "deleteRequest", "")


def _request(category: str, id_: str, operation: str, body: str) -> str:
    family = FAMILIES.get(category, "categoriePersonne")
    return (
        f'<{operation}>\n<operationalAttributes><attr name="{family}"><value>{category}</value></attr></operationalAttributes>\n'
        f"<identifier><id>{id_}</id></identifier>\n{body}</{operation}>\n"
    )


def _values(value: Value) -> str:
    values = [value] if isinstance(value, str) else list(value) or [""]
    return "".join(f"<value>{escape(text)}</value>" if text else "<value/>" for text in values)


def header(academy: str = "10", degree: str = "2D", sdet: str = "Annexe 4bis version 6.4", day: str = "16/09/2024") -> str:
    """The comments of a recent file."""
    return (
        f'<!-- versionAF="AAF-VE2407" -->\n<!-- versionSDET="{sdet}" -->\n<!-- codeAcademieExport="{academy}" -->\n'
        f'<!-- degre="{degree}" -->\n<!-- dateGenerationExport="{day}" -->\n'
    )


def document(*records: str, head: str | None = None, doctype: str = DOCTYPE, encoding: str = "UTF-8") -> str:
    """A whole file."""
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>\n' if encoding else ""
    return f"{declaration}{doctype}<ficAlimMENESR>\n{header() if head is None else head}{''.join(records)}</ficAlimMENESR>\n"


def school(id_: str = "1000", uai: str = "0690001B", academy: str = "010", **more: Value) -> str:
    """A collège."""
    attributes: dict[str, Value] = {
        "ENTStructureJointure": id_, "ENTStructureUAI": uai, "ENTStructureNomCourant": "COLLEGE$DES TILLEULS$LYON",
        "ENTStructureTypeStruct": "COLLEGE", "ENTEtablissementContrat": "PU", "l": "LYON", "ENTServAcCodeAcademie": academy,
    }  # fmt: skip
    return record("EtabEducNat", id_, **attributes | more)


def mef() -> str:
    """The course of the pupils below."""
    return record(
        "MefEducNat", "10010012110", ENTMefJointure="10010012110", ENTLibelleMef="6EME", ENTMEFRattach="", ENTMEFSTAT11="21110010019"
    )


def student(id_: str = "501", relatives: Value = ("601$10$1$1$0$1",), **more: Value) -> str:
    """A pupil of the second degree."""
    attributes: dict[str, Value] = {
        "ENTPersonJointure": id_, "ENTEleveINE": f"{int(id_):09d}AB", "ENTPersonDateNaissance": "17/05/2013", "sn": "MARTIN",
        "givenName": "Léa", "personalTitle": "Mme", "ENTElevePersRelEleve": relatives, "ENTEleveMEF": "10010012110",
        "ENTEleveLibelleMEF": "6EME", "ENTPersonStructRattach": "1000", "ENTEleveClasses": "1000$6A",
    }  # fmt: skip
    return record("Eleve", id_, **attributes | more)


def guardian(id_: str = "601", **more: Value) -> str:
    """A relative of the second degree."""
    attributes: dict[str, Value] = {
        "ENTPersonJointure": id_, "ENTPersonDateNaissance": "", "sn": "MARTIN", "givenName": "Anne", "personalTitle": "Mme",
        "mobile": "+33 6 39 98 00 01", "mail": "anne@exemple.fr",
    }  # fmt: skip
    return record("PersRelEleve", id_, **attributes | more)


def agent(id_: str = "701", functions: Value = ("1000$DIR$DIRECTION$D0010$CHEF D'ETABLISSEMENT",), **more: Value) -> str:
    """A head."""
    attributes: dict[str, Value] = {
        "ENTPersonJointure": id_, "sn": "ROY", "givenName": "Claude", "personalTitle": "M.", "ENTPersonFonctions": functions,
    }  # fmt: skip
    return record("PersEducNat", id_, **attributes | more)


def student_1d(id_: str = "501", relatives: Value = ("601$10",), **more: Value) -> str:
    """A pupil of the first degree."""
    attributes: dict[str, Value] = {
        "ENTPersonJointure": id_, "ENTEleveINE": f"{int(id_):09d}AB", "ENTPersonDateNaissance": "17/05/2013", "ENTPersonNom": "MARTIN",
        "ENTPersonPrenom": "Léa", "ENTPersonCivilite": "Mme", "ENTEleveAutoriteParentale": relatives, "ENTPersonStructRattach": "20",
        "ENTPersonClasses": "20$11$ORDINAIRE$33$CM2 Mme Roux", "ENTEleveNiveau": "1125$CM2",
    }  # fmt: skip
    return record("Eleve", id_, **attributes | more)


def guardian_1d(id_: str = "601", **more: Value) -> str:
    """A relative of the first degree."""
    attributes: dict[str, Value] = {
        "ENTPersonJointure": id_, "ENTPersonNom": "MARTIN", "ENTPersonPrenom": "Anne", "ENTPersonCivilite": "Mme",
        "ENTPersRelEleveTelMobile": "06 39 98 00 01", "ENTPersonMail": "Anne@Exemple.FR",
    }  # fmt: skip
    return record("PersRelEleve", id_, **attributes | more)


def school_1d(id_: str = "20", uai: str = "0690100J") -> str:
    """An école."""
    return record(
        "EtabEducNat", id_, ENTStructureJointure=id_, ENTStructureUAI=uai, ENTStructureNomCourant="ECOLE$DU PONT$LYON",
        ENTStructureTypeStruct="ECOLE ELEMENTAIRE", ENTStructureVille="LYON", ENTServAcCodeAcademie="010",
    )  # fmt: skip


@dataclass
class Delivery:
    """A folder of files, one for each category, written by :meth:`write`."""

    folder: Path
    records: dict[str, list[str]] = field(default_factory=dict)
    head: str | None = None
    day: str = "20240916"
    word: str = "Complet"

    def write(self) -> Path:
        """Write the files; returns the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for category, records in self.records.items():
            path = self.folder / f"ENT2D_{self.word}_{self.day}_{category}_0000.xml"
            path.write_text(document(*records, head=self.head), encoding="utf-8")
        return self.folder


def usual(folder: Path) -> Delivery:
    """A college, a course, a head, a pupil and a mother."""
    return Delivery(
        folder,
        {
            "EtabEducNat": [school()],
            "MefEducNat": [mef()],
            "PersEducNat": [agent()],
            "PersRelEleve": [guardian()],
            "Eleve": [student()],
        },
    )


def delta(folder: Path, *requests: str, day: int = 17, name: str = "Eleve") -> Path:
    """A delta of September 2024 in one file, which may hold any categories."""
    head = header(day=f"{day:02d}/09/2024")
    return Delivery(folder, {name: list(requests)}, head=head, day=f"202409{day:02d}", word="Delta").write()


def school_of(folder: Path, pupils: int, day: int = 16) -> Path:
    """A complete of that many pupils, each with a guardian of his own: 501 and 1501, 502 and 1502…"""
    usual_one = usual(folder)
    numbers = range(501, 501 + pupils)
    usual_one.records["Eleve"] = [student(str(n), relatives=[f"{n + 1000}$10$1$1$0$1"]) for n in numbers]
    usual_one.records["PersRelEleve"] = [guardian(str(n + 1000)) for n in numbers]
    usual_one.head, usual_one.day = header(day=f"{day:02d}/09/2024"), f"202409{day:02d}"
    return usual_one.write()


def empty_directory(folder: Path) -> SqlDirectory:
    """A SQL directory without a record, in a file of that folder."""
    folder.mkdir(parents=True, exist_ok=True)
    directory = SqlDirectory(create_directory_engine(f"sqlite:///{folder / 'directory.sqlite'}"))
    DirectoryBase.metadata.create_all(directory.engine)
    return directory


def dump(directory: SqlDirectory) -> str:
    """Everything that the tables hold, in a stable order."""
    with directory.engine.connect() as connection:
        return "\n".join(
            f"{table.name}: {sorted(map(repr, connection.execute(table.select())))}" for table in DirectoryBase.metadata.sorted_tables
        )
