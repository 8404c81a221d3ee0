"""Dialect ``educonnect``: OID names under the uri format, each with its friendly name (saml.md 1.2, 1.3, 1.8).

Where the real OID is unknown the name is a URN of Préau's own, so that no OID is invented.
"""

from __future__ import annotations

import re

from . import URI, AttributeDefinition, Dialect

_EDU = "urn:oid:1.3.6.1.4.1.20326.10.999.1"
_TEXT = re.compile(r"[^\x00-\x1f\x7f]{1,256}")
_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")


def _define(
    friendly_name: str, name: str, grammar: str | re.Pattern[str], meaning: str, *, multiple: bool = False, sensitive: bool = False
) -> AttributeDefinition:
    return AttributeDefinition(friendly_name, name, URI, re.compile(grammar), meaning, multiple=multiple, sensitive=sensitive)


DIALECT = Dialect(
    "educonnect",
    (
        _define("FrEduUrlRetour", f"{_EDU}.5", r"https?://[^\s<>\"]{1,500}", "Address to open to sign the person out of the hub"),
        _define("FrEduCtDateConnexion", f"{_EDU}.6", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", "When the person signed in, UTC"),
        _define(
            "FrEduCtPersonAffiliation",
            f"{_EDU}.7",
            "eleve1d|eleve2d|resp1d|resp2d",
            "Profile: pupil or guardian, first or second degree; absent for a guardian with no pupil attached",
            multiple=True,
        ),
        _define("FrEduCtId", f"{_EDU}.57", r"[0-9a-f]{96}", "Stable opaque identifier of the account for this service"),
        _define("FrEduCtEleveINEHash", f"{_EDU}.64", r"[0-9a-f]{32}", "Keyed digest of the pupil's INE, stable over years and schools"),
        _define("FrEduCtDateNaissance", f"{_EDU}.67", _DATE, "Birth date of the pupil"),
        _define("FrEduCtEleveUAI", f"{_EDU}.72", r"\d{7}[A-Z]", "School of the pupil"),
        _define("FrEduCtEleveNiveau", f"{_EDU}.73", r"[0-9A-Z]{4}", "Level of the pupil, MEFSTAT4"),
        _define("preauCivilite", f"{_EDU}.76", r"M\.|Mme", "Civility"),
        _define("givenName", "urn:oid:2.5.4.42", _TEXT, "First name"),
        _define("sn", "urn:oid:2.5.4.4", _TEXT, "Family name in use"),
        _define(
            "FrEduCtRefId",
            "urn:preau:attribute:FrEduCtRefId",
            r"\{AAF\}\d{1,2}\|(1D|2D)\|[^|;\s]{1,32}",
            "One value for each AAF record of the person: academy, degree, identifier",
            multiple=True,
        ),
        _define("FrEduCtEleveINE", "urn:preau:attribute:FrEduCtEleveINE", r"[0-9A-Z]{11}", "INE of the pupil", sensitive=True),
    ),
)
