"""What a delivery is packed in: folder, zip, tar, tar.gz, single .xml or .xml.gz (aaf.md 1.6).

Nothing is unpacked to disk: an :class:`Entry` is a name and a way to read its bytes again and again. Every byte that comes
out of a compressed file is counted against :class:`Limits`, whatever the archive says of itself.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

from ..errors import Refusal

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
NESTED = (*ARCHIVES, ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tbz2", ".txz", ".jar")
SLACK = 4 << 20
"""Bytes that may come out of any archive before the ratio counts: a small file may well be blank."""
BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error, EOFError, gzip.BadGzipFile, NotImplementedError)
"""What the unpacking of a damaged archive raises."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what comes out of one archive."""

    entries: int = 5000
    size: int = 20 << 30
    """Unpacked bytes: the largest academy delivers 4 to 5 GB (aaf.md section 8)."""
    ratio: int = 200
    """Unpacked bytes for one packed byte."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a delivery."""

    name: str
    """For messages, see :func:`label`."""
    path: str
    """Where it lies: names of folders and archives above it, from the operator's argument on. Tells complete from delta."""
    open: Callable[[], BinaryIO] | None
    """None for what is never read: links, special files, hidden files, which are those of other programs."""

    def stream(self) -> BinaryIO:
        """The bytes, from the start."""
        assert self.open is not None
        return self.open()


def label(name: str) -> str:
    """A file name for messages: it is written by a stranger and may hold anything."""
    return "".join(c if c.isprintable() else "?" for c in name)


@contextmanager
def unpack(paths: Iterable[Path], limits: Limits) -> Iterator[list[Entry]]:
    """The files of a delivery, folders and archives opened. Raises Refusal for what is hostile, broken or beyond the limits."""
    with ExitStack() as stack:
        yield [entry for path in paths for entry in _inside(path, limits, stack)]


def _inside(top: Path, limits: Limits, stack: ExitStack) -> list[Entry]:
    if not top.exists():
        raise Refusal(f"{label(str(top))}: no such file or folder")
    if not top.is_dir():
        return _file(top, top.name, limits, stack)
    found = []
    for path in _walk(top):
        place = f"{top.name}/{path.relative_to(top)}"
        lower = path.name.lower()
        if path.is_symlink() or not path.is_file() or path.name.startswith("."):
            found.append(Entry(label(path.name), place, None))
        elif lower.endswith(NESTED) and not lower.endswith(".xml.gz"):
            raise Refusal(f"{label(path.name)}: an archive inside a folder: give it by itself")
        else:
            found += _file(path, place, limits, stack)
    return found


def _walk(top: Path) -> list[Path]:
    walk = [(Path(folder), folders, names) for folder, folders, names in os.walk(top, onerror=_unreadable)]
    links = [folder / name for folder, folders, _ in walk for name in folders if (folder / name).is_symlink()]
    return sorted([*links, *(folder / name for folder, _, names in walk for name in names)])


def _unreadable(error: OSError) -> None:
    raise Refusal(f"{label(Path(str(error.filename)).name)}: cannot be read ({error.strerror}): nothing was changed") from None


def _file(path: Path, place: str, limits: Limits, stack: ExitStack) -> list[Entry]:
    if path.is_symlink() or not path.is_file():
        return [Entry(label(path.name), place, None)]
    lower = path.name.lower()
    try:
        if lower.endswith(".zip"):
            return _zip(path, place, limits, stack)
        if lower.endswith((".tar", ".tar.gz", ".tgz")):
            return _tar(path, place, limits, stack)
    except BROKEN:
        raise Refusal(f"{label(path.name)}: the archive is broken") from None
    except OSError as exc:
        raise Refusal(f"{label(path.name)}: cannot be read ({exc.strerror})") from None
    if lower.endswith(".gz"):
        return [Entry(label(path.name[:-3]), place[:-3], lambda: _gunzip(path, limits))]
    return [Entry(label(path.name), place, lambda: path.open("rb"))]


def _gunzip(path: Path, limits: Limits) -> BinaryIO:
    return io.BufferedReader(Counted(gzip.open(path, "rb"), path.stat().st_size, limits, label(path.name)))


class Counted(io.RawIOBase):
    """A stream that stops at the limits. A damaged stream is refused, too."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, packed: int, limits: Limits, name: str) -> None:
        self._stream = stream
        self._bound = min(limits.size, max(SLACK, packed * limits.ratio))
        self._name = name
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            found = self._stream.read(len(buffer))
        except BROKEN:
            raise Refusal(f"{self._name}: the archive is broken") from None
        self._read += len(found)
        if self._read > self._bound:
            raise Refusal(f"{self._name}: unpacks beyond the limits (size, or ratio of a decompression bomb): refused")
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        self._stream.close()
        super().close()


# Archives -------------------------------------------------------------------------------------------------------------


class _Checked:
    """The rules for the names in one archive, and its bounds as it declares them."""

    def __init__(self, archive: str, packed: int, limits: Limits) -> None:
        self._archive, self._limits = label(archive), limits
        self._bound = min(limits.size, max(SLACK, packed * limits.ratio))
        self._names: set[str] = set()
        self._size = 0

    def refuse(self, why: str) -> Refusal:
        return Refusal(f"{self._archive}: {why}: the archive is refused, nothing was changed")

    def name(self, written: str) -> str:
        """The name of an entry. Raises Refusal: absolute, ``..``, a second one of that name, an archive, one too many."""
        plain = written.replace("\\", "/")
        path = PurePosixPath(plain)
        if path.is_absolute() or ".." in path.parts or plain[1:2] == ":" or "\0" in plain:
            raise self.refuse(f"entry {label(written)!r} leads out of it")
        key = str(path).casefold()
        if key in self._names:
            raise self.refuse(f"two entries are named {label(written)!r}")
        self._names.add(key)
        if len(self._names) > self._limits.entries:
            raise self.refuse(f"more than {self._limits.entries} entries")
        if key.endswith(NESTED):
            raise self.refuse(f"entry {label(written)!r} is an archive")
        return str(path)

    def size(self, unpacked: int) -> None:
        """Count what an entry declares. Raises Refusal beyond the limits."""
        self._size += unpacked
        if unpacked < 0 or self._size > self._bound:
            raise self.refuse("unpacks beyond the limits (size, or ratio of a decompression bomb)")


def _zip(path: Path, place: str, limits: Limits, stack: ExitStack) -> list[Entry]:
    archive = stack.enter_context(zipfile.ZipFile(path))
    checked = _Checked(path.name, path.stat().st_size, limits)
    found = []
    for info in archive.infolist():
        name = checked.name(info.orig_filename.rstrip("/"))
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir():
            continue
        if kind not in (0, stat.S_IFREG):
            raise checked.refuse(f"entry {label(name)!r} is a link or a special file")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise checked.refuse(f"entry {label(name)!r} is encrypted or packed in an unusual way")
        checked.size(info.file_size)
        if info.file_size > max(SLACK, info.compress_size * limits.ratio):
            raise checked.refuse("unpacks beyond the limits (size, or ratio of a decompression bomb)")
        found.append(Entry(label(PurePosixPath(name).name), f"{place}/{name}", _zip_opener(archive, info, limits)))
    return found


def _zip_opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: Limits) -> Callable[[], BinaryIO]:
    name = label(PurePosixPath(info.filename).name)

    def opened() -> BinaryIO:
        try:
            return io.BufferedReader(Counted(archive.open(info), info.compress_size, limits, name))
        except (*BROKEN, RuntimeError):
            raise Refusal(f"{name}: the archive is broken") from None

    return opened


def _tar(path: Path, place: str, limits: Limits, stack: ExitStack) -> list[Entry]:
    packed = path.stat().st_size
    checked = _Checked(path.name, packed, limits)
    stream: Any = stack.enter_context(gzip.GzipFile(path, "rb") if path.name.lower().endswith("gz") else path.open("rb"))
    bounded: Any = _Bounded(stream, packed, limits, checked)
    archive = stack.enter_context(tarfile.TarFile(fileobj=bounded))
    found = []
    for member in archive:
        name = checked.name(member.name)
        if member.isdir():
            continue
        if not member.isreg() or member.issparse():
            raise checked.refuse(f"entry {label(name)!r} is a link or a special file")
        checked.size(member.size)
        found.append(Entry(label(PurePosixPath(name).name), f"{place}/{name}", _tar_opener(archive, member, path, limits)))
    return found


def _tar_opener(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path, limits: Limits) -> Callable[[], BinaryIO]:
    def opened() -> BinaryIO:
        stream = archive.extractfile(member)
        assert stream is not None  # a regular file
        return io.BufferedReader(Counted(stream, path.stat().st_size, limits, label(path.name)))

    return opened


class _Bounded:
    """The bytes of a tar file for :mod:`tarfile`, which may go back. No header may ask for much, nor reach beyond the limits."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, packed: int, limits: Limits, checked: _Checked) -> None:
        self._stream = stream
        self._bound = min(limits.size, max(SLACK, packed * limits.ratio))
        self._checked = checked
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= SLACK:
            raise self._checked.refuse("a header of it is absurdly large")
        found = self._stream.read(size)
        if self._stream.tell() > self._bound:
            raise self._checked.refuse("unpacks beyond the limits (size, or ratio of a decompression bomb)")
        return found
