"""What the hub agrees to in a request, decided before anybody is asked anything. Pure."""

from __future__ import annotations

from typing import NoReturn

from ..saml import names
from ..saml.messages import AuthnRequest, ProtocolError, RequestedAuthnContext

CONTEXTS = (
    "urn:oasis:names:tc:SAML:2.0:ac:classes:Password",
    names.AC_PASSWORD_PROTECTED_TRANSPORT,
)
"""The classes that the hub can judge, weakest first."""

UNSPECIFIED_CONTEXT = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"


def context_satisfies(requested: RequestedAuthnContext | None, actual: str) -> bool:
    """Whether ``actual`` answers the request (SAML core 3.3.2.2.1). A class that the hub cannot judge never does."""
    if requested is None:
        return True
    if requested.has_declarations:
        return False
    if UNSPECIFIED_CONTEXT in requested.class_refs and requested.comparison in ("exact", "minimum"):
        return True
    ranks = [CONTEXTS.index(ref) for ref in requested.class_refs if ref in CONTEXTS]
    if not ranks or actual not in CONTEXTS:
        return False
    rank = CONTEXTS.index(actual)
    match requested.comparison:
        case "exact":
            return rank in ranks
        case "minimum":
            return rank >= min(ranks)
        case "maximum":
            return rank <= max(ranks)
        case "better":
            return len(ranks) == len(requested.class_refs) and rank > max(ranks)
        case _:
            return False


def agree(request: AuthnRequest, *, idp_entity_id: str, default_name_id_format: str) -> str:
    """Check every option that does not depend on the person; returns the NameID format of the answer.

    Raises ProtocolError with the status that SAML core names for each option that cannot be honoured.
    """

    def refuse(second: str, message: str, status: str = names.STATUS_REQUESTER) -> NoReturn:
        raise ProtocolError(status, second, message, request_id=request.id, acs=request.acs)

    if request.has_subject:
        refuse(names.STATUS_REQUEST_UNSUPPORTED, "a Subject in the request is not supported")
    if not context_satisfies(request.requested_authn_context, names.AC_PASSWORD_PROTECTED_TRANSPORT):
        refuse(names.STATUS_NO_AUTHN_CONTEXT, "the authentication context cannot be met", names.STATUS_RESPONDER)
    if request.scoping and request.scoping.idp_list and idp_entity_id not in request.scoping.idp_list:
        refuse(names.STATUS_NO_SUPPORTED_IDP, "none of the listed identity providers is reachable here", names.STATUS_RESPONDER)

    policy = request.name_id_policy
    if policy is None:
        return default_name_id_format
    if policy.sp_name_qualifier not in (None, request.issuer):
        refuse(names.STATUS_INVALID_NAMEID_POLICY, "the SPNameQualifier is not the requester's own")
    if policy.format in (None, names.NAMEID_UNSPECIFIED):
        return default_name_id_format
    if policy.format not in (names.NAMEID_TRANSIENT, names.NAMEID_PERSISTENT):
        refuse(names.STATUS_INVALID_NAMEID_POLICY, "the NameID format is not supported")
    return policy.format
