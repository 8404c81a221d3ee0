"""The hardened reading of AAF files: bytes of a stranger in, well-formed and bounded XML elements out.

Three stages. :func:`inspect` looks at a file once, without a parser: prolog, header comments, encoding, entities. It refuses
what the rules refuse (aaf.md 1.2) before libxml2 sees a byte. :func:`_clean` gives the same text in UTF-8, HTML named
entities translated. :func:`requests` parses that stream and holds one request at a time.

libxml2 gets no DTD, no network, no entity resolution, and keeps its own limits on depth and sizes.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html.entities import name2codepoint
from itertools import chain
from typing import BinaryIO

from lxml import etree

from backends import Degree
from backends.sdet.academies import academy_code
from backends.sdet.causes import Cause
from backends.sdet.normalise import aaf_date
from backends.sdet.records import ONLY_PRIMARY, ONLY_SECONDARY, Category, Header

from ..errors import Refusal
from .packing import Entry

CHUNK = 1 << 18
HEAD = 1 << 16
REQUEST_MAX = 4 << 20
"""Bytes that may pass without a complete request: bounds the memory that one record can take (IM-03)."""

REQUESTS = ("addRequest", "modifyRequest", "deleteRequest")
ENCODINGS = {"utf-8": "utf-8", "us-ascii": "utf-8", "ascii": "utf-8"} | {
    name: name for name in ("iso-8859-1", "iso-8859-15", "windows-1252")
}
FALLBACK = "iso-8859-15"

_BLANK = rb"(?:\s|<!--(?:(?!--).)*-->|<\?(?!xml\s)(?:(?!\?>).)*\?>)*"
_DECLARATION = re.compile(rb"<\?xml\s(?:(?!\?>)[^<])*\?>")
_ENCODING = re.compile(rb"""\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_PROLOG = re.compile(_BLANK, re.DOTALL)
_DOCTYPE = re.compile(rb"""<!DOCTYPE\s+ficAlimMENESR\s+SYSTEM\s+(?:"ficAlimMENESR\.dtd"|'ficAlimMENESR\.dtd')\s*>""")
_ROOT = re.compile(rb"<([^\s/>]+)")
_COMMENT = re.compile(rb"""<!--\s*(\w+)\s*=\s*["']([^"']*)["']\s*-->""")
_REQUEST = re.compile(rb"<(?:add|modify|delete)Request\b")

_CATEGORY = re.compile(rb"""<attr\s+name=["']categorie\w+["']\s*>\s*<value>\s*(\w+)""")
_ATTRIBUTE = re.compile(rb"""<(?:attr|modification)\s[^<>]*?name=["'](\w+)["']""")

_REFERENCE = re.compile(rb"&(#?[0-9A-Za-z]+);")
_SUSPECT = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#(?!0)\d{3,4}|#[xX](?:[2-9A-Fa-f]|[1-9A-Fa-f][0-9A-Fa-f])[0-9A-Fa-f]);)")
_DOUBLE = re.compile(rb"&amp;#?[0-9A-Za-z]{2,10};")
_PREDEFINED = frozenset((b"amp", b"lt", b"gt", b"quot", b"apos"))
_DAMAGED = "\N{REPLACEMENT CHARACTER}".encode()


@dataclass(frozen=True, slots=True)
class Source:
    """A file of a delivery, looked at but not parsed."""

    entry: Entry
    size: int
    """Bytes, unpacked."""
    header: Header
    encoding: str
    """Codec that reads it; UTF-8 needs no translation."""
    has_doctype: bool
    has_entities: bool
    """Some reference is neither predefined nor a plain numeric one: they must be translated."""
    category: Category | None
    """Category of the first record, None when there is none."""
    degree: Degree | None
    """From the header, else from the attribute names of the first records (aaf.md section 6)."""
    anomalies: tuple[Cause, ...]
    """What concerns the whole file."""

    @property
    def name(self) -> str:
        """For messages."""
        return self.entry.name


def inspect(entry: Entry) -> Source:
    """Look at one file. Raises Refusal when it is no AAF export or breaks the safety rules (aaf.md 1.2, 1.4)."""
    try:
        with entry.stream() as file:
            return _inspect(entry, file, file.read(HEAD))
    except OSError as exc:
        raise Refusal(f"{entry.name}: cannot be read ({exc.strerror})") from None


def _inspect(entry: Entry, file: BinaryIO, start: bytes) -> Source:
    name, head = entry.name, start.removeprefix(codecs.BOM_UTF8)
    declared, has_doctype, body = _prolog(name, head)
    header, anomalies = _header(body)
    if not header.present:
        anomalies.append(Cause.header_missing)
    if not has_doctype:
        anomalies.append(Cause.doctype_missing)
    encoding = _codec(name, declared)
    if declared is None:
        anomalies.append(Cause.encoding_undeclared)
    size, is_utf8, has_entities, doubled = _scan(chain([start], _chunks(file)), encoding == "utf-8")
    if not is_utf8:
        encoding = FALLBACK
        anomalies.append(Cause.encoding_wrong)
    if doubled:
        anomalies.append(Cause.entity_escaped_twice)
    category, degree = _first_record(body)
    return Source(entry, size, header, encoding, has_doctype, has_entities, category, header.degree or degree, tuple(anomalies))


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _prolog(name: str, head: bytes) -> tuple[str | None, bool, bytes]:
    """Declared encoding, whether there is a DOCTYPE, and what follows the root tag. Raises Refusal."""
    if not head.strip():
        raise Refusal(f"{name}: the file is empty")
    declared, place = None, 0
    if declaration := _DECLARATION.match(head):
        place = declaration.end()
        if named := _ENCODING.search(declaration[0]):
            declared = named[1].decode("ascii").lower()
    place = _after(_PROLOG, head, place)
    has_doctype = head.startswith(b"<!", place)
    if has_doctype:
        doctype = _DOCTYPE.match(head, place)
        if doctype is None:
            raise Refusal(f'{name}: refused DOCTYPE; only <!DOCTYPE ficAlimMENESR SYSTEM "ficAlimMENESR.dtd"> is accepted')
        place = _after(_PROLOG, head, doctype.end())
    root = _ROOT.match(head, place)
    if root is None:
        raise Refusal(f"{name}: not an XML file")
    if root[1] != b"ficAlimMENESR":
        tag = root[1].decode("ascii", "replace")
        if "GAR" in tag.upper():
            raise Refusal(f"{name}: a GAR export is not an AAF delivery; nothing was changed")
        raise Refusal(f"{name}: not an AAF export (root element {tag[:40]!r} instead of 'ficAlimMENESR')")
    return declared, has_doctype, head[root.end() :]


def _after(pattern: re.Pattern[bytes], text: bytes, place: int) -> int:
    found = pattern.match(text, place)
    return found.end() if found else place


def _header(body: bytes) -> tuple[Header, list[Cause]]:
    """The comments between the root tag and the first request (aaf.md 1.3)."""
    first = _REQUEST.search(body)
    comments = _COMMENT.finditer(body, 0, first.start() if first else len(body))
    said = {found[1].decode("ascii", "replace"): found[2].decode("ascii", "replace").strip() for found in comments}
    anomalies: list[Cause] = []
    degree, exported_on = None, None
    if written := said.get("degre"):
        try:
            degree = Degree(written.upper())
        except ValueError:
            anomalies.append(Cause.header_unreadable)
    sdet = said.get("versionSDET", "")
    if degree is None and sdet.startswith("Annexe"):
        degree = Degree.PRIMARY if sdet.startswith("Annexe 1 ") else Degree.SECONDARY
    if written := said.get("dateGenerationExport"):
        exported_on = aaf_date(written)
        if exported_on is None:
            anomalies.append(Cause.header_unreadable)
    academy = None
    if written := said.get("codeAcademieExport"):
        academy = academy_code(written)
        if academy is None:
            anomalies.append(Cause.header_unreadable)
    return Header(said.get("versionAF", "")[:32], sdet[:64], academy, degree, exported_on), anomalies


def _first_record(body: bytes) -> tuple[Category | None, Degree | None]:
    """What the head of the file shows of its category and degree. Records are checked one by one when they are read."""
    found = _CATEGORY.search(body)
    names = {name.decode("ascii", "replace") for name in _ATTRIBUTE.findall(body)}
    category = next((c for c in Category if found and c.value == found[1].decode("ascii", "replace")), None)
    if bool(names & ONLY_PRIMARY) == bool(names & ONLY_SECONDARY):
        return category, None
    return category, Degree.PRIMARY if names & ONLY_PRIMARY else Degree.SECONDARY


def _codec(name: str, declared: str | None) -> str:
    encoding = ENCODINGS.get(declared or "utf-8")
    if encoding is None:
        raise Refusal(f"{name}: encoding {declared!r} is not accepted (UTF-8, ISO-8859-1 or ISO-8859-15)")
    return encoding


def _scan(chunks: Iterable[bytes], expect_utf8: bool) -> tuple[int, bool, bool, bool]:
    """How many bytes there are, whether they are UTF-8 (when they should be), and whether they hold suspect or double-escaped
    references."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    size, is_utf8, suspect, doubled, tail = 0, True, False, False, b""
    for chunk in chunks:
        size += len(chunk)
        if expect_utf8 and is_utf8 and not (chunk.isascii() and decoder.getstate()[0] == b""):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                is_utf8 = False
        window = tail + chunk
        if not suspect and b"&" in window:
            complete, tail = _split(window)
            suspect = _SUSPECT.search(complete) is not None
            doubled = doubled or _DOUBLE.search(complete) is not None
        else:
            tail = b""
    return size, is_utf8 and not decoder.getstate()[0], suspect or _SUSPECT.search(tail) is not None, doubled


def _split(window: bytes) -> tuple[bytes, bytes]:
    """Cut before a reference that may go on in the following chunk; no reference that counts is longer than 48 bytes."""
    place = window.rfind(b"&", max(0, len(window) - 48))
    return (window, b"") if place < 0 or b";" in window[place:] else (window[:place], window[place:])


def _clean(source: Source) -> Iterator[bytes]:
    """The bytes of the file in UTF-8, without byte order mark, references translated once."""
    decoder = codecs.getincrementaldecoder(source.encoding)("replace") if source.encoding != "utf-8" else None
    tail, first = b"", True
    with source.entry.stream() as file:
        for raw in _chunks(file):
            chunk = raw.removeprefix(codecs.BOM_UTF8) if first else raw
            first = False
            if decoder:
                chunk = decoder.decode(chunk).encode()
            if source.has_entities:
                chunk, tail = _split(tail + chunk)
                chunk = _REFERENCE.sub(_translate, chunk)
            yield chunk
    if tail:
        yield _REFERENCE.sub(_translate, tail)


def _translate(found: re.Match[bytes]) -> bytes:
    """A reference as characters; what no character stands for becomes the mark of damage that isolates the record."""
    name = found[1]
    if name in _PREDEFINED:
        return found[0]
    if not name.startswith(b"#"):
        number = name2codepoint.get(name.decode("ascii"))
        return chr(number).encode() if number else _DAMAGED
    try:
        number = int(name[2:], base=16) if name[1:2] in b"xX" else int(name[1:])
    except ValueError:
        return found[0]
    allowed = number in (9, 10, 13) or 0x20 <= number < 0xD800 or 0xE000 <= number < 0xFFFE or 0x10000 <= number < 0x110000
    return found[0] if allowed else _DAMAGED


def requests(source: Source, progress: Callable[[int], None], strange: Callable[[str, int], None]) -> Iterator[etree._Element]:
    """Every request element of the file, complete, one at a time; it is emptied when the next one is asked for.

    ``progress`` gets the number of bytes of each chunk, ``strange`` the name and line of an element that is no request.
    Raises Refusal with the line when the XML is not well-formed or a request is out of bounds.
    """
    parser = etree.XMLPullParser(
        events=("end",), tag=REQUESTS, encoding="utf-8", load_dtd=False, no_network=True, resolve_entities=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    since = 0
    try:
        for chunk in _clean(source):
            parser.feed(chunk)
            since += len(chunk)
            for event in parser.read_events():
                element: etree._Element = event[1]  # type: ignore[assignment]
                since = 0
                yield element
                element.clear()
                _forget_before(element, strange)
            if since > REQUEST_MAX:
                raise Refusal(f"{source.name}: a single request is larger than {REQUEST_MAX >> 20} MB")
            progress(len(chunk))
        root = parser.close()
        for element in root.iterchildren():
            if element.tag not in REQUESTS:
                strange(str(element.tag), line_of(element))
    except etree.XMLSyntaxError as exc:
        raise Refusal(f"{source.name}, line {exc.lineno}: the XML is not well-formed or the file is truncated") from None
    except OSError as exc:
        raise Refusal(f"{source.name}: cannot be read ({exc.strerror})") from None


def line_of(element: etree._Element) -> int:
    """Line of the element in its file."""
    line: int = element.sourceline or 0  # type: ignore[assignment]
    return line


def _forget_before(element: etree._Element, strange: Callable[[str, int], None]) -> None:
    """Drop what precedes a request that was read: memory stays flat."""
    parent = element.getparent()
    while parent is not None and (former := element.getprevious()) is not None:
        if former.tag not in REQUESTS:
            strange(str(former.tag), line_of(former))
        parent.remove(former)
