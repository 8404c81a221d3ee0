"""Archives as academies send them, each with its checksum beside it (aaf.md 1.6)."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import tarfile
import zipfile
from datetime import date
from pathlib import Path

PACKINGS = ("zip", "tar", "tgz")


def pack(folder: Path, packing: str, day: date) -> Path:
    """Replace a folder of files by an archive ``<folder>.<day>.<packing>``; a zip holds a folder, a tar does not.

    Same files, same bytes.
    """
    files = sorted(folder.iterdir())
    target = folder.with_name(f"{files[0].name.split('_2', 1)[0]}_{folder.name}_{day:%Y%m%d}.{packing}")
    if packing == "zip":
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                info = zipfile.ZipInfo(f"{day:%Y%m%d}/{path.name}", (day.year, day.month, day.day, 0, 0, 0))
                info.compress_type = zipfile.ZIP_DEFLATED
                with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as entry:
                    shutil.copyfileobj(source, entry)
    else:
        with target.open("wb") as raw, _outer(raw, packing) as out, tarfile.TarFile(fileobj=out, mode="w") as archive:
            for path in files:
                member = tarfile.TarInfo(path.name)
                member.size = path.stat().st_size
                with path.open("rb") as source:
                    archive.addfile(member, source)
    shutil.rmtree(folder)
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    target.with_name(f"{target.name}.sha256").write_text(f"{digest}  {target.name}\n")
    return target


def _outer(raw: io.BufferedWriter, packing: str) -> gzip.GzipFile | io.BufferedWriter:
    return gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if packing == "tgz" else raw
