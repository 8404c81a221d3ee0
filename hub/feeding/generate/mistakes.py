"""What goes wrong inside one record. Each function changes a draft and says whether it could.

The cases are those of aaf.md section 13; :mod:`hub.feeding.generate.quirks` gives them their names.
"""

from __future__ import annotations

from collections.abc import Callable

from backends import Degree

from .drafts import Draft

Mistake = Callable[[Draft], bool]
"""Changes the draft; False, and nothing changed, when this draft does not lend itself to it."""

_NAMES = {
    "family": ("ENTPersonNom", "sn"),
    "given": ("ENTPersonPrenom", "givenName"),
    "birth_name": ("ENTPersonNomPatro", "ENTPersonNomPatro"),
    "civility": ("ENTPersonCivilite", "personalTitle"),
    "mail": ("ENTPersonMail", "mail"),
    "mobile": ("ENTPersRelEleveTelMobile", "mobile"),
    "home": ("ENTPersonTelPerso", "homePhone"),
    "birth": ("ENTPersonDateNaissance", "ENTPersonDateNaissance"),
    "ine": ("ENTEleveINE", "ENTEleveINE"),
    "relatives": ("ENTEleveAutoriteParentale", "ENTElevePersRelEleve"),
    "structure": ("ENTPersonStructRattach", "ENTPersonStructRattach"),
    "classes": ("ENTPersonClasses", "ENTEleveClasses"),
}


def name_of(draft: Draft, meaning: str) -> str:
    """The attribute that carries that meaning in the draft's degree."""
    return _NAMES[meaning][draft.degree is Degree.SECONDARY]


def change(meaning: str, new: Callable[[str], str], *, among: Callable[[str], bool] = bool) -> Mistake:
    """A mistake that rewrites the first value of an attribute, when that value is ``among`` those that can have it."""

    def mistake(draft: Draft) -> bool:
        values = draft.attributes.get(name_of(draft, meaning))
        if not values or not among(values[0]):
            return False
        draft.attributes[name_of(draft, meaning)] = [new(values[0]), *values[1:]]
        return True

    return mistake


def put(meaning: str, value: str) -> Mistake:
    """A mistake that replaces whatever is there."""
    return change(meaning, lambda _: value)


def remove(meaning: str) -> Mistake:
    """A mistake that leaves the attribute out."""

    def mistake(draft: Draft) -> bool:
        return draft.attributes.pop(name_of(draft, meaning), None) is not None

    return mistake


def tie(new: Callable[[list[str]], str]) -> Mistake:
    """A mistake in the six fields of the first relative of a pupil of the second degree."""

    def mistake(draft: Draft) -> bool:
        if draft.degree is not Degree.SECONDARY:
            return False
        return change("relatives", lambda value: new(value.split("$")))(draft)

    return mistake


def more_ties(new: Callable[[str, list[str]], str]) -> Mistake:
    """A mistake that adds a relative, made from the pupil's id and the fields of his first relative."""

    def mistake(draft: Draft) -> bool:
        values = draft.attributes[name_of(draft, "relatives")]
        if draft.degree is not Degree.SECONDARY or not values[0]:
            return False
        draft.attributes[name_of(draft, "relatives")] = [*values, new(draft.id, values[0].split("$"))]
        return True

    return mistake


def unknown_attribute(draft: Draft) -> bool:
    draft.attributes["ENTEleveAttributNouveau"] = ["O"]
    return True


def duplicate(draft: Draft) -> bool:
    draft.copies = 2
    return True


def other_joint(draft: Draft) -> bool:
    draft.attributes["ENTPersonJointure"] = [f"{draft.id}9"]
    return True


def sibling_level(draft: Draft) -> bool:
    """A brother or sister for whom the same parent has no level."""
    return draft.sibling and tie(lambda f: "$".join([*f[:3], "0", *f[4:]]))(draft)


def absent_relative(draft: Draft) -> bool:
    return change("relatives", lambda value: "$".join(["99999999", *value.split("$")[1:]]))(draft)


def own_relative(draft: Draft) -> bool:
    return more_ties(lambda id_, fields: f"{id_}${'7' if len(fields[1]) == 1 else '70'}$0$1$0$0")(draft)


def unknown_relation(fields: list[str]) -> str:
    """The fields with a code that the table of their generation lacks."""
    return "$".join([fields[0], "9" if len(fields[1]) == 1 else "99", *fields[2:]])


def mobile_elsewhere(draft: Draft) -> bool:
    mobile = draft.attributes[name_of(draft, "mobile")]
    if not mobile[0]:
        return False
    draft.attributes[name_of(draft, "home")], draft.attributes[name_of(draft, "mobile")] = mobile, [""]
    if draft.degree is Degree.SECONDARY:
        draft.attributes["ENTPersonMobileSMS"] = [""]
    return True


def blanks(draft: Draft) -> bool:
    for meaning in ("family", "given", "birth"):
        change(meaning, lambda value: f"  {value} ")(draft)
    return True


def phone(new: Callable[[str], str]) -> Mistake:
    """A mistake in the mobile number, also where the person accepts SMS."""

    def mistake(draft: Draft) -> bool:
        done = change("mobile", new)(draft)
        if done and draft.attributes.get("ENTPersonMobileSMS", [""])[0]:
            draft.attributes["ENTPersonMobileSMS"] = draft.attributes[name_of(draft, "mobile")]
        return done

    return mistake


class SharedMail:
    """The mail of another person of the same export, who has a record of his own."""

    def __init__(self) -> None:
        self._mails: dict[Degree, str] = {}

    def __call__(self, draft: Draft) -> bool:
        values = draft.attributes[name_of(draft, "mail")]
        if not values[0]:
            return False
        shared = self._mails.pop(draft.degree, "")
        if not shared:
            self._mails[draft.degree] = values[0]
            return False
        draft.attributes[name_of(draft, "mail")] = [shared]
        return True


class TwoFeeds:
    """A child of the first degree who is in the second degree too, as every summer between CM2 and 6e."""

    def __init__(self) -> None:
        self._child: dict[str, list[str]] | None = None

    def __call__(self, draft: Draft) -> bool:
        meanings = ("ine", "birth", "family", "given")
        if draft.degree is Degree.PRIMARY:
            if "ENTEleveINE" in draft.attributes and draft.attributes["ENTEleveNiveau"] == ["1125$CM2"]:
                self._child = {meaning: draft.attributes[name_of(draft, meaning)] for meaning in meanings}
            return False
        if self._child is None or draft.attributes["ENTEleveLibelleMEF"] != ["6EME"]:
            return False
        draft.attributes |= {name_of(draft, meaning): values for meaning, values in self._child.items()}
        self._child = None
        return True


# Structures


def uai(new: Callable[[str], str]) -> Mistake:
    """A mistake in the UAI of a structure, wherever it is repeated."""

    def mistake(draft: Draft) -> bool:
        for name in ("ENTStructureUAI", "ENTEtablissementUAI"):
            if name in draft.attributes:
                draft.attributes[name] = [new(draft.attributes[name][0])]
        return True

    return mistake


def next_letter(code: str) -> str:
    """A UAI whose check letter is wrong."""
    return code[:-1] + ("B" if code[-1] == "A" else "A")


def other_academy(draft: Draft) -> bool:
    draft.attributes |= {"ENTServAcAcademie": ["GUYANE"], "ENTServAcCodeAcademie": ["033"]}
    return True
