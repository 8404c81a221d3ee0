"""The academies: two-digit codes, their names and their other writings (aaf.md section 10)."""

from __future__ import annotations

from backends.names import name_key

ACADEMIES = {
    "01": "Paris", "02": "Aix-Marseille", "03": "Besançon", "04": "Bordeaux", "06": "Clermont-Ferrand", "07": "Dijon", "08": "Grenoble",
    "09": "Lille", "10": "Lyon", "11": "Montpellier", "12": "Nancy-Metz", "13": "Poitiers", "14": "Rennes", "15": "Strasbourg",
    "16": "Toulouse", "17": "Nantes", "18": "Orléans-Tours", "19": "Reims", "20": "Amiens", "22": "Limoges", "23": "Nice", "24": "Créteil",
    "25": "Versailles", "27": "Corse", "28": "La Réunion", "31": "Martinique", "32": "Guadeloupe", "33": "Guyane",
    "40": "Nouvelle-Calédonie", "41": "Polynésie", "42": "Wallis-et-Futuna", "43": "Mayotte", "44": "Saint-Pierre-et-Miquelon",
    "70": "Normandie", "98": "Agricole",
}  # fmt: skip

_MERGED = {"05": "70", "21": "70"}
_BY_NAME = {name_key(name): code for code, name in ACADEMIES.items()} | {
    "caen": "70", "rouen": "70", "aix": "02", "nancy": "12", "orleans": "18", "clermont": "06", "reunion": "28",
}  # fmt: skip


def academy_code(text: str) -> str | None:
    """Two-digit code from one, two or three digits or from a name (``13``, ``013``, ``TOULOUSE``, ``ac-LYON``); None when unknown.

    Caen and Rouen became Normandie in 2020 and have its code.
    """
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 3:
        code = f"{int(text):02d}"
        code = _MERGED.get(code, code)
        return code if code in ACADEMIES else None
    return _BY_NAME.get(name_key(text)) or _BY_NAME.get(name_key(text).removeprefix("ac"))
