"""`preau` itself: exit codes, one sentence for each failure, settings that are none."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hub import cli
from hub.errors import ConfigurationError
from hub.settings import load_settings
from tests.saml_kit import MockSP


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PREAU_INSTANCE_DIR", "PREAU_BASE_URL", "PREAU_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def preau(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Runs a command as the shell does: exit code, output, errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["preau", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return code, out, err

    return run


def test_exit_codes(preau, tmp_path: Path):
    """0 done, 1 refused, 2 usage; `check-config` refuses an instance with problems and accepts it without."""
    assert preau("--version")[0] == 0
    assert preau("nonsense")[0] == 2
    code, out, _ = preau("check-config")
    assert (code, "preau init" in out) == (1, True)
    assert preau("init")[0] == 0
    code, out, _ = preau("check-config", "--json")
    assert (code, json.loads(out)) == (0, {"ok": True, "problems": []})
    (tmp_path / "var/keys/secret").write_text("weak")
    assert preau("check-config")[0] == 1


@pytest.mark.parametrize(
    "command",
    ["account show e.benard", "account notice 13/2D/guardian/1041", "sp list", "sp show https://x.example", "audit list", "db upgrade"],
)
def test_a_command_without_an_instance_says_what_to_do(preau, command: str):
    """One sentence and the number that the log has; no stack trace, not in the log either."""
    code, _, err = preau(*command.split())
    assert code == 1
    assert "preau: no instance in var: set PREAU_INSTANCE_DIR or run `preau init`" in err
    assert "Traceback" not in err
    shown = re.search(r"\(reference ([A-Z0-9]{12})\)", err)
    logged = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert shown
    assert [line["event"] for line in logged if line.get("reference") == shown[1]] == ["command.refused"]


def test_the_stack_trace_is_in_the_log_at_debug_level(preau, monkeypatch: pytest.MonkeyPatch):
    """For whoever looks for the cause, under the same number."""
    monkeypatch.setenv("PREAU_LOG_LEVEL", "debug")
    _, _, err = preau("sp", "list")
    assert "Traceback" in next(line for line in err.splitlines() if "command.traceback" in line)


def test_a_sick_database_is_not_called_a_missing_instance(preau, tmp_path: Path):
    """The instance is there, its database is none."""
    preau("init")
    (tmp_path / "var/preau.sqlite").write_bytes(b"no database" * 100)
    code, _, err = preau("sp", "list")
    assert code == 1
    assert "the database does not answer as it should" in err


def test_files_that_are_not_there_are_named(preau, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A folder that cannot be made, no database to back up, nowhere to put it."""
    monkeypatch.setenv("PREAU_INSTANCE_DIR", "/proc/nope/var")
    assert "preau: /proc/nope: No such file or directory" in preau("init")[2]
    monkeypatch.delenv("PREAU_INSTANCE_DIR")
    assert "no database yet; run `preau init`" in preau("db", "backup", str(tmp_path / "copy"))[2]
    preau("init")
    assert preau("db", "backup", "nowhere/copy")[0] == 1
    assert preau("db", "backup", "copy")[0] == 0
    assert (tmp_path / "copy").stat().st_size > 0


def test_settings_that_would_be_ignored_are_named(preau, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A file that is not there, one that cannot be read, a variable with a typing error; each right twin is taken."""
    monkeypatch.setenv("PREAU_CONFIG", "mine.toml")
    with pytest.raises(ConfigurationError, match=r"PREAU_CONFIG: no file 'mine\.toml'"):
        load_settings()
    (tmp_path / "mine.toml").write_text("base_url = [")
    with pytest.raises(ConfigurationError, match=r"mine\.toml: "):
        load_settings()
    assert preau("check-config")[0] == 1
    (tmp_path / "mine.toml").write_text('product_name = "Cour"')
    for allowed in ("PREAU_REQUIRE_REAL", "PREAU_UPDATE_SCREENSHOTS", "PREAU_WORKERS", "preau_smtp_port"):
        monkeypatch.setenv(allowed, "1")
    assert (load_settings().product_name, load_settings().smtp_port) == ("Cour", 1)
    monkeypatch.setenv("PREAU_WORKER", "4")
    with pytest.raises(ConfigurationError, match="PREAU_WORKER: no such setting"):
        load_settings()


def test_the_stored_metadata_are_printed(preau, tmp_path: Path):
    """As they came, so that they can be compared with the service's."""
    sp = MockSP("https://ent.example.fr/saml", acs=("https://ent.example.fr/saml/acs",))
    (tmp_path / "sp.xml").write_bytes(sp.metadata())
    preau("init")
    preau("sp", "add", "sp.xml")
    assert preau("sp", "show", sp.entity_id, "--xml")[1].strip().encode() == sp.metadata().strip()
    assert preau("sp", "show", sp.entity_id, "--xml", "--json")[0] == 2
    assert "<" not in preau("sp", "show", sp.entity_id)[1]
