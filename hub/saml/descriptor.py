"""Our own entity descriptor, built with the metadata types of pysaml2 (SDP-IDP33, MD-18).

It advertises what the hub serves and nothing else (SDP-MD04).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lxml import etree
from saml2 import SamlBase, element_to_extension_element, md, xmldsig
from saml2.extension import algsupport, mdui

from . import xml
from .algorithms import AES128_GCM, AES256_GCM, DIGEST_SIZES, RSA_OAEP_MGF1P, SIGNATURE_URIS
from .instants import format_instant
from .names import (
    BINDING_POST,
    BINDING_REDIRECT,
    NAMEID_PERSISTENT,
    NAMEID_TRANSIENT,
    NS_DSIG,
    NS_METADATA,
    NS_PROTOCOL,
)

LANGUAGE = "fr"
_PREFIXES = {"md": NS_METADATA, "ds": NS_DSIG, "mdui": mdui.NAMESPACE, "alg": algsupport.NAMESPACE}


@dataclass(frozen=True, slots=True)
class IdPDescription:
    """What the entity descriptor says of the hub. Certificates are base64 DER."""

    entity_id: str
    base_url: str
    product_name: str
    organization_url: str
    technical_contact: str
    certificates: tuple[str, ...]
    """Of the keys that sign."""
    encryption_certificates: tuple[str, ...] = ()
    """Of the keys that identifiers may be encrypted for, in a LogoutRequest."""


def build_descriptor(description: IdPDescription, *, valid_until: datetime, descriptor_id: str) -> etree._Element:
    """The entity descriptor, not signed yet: one role, single sign-on and single logout by Redirect and POST."""
    descriptor = md.EntityDescriptor(
        entity_id=description.entity_id,
        id=descriptor_id,
        valid_until=format_instant(valid_until),
        idpsso_descriptor=[_role(description)],
        organization=_organization(description),
        contact_person=[
            md.ContactPerson(
                contact_type="technical",
                given_name=md.GivenName(text=description.product_name),
                email_address=[md.EmailAddress(text=f"mailto:{description.technical_contact}")],
            )
        ],
    )
    return xml.parse(descriptor.to_string(_PREFIXES))


def _role(description: IdPDescription) -> md.IDPSSODescriptor:
    sso, slo = f"{description.base_url}/saml/sso", f"{description.base_url}/saml/slo"
    return md.IDPSSODescriptor(
        protocol_support_enumeration=NS_PROTOCOL,
        error_url=f"{description.base_url}/help",
        want_authn_requests_signed="false",
        extensions=md.Extensions(
            extension_elements=[element_to_extension_element(element) for element in (*_algorithms(), _ui_info(description))]
        ),
        key_descriptor=[
            *(_key_descriptor(certificate) for certificate in description.certificates),
            *(_encryption_descriptor(certificate) for certificate in description.encryption_certificates),
        ],
        single_logout_service=[
            md.SingleLogoutService(binding=BINDING_REDIRECT, location=slo),
            md.SingleLogoutService(binding=BINDING_POST, location=slo),
        ],
        name_id_format=[md.NameIDFormat(text=NAMEID_TRANSIENT), md.NameIDFormat(text=NAMEID_PERSISTENT)],
        single_sign_on_service=[
            md.SingleSignOnService(binding=BINDING_REDIRECT, location=sso),
            md.SingleSignOnService(binding=BINDING_POST, location=sso),
        ],
    )


def _algorithms() -> list[SamlBase]:
    """What the hub accepts in the signature of a request (IIP-MD09)."""
    return [
        *(algsupport.DigestMethod(algorithm=uri) for uri in DIGEST_SIZES),
        *(algsupport.SigningMethod(algorithm=uri) for uri in SIGNATURE_URIS),
    ]


def _ui_info(description: IdPDescription) -> mdui.UIInfo:
    return mdui.UIInfo(
        display_name=[mdui.DisplayName(lang=LANGUAGE, text=description.product_name)],
        information_url=[mdui.InformationURL(lang=LANGUAGE, text=description.organization_url)],
    )


def _key_descriptor(certificate: str) -> md.KeyDescriptor:
    return md.KeyDescriptor(use="signing", key_info=_key_info(certificate))


def _encryption_descriptor(certificate: str) -> md.KeyDescriptor:
    methods = [md.EncryptionMethod(algorithm=uri) for uri in (AES256_GCM, AES128_GCM, RSA_OAEP_MGF1P)]
    return md.KeyDescriptor(use="encryption", key_info=_key_info(certificate), encryption_method=methods)


def _key_info(certificate: str) -> xmldsig.KeyInfo:
    return xmldsig.KeyInfo(x509_data=[xmldsig.X509Data(x509_certificate=xmldsig.X509Certificate(text=certificate))])


def _organization(description: IdPDescription) -> md.Organization:
    return md.Organization(
        organization_name=[md.OrganizationName(lang=LANGUAGE, text=description.product_name)],
        organization_display_name=[md.OrganizationDisplayName(lang=LANGUAGE, text=description.product_name)],
        organization_url=[md.OrganizationURL(lang=LANGUAGE, text=description.organization_url)],
    )
