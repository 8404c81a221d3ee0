"""From the model to attributes: what each category carries, by degree and generation (aaf.md section 5).

Every attribute is a list of values; an attribute without value has one empty value, as real exports do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from backends import Degree
from backends.sdet.academies import ACADEMIES
from backends.sdet.records import Category, Generation

from .places import LEGTA, LP, RECTORAT, SUBJECTS, Level, School
from .population import Bond, Home, Pupil, Relation, Relative, Standing

Attributes = dict[str, list[str]]

EMPTY = [""]


@dataclass(slots=True)
class Draft:
    """A record about to be written."""

    category: Category
    degree: Degree
    id: str
    attributes: Attributes
    sibling: bool = False
    """A pupil who shares relatives with the pupil before him."""
    copies: int = 1
    """How many times it is written."""


def _day(year: int, month: int, day: int) -> str:
    return f"{day:02d}/{month:02d}/{year}"


def _address(home: Home, generation: Generation) -> str:
    """Four lines since SDET 6, one before."""
    return f"{home.street}$$$" if generation is Generation.NEW else f"{home.street} {home.post_code} {home.town}"


# Pupils


def student(pupil: Pupil, id_: str, relatives: dict[Relative, str], generation: Generation, year: int) -> Attributes:
    """A pupil; ``relatives`` gives the ids of his relatives in the same export, ``year`` the one in which the school year began."""
    if pupil.degree is Degree.PRIMARY:
        return _student_1d(pupil, id_, relatives, generation, year)
    return _student_2d(pupil, id_, relatives, generation, year)


def _student_2d(pupil: Pupil, id_: str, relatives: dict[Relative, str], generation: Generation, year: int) -> Attributes:
    key, level, birth = str(pupil.school.key), pupil.level, pupil.birth_date
    new = generation is Generation.NEW
    at_home = [bond.relative for bond in pupil.bonds if bond.lives_there and bond.standing is not Standing.CONTACT]
    home = at_home[0].home if at_home else None
    subjects = list(SUBJECTS)[: 8 + pupil.class_number % 4]
    entry = f"{key}${_day(year, 9, 1)}${pupil.division}"
    found: Attributes = {
        "ENTPersonJointure": [id_],
        "ENTEleveINE": [pupil.ine],
        "ENTEleveStructRattachId": [pupil.siecle_number],
        "ENTPersonDateNaissance": [_day(birth.year, birth.month, birth.day)],
        "ENTPersonNomPatro": [pupil.family_name.upper()],
        "sn": [pupil.family_name.upper()],
        "givenName": [pupil.given_name],
        "ENTPersonAutresPrenoms": [pupil.given_name, *pupil.second_names],
        "personalTitle": [pupil.civility],
        "ENTElevePersRelEleve": relative_values(pupil.bonds, relatives, generation),
        "ENTEleveBoursier": ["O" if pupil.scholarship else "N"],
        "ENTEleveRegime": ["INTERNE 5 JOURS" if pupil.boarder else _REGIMES[pupil.birth_date.day % 4]],
        "ENTEleveTransport": ["O" if pupil.birth_date.day % 3 == 0 else "N"],
        "ENTPersonAdresse": [_address(home, generation) if home else "$$$" if new else ""],
        "ENTPersonCodePostal": [home.post_code if home else ""],
        "ENTPersonVille": [home.town if home else ""],
        "ENTPersonPays": ["FRANCE"],
        "mail": [pupil.mail],
        "homePhone": EMPTY,
        "ENTEleveStatutEleve": ["APPRENTI" if pupil.school.kind is LP and birth.day % 7 == 0 else "SCOLAIRE"],
        "ENTEleveMEF": [level.mef],
        "ENTEleveLibelleMEF": [level.label],
        "ENTEleveNivFormation": [level.training],
        "ENTEleveFiliere": [level.cycle],
        "ENTEleveEnseignements": [SUBJECTS[code] for code in subjects],
        "ENTEleveCodeEnseignements": subjects,
        "ENTPersonStructRattach": [key],
        "ENTEleveClasses": [f"{key}${pupil.division}"],
        "ENTEleveGroupes": [f"{key}${pupil.division}GR{1 + birth.day % 2}"] if birth.month % 2 else EMPTY,
    }
    if new:
        found |= {
            "ENTEleveStructureRattachIdMEN": EMPTY,
            "ENTEleveAdresseRel": [relatives[person] for person in at_home if person in relatives] or EMPTY,
            "ENTEleveDateEntreeClasses": [entry],
            "ENTEleveDateSortieClasses": EMPTY,
            "ENTEleveDateEntreeStructRattach": [_day(year, 9, 1)],
            "ENTEleveDateSortieStructRattach": EMPTY,
            "ENTEleveEnseignementsEtablissementsAccueil": EMPTY,
        }
    else:
        found |= _deprecated(pupil.bonds, relatives)
    return found


_REGIMES = ("EXTERNE LIBRE", "DEMI-PENSIONNAIRE DANS L'ETABLISSEMENT", "DEMI-PENSIONNAIRE DANS L'ETABLISSEMENT", "EXTERNE SURVEILLE")


def relative_values(bonds: list[Bond], relatives: dict[Relative, str], generation: Generation) -> list[str]:
    """``ENTElevePersRelEleve``: relative, relation, financial, level, contact, payment (aaf.md 4.1)."""
    found = []
    second = False
    for bond in bonds:
        code = bond.relation.code(generation)
        if bond.standing is Standing.LEGAL:
            level = "2" if second and generation is Generation.OLD and bond.relation is not Relation.SELF else "1"
            second = True
            flags = f"1${level}$0$1" if bond.first else f"0${level}$0$0"
        else:
            flags = "0$2$1$0" if bond.standing is Standing.IN_CHARGE else "0$0$1$0"
        found.append(f"{relatives[bond.relative]}${code}${flags}")
    return found or EMPTY


def _deprecated(bonds: list[Bond], relatives: dict[Relative, str]) -> Attributes:
    """What the exports of 2013 to 2017 said a second time (aaf.md 4.4)."""

    def ids(chosen: Iterable[Bond]) -> list[str]:
        return [relatives[bond.relative] for bond in chosen] or EMPTY

    legal = [bond for bond in bonds if bond.standing is Standing.LEGAL]
    payers = [bond for bond in bonds if bond.first]
    fathers = [bond for bond in bonds if bond.relation is Relation.FATHER]
    mothers = [bond for bond in bonds if bond.relation is Relation.MOTHER]
    return {
        "ENTEleveParents": ids(fathers + mothers),
        "ENTElevePere": ids(fathers[:1]),
        "ENTEleveMere": ids(mothers[:1]),
        "ENTEleveAutoriteParentale": ids(legal),
        "ENTElevePersRelEleve1": ids(payers[:1]),
        "ENTEleveQualitePersRelEleve1": ["FINANCIER"] if payers else EMPTY,
        "ENTElevePersRelEleve2": EMPTY,
        "ENTEleveQualitePersRelEleve2": EMPTY,
    }


def _student_1d(pupil: Pupil, id_: str, relatives: dict[Relative, str], generation: Generation, year: int) -> Attributes:
    school, level, birth = pupil.school, pupil.level, pupil.birth_date
    new = generation is Generation.NEW
    class_id = school.class_id(level, pupil.class_number)
    named = [(relatives[bond.relative], bond.relation.code(generation)) for bond in pupil.bonds if bond.standing is Standing.LEGAL]
    found: Attributes = {
        "ENTPersonJointure": [id_],
        "ENTEleveINE": [pupil.ine],
        "ENTPersonDateNaissance": [_day(birth.year, birth.month, birth.day)],
        "ENTPersonCivilite": [pupil.civility],
        "ENTPersonStructRattach": [str(school.key)],
        "ENTEleveAutoriteParentale": [f"{person}${code}" if new else person for person, code in named[:3]] or EMPTY,
        "ENTEleveRestaurantScolaire": ["O" if birth.day % 4 else "N"],
        "ENTEleveTransport": ["O" if birth.day % 5 == 0 else "N"],
        "ENTEleveGarderieMatin": ["O" if birth.day % 6 == 0 else "N"],
        "ENTEleveGarderieSoir": ["O" if birth.day % 3 == 0 else "N"],
        "ENTEleveEtudesSurveillees": ["O" if birth.month % 4 == 0 else "N"],
        "ENTEleveNiveau": [f"{level.code}${level.label}"],
        "ENTEleveCycle": [level.cycle],
        "ENTEleveTypeClasse": ["11$ORDINAIRE"],
        "ENTPersonClasses": [f"{school.key}$11$ORDINAIRE${class_id}${pupil.division}"],
        "ENTPersonGroupes": EMPTY,
    }
    if new:
        found |= {
            "ENTEleveDateEntreeClasses": [f"{school.key}${_day(year, 9, 1)}${class_id}"],
            "ENTEleveDateSortieClasses": EMPTY,
            "ENTPersonMail": [pupil.mail],
        }
    return found | {
        "ENTPersonNomPatro": [pupil.family_name.upper()],
        "ENTPersonNom": [pupil.family_name.upper()],
        "ENTPersonPrenom": [pupil.given_name],
        "ENTPersonAutresPrenoms": [", ".join((pupil.given_name, *pupil.second_names))],
    }


# Relatives


def guardian(person: Relative, id_: str, pupils: list[str], degree: Degree, generation: Generation) -> Attributes:
    """A relative; ``pupils`` are the ids of those who name him in the same export."""
    home = person.home
    new = generation is Generation.NEW
    address: Attributes = {
        "ENTPersonAdresse": [_address(home, generation)],
        "ENTPersonCodePostal": [home.post_code],
        "ENTPersonVille": [home.town],
        "ENTPersonPays": ["FRANCE"],
        "ENTPersonAdresseDiffusion": ["N" if person.accepts_sms else "O"],
    }
    landline = home.phone if person.has_landline else ""
    if degree is Degree.PRIMARY:
        return {
            "ENTPersonJointure": [id_],
            "ENTPersonCivilite": [person.civility],
            "ENTPersRelEleveEleve": pupils if new else EMPTY,
            **address,
            "ENTPersonTelPerso": [landline],
            "ENTPersRelEleveTelMobile": [person.mobile],
            "ENTPersRelEleveTelPro": [person.work_phone],
            "ENTPersonMail": [person.mail],
            "ENTPersonNomPatro": [person.birth_name.upper()],
            "ENTPersonNom": [person.family_name.upper()],
            "ENTPersonPrenom": [person.given_name],
            "ENTPersonAutresPrenoms": EMPTY,
        }
    found: Attributes = {
        "ENTPersonJointure": [id_],
        "ENTPersonDateNaissance": EMPTY,
        "ENTPersonNomPatro": [person.birth_name.upper()],
        "sn": [person.family_name.upper()],
        "givenName": [person.given_name],
        "personalTitle": [person.civility],
        "homePhone": [landline],
        "telephoneNumber": [person.work_phone],
        "mobile": [person.mobile, person.second_mobile] if person.second_mobile else [person.mobile],
        "ENTPersonMobileSMS": [person.mobile if person.accepts_sms else ""],
        "mail": [person.mail],
        **address,
    }
    if new:
        found |= {"ENTPersonAutresPrenoms": [person.given_name], "ENTAuxPersRelEleveEleve": pupils}
    return found


# Structures and nomenclatures


def structure(school: School, code: str, degree: Degree, generation: Generation, inspection: str = "") -> Attributes:
    """A school or a service, in the export of academy ``code``; ``inspection`` is the key of the inspector's office (1D)."""
    kind, new = school.kind, generation is Generation.NEW
    academy = ACADEMIES[code].upper()
    name = f"{kind.short}${school.name}${school.town}" if new else f"{kind.short}-{school.name}-ac-{academy}"
    primary = degree is Degree.PRIMARY
    found: Attributes = {"ENTStructureJointure": [str(school.key)], "ENTStructureUAI": [school.uai]}
    if not primary:
        found["ENTEtablissementUAI"] = [school.uai]
    found |= {
        "ENTStructureSIREN": [f"{19_000_000_000_000 + int(school.uai[:7]):014d}"],
        "ENTStructureNomCourant": [name],
        "ENTStructureTypeStruct": [kind.label],
        "ENTEtablissementContrat": ["PR" if school.private else "PU"],
        "ENTServAcAcademie": [academy],
        "ENTStructureMailSI" if new else "ENTStructureEmail" if primary else "ENTStructureMailSI": [f"ce.{school.uai}@ac-ecole.example"],
        "ENTEcoleMinistereTutelle" if primary else "ENTEtablissementMinistereTutelle": [kind.ministry[1]],
    }
    if new:
        ministry = "ENTEcoleCodeMinistereTutelle" if primary else "ENTEtablissementCodeMinistereTutelle"
        found |= {"ENTStructureCodeTypeStruct": [kind.code], ministry: [kind.ministry[0]], "ENTServAcCodeAcademie": [f"0{code}"]}
    return found | (_structure_1d(school, inspection) if primary else _structure_2d(school))


def _structure_1d(school: School, inspection: str) -> Attributes:
    return {
        "ENTEcoleSecteur": ["PR" if school.private else "PU"],
        "ENTStructureAdresse": [school.street],
        "ENTStructureBoitePostale": EMPTY,
        "ENTStructureCodePostal": [school.post_code],
        "ENTStructureVille": [school.town],
        "ENTStructureTelephone": [school.phone],
        "ENTStructureFax": EMPTY,
        "ENTEcoleCirconscription": [inspection if school.classes else ""],
        "ENTEcoleCommune": [f"{school.post_code}${school.town}${school.uai[:3]}"],
        "ENTEcoleRPI": EMPTY,
    }


def _structure_2d(school: School) -> Attributes:
    divisions = [(school.division(level, number), level) for level, number in school.divisions]
    return {
        "postOfficeBox": EMPTY,
        "street": [school.street],
        "postalCode": [school.post_code],
        "l": [school.town],
        "telephoneNumber": [school.phone],
        "facsimileTelephoneNumber": EMPTY,
        "ENTEtablissementStructRattachFctl": EMPTY,
        "ENTEtablissementBassin": EMPTY if school.kind in (RECTORAT, LEGTA) else [f"{school.uai[:3]}01$BASSIN DE {school.town}"],
        "ENTStructureClasses": [f"{name}${level.label}${level.mef}" for name, level in divisions] or EMPTY,
        "ENTStructureGroupes": [f"{name}GR{part}$${name}" for name, _ in divisions for part in (1, 2)] or EMPTY,
    }


def mef(level: Level) -> Attributes:
    """A row of the MEF nomenclature; MEFSTAT4 is the start of MEFSTAT11."""
    return {
        "ENTMefJointure": [level.mef],
        "ENTLibelleMef": [level.label],
        "ENTMEFRattach": [level.mef],
        "ENTMEFSTAT11": [f"{level.code}{level.mef[3:10]}"],
        "ENTNivFormation": [level.training],
        "ENTFiliere": [level.cycle],
    }


def subject(code: str) -> Attributes:
    """A row of the nomenclature of matières."""
    return {"ENTMatJointure": [code], "ENTLibelleMatiere": [SUBJECTS[code]], "ENTMatiereRattach": [code]}
