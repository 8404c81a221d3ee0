"""Every setting of Préau, typed and documented. The reference in ``docs/reference`` is generated from this file.

A setting comes from ``PREAU_*`` variables, else from ``preau.toml`` (in the current folder, or where ``PREAU_CONFIG``
points), else from its default.
"""

from __future__ import annotations

import os
import tomllib
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from .errors import ConfigurationError
from .messaging.gateway import SmsGateway

Profile = Literal["demo", "development", "production"]

CONFIG = "PREAU_CONFIG"
"""Variable that names the file of settings."""
NOT_SETTINGS = frozenset((CONFIG, "PREAU_REQUIRE_REAL", "PREAU_UPDATE_SCREENSHOTS"))
"""Variables of that prefix which are no settings: they steer the reading of settings, and the tests."""


class Settings(BaseSettings):
    """The settings of one instance."""

    model_config = SettingsConfigDict(env_prefix="PREAU_", extra="forbid", frozen=True, validate_default=True)

    profile: Profile = Field("development", description="`demo` shows captured mail and sample people, `production` refuses unsafe values.")
    base_url: str = Field(
        "http://localhost:8000",
        description="Public address of the hub, without a trailing slash. All links and SAML addresses derive from it.",
    )
    instance_dir: Path = Field(Path("var"), description="Folder of keys, embedded database and job queue.")
    database_url: str = Field("", description="SQLAlchemy address. Empty: SQLite in the instance folder.")
    directory_url: str = Field(
        "",
        description="SQLAlchemy address of the `sql` directory. Empty: the hub's own database, or a second SQLite file beside the embedded one.",
    )
    directory: str = Field("sql", description="Name of the directory back end, an entry point of the group `preau.backends`.")
    directory_options: dict[str, Any] = Field(
        {}, description="Options of that back end, a table (as a variable: JSON). [Directory back ends](back-ends.md) lists them."
    )
    broker_url: str = Field("", description="Redis or Valkey address of the job queue. Empty: SQLite in the instance folder.")
    secret_key_file: Path | None = Field(
        None, description="File with the secret that keys every derived identifier and token. Empty: `keys/secret` in the instance folder."
    )
    entity_id: str = Field(
        "", description="Entity identifier of the identity provider. Empty: the base address followed by `/saml/metadata`."
    )
    product_name: str = Field("Préau", max_length=40, description="Name shown on pages, mails and letters.")
    organization_url: str = Field("", description="Site of the organisation that runs the hub, for the metadata. Empty: the base address.")
    technical_contact: str = Field("support@preau.example", description="Technical contact published in the metadata.")

    smtp_host: str = Field(
        "",
        description="Outgoing mail server. Empty: mails are captured in the database and, on an address of this machine only, shown at /demo/mailbox.",
    )
    smtp_port: int = Field(25, ge=1, le=65535, description="Port of the mail server.")
    smtp_user: str = Field("", description="Name to sign in to the mail server with. Empty: no sign-in.")
    smtp_password: str = Field("", repr=False, description="Password for the mail server.")
    smtp_starttls: bool = Field(True, description="Encrypt the connection to the mail server, and refuse to send without.")
    mail_from: str = Field("ne-pas-repondre@preau.example", description="Sender of every mail.")

    sms_gateway: SmsGateway | None = Field(
        None,
        description="How the operator's SMS gateway is asked, a table: [how to send SMS](../how-to/send-sms.md). Empty: SMS are shown at "
        "/demo/mailbox on an address of this machine; elsewhere none are offered.",
    )
    sms_countries: tuple[str, ...] = Field(
        ("33", "262", "508", "590", "594", "596", "681", "687", "689"),
        description="Calling codes of the numbers that SMS are sent to.",
    )
    sms_per_day: int = Field(20_000, ge=1, description="SMS that leave in a day at most, whoever asks: what a day may cost.")

    listen: str = Field("127.0.0.1:8000", description="Address and port of `preau serve`.")
    workers: int = Field(2, ge=1, le=64, description="Processes of `preau serve`.")
    trusted_proxies: int = Field(0, ge=0, le=5, description="Number of reverse proxies in front whose X-Forwarded-* headers are believed.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")

    metrics_token_file: Path | None = Field(
        None,
        description="File with the token that /metrics asks for. Empty: only programs on this machine that come by no proxy are answered.",
    )

    session_idle: timedelta = Field(
        timedelta(minutes=30), description="The session of a signed-in person ends when it is unused for that long."
    )
    session_absolute: timedelta = Field(timedelta(hours=8), description="A session ends after that long whatever happens.")
    staff_session_idle: timedelta = Field(timedelta(minutes=15), description="The same for agents of schools, academies and the nation.")
    staff_session_absolute: timedelta = Field(timedelta(hours=4), description="An agent's session ends after that long whatever happens.")
    staff_step_up: timedelta = Field(
        timedelta(minutes=10), description="Acts on many people ask for the second factor again when it was given longer ago than that."
    )
    staff_invitation: timedelta = Field(timedelta(hours=72), description="Life of the one-time link by which an agent enrols.")
    troubleshooting_second_factor: Literal["off", "required"] = Field(
        "off",
        description="Whether the trouble-shooting module asks for a second factor; `required` is recommended. Administration always does.",
    )
    signon_lifetime: timedelta = Field(
        timedelta(minutes=60), description="How long a sign-on may take from the service's request to the answer."
    )
    clock_skew: timedelta = Field(timedelta(minutes=3), description="Tolerance on every date of a SAML message (SDP-G01: 3 to 5 minutes).")
    request_lifetime: timedelta = Field(
        timedelta(minutes=5), description="Age beyond which a service's request is refused, skew not included."
    )
    assertion_lifetime: timedelta = Field(timedelta(minutes=5), description="Validity of an assertion.")
    logout_wait: timedelta = Field(
        timedelta(seconds=10), description="How long a service may take to answer a logout before the person is taken to the next one."
    )
    relay_state_strict: bool = Field(False, description="Refuse a RelayState above 80 bytes instead of echoing it up to 2,000.")

    notices_validity_months: int = Field(3, ge=1, le=12, description="Life of a provisional password, in calendar months.")
    provisional_length: int = Field(12, ge=12, le=32, description="Characters of a provisional password.")
    password_min_guardian: int = Field(12, ge=12, le=64, description="Shortest password of a guardian, in characters.")
    password_min_student: int = Field(8, ge=8, le=64, description="Shortest password of a pupil, in characters.")
    password_min_staff: int = Field(16, ge=16, le=64, description="Shortest password of an agent, in characters.")
    password_max: int = Field(128, ge=64, le=256, description="Longest password, in characters.")
    password_score_guardian: int = Field(3, ge=2, le=4, description="Lowest zxcvbn score accepted.")
    password_score_student: int = Field(2, ge=2, le=4, description="Lowest zxcvbn score accepted.")
    argon2_memory_kib: int = Field(65536, ge=8, description="Memory of one password hash, in KiB.")
    argon2_time_cost: int = Field(3, ge=1, description="Passes of one password hash.")
    login_delay_from: int = Field(5, ge=1, description="Failures of one identifier from which each try must wait, twice as long each time.")
    login_lock_after: int = Field(10, ge=2, description="Failures of one identifier that lock it for a while.")
    login_lock: timedelta = Field(timedelta(minutes=15), description="How long that lock lasts. It is never permanent.")
    known_browser_days: int = Field(
        180, ge=1, le=400, description="How long a browser that signed in is known: a lock that others caused does not hold it."
    )
    address_failures: int = Field(
        300, ge=10, description="Failures from one network address in ten minutes beyond which browsers that are not known must wait."
    )
    address_requests: int = Field(300, ge=10, description="Enrolments and recoveries asked from one network address in an hour.")
    shared_networks: tuple[str, ...] = Field(
        (), description='Networks that many people share, such as those of schools (`["192.0.2.0/24"]`): ten times as much is normal there.'
    )
    same_password_failures: int = Field(
        50,
        ge=10,
        description="Failures with one and the same password in an hour beyond which it is refused to browsers that are not known.",
    )
    sends_per_hour: int = Field(3, ge=1, le=20, description="Codes, links and reminders to one number or address in an hour.")
    sends_per_day: int = Field(5, ge=1, le=50, description="Codes, links and reminders to one number or address in a day.")
    code_life: timedelta = Field(timedelta(minutes=30), description="Life of a code sent by SMS or mail.")
    code_length: int = Field(6, ge=6, le=10, description="Digits of a code.")
    code_attempts: int = Field(5, ge=1, le=10, description="Tries of one code.")
    activation_channels: tuple[Literal["sms", "mail"], ...] = Field(("sms", "mail"), description="Ways to enrol oneself.")
    activation_neutral_messages: bool = Field(
        False, description="Never say during an enrolment whether the school knows a number or an address (M01c)."
    )
    activation_abandon_after: timedelta = Field(
        timedelta(hours=24), description="An activation without a letter that is not finished by then begins anew."
    )
    recovery_identifier_by_sms: bool = Field(False, description="Send a guardian the forgotten identifier by SMS.")
    recovery_password_by_sms: bool = Field(False, description="Let a guardian prove by an SMS code that the password may be changed.")
    birthdate_attempts: int = Field(3, ge=1, le=10, description="Tries of a birth date, for each child and session.")
    birthdate_attempts_day: int = Field(10, ge=1, le=50, description="Tries of a birth date, for each child and day.")
    birthdate_pause: timedelta = Field(timedelta(minutes=15), description="Pause of a pupil who used up the tries.")
    birthdate_policy: Literal["at_least_one", "all"] = Field(
        "at_least_one", description="Birth dates that must be right for a guardian to activate."
    )
    mail_token_confirm: timedelta = Field(timedelta(hours=24), description="Life of the link that confirms a mail address.")
    mail_token_reset: timedelta = Field(timedelta(minutes=30), description="Life of the link that lets choose a new password.")
    student_birthdate_confirm: Literal["activation", "reset"] = Field(
        "reset", description="When a pupil's birth date is asked: at the activation, or also after a reset or a forced change (O25)."
    )
    digital_majority: int = Field(15, description="Age from which a pupil gives an address of his or her own.")
    retention_auth_log: timedelta = Field(timedelta(days=365), description="How long sign-on records are kept.")

    feeding_shrink_percent: int = Field(
        10,
        ge=1,
        le=100,
        description="Share of the pupils, or of the guardians, of a feed that may go before a human must accept it, in percent.",
    )
    feeding_shrink_days: int = Field(7, ge=0, le=60, description="Days over which that shrink is added up.")
    feeding_archive_entries: int = Field(5000, ge=1, description="Most files in an archive of a delivery.")
    feeding_archive_gigabytes: int = Field(20, ge=1, description="Most gigabytes that a delivery may unpack to.")
    feeding_archive_ratio: int = Field(200, ge=2, description="Most bytes that one byte of an archive may unpack to.")
    feeding_inbox: Path | None = Field(
        None, description="Drop folder of deliveries, with one folder for each feed, named like it. Empty: none is watched."
    )
    feeding_inbox_checksum: bool = Field(
        False, description="Take a file of the drop folder only with its `.sha256` beside it. Off: a `.md5` or a settled file will do."
    )
    feeding_inbox_settle: timedelta = Field(
        timedelta(minutes=10), description="A file without checksum is taken when it has not changed for that long."
    )
    retention_import_files: timedelta = Field(timedelta(days=7), description="How long imported files are kept in the drop folder.")
    retention_import_reports: timedelta = Field(timedelta(days=365), description="How long reports of deliveries are kept.")
    retention_import_school_reports: timedelta = Field(timedelta(days=90), description="How long reports of each school are kept.")

    @field_validator("shared_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(network)) for network in value)

    @field_validator("base_url", "organization_url")
    @classmethod
    def _absolute_url(cls, value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError("must be an absolute http or https address without query")
        return value.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = TomlConfigSettingsSource(settings_cls, os.environ.get(CONFIG, "preau.toml"))
        return init_settings, env_settings, toml

    def __hash__(self) -> int:
        """By what tells instances apart: the options of a back end are a table, which has no hash."""
        return hash((self.base_url, self.instance_dir, self.database_url))

    # Derived values -------------------------------------------------------------------------------------------------

    @property
    def database(self) -> str:
        """SQLAlchemy address of the hub's database."""
        return self.database_url or f"sqlite:///{self.instance_dir.resolve() / 'preau.sqlite'}"

    @property
    def directory_database(self) -> str:
        """SQLAlchemy address of the `sql` directory.

        Embedded, it is a file of its own: SQLite has one writer at a time, and an import must not hold up a sign-on.
        """
        return self.directory_url or self.database_url or f"sqlite:///{self.instance_dir.resolve() / 'directory.sqlite'}"

    @property
    def databases(self) -> tuple[str, ...]:
        """Every database of the instance, once each."""
        return tuple(dict.fromkeys((self.database, self.directory_database)))

    @property
    def idp_entity_id(self) -> str:
        """Entity identifier of the identity provider."""
        return self.entity_id or f"{self.base_url}/saml/metadata"

    @property
    def keys_dir(self) -> Path:
        """Folder of the keys."""
        return self.instance_dir / "keys"

    @property
    def secret_file(self) -> Path:
        """File of the instance secret."""
        return self.secret_key_file or self.keys_dir / "secret"

    @property
    def secure(self) -> bool:
        """Whether browsers reach the hub by https."""
        return self.base_url.startswith("https://")

    @property
    def captures_mail(self) -> bool:
        """Whether mails are kept for the captured mailbox instead of being sent."""
        return not self.smtp_host

    @property
    def offers_sms(self) -> bool:
        """Whether SMS leave, or are captured where that may be."""
        return self.sms_gateway is not None or self.shows_mailbox

    @property
    def enrolment_channels(self) -> tuple[str, ...]:
        """The ways to enrol oneself that are open."""
        return tuple(channel for channel in self.activation_channels if channel == "mail" or self.offers_sms)

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the hub, by its public address."""
        return urlsplit(self.base_url).hostname in ("localhost", "127.0.0.1", "::1")

    @property
    def shows_mailbox(self) -> bool:
        """Whether captured mails, with their links, are shown to whoever asks: never where others may ask."""
        return self.captures_mail and self.is_local and self.profile != "production"

    def problems(self) -> list[str]:
        """Values that an instance which others reach may not have, each as a sentence that says what to change."""
        if self.profile != "production":
            return [] if self.is_local else ["PREAU_PROFILE must be production: others reach this address"]
        found = []
        if not self.secure:
            found.append("PREAU_BASE_URL must begin with https://")
        if self.captures_mail:
            found.append("PREAU_SMTP_HOST must name a mail server: captured mail is for demos")
        elif not self.smtp_starttls and self.smtp_host not in ("localhost", "127.0.0.1", "::1"):
            found.append("PREAU_SMTP_STARTTLS must be on for a mail server of another machine")
        if self.technical_contact.endswith(".example"):
            found.append("PREAU_TECHNICAL_CONTACT must be an address that somebody reads")
        if self.mail_from.endswith(".example"):
            found.append("PREAU_MAIL_FROM must be an address of your domain")
        if self.argon2_memory_kib < 19456:
            found.append("PREAU_ARGON2_MEMORY_KIB must be 19456 or more")
        return found


def load_settings(**overrides: object) -> Settings:
    """Read the settings. Raises ConfigurationError with one line per wrong value, unknown variable or unreadable file."""
    from pydantic import ValidationError

    config = os.environ.get(CONFIG)
    if config is not None and not Path(config).is_file():
        raise ConfigurationError(f"{CONFIG}: no file {config!r}")
    if unknown := _unknown_variables():
        raise ConfigurationError("\n".join(f"{name}: no such setting" for name in unknown))
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]
    except tomllib.TOMLDecodeError as exc:
        raise ConfigurationError(f"{config or 'preau.toml'}: {exc}") from None
    except ValidationError as exc:
        lines = [f"PREAU_{'_'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in exc.errors()]
        raise ConfigurationError("\n".join(lines)) from None
    return settings


def _unknown_variables() -> list[str]:
    """Variables of the environment that look like a setting and are none: a typing error would be silent."""
    known = NOT_SETTINGS | {f"PREAU_{field.upper()}" for field in Settings.model_fields}
    return sorted(name for name in os.environ if name.upper().startswith("PREAU_") and name.upper() not in known)
