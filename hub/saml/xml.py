"""The only reader of protocol messages and metadata: one parser, small caps, nothing fetched, nothing truncated.

What it refuses is refused for everybody: a second parser with other habits would open a gap between what is verified
and what is read (security.md section 3, RS-22 to RS-24).
"""

from __future__ import annotations

import re

from lxml import etree

from .messages import MessageRefused

MAX_MESSAGE = 128 * 1024
"""Bytes of a decoded message: a signed request is about 4 kB, an encrypted response about 20 kB."""
MAX_DEPTH = 32
MAX_ELEMENTS = 2_000
MAX_ATTRIBUTES = 64
"""Attributes of one element, namespace declarations not included."""

MAX_NAMESPACES = 64
"""Namespace declarations of a message: canonicalisation weighs each of them at each element."""

_DECLARATION = re.compile(rb"\A<\?xml\s")
_DECLARED_ENCODING = re.compile(rb"""\A<\?xml[^>]*?\sencoding\s*=\s*["']([^"']*)["']""")
_FORBIDDEN_CHARACTERS = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _refused(detail: str) -> MessageRefused:
    return MessageRefused("malformed_message", detail)


def parse(data: bytes, *, max_bytes: int = MAX_MESSAGE, max_elements: int = MAX_ELEMENTS) -> etree._Element:
    """Read a document and return its root.

    Accepted: UTF-8, with or without a byte order mark and an XML declaration that says so. Comments vanish, so that
    they never cut a text in two (RQ-43). Refused: more than ``max_bytes``, any DOCTYPE, entity or processing
    instruction, and trees deeper or larger than the caps of this module (RQ-39 to RQ-41, RQ-44).

    Raises :class:`MessageRefused` (``malformed_message``).
    """
    if len(data) > max_bytes:
        raise _refused(f"more than {max_bytes} bytes")
    data = data.removeprefix(b"\xef\xbb\xbf")
    _check_bytes(data)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as exc:
        raise _refused(f"not well-formed: {str(exc)[:200]!r}") from None
    _check_tree(root, max_elements)
    return root


def _check_bytes(data: bytes) -> None:
    """What can be told before parsing. In UTF-8, ``<`` stands for itself: a search of the bytes misses no markup."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise _refused("not UTF-8") from None
    declared = _DECLARED_ENCODING.match(data)
    if declared and declared[1].lower() != b"utf-8":
        raise _refused(f"declared encoding {declared[1][:40]!r}")
    if data.count(b"xmlns") > MAX_NAMESPACES:
        raise _refused(f"more than {MAX_NAMESPACES} namespace declarations")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise _refused("DOCTYPE")
    if data.find(b"<?", 5 if _DECLARATION.match(data) else 0) >= 0:
        raise _refused("processing instruction")


def _check_tree(root: etree._Element, max_elements: int) -> None:
    seen = 0
    level = [root]
    for _ in range(MAX_DEPTH):
        following: list[etree._Element] = []
        for element in level:
            if not isinstance(element.tag, str):
                raise _refused("something else than elements and text")
            if len(element.attrib) > MAX_ATTRIBUTES:
                raise _refused(f"more than {MAX_ATTRIBUTES} attributes")
            following.extend(element)
        seen += len(level)
        if seen > max_elements:
            raise _refused(f"more than {max_elements} elements")
        if not following:
            return
        level = following
    raise _refused(f"more than {MAX_DEPTH} levels")


def text(element: etree._Element) -> str:
    """The whole text of a simple element, white space around it removed.

    Raises :class:`MessageRefused` when it holds elements: their text must be neither lost nor joined.
    """
    if len(element):
        raise _refused(f"elements inside {etree.QName(element).localname}")
    return (element.text or "").strip(" \t\r\n")


def clean(value: str) -> str:
    """The value without the characters that XML 1.0 forbids: they are dropped, everything else stays (RQ-80)."""
    return value if value.isprintable() else _FORBIDDEN_CHARACTERS.sub("", value)


def to_bytes(element: etree._Element) -> bytes:
    """UTF-8, without declaration nor what follows the element. Every namespace in use is declared inside."""
    return etree.tostring(element, encoding="UTF-8", xml_declaration=False, with_tail=False)
