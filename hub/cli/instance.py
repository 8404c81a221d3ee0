"""Commands on the instance itself: setting up, serving, keys, metadata, database."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from sqlalchemy import make_url

from ..db.migrate import head_revision, is_current, upgrade
from ..errors import PreauError, Refusal
from ..instance import create_encryption_key, create_secret, create_signing_key
from ..saml.messages import KeyPair
from .context import echo_json, instance


@click.command()
def init() -> None:
    """Set the instance up: folder, secret, keys, database. Running it again changes nothing."""
    settings = instance().settings
    settings.instance_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if create_secret(settings.secret_file):
        click.echo(f"secret       created   {settings.secret_file}")
    if create_signing_key(settings):
        click.echo(f"signing key  created   {settings.keys_dir}")
    if create_encryption_key(settings):
        click.echo(f"encryption   created   {settings.keys_dir}")
    instance().signing_key  # noqa: B018 - says so at once when key and certificate do not belong together
    if not is_current(settings.databases):
        _upgrade_all()
        click.echo("database     up to date")
    click.echo(f"Ready in {settings.instance_dir}. Next: preau serve")


@click.command()
@click.option("--listen", help="Address and port, instead of the setting.")
@click.option("--workers", type=click.IntRange(1, 64), help="Number of processes, instead of the setting.")
def serve(listen: str | None, workers: int | None) -> None:
    """Serve the hub with gunicorn. Put a reverse proxy with TLS in front in production."""
    from ..web.server import run

    settings = instance().settings
    _require_current_database()
    run(settings, listen=listen or settings.listen, workers=workers or settings.workers)


@click.command()
def worker() -> None:
    """Run the background jobs: mails, clean-up."""
    from ..jobs.worker import run

    _require_current_database()
    run(instance())


def _require_current_database() -> None:
    if not is_current(instance().settings.databases):
        raise Refusal("the database is missing or of another version. Run `preau init`, or `preau db upgrade`.")


@click.command("check-config")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
def check_config(as_json: bool) -> None:
    """Check settings, secret, keys, database and directory; says what to change."""
    parts = instance()
    found = parts.settings.problems()
    for check in (lambda: parts.secret, lambda: parts.signing_key, lambda: parts.encryption_keys):
        try:
            check()
        except Exception as exc:  # noqa: BLE001 - each part reports its own sentence
            found.append(str(exc))
    try:
        if not is_current(parts.settings.databases):
            found.append("the database needs `preau db upgrade`")
        else:
            health = parts.directory.health()
            each = health.sources or {parts.settings.directory: health}
            found += [f"directory {name}: {one.detail}" for name, one in each.items() if not one.ok]
    except PreauError as exc:
        found.append(str(exc))
    except Exception as exc:  # noqa: BLE001
        found.append(f"database: {type(exc).__name__}")
    if as_json:
        echo_json({"ok": not found, "problems": found})
    else:
        click.echo("\n".join(found) if found else f"Everything is in order (profile {parts.settings.profile}).")
    if found:
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--days", type=click.IntRange(1, 365), default=14, show_default=True, help="Validity, in days.")
def metadata(days: int) -> None:
    """Print the hub's signed entity descriptor."""
    until = datetime.now(UTC) + timedelta(days=days)
    click.echo(instance().identity_provider.metadata(valid_until=until).decode())


@click.group()
def keys() -> None:
    """The hub's keys."""


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable answer.")
def list_keys(as_json: bool) -> None:
    """Name, algorithm, fingerprint and dates of each key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    def described(name: str, state: str, pair: KeyPair) -> dict[str, str]:
        certificate = x509.load_pem_x509_certificate(pair.certificate_pem)
        public = certificate.public_key()
        return {
            "name": name,
            "state": state,
            "algorithm": f"RSA {public.key_size}" if isinstance(public, RSAPublicKey) else "EC",
            "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
            "not_after": certificate.not_valid_after_utc.date().isoformat(),
        }

    parts = instance()
    rows = [described("signing", "active", parts.signing_key)]
    rows += [described("encryption", "retiring" if i else "active", pair) for i, pair in enumerate(parts.encryption_keys)]
    if as_json:
        echo_json(rows)
    else:
        for row in rows:
            click.echo("  ".join(row.values()))


@click.group()
def db() -> None:
    """The hub's database."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the tables to this version."""
    _upgrade_all()
    click.echo(f"database at {head_revision()}")


def _upgrade_all() -> None:
    for url in instance().settings.databases:
        upgrade(url)


@db.command("backup")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
def db_backup(target: Path) -> None:
    """Copy the embedded database to TARGET while the hub runs (SQLite; use pg_dump for PostgreSQL)."""
    url = make_url(instance().settings.database)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise Refusal("only the embedded database is backed up here; use pg_dump for PostgreSQL")
    if not Path(url.database).exists():
        raise Refusal(f"{url.database}: no database yet; run `preau init`")
    if target.exists():
        raise Refusal(f"{target} exists already")
    partial = target.with_name(target.name + ".part")
    try:
        with sqlite3.connect(url.database) as source, sqlite3.connect(partial) as copy:
            source.backup(copy)
    except sqlite3.Error as exc:
        raise Refusal(f"{target}: {exc}") from None
    partial.chmod(0o600)
    shutil.move(partial, target)
    click.echo(f"saved to {target}")
