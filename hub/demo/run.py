"""Setting the demo up through the same services as production, then keeping its processes together."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import create_app
from ..cli.context import actor
from ..db.migrate import upgrade
from ..errors import ConfigurationError, Refusal
from ..instance import Instance, create_encryption_key, create_secret, create_signing_key
from ..registry import service as registry
from ..registry.models import ServiceProvider
from ..saml.keys import generate_key_pair, save_key_pair
from ..settings import Settings, load_settings
from .agents import load_agents, prepare_agents
from .people import DemoPerson, load_people, prepare_people

if TYPE_CHECKING:
    from ..feeding.generate import CastMember

STUDENTS = 80
SEED = 2026


def demo_settings(hub_port: int, folder: Path) -> Settings:
    """Settings of the demo; the rest comes from the environment as usual."""
    return load_settings(
        profile="demo",
        base_url=f"http://localhost:{hub_port}",
        listen=f"127.0.0.1:{hub_port}",
        instance_dir=folder.absolute(),
        technical_contact="support@preau.example",
    )


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep the instance folder for this demo. Raises Refusal when another demo has it.

    The lock is the kernel's: it ends with the process, however that ends, so none is ever stale.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "demo.pid").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Refusal(f"a demo already runs in this folder (pid {lock.read().strip()})") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def require_free(*ports: int) -> None:
    """Raise Refusal when somebody listens on one of these ports of loopback."""
    for port in ports:
        if _answers(port):
            raise Refusal(f"port {port} is taken; end what uses it, or choose others with --hub-port and --sp-port")


def prepare(settings: Settings, *, sp_base_url: str) -> list[DemoPerson]:
    """Instance, synthetic delivery, service provider, people. Each part is made only when it is missing."""
    folder = settings.instance_dir / "demo"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    create_secret(settings.secret_file)
    create_signing_key(settings)
    create_encryption_key(settings)
    for url in settings.databases:
        upgrade(url)
    instance = Instance(settings)
    try:
        _register_service(instance, folder, sp_base_url)
        if not (folder / "people.json").exists():
            cast = _import_delivery(instance, folder / "delivery")
            app = create_app(settings)
            prepare_people(app, instance, folder, cast)
            app.extensions["preau"].close()
        people = load_people(instance, folder)
        prepare_agents(instance, folder, people)
        return people
    finally:
        instance.close()


def _import_delivery(instance: Instance, folder: Path) -> dict[str, CastMember]:
    try:
        from ..feeding.generate import Plan, generate
    except ModuleNotFoundError as exc:
        raise ConfigurationError(f'the demo needs {exc.name}: pip install "preau[demo]"') from None
    from ..feeding.flow import feedable, import_delivery

    click.echo("Writing a synthetic delivery of two academies and importing it…")
    shutil.rmtree(folder, ignore_errors=True)  # what an interrupted start left
    summary = generate(folder, Plan(students=STUDENTS, academies=2, seed=SEED, date=datetime.now(UTC).date()))
    for delivery in summary.folders:
        import_delivery(delivery, feedable(instance.directory))
    return summary.cast


def _register_service(instance: Instance, folder: Path, sp_base_url: str) -> None:
    """The demo service provider, with its key pair and our metadata."""
    from .sp import sp_metadata

    if not (folder / "sp.key").exists():
        save_key_pair(folder, "sp", generate_key_pair("localhost"))
    create_secret(folder / "sp.secret")
    (folder / "idp-metadata.xml").write_bytes(instance.identity_provider.metadata(valid_until=datetime.now(UTC) + timedelta(days=14)))
    xml = sp_metadata(sp_base_url, (folder / "sp.crt").read_text(), (folder / "sp.key").read_text())
    with instance.database.transaction() as db:
        if db.get(ServiceProvider, f"{sp_base_url}/metadata") is None:
            choices = registry.Choices(open_to_in_charge=True)
            registry.add(db, xml, choices, actor=actor(), approve=True, allow_insecure_loopback=True)


def tell(settings: Settings, people: list[DemoPerson], *, sp_base_url: str) -> None:
    """Print who may sign in, and how."""
    click.echo()
    click.echo(click.style(f"Demo service   {sp_base_url}", bold=True) + "   begin here: « Se connecter »")
    click.echo(f"Hub            {settings.base_url}")
    click.echo(f"Mails          {settings.base_url}/demo/mailbox")
    click.echo()
    for person in people:
        click.echo(f"{person.title}: {person.name}")
        click.echo(f"  profil {person.profile_label}   identifiant {person.identifier}   mot de passe {person.password}")
        if person.provisional_until and person.birth_date:
            click.echo(f"  provisional, until {person.provisional_until}; birth date {person.birth_date:%d/%m/%Y}")
    click.echo(f"\nAgents of schools sign in at {settings.base_url}/staff/login")
    for agent in load_agents(settings.instance_dir / "demo"):
        click.echo(f"{agent.title}: {agent.name} ({agent.uai})")
        click.echo(f"  identifiant {agent.login}   mot de passe {agent.password}")
        if agent.totp_secret:
            click.echo(f"  secret for your authenticator {agent.totp_secret}")
    click.echo()


def serve(settings: Settings, *, sp_base_url: str) -> None:
    """Start hub, worker and service provider; end them all together, whatever ends first."""
    ports = [int(settings.listen.rsplit(":", 1)[1]), int(sp_base_url.rsplit(":", 1)[1])]
    environment = os.environ | {
        "PREAU_PROFILE": settings.profile,
        "PREAU_BASE_URL": settings.base_url,
        "PREAU_LISTEN": settings.listen,
        "PREAU_INSTANCE_DIR": str(settings.instance_dir),
    }
    preau = [sys.executable, "-m", "hub.cli"]
    commands = {
        "hub": [*preau, "serve"],
        "worker": [*preau, "worker"],
        "demo service": [sys.executable, "-m", "hub.demo.sp", sp_base_url, str(settings.instance_dir / "demo")],
    }
    # Groups of their own: Ctrl-C at a terminal comes here only, and they are ended in order.
    processes = {name: subprocess.Popen(command, env=environment, process_group=0) for name, command in commands.items()}
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # what nohup keeps alive stays alive
            signal.signal(number, lambda *_: stop.set())
    try:
        if _wait_until_ready(processes, ports, stop):
            click.echo("Ready. Ctrl-C ends everything.")
        while not stop.wait(0.5):
            _check_alive(processes)
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
    click.echo("Stopped.")


def _wait_until_ready(processes: dict[str, subprocess.Popen[bytes]], ports: list[int], stop: threading.Event) -> bool:
    """Wait until all answer. False when the demo was stopped before."""
    deadline = time.monotonic() + 60
    while not all(_answers(port) for port in ports):
        _check_alive(processes)
        if time.monotonic() > deadline:
            raise Refusal("the demo did not start within a minute; the lines above say why")
        if stop.wait(0.2):
            return False
    return True


def _check_alive(processes: dict[str, subprocess.Popen[bytes]]) -> None:
    for name, process in processes.items():
        code = process.poll()
        if code is not None:
            raise Refusal(f"the {name} {how_it_ended(code)}")


def how_it_ended(code: int) -> str:
    """The end of a process in words, from its return code: negative when a signal ended it."""
    return f"was killed (signal {-code})" if code < 0 else f"ended by itself (exit {code}); the lines above say why"


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
