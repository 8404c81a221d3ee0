"""The demo service provider. It stands on python3-saml, so that another implementation judges every assertion."""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path
from typing import Any

from flask import Flask, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_bootstrap import Bootstrap5
from flask_compress import Compress
from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from ..paths import resources
from ..saml.names import STATUS_REQUEST_DENIED

NAME = "Carnet de classe"
_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_ATTRIBUTE_LIMIT = 1000
"""Sign-ins remembered by the demo; the oldest are forgotten."""
_REQUEST_LIMIT = 10
"""Requests of one browser that may be answered: one for each tab."""


def saml_settings(base_url: str, certificate: str, private_key: str, idp: dict[str, Any] | None = None) -> dict[str, Any]:
    """What python3-saml is told: everything signed, everything encrypted, nothing deprecated."""
    return {
        "strict": True,
        "debug": False,
        "sp": {
            "entityId": f"{base_url}/metadata",
            "assertionConsumerService": {"url": f"{base_url}/acs", "binding": _POST},
            "NameIDFormat": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
            "x509cert": certificate,
            "privateKey": private_key,
        },
        "idp": idp or {},
        "security": {
            "authnRequestsSigned": True,
            "wantMessagesSigned": True,
            "wantAssertionsSigned": True,
            "wantAssertionsEncrypted": True,
            "wantAttributeStatement": True,
            "rejectDeprecatedAlgorithm": True,
            "requestedAuthnContext": False,
            "signatureAlgorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            "digestAlgorithm": "http://www.w3.org/2001/04/xmlenc#sha256",
        },
        "organization": {"fr": {"name": NAME, "displayname": NAME, "url": base_url}},
    }


def sp_metadata(base_url: str, certificate: str, private_key: str) -> bytes:
    """The demo service provider's metadata."""
    settings = OneLogin_Saml2_Settings(saml_settings(base_url, certificate, private_key), sp_validation_only=True)
    document = settings.get_sp_metadata()
    return document.encode() if isinstance(document, str) else bytes(document)


def _is_denied(saml: OneLogin_Saml2_Auth) -> bool:
    """Whether the hub says that the service does not take this person."""
    document = OneLogin_Saml2_XML.to_etree(saml.get_last_response_xml())
    codes = OneLogin_Saml2_XML.query(document, "/samlp:Response/samlp:Status/samlp:StatusCode/samlp:StatusCode")
    return any(code.get("Value") == STATUS_REQUEST_DENIED for code in codes)


def create_sp(base_url: str, folder: Path) -> Flask:
    """The demo service provider; ``folder`` holds its key pair, the secret of its cookie and the hub's metadata."""
    idp = OneLogin_Saml2_IdPMetadataParser.parse((folder / "idp-metadata.xml").read_text())["idp"]
    settings = saml_settings(base_url, (folder / "sp.crt").read_text(), (folder / "sp.key").read_text(), idp)
    visits: dict[str, dict[str, Any]] = {}

    app = Flask("hub.demo.sp", template_folder=str(resources("templates") / "demo"), static_folder=None)
    app.config.update(
        SECRET_KEY=(folder / "sp.secret").read_text().strip(),
        SESSION_COOKIE_NAME="carnet",
        SESSION_COOKIE_SAMESITE="Lax",
        BOOTSTRAP_SERVE_LOCAL=True,
    )
    Bootstrap5(app)
    Compress(app)

    def auth() -> OneLogin_Saml2_Auth:
        host = base_url.split("://", 1)[1]
        prepared = {
            "https": "on" if base_url.startswith("https") else "off",
            "http_host": host,
            "script_name": request.path,
            "get_data": request.args.copy(),
            "post_data": request.form.copy(),
        }
        return OneLogin_Saml2_Auth(prepared, old_settings=settings)

    @app.get("/")
    def home() -> ResponseReturnValue:
        return render_template("sp.html", name=NAME, visit=visits.get(session.get("visit", "")), problem=None)

    @app.get("/login")
    def login() -> ResponseReturnValue:
        saml = auth()
        address = saml.login(return_to=url_for("home"))
        session["requests"] = [*session.get("requests", []), saml.get_last_request_id()][-_REQUEST_LIMIT:]
        return redirect(address)

    @app.post("/acs")
    def acs() -> ResponseReturnValue:
        saml = auth()
        saml.process_response()
        asked, answered = session.get("requests", []), saml.get_last_response_in_response_to()
        if not saml.is_authenticated() or answered not in asked:
            technical = saml.get_last_error_reason() or "The response answers no request of this browser."
            app.logger.warning("refused: %s", technical)
            problem = "Ce service n'est pas pour votre profil." if _is_denied(saml) else "La connexion n'a pas marché. Recommencez."
            return render_template("sp.html", name=NAME, visit=None, problem=problem, technical=technical), 403
        session["requests"] = [id_ for id_ in asked if id_ != answered]
        while len(visits) >= _ATTRIBUTE_LIMIT:
            visits.pop(next(iter(visits)))
        session["visit"] = secrets.token_hex(16)
        visits[session["visit"]] = {
            "attributes": sorted(saml.get_friendlyname_attributes().items()),
            "name_id": saml.get_nameid(),
            "session_index": saml.get_session_index(),
        }
        return redirect(url_for("home"))

    @app.get("/logout")
    def logout() -> ResponseReturnValue:
        visit = visits.pop(session.pop("visit", ""), None)
        leave = dict(visit["attributes"]).get("FrEduUrlRetour") if visit else None
        return redirect(leave[0] if leave else url_for("home"))

    @app.get("/metadata")
    def metadata() -> ResponseReturnValue:
        return sp_metadata(base_url, settings["sp"]["x509cert"], settings["sp"]["privateKey"]), {
            "Content-Type": "application/samlmetadata+xml"
        }

    return app


def main() -> None:
    """Serve the demo service provider on loopback."""
    from gunicorn.app.base import BaseApplication

    parser = argparse.ArgumentParser(prog="python -m hub.demo.sp")
    parser.add_argument("base_url")
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    application = create_sp(arguments.base_url, arguments.folder)

    class Server(BaseApplication):
        def load_config(self) -> None:
            options = {"workers": 1, "worker_class": "gthread", "threads": 4, "loglevel": "warning", "control_socket_disable": True}
            for key, value in options.items():
                self.cfg.set(key, value)
            self.cfg.set("bind", f"127.0.0.1:{arguments.base_url.rsplit(':', 1)[1]}")

        def load(self) -> Flask:
            return application

    Server().run()


if __name__ == "__main__":
    main()
