"""What an AAF file is made of: its header, its records, and the attribute names of each category and degree.

Source: aaf.md sections 1.1, 1.3 and 5. An attribute that is known but not used has an empty meaning; an attribute that is
not listed is reported (aaf.md section 7).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from functools import lru_cache

from backends import Degree

ATTRIBUTE_MAX = 1000
"""Characters of one value; a longer one is no name, code or label of a school (IM-03)."""


class Category(Enum):
    """Categories in the order in which they are imported; the value is the word in the file (aaf.md section 2)."""

    SCHOOL = "EtabEducNat"
    MEF = "MefEducNat"
    SUBJECT = "MatEducNat"
    STAFF = "PersEducNat"
    GUARDIAN = "PersRelEleve"
    STUDENT = "Eleve"

    __hash__ = object.__hash__  # members are singletons, and records are looked up by category millions of times

    def __init__(self, word: str) -> None:
        self.word = word
        self.table = self.name.lower()
        """Name of the category in the directory and in reports."""

    @property
    def rank(self) -> int:
        """Place in the order of import."""
        return list(Category).index(self)


class Operation(Enum):
    """What a request asks for; the value is its element (aaf.md section 2)."""

    ADD = "addRequest"
    MODIFY = "modifyRequest"
    DELETE = "deleteRequest"

    __hash__ = object.__hash__


class DeliveryKind(Enum):
    """Everything of a feed and degree, or what changed since the last delivery; the value is the operator's word."""

    COMPLETE = "complete"
    DELTA = "delta"


class Generation(Enum):
    """Which table of relation codes and legal levels applies (aaf.md 4.2, 4.3)."""

    OLD = "old"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Header:
    """The comments at the head of a file; empty or None where the file does not say."""

    version_af: str = ""
    version_sdet: str = ""
    academy: str | None = None
    """Two-digit code."""
    degree: Degree | None = None
    exported_on: date | None = None

    @property
    def present(self) -> bool:
        """Whether any of them is there."""
        return self != Header()


@dataclass(slots=True)
class RawRecord:
    """One request of a file: values trimmed, attributes by their meaning (see :func:`meanings`), empty values left out.

    In a modification, an attribute that is there and empty has an empty list: it is to be cleared.
    """

    category: Category
    id: str
    line: int
    values: dict[str, list[str]]
    operation: Operation = Operation.ADD
    damaged: set[str] = field(default_factory=set)
    """Meanings of which some value cannot be used."""

    @property
    def source(self) -> str:
        """What the record says, one value a line: kept with it, so that a later delta can change a part of it."""
        values = self.values
        return "\n".join([f"{meaning}={value}" for meaning in _in_order(*values) for value in values[meaning]])

    def applied(self, source: str) -> RawRecord:
        """This modification carried out on a record of that :attr:`source`: what it lists is replaced, the rest stays."""
        values: dict[str, list[str]] = {}
        for line in source.split("\n") if source else ():
            meaning, _, value = line.partition("=")
            values.setdefault(meaning, []).append(value)
        values |= self.values
        return RawRecord(self.category, self.id, self.line, {meaning: found for meaning, found in values.items() if found}, self.operation)

    def one(self, meaning: str) -> str:
        """First value, or an empty text."""
        found = self.values.get(meaning)
        return found[0] if found else ""

    def all(self, meaning: str) -> list[str]:
        """Every value that is not empty."""
        return self.values.get(meaning, [])


@lru_cache(maxsize=1024)
def _in_order(*meanings: str) -> list[str]:
    """What a source lists, in an order that does not depend on the file's: the joint key only repeats the id."""
    return sorted(meaning for meaning in meanings if meaning != "joint")


_KEY = {"ENTPersonJointure": "joint"}
_PERSON_2D = {
    **_KEY, "sn": "family_name", "givenName": "given_name", "ENTPersonNomPatro": "birth_name", "personalTitle": "civility",
    "mail": "mail",
    "ENTPersonAutresPrenoms": "other_given_names", "ENTPersonDateNaissance": "birth_date", "ENTPersonAdresse": "",
    "ENTPersonCodePostal": "", "ENTPersonVille": "", "ENTPersonPays": "", "ENTPersonAdresseDiffusion": "",
}  # fmt: skip
_PERSON_1D = {
    **_KEY, "ENTPersonNom": "family_name", "ENTPersonPrenom": "given_name", "ENTPersonNomPatro": "birth_name", "ENTPersonMail": "mail",
    "ENTPersonCivilite": "civility", "ENTPersonAutresPrenoms": "other_given_names", "ENTPersonDateNaissance": "birth_date",
    "ENTPersonAdresse": "", "ENTPersonCodePostal": "", "ENTPersonVille": "", "ENTPersonPays": "", "ENTPersonAdresseDiffusion": "",
}  # fmt: skip
_STUDENT_2D = {
    **_PERSON_2D, "ENTEleveINE": "ine", "ENTEleveStructRattachId": "siecle_number", "ENTElevePersRelEleve": "relatives",
    "ENTEleveMEF": "mef", "ENTEleveLibelleMEF": "mef_label", "ENTPersonStructRattach": "structure", "ENTEleveClasses": "classes",
} | dict.fromkeys((
    "ENTEleveStructureRattachIdMEN", "ENTEleveBoursier", "ENTEleveTransport", "ENTEleveStatutEleve", "ENTEleveRegime", "ENTEleveAdresseRel",
    "homePhone", "ENTEleveNivFormation", "ENTEleveFiliere", "ENTEleveEnseignements", "ENTEleveCodeEnseignements", "ENTEleveGroupes",
    "ENTEleveDateEntreeClasses", "ENTEleveDateSortieClasses", "ENTEleveDateEntreeStructRattach", "ENTEleveDateSortieStructRattach",
    "ENTEleveEnseignementsEtablissementsAccueil", "ENTEleveParents", "ENTElevePere", "ENTEleveMere", "ENTEleveAutoriteParentale",
    "ENTElevePersRelEleve1", "ENTElevePersRelEleve2", "ENTEleveQualitePersRelEleve1", "ENTEleveQualitePersRelEleve2",
    "ENTEleveDateEntree", "ENTEleveDateSortie",
), "")  # fmt: skip
_STUDENT_1D = {
    **_PERSON_1D, "ENTEleveINE": "ine", "ENTEleveAutoriteParentale": "relatives", "ENTPersonStructRattach": "structure",
    "ENTPersonClasses": "classes", "ENTEleveNiveau": "level",
} | dict.fromkeys((
    "ENTEleveRestaurantScolaire", "ENTEleveTransport", "ENTEleveGarderieMatin", "ENTEleveGarderieSoir", "ENTEleveEtudesSurveillees",
    "ENTEleveCycle", "ENTEleveTypeClasse", "ENTPersonGroupes", "ENTEleveDateEntreeClasses", "ENTEleveDateSortieClasses",
), "")  # fmt: skip
_GUARDIAN_2D = {
    **_PERSON_2D, "ENTPersonMobileSMS": "mobile_sms", "mobile": "mobile", "homePhone": "home_phone", "telephoneNumber": "work_phone",
    "ENTAuxPersRelEleveEleve": "",
}  # fmt: skip
_GUARDIAN_1D = {
    **_PERSON_1D, "ENTPersRelEleveTelMobile": "mobile", "ENTPersonTelPerso": "home_phone", "ENTPersRelEleveTelPro": "work_phone",
    "ENTPersRelEleveEleve": "",
}  # fmt: skip
_STAFF = {**_PERSON_1D, **_PERSON_2D, "ENTPersonFonctions": "functions"} | dict.fromkeys((
    "ENTPersonStructRattach", "ENTAuxEnsClasses", "ENTAuxEnsGroupes", "ENTAuxEnsClassesPrincipal", "ENTAuxEnsClassesMatieres",
    "ENTAuxEnsGroupesMatieres", "ENTAuxEnsMEF", "ENTAuxEnsMatiereEnseignEtab", "ENTAuxEnsCategoDiscipline", "ENTAuxEnsDisciplinesPoste",
    "ENTPersonCategorieEnseignant", "PersEducNatPresenceDevantEleves", "ENTEnsFonctionDir", "ENTPersonSTSId",
), "")  # fmt: skip
_SCHOOL = {
    "ENTStructureJointure": "joint", "ENTStructureUAI": "uai", "ENTEtablissementUAI": "uai_too", "ENTStructureNomCourant": "name",
    "ENTStructureTypeStruct": "type", "ENTEtablissementMinistereTutelle": "ministry", "ENTEcoleMinistereTutelle": "ministry",
    "ENTEtablissementContrat": "contract", "ENTEcoleSecteur": "sector", "l": "town", "ENTStructureVille": "town",
    "ENTServAcAcademie": "academy_name", "ENTServAcCodeAcademie": "academy_code", "ENTServCodeAcAcademie": "academy_code",
} | dict.fromkeys((
    "ENTStructureSIREN", "ENTStructureCodeTypeStruct", "ENTEtablissementCodeMinistereTutelle", "ENTEcoleCodeMinistereTutelle",
    "ENTStructureCodeMinistereTutelle", "street", "postOfficeBox", "postalCode", "telephoneNumber", "facsimileTelephoneNumber",
    "ENTStructureAdresse", "ENTStructureBoitePostale", "ENTStructureCodePostal", "ENTStructureTelephone", "ENTStructureFax",
    "ENTStructureMailSI", "ENTStructureEmail", "ENTEtablissementStructRattachFctl", "ENTEtablissementBassin", "ENTStructureClasses",
    "ENTStructureGroupes", "ENTEcoleCirconscription", "ENTEcoleCommune", "ENTEcoleRPI",
), "")  # fmt: skip
_MEF = {
    "ENTMefJointure": "joint", "ENTLibelleMef": "label", "ENTMEFSTAT11": "mefstat11", "ENTMEFRattach": "", "ENTNivFormation": "",
    "ENTFiliere": "",
}  # fmt: skip
_SUBJECT = {"ENTMatJointure": "joint", "ENTLibelleMatiere": "", "ENTMatiereRattach": ""}

_PRIMARY = {
    Category.SCHOOL: _SCHOOL, Category.MEF: _MEF, Category.SUBJECT: _SUBJECT, Category.STAFF: _STAFF, Category.GUARDIAN: _GUARDIAN_1D,
    Category.STUDENT: _STUDENT_1D,
}  # fmt: skip
_SECONDARY = {**_PRIMARY, Category.GUARDIAN: _GUARDIAN_2D, Category.STUDENT: _STUDENT_2D}


def meanings(category: Category, degree: Degree) -> dict[str, str]:
    """Attribute name to meaning for that category and degree; an empty meaning is "known, not used"."""
    return (_PRIMARY if degree is Degree.PRIMARY else _SECONDARY)[category]


ONLY_PRIMARY = frozenset({"ENTPersonNom", "ENTPersonPrenom", "ENTStructureVille", "ENTStructureAdresse", "ENTEcoleCommune"})
ONLY_SECONDARY = frozenset({"sn", "givenName", "street", "l", "ENTEtablissementUAI", "ENTStructureClasses", "ENTMEFSTAT11"})
