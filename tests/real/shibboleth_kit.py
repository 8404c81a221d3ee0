"""A Shibboleth SP on loopback: shibd and Apache with mod_shib, configured and started by the test, ended by its pids."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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
  <ApplicationDefaults entityID="{base}/shibboleth" signing="true" encryption="false" requireTransportAuth="false">
    <Sessions lifetime="3600" timeout="600" relayState="ss:mem" checkAddress="false" handlerSSL="false" cookieProps="http">
      <SSO entityID="{idp}" outgoingBindings="{binding}">SAML2</SSO>
      <Logout>Local</Logout>
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


def attribute_map(names: dict[str, str]) -> str:
    """Shibboleth's attribute map from friendly names to SAML names."""
    rows = "".join(f'<Attribute name="{name}" id="{friendly}"/>' for friendly, name in names.items())
    return f'<Attributes xmlns="urn:mace:shibboleth:2.0:attribute-map">{rows}</Attributes>'


@contextmanager
def shibboleth_sp(*, idp: str, idp_metadata: bytes, idp_certificate: bytes, names: dict[str, str], binding: str) -> Iterator[ShibbolethSP]:
    """Start shibd and Apache for one identity provider; ``binding`` is how AuthnRequests leave (a URI)."""
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
        (folder / "shibboleth2.xml").write_text(CONFIG.format(folder=folder, base=sp.base, idp=idp, binding=binding, system=SHIBBOLETH))
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
