"""The installed wheel works from another folder: templates, attribute maps and metadata travel with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.real.kit import answers, free_port

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a clean copy of the tracked files and unpacked where nothing of the checkout is."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in filter(None, map(os.fsdecode, files)):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(next(folder.glob("preau-*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_an_instance_is_set_up_and_served_from_the_wheel(installed: Path, tmp_path: Path):
    """`preau init`, then `preau serve`: a page, its style sheet and the metadata."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREAU_")}
    environment |= {
        "PYTHONPATH": str(installed),
        "PREAU_INSTANCE_DIR": str(tmp_path / "instance"),
        "PREAU_BASE_URL": f"http://localhost:{port}",
        "PREAU_LISTEN": f"127.0.0.1:{port}",
        "PREAU_WORKERS": "1",
    }
    preau = [sys.executable, "-m", "hub.cli"]
    where = subprocess.run(
        [sys.executable, "-c", "import hub; print(hub.__file__)"], env=environment, cwd=tmp_path, capture_output=True, check=True
    )
    assert str(installed) in where.stdout.decode()
    subprocess.run([*preau, "init"], env=environment, cwd=tmp_path, check=True, capture_output=True)
    server = subprocess.Popen([*preau, "serve"], env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not answers(port):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        page = _read(f"http://localhost:{port}/login")
        assert "Je sélectionne mon profil" in page
        for sheet in re.findall(r'<link rel="stylesheet" href="([^"]+)"', page):
            assert _read(f"http://localhost:{port}{sheet}")
        assert "IDPSSODescriptor" in _read(f"http://localhost:{port}/saml/metadata")
    finally:
        server.terminate()
        server.wait(30)


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())
