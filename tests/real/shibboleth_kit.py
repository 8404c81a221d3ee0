"""A Shibboleth SP on loopback: shibd and Apache with mod_shib, configured and started by the test, ended by its pids."""

from __future__ import annotations

import http.cookiejar
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urlencode, urljoin

from lxml import html

from hub.saml.keys import generate_key_pair, save_key_pair
from tests.real.kit import answers, free_port, require_real

MODULES = Path("/usr/lib/apache2/modules")
SHIBBOLETH = Path("/etc/shibboleth")

APACHE = """
ServerRoot "{folder}"
ServerName 127.0.0.1:{port}
Listen 127.0.0.1:{port}
PidFile "{folder}/apache.pid"
ErrorLog "{folder}/apache.log"
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule cgid_module {modules}/mod_cgid.so
LoadModule mod_shib {modules}/mod_shib.so
ScriptSock "{folder}/cgid.sock"
ShibConfig "{folder}/shibboleth2.xml"
UseCanonicalName On
ScriptAlias /app "{folder}/page.cgi"
<Location "/Shibboleth.sso">
  Require all granted
</Location>
<Location "/app">
  AuthType shibboleth
  ShibRequestSetting requireSession 1
  Require shib-session
</Location>
"""

CONFIG = """
<SPConfig xmlns="urn:mace:shibboleth:3.0:native:sp:config" clockSkew="180">
  <OutOfProcess logger="{folder}/shibd.logger"/>
  <InProcess logger="{folder}/native.logger"/>
  <UnixListener address="{folder}/shibd.sock"/>
  <ApplicationDefaults entityID="{base}/shibboleth" signing="true" encryption="{encryption}" requireTransportAuth="false">
    <Sessions lifetime="3600" timeout="600" relayState="ss:mem" checkAddress="false" handlerSSL="false" cookieProps="http">
      <SSO entityID="{idp}" outgoingBindings="{binding}">SAML2</SSO>
      <Logout{logout_options}>{logout}</Logout>
      <Handler type="MetadataGenerator" Location="/Metadata" signing="false"/>
    </Sessions>
    <Errors supportContact="support@sp.example"/>
    <MetadataProvider type="XML" validate="true" path="{folder}/idp-metadata.xml">
      <MetadataFilter type="Signature" certificate="{folder}/idp.crt" verifyBackup="false"/>
      <MetadataFilter type="RequireValidUntil" maxValidityInterval="2592000"/>
    </MetadataProvider>
    <AttributeExtractor type="XML" path="{folder}/attribute-map.xml"/>
    <CredentialResolver type="File" use="signing" key="{folder}/sp.key" certificate="{folder}/sp.crt"/>
    <CredentialResolver type="File" use="encryption" key="{folder}/sp.key" certificate="{folder}/sp.crt"/>
  </ApplicationDefaults>
  <SecurityPolicyProvider type="XML" path="{system}/security-policy.xml"/>
  <ProtocolProvider type="XML" path="{system}/protocols.xml"/>
</SPConfig>
"""

LOGGER = """
log4j.rootCategory=INFO, out
log4j.appender.out=org.apache.log4j.FileAppender
log4j.appender.out.fileName={log}
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %p %c: %m%n
"""

PAGE = """#!/usr/bin/python3
import os
print("Content-Type: text/plain; charset=utf-8", end="\\r\\n\\r\\n")
for name, value in sorted(os.environb.items()):
    print(f"{name.decode()}={value.decode()}")
"""


@dataclass(frozen=True)
class ShibbolethSP:
    """A running Shibboleth SP."""

    base: str
    folder: Path

    @property
    def protected_url(self) -> str:
        """The page that needs a session and shows its environment."""
        return f"{self.base}/app"

    def metadata(self) -> bytes:
        """What the SP itself generates."""
        with urllib.request.urlopen(f"{self.base}/Shibboleth.sso/Metadata", timeout=20) as answer:
            return bytes(answer.read())

    def log(self) -> str:
        """Last lines of shibd, for a failed test."""
        return "\n".join((self.folder / "shibd.log").read_text().splitlines()[-30:])


class FormBrowser:
    """A browser without scripts: keeps cookies, follows redirects, sends the forms that pages show."""

    def __init__(self) -> None:
        self.jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.url = ""
        self.page = ""

    def open(self, url: str, data: dict[str, str] | None = None) -> None:
        body = urlencode(data).encode() if data is not None else None
        with self._opener.open(url, body, timeout=30) as answer:
            self.url, self.page = answer.url, answer.read().decode()

    def send(self, **values: str) -> None:
        """Send the page's form with its hidden fields and these values."""
        form = html.fromstring(self.page).forms[0]
        fields = {name: value for name, value in form.form_values() if form.inputs[name].get("type") == "hidden"}
        self.open(urljoin(self.url, form.action or self.url), {**fields, **values})

    def forget(self, name: str) -> None:
        """Lose the cookies of that name."""
        for cookie in [cookie for cookie in self.jar if cookie.name == name]:
            self.jar.clear(cookie.domain, cookie.path, cookie.name)

    def follow(self, pattern: str) -> None:
        link = re.search(pattern, self.page)
        assert link, self.page
        self.open(urljoin(self.url, unescape(link[1])))


def attribute_map(names: dict[str, str]) -> str:
    """Shibboleth's attribute map from friendly names to SAML names."""
    rows = "".join(f'<Attribute name="{name}" id="{friendly}"/>' for friendly, name in names.items())
    return f'<Attributes xmlns="urn:mace:shibboleth:2.0:attribute-map">{rows}</Attributes>'


@contextmanager
def shibboleth_sp(
    *,
    idp: str,
    idp_metadata: bytes,
    idp_certificate: bytes,
    names: dict[str, str],
    binding: str,
    logout: str = "Local",
    logout_options: str = "",
    encryption: str = "false",
) -> Iterator[ShibbolethSP]:
    """Start shibd and Apache for one identity provider.

    ``binding`` is how AuthnRequests leave (a URI); ``logout`` and ``logout_options`` are the content and the raw attributes of its
    Logout element; ``encryption`` says whether it encrypts identifiers (``true``, ``false``).
    """
    apache = require_real("Apache", "apache2", "/usr/sbin/apache2")
    shibd = require_real("Shibboleth SP", "shibd", "/usr/sbin/shibd")
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="shib-"))
    started: list[subprocess.Popen[bytes]] = []
    try:
        sp = ShibbolethSP(f"http://127.0.0.1:{port}", folder)
        save_key_pair(folder, "sp", generate_key_pair("127.0.0.1", bits=2048))
        (folder / "idp-metadata.xml").write_bytes(idp_metadata)
        (folder / "idp.crt").write_bytes(idp_certificate)
        (folder / "attribute-map.xml").write_text(attribute_map(names))
        (folder / "shibboleth2.xml").write_text(
            CONFIG.format(
                folder=folder,
                base=sp.base,
                idp=idp,
                binding=binding,
                system=SHIBBOLETH,
                logout=logout,
                logout_options=logout_options,
                encryption=encryption,
            )
        )
        (folder / "shibd.logger").write_text(LOGGER.format(log=folder / "shibd.log"))
        (folder / "native.logger").write_text(LOGGER.format(log=folder / "native.log"))
        (folder / "apache.conf").write_text(APACHE.format(folder=folder, port=port, modules=MODULES))
        page = folder / "page.cgi"
        page.write_text(PAGE)
        page.chmod(page.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        identity = _give_to_server_user(folder)
        started.append(_start([str(shibd), "-f", "-F", "-c", f"{folder}/shibboleth2.xml", "-p", f"{folder}/shibd.pid"], folder, identity))
        _wait_for((folder / "shibd.sock").exists, "shibd", folder)
        started.append(_start([str(apache), "-f", f"{folder}/apache.conf", "-DFOREGROUND"], folder, identity))
        _wait_for(lambda: answers(port), "Apache", folder)
        yield sp
    finally:
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _give_to_server_user(folder: Path) -> dict[str, int]:
    """Apache does not run as root: as root, everything belongs to www-data, and both servers run as it."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("www-data")
    for path in [folder, *folder.iterdir()]:
        os.chown(path, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid}


def _start(command: list[str], folder: Path, identity: dict[str, int]) -> subprocess.Popen[bytes]:
    with open(folder / "output.log", "ab") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, **identity)  # type: ignore[call-overload,no-any-return]


def _wait_for(ready: object, name: str, folder: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready():  # type: ignore[operator]
            return
        time.sleep(0.1)
    logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in sorted(folder.glob("*.log")))
    raise RuntimeError(f"{name} did not start within {seconds:.0f} s\n{logs}")
