"""Values of an export as the directory keeps them: pure functions, one for each kind of value.

A function returns None, or an empty text, when the value says nothing usable; the caller reports it (aaf.md section 13).
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

_BLANKS = re.compile(r"\s+")
_DAMAGE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")
_DATE = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")
_MAIL = re.compile(r"[^@\s<>,;:\"()\[\]\\]{1,64}@[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
_UAI = re.compile(r"[0-9]{7}[A-Z]")
_UAI_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
_INE = re.compile(r"[0-9A-Z]{11}")
_INE_COMMON = re.compile(r"[0-9]{9}[A-Z]{2}|[0-9]{10}[A-Z]")
_CIVILITIES = {"m": "M.", "mr": "M.", "monsieur": "M.", "mme": "Mme", "mlle": "Mme", "madame": "Mme", "mademoiselle": "Mme"}

_PUNCTUATION = str.maketrans("", "", " .-/()\u00a0\u2009\u202f")
_FRENCH_MOBILE = re.compile(r"(?:\+33|0033)?0?([67][0-9]{8})")
_FRENCH_LANDLINE = re.compile(r"(?:\+33|0033)?0?[1-589][0-9]{8}")
_ONE_DIGIT = re.compile(r"([0-9])\1*")
_OVERSEAS = {"690": "590", "691": "590", "694": "594", "696": "596", "697": "596", "692": "262", "693": "262"}
_MOBILE_RANGES = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def damaged(text: str) -> bool:
    """Whether a value holds a control character or the mark of one that could not be decoded (IM-14)."""
    return _DAMAGE.search(text) is not None


def tidy(text: str) -> str:
    """A value without outer blanks, inner ones (line ends included) as one space, letters composed (NFC)."""
    text = _BLANKS.sub(" ", text).strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)


@lru_cache(maxsize=4096)
def civility(text: str) -> str | None:
    """``M.`` or ``Mme`` for every known writing (M, Mr, Mme., Mlle); None otherwise."""
    return _CIVILITIES.get(text.strip(" .").lower())


@lru_cache(maxsize=16384)
def aaf_date(text: str) -> date | None:
    """A date written dd/MM/yyyy; None when it is not one."""
    found = _DATE.fullmatch(text.strip())
    if not found:
        return None
    try:
        return date(int(found[3]), int(found[2]), int(found[1]))
    except ValueError:
        return None


def mail(text: str) -> str | None:
    """An address trimmed and in lower case; None when the text is no address."""
    text = text.strip().lower()
    return text if len(text) <= 254 and _MAIL.fullmatch(text) else None


def ine(text: str) -> str | None:
    """An INE in upper case: 11 letters and digits; None otherwise."""
    text = text.strip().upper()
    return text if _INE.fullmatch(text) else None


def is_common_ine(text: str) -> bool:
    """Whether an INE has one of the two national forms: 9 digits and 2 letters, or 10 digits and 1 letter; zeros are a filler."""
    return _INE_COMMON.fullmatch(text) is not None and not text.startswith("000000000")


def is_uai(text: str) -> bool:
    """Whether a text has the form of a UAI, 7 digits and a letter; see :func:`uai_letter` for its check."""
    return _UAI.fullmatch(text) is not None


def uai_letter(digits: str) -> str:
    """Check letter of the seven digits of a UAI (aaf.md section 3)."""
    return _UAI_LETTERS[int(digits) % 23]


def mobile(text: str) -> str | None:
    """A usable mobile number in E.164: possible and of a mobile range (DESIGN section 7, "Phones"); None otherwise.

    ``0692 12 34 56``, ``+33 692 12 34 56`` and ``+262 692 12 34 56`` are one number of La Réunion, ``+262692123456``.
    """
    digits = text.replace(" ", "")
    if _FRENCH_LANDLINE.fullmatch(digits):
        return None
    found = _FRENCH_MOBILE.fullmatch(digits)
    if found is None:
        digits = text.translate(_PUNCTUATION)
        found = _FRENCH_MOBILE.fullmatch(digits)
    if found:
        number = found[1]
        if _ONE_DIGIT.fullmatch(number[1:]):
            return None
        return f"+{_OVERSEAS.get(number[:3], '33')}{number}"
    return _foreign_mobile(digits) if digits else None


@lru_cache(maxsize=16384)
def _foreign_mobile(digits: str) -> str | None:
    if _ONE_DIGIT.fullmatch(digits.lstrip("+")) or len(digits) < 8:
        return None
    if _FRENCH_LANDLINE.fullmatch(digits):
        return None
    try:
        number = phonenumbers.parse(digits, "FR")
    except NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number) or phonenumbers.number_type(number) not in _MOBILE_RANGES:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def fields(value: str) -> list[str]:
    """The fields of a ``$`` separated value, each without outer blanks."""
    return [part.strip() for part in value.split("$")]


def mefstat4(mefstat11: str) -> str | None:
    """The four-digit level at the start of a MEFSTAT11 (``21160010019`` gives ``2116``); None when it is no such code."""
    return mefstat11[:4] if len(mefstat11) == 11 and mefstat11.isascii() and mefstat11[:4].isdigit() else None
