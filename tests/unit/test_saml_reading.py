"""The parser of messages, dates, and the two bindings."""

from __future__ import annotations

import base64
import time
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote_plus, unquote

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from hub.saml import bindings, crypto, xml
from hub.saml.instants import format_instant, parse_instant
from hub.saml.messages import MessageRefused
from tests.saml_hub import pair
from tests.saml_kit import deflate, make_key

# XML ------------------------------------------------------------------------------------------------------------------


def refused(document: str | bytes) -> str:
    with pytest.raises(MessageRefused) as caught:
        xml.parse(document.encode() if isinstance(document, str) else document)
    assert caught.value.code == "malformed_message"
    return caught.value.detail


def test_a_plain_document_is_parsed() -> None:
    """The control of the refusals below."""
    root = xml.parse('<?xml version="1.0" encoding="UTF-8"?>\n<a b="é">x<c/>y</a>'.encode())
    assert (root.tag, root.get("b"), len(root)) == ("a", "é", 1)


@pytest.mark.covers("RQ-39", "RQ-41")
@pytest.mark.parametrize(
    "prologue",
    [
        "<!DOCTYPE a>",
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
        '<!DOCTYPE a PUBLIC "-//x" "file:///etc/passwd">',
        '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY % e SYSTEM "http://127.0.0.1:9/"> %e;]>',
        '<?xml version="1.0"?><!DOCTYPE a>',
        " <!DOCTYPE a>",
    ],
)
def test_no_document_type_is_accepted(prologue: str) -> None:
    """With or without entities."""
    refused(f"{prologue}<a/>")


@pytest.mark.covers("RQ-39")
def test_undeclared_entities_are_not_well_formed() -> None:
    """The five of XML itself are."""
    refused("<a>&e;</a>")
    assert xml.parse(b"<a>&lt;&amp;&#233;</a>").text == "<&é"


@pytest.mark.covers("RQ-40")
@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><a>&b;</a>',
        "<a " + " ".join(f'x{i}=""' for i in range(100_000)) + "/>",
        "<a " + " ".join(f'x{i}=""' for i in range(8_000)) + "/>",
        "<a>" * 10_000 + "</a>" * 10_000,
        "<a>" * 33 + "</a>" * 33,
        f"<a>{'x' * 2_000_000}</a>",
        f"<a b='{'x' * 2_000_000}'/>",
        "<a>" + "<b/>" * 2_001 + "</a>",
        "<a" + "a" * 100_000,
        "<a " + " ".join(f'xmlns:x{i}="urn:{i}"' for i in range(5_000)) + "/>" * 2,
    ],
    ids=["laughs", "attributes", "some attributes", "levels", "33 levels", "text", "value", "elements", "name", "namespaces"],
)
def test_a_document_made_to_exhaust_is_refused_quickly(document: str) -> None:
    """Small caps before, while and after parsing."""
    start = time.process_time()
    refused(document)
    assert time.process_time() - start < 1


@pytest.mark.covers("RQ-40")
def test_documents_at_the_caps_are_accepted() -> None:
    """The refusals above come from the caps."""
    xml.parse(("<a>" * 32 + "</a>" * 32).encode())
    xml.parse(("<a " + " ".join(f'x{i}=""' for i in range(64)) + "/>").encode())
    xml.parse(("<a>" + "<b/>" * 1_999 + "</a>").encode())
    xml.parse(f"<a>{'x' * (xml.MAX_MESSAGE - 7)}</a>".encode())


@pytest.mark.covers("RQ-43")
def test_text_is_never_cut() -> None:
    """Comments and CDATA leave the whole text; instructions and elements are refused."""
    assert xml.text(xml.parse(b"<a> ad<!-- x -->min<!-- y -->.evil </a>")) == "admin.evil"
    assert xml.text(xml.parse(b"<a>ad<![CDATA[min]]>.evil</a>")) == "admin.evil"
    assert xml.text(xml.parse(b"<a/>")) == ""
    for document in ("<a>x<?y z?></a>", "<?y z?><a/>", "<a/><?y z?>", "<?xml-stylesheet href='x'?><a/>"):
        assert refused(document) == "processing instruction"
    with pytest.raises(MessageRefused):
        xml.text(xml.parse(b"<a>x<b/></a>"))


@pytest.mark.covers("RQ-44")
@pytest.mark.parametrize(
    "document",
    [
        "<a>é</a>".encode("utf-16"),
        "<a>é</a>".encode("utf-16-be"),
        "<a>é</a>".encode("utf-32"),
        "<a>é</a>".encode("latin-1"),
        b'<?xml version="1.0" encoding="UTF-7"?><a/>',
        b'<?xml version="1.0" encoding="UTF-16"?><a/>',
        b'<?xml version="1.0" encoding = "latin1" ?><a/>',
        b"<?xml version='1.0' encoding='cp037'?><a/>",
        b"<a>\0</a>",
        b"<a>\x01</a>",
        b"<a>\xed\xa0\x80</a>",
        b"<a>\xc0\xbc</a>",
        b"",
    ],
)
def test_another_encoding_is_refused(document: bytes) -> None:
    """UTF-8 is the one encoding of messages."""
    refused(document)


@pytest.mark.covers("RQ-44")
@pytest.mark.parametrize("prologue", ["\ufeff", '<?xml version="1.0" encoding="utf-8"?>', '\ufeff<?xml version="1.0"?>'])
def test_utf8_is_read_however_it_is_announced(prologue: str) -> None:
    """With a mark, with a declaration, with both."""
    assert xml.parse(f"{prologue}<a>é</a>".encode()).text == "é"


@settings(deadline=None)
@given(st.text())
def test_clean_text_can_always_be_written(value: str) -> None:
    """Whatever the text, what is kept survives a round trip; plain text is kept whole."""
    element = etree.Element("a")
    element.text = xml.clean(value)
    assert (xml.parse(xml.to_bytes(element), max_bytes=10_000_000).text or "") == element.text
    if value.isprintable():
        assert xml.clean(value) == value


# Dates ----------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(9999, 12, 31), timezones=st.just(UTC)))
def test_a_date_that_is_written_is_read_back(moment: datetime) -> None:
    """To the second."""
    assert parse_instant(format_instant(moment)) == moment.replace(microsecond=0)


@pytest.mark.covers("RQ-32")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-25T10:00:00Z", datetime(2026, 11, 25, 10, tzinfo=UTC)),
        ("2026-11-25T10:00:00", datetime(2026, 11, 25, 10, tzinfo=UTC)),
        ("2026-11-25T10:00:00+01:00", datetime(2026, 11, 25, 9, tzinfo=UTC)),
        ("2026-11-25T10:00:00-01:30", datetime(2026, 11, 25, 11, 30, tzinfo=UTC)),
        ("2026-11-25T10:00:00.5Z", datetime(2026, 11, 25, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-25T10:00:00.123456789012345678901234567890Z", datetime(2026, 11, 25, 10, 0, 0, 123_456, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_the_spellings_of_a_date_are_understood(text: str, expected: datetime) -> None:
    """What services send."""
    assert parse_instant(text) == expected


@pytest.mark.covers("RQ-32")
@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "2026-11-25", "2026-11-25 10:00:00", "2026-11-25t10:00:00z", "2026-11-25T10:00:00Z\0"),
        *("99999-01-01T00:00:00Z", "-2026-11-25T10:00:00Z", "٢٠٢٦-11-25T10:00:00Z"),
        *("2026-13-01T00:00:00Z", "2026-11-25T24:00:01Z", "2026-11-25T10:00:61Z"),
        *("2026-11-25T10:00:00+15:00", "2026-11-25T10:00:00+01:60"),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"),
    ],
)
def test_what_is_not_a_date_gives_nothing(text: str) -> None:
    """Without an error."""
    assert parse_instant(text) is None


# Bindings -------------------------------------------------------------------------------------------------------------

MESSAGE = "<a>message</a>"
PACKED = quote_plus(deflate(MESSAGE))
PLAIN = base64.b64encode(MESSAGE.encode()).decode()


def redirect_refused(query: str) -> str:
    with pytest.raises(MessageRefused) as caught:
        bindings.decode_redirect(query)
    return caught.value.detail


def post_refused(form: list[tuple[str, str]], query: str = "") -> str:
    with pytest.raises(MessageRefused) as caught:
        bindings.decode_post(form, query)
    return caught.value.detail


def test_both_bindings_give_the_message_back() -> None:
    """With RelayState, without, and among unknown parameters."""
    assert bindings.decode_redirect(f"x=1&SAMLRequest={PACKED}") == bindings.Decoded(MESSAGE.encode(), None)
    assert bindings.decode_redirect(f"SAMLRequest={PACKED}&RelayState=a+b%26&x").relay_state == "a b&"
    assert bindings.decode_post([("SAMLRequest", PLAIN), ("RelayState", "a+b"), ("x", "")], "lang=fr").relay_state == "a+b"
    assert bindings.decode_redirect(f"SAMLResponse={PACKED}", "SAMLResponse").xml == MESSAGE.encode()


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=2_000), st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\0"))))
def test_what_is_encoded_is_decoded(message: bytes, relay_state: str | None) -> None:
    """By Redirect, whatever the address, signed or not."""
    key = crypto.private_key(pair(make_key("hub")))
    for address in ("https://idp.example.fr/sso", "https://idp.example.fr/sso?x=1&SAMLResponse%26"):
        url = bindings.encode_redirect(address, message, relay_state=relay_state, key=key)
        assert url.startswith(address)
        query = url[len(address) + 1 :]
        assert bindings.decode_redirect(query) == bindings.Decoded(message, relay_state)
        crypto.verify_query(bindings.raw_parameters(query), [make_key("hub").certificate])


@pytest.mark.covers("RQ-22")
@pytest.mark.parametrize("state", ["&SAMLResponse=evil", "%26SAMLResponse%3Devil", "x#y", "a+b=c&d", "?x&SigAlg=evil"])
def test_no_parameter_slips_into_what_the_hub_emits(state: str) -> None:
    """A RelayState, or an address that has a query of its own, adds nothing to the message."""
    url = bindings.encode_redirect("https://sp.example.fr/slo?next=%26SAMLResponse%3Devil", b"<a/>", relay_state=state)
    found = bindings.raw_parameters(url.partition("?")[2])
    assert set(found) == {"SAMLRequest", "RelayState"}
    assert unquote(found["RelayState"]) == state


def test_an_elliptic_query_signature_is_verified_in_both_spellings() -> None:
    """DER, as most libraries write it, or both numbers side by side, as XML Signature does."""
    key = crypto.private_key(pair(make_key("curve", "p256")))
    query = crypto.sign_query("SAMLRequest=x", key)
    found = bindings.raw_parameters(query)
    crypto.verify_query(found, [make_key("curve", "p256").certificate])
    r, s = decode_dss_signature(base64.b64decode(unquote(found["Signature"])))
    found["Signature"] = quote_plus(base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode())
    crypto.verify_query(found, [make_key("curve", "p256").certificate])
    found["Signature"] = quote_plus(base64.b64encode(r.to_bytes(32, "big") + (s ^ 1).to_bytes(32, "big")).decode())
    with pytest.raises(MessageRefused):
        crypto.verify_query(found, [make_key("curve", "p256").certificate])


@pytest.mark.covers("RQ-16")
def test_signature_and_algorithm_come_together() -> None:
    """One without the other is refused, both or none are read."""
    base = f"SAMLRequest={PACKED}"
    for query in (f"{base}&Signature=x", f"{base}&SigAlg=x", f"{base}&SigAlg=", f"{base}&Signature="):
        assert redirect_refused(query) == "Signature without SigAlg, or the reverse"
    bindings.decode_redirect(f"{base}&SigAlg=x&Signature=y")


@pytest.mark.covers("RQ-19")
@pytest.mark.parametrize("name", ["SAMLRequest", "RelayState", "SigAlg", "Signature"])
def test_a_parameter_comes_once(name: str) -> None:
    """Twice, or once more under another spelling, is refused: readers would pick different ones."""
    query = f"SAMLRequest={PACKED}&RelayState=r&SigAlg=a&Signature=s"
    value = dict(part.split("=", 1) for part in query.split("&"))[name]
    encoded = f"%{ord(name[0]):02x}{name[1:]}"
    for extra in (f"{name}={value}", f"{name}=evil", f"{name}=", name, f"{encoded}=evil"):
        assert "twice" in redirect_refused(f"{query}&{extra}")
        assert "twice" in redirect_refused(f"{extra}&{query}")
    assert "spelling" in redirect_refused(query.replace(f"{name}=", f"{encoded}="))
    bindings.decode_redirect(query)
    bindings.decode_redirect(f"{query}&{name.lower()}=ignored")


@pytest.mark.covers("RQ-19")
def test_a_form_field_comes_once() -> None:
    """As in the query string."""
    form = [("SAMLRequest", PLAIN), ("RelayState", "r")]
    for name, value in form:
        assert "twice" in post_refused([*form, (name, value)])
        assert "twice" in post_refused([(name, "evil"), *form])
    bindings.decode_post(form)


@pytest.mark.covers("RQ-20")
def test_a_request_and_a_response_never_come_together() -> None:
    """Whichever is asked for."""
    both = f"SAMLRequest={PACKED}&SAMLResponse={PACKED}"
    assert redirect_refused(both) == "SAMLRequest together with SAMLResponse"
    post_refused([("SAMLRequest", PLAIN), ("SAMLResponse", PLAIN)])
    post_refused([("SAMLResponse", PLAIN)])


@pytest.mark.covers("RQ-21")
@pytest.mark.parametrize("query", ["RelayState=r", "SAMLRequest=x", "SAMLResponse=x", "SigAlg=a&Signature=s", "%53AMLRequest=x"])
def test_the_address_of_a_form_carries_no_saml_parameter(query: str) -> None:
    """Nothing is assembled from two places."""
    post_refused([("SAMLRequest", PLAIN)], query)
    bindings.decode_post([("SAMLRequest", PLAIN)], "lang=fr")


@pytest.mark.covers("RQ-36")
def test_a_deflate_bomb_is_refused_without_memory() -> None:
    """Forty megabytes in a query, one megabyte in one kilobyte, a bomb inside of a bomb."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = b"\0" * 1_000_000
    bomb = b"".join(packer.compress(block) for _ in range(40)) + packer.flush()
    small = zlib.compressobj(9, zlib.DEFLATED, -15)
    one = small.compress(block) + small.flush()
    nested = zlib.compressobj(9, zlib.DEFLATED, -15)
    twice = nested.compress(bomb) + nested.flush()
    tracemalloc.start()
    try:
        for data in (bomb, one):
            redirect_refused("SAMLRequest=" + quote_plus(base64.b64encode(data).decode()))
        with pytest.raises(MessageRefused):
            xml.parse(bindings.decode_redirect("SAMLRequest=" + quote_plus(base64.b64encode(twice).decode())).xml)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    largest = quote_plus(deflate(b"x" * xml.MAX_MESSAGE))
    assert len(bindings.decode_redirect(f"SAMLRequest={largest}").xml) == xml.MAX_MESSAGE


@pytest.mark.covers("RQ-38")
def test_a_form_is_never_inflated() -> None:
    """What is deflated is not XML."""
    with pytest.raises(MessageRefused):
        xml.parse(bindings.decode_post([("SAMLRequest", deflate(MESSAGE))]).xml)


@pytest.mark.covers("RQ-45")
@pytest.mark.parametrize(
    "value",
    [
        "",
        "%",
        "not base64 !",
        "AAA",
        "AAAA====",
        quote_plus(PACKED),
        base64.urlsafe_b64encode(b"\xff\xfe\xfd" * 20).decode(),
        quote_plus(base64.b64encode(b"not deflated").decode()),
        quote_plus(base64.b64encode(base64.b64decode(deflate(MESSAGE))[:-3]).decode()),
        quote_plus(base64.b64encode(base64.b64decode(deflate(MESSAGE)) + b"trailing").decode()),
        quote_plus(base64.b64encode(zlib.compress(MESSAGE.encode())).decode()),
        "%ff%fe",
        "A" * 70_000,
        "é",
    ],
)
def test_a_damaged_message_is_refused(value: str) -> None:
    """Cleanly: cut, lengthened, encoded twice, of another alphabet."""
    redirect_refused(f"SAMLRequest={value}")


@pytest.mark.covers("RQ-45")
def test_line_feeds_inside_of_base64_are_tolerated() -> None:
    """Some encoders fold their lines."""
    folded = "\r\n".join(deflate(MESSAGE)[i : i + 8] for i in range(0, len(deflate(MESSAGE)), 8)) + "\n"
    assert bindings.decode_redirect(f"SAMLRequest={quote_plus(folded)}").xml == MESSAGE.encode()
    assert bindings.decode_post([("SAMLRequest", f"{PLAIN[:4]}\n{PLAIN[4:]}\r\n")]).xml == MESSAGE.encode()
    post_refused([("SAMLRequest", f"{PLAIN[:4]} {PLAIN[4:]}")])


@pytest.mark.covers("RQ-48")
def test_a_relay_state_that_cannot_travel_back_is_refused() -> None:
    """NUL and what is not UTF-8; everything else is kept."""
    for state in ("%00", "a%00b", "%ff", "%ed%a0%80"):
        redirect_refused(f"SAMLRequest={PACKED}&RelayState={state}")
    post_refused([("SAMLRequest", PLAIN), ("RelayState", "\ud800")])
    assert bindings.decode_redirect(f"SAMLRequest={PACKED}&RelayState=%F0%9F%98%80%0d%0a").relay_state == "😀\r\n"


def test_a_date_is_written_in_utc_whatever_its_zone() -> None:
    """Ten o'clock in Paris in winter is nine."""
    moment = datetime(2026, 11, 25, 10, tzinfo=timezone(timedelta(hours=1)))
    assert format_instant(moment) == "2026-11-25T09:00:00Z"
