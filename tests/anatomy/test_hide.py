"""What is shown of a journey tells no secret, wherever a server repeats it."""

from __future__ import annotations

import base64

import msgspec
import pytest

from pellucid.anatomy.hide import without_secrets
from pellucid.journey import (
    Body,
    CookieFate,
    Early,
    Initiator,
    Inside,
    InsideSpan,
    Journey,
    Note,
    Received,
    Sent,
    Visit,
)

SECRETS = ("s3cret-pass", "tok-12345", "sess-abcdef", "set-cookie-value", "api-key-77", "form pass")


def journey() -> Journey:
    basic = base64.b64encode(b"ann:s3cret-pass").decode()
    visit = Visit(
        0,
        "https://ann:s3cret-pass@shop.example/?token=tok-12345&page=2",
        "POST",
        "document",
        Initiator(None, "user", "typed"),
        0,
        request=Sent(
            "/?token=tok-12345&page=2",
            [("Authorization", f"Basic {basic}"), ("Cookie", "a=sess-abcdef; theme=x"), ("X-API-Key", "api-key-77")],
            f"POST / HTTP/1.1\r\nAuthorization: Basic {basic}\r\nCookie: a=sess-abcdef; theme=x\r\n\r\n".encode(),
            b"name=ann&password=form+pass&page=2",
        ),
        early=[Early(1, 103, [("set-cookie", "s=set-cookie-value; Path=/")])],
        received=Received(
            302,
            "Found",
            "1.1",
            [("set-cookie", "s=set-cookie-value; HttpOnly"), ("location", "/next?token=tok-12345")],
            b"HTTP/1.1 302 Found\r\nset-cookie: s=set-cookie-value; HttpOnly\r\n\r\n",
        ),
        redirected_to="https://shop.example/next?token=tok-12345",
        cookies=[CookieFate("a", "sess-abcdef", "sent", "It was sent: sess-abcdef fits")],
        notes=[Note("redirect", "info", "Went on to https://shop.example/next?token=tok-12345 for ann")],
        body=Body(kept=b"<p>Your key is api-key-77, page 2</p>"),
        inside=Inside("1", [InsideSpan("sql", 1, 2, 0, {"sql": "SELECT 1", "values": ["form pass", 7]})]),
    )
    return Journey("ann:s3cret-pass@shop.example", visit.url, "https://shop.example/", 1.0, 0, "t", visits=[visit])


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_is_left_anywhere(secret: str) -> None:
    told = msgspec.json.encode(msgspec.to_builtins(without_secrets(journey()), builtin_types=(bytes,))).decode("utf-8", "replace")
    raw = repr(without_secrets(journey()))
    assert secret not in raw
    assert secret not in told
    assert base64.b64encode(b"ann:s3cret-pass").decode() not in raw


def test_what_is_no_secret_stays_legible() -> None:
    shown = without_secrets(journey())
    visit = shown.visits[0]
    assert visit.url == "https://shop.example/?token=***&page=2"
    assert visit.request is not None
    assert visit.request.headers[0] == ("Authorization", "Basic ***")
    assert visit.request.headers[1] == ("Cookie", "a=***; theme=***")
    assert b"Cookie: a=***; theme=***\r\n" in visit.request.head
    assert visit.received is not None
    assert visit.received.headers[0] == ("set-cookie", "s=***; HttpOnly")
    assert visit.cookies[0].name == "a"
    assert visit.body.kept == b"<p>Your key is ***, page 2</p>"
    assert visit.request.body.startswith(b"name=ann&password=")


def test_the_journey_itself_is_left_as_it_was() -> None:
    whole = journey()
    before = repr(whole)
    without_secrets(whole)
    assert repr(whole) == before


def test_a_short_secret_does_not_take_half_of_the_text_with_it() -> None:
    note = Note("x", "info", "1 of 11")
    visit = Visit(0, "https://a.example/?pin=1&token=1", "GET", "document", Initiator(None, "user"), 0, notes=[note])
    shown = without_secrets(Journey("a", visit.url, visit.url, 1.0, 0, "t", visits=[visit]))
    assert shown.visits[0].url == "https://a.example/?pin=1&token=***"
    assert shown.visits[0].notes[0].message == "1 of 11"


def test_a_token_in_a_fragment_is_a_secret() -> None:
    """As OAuth's implicit grant brings it (RFC 6749, section 4.2.2)."""
    url = "https://shop.example/?page=2#access_token=fragment-9&state=x"
    shown = msgspec.json.encode(without_secrets(Journey(url, url, url, 1.0, 0, "t")))
    assert b"fragment-9" not in shown
    assert b"page=2#access_token=***&state=x" in shown
