"""Journeys made by hand, for the drawings: a shop that is found by walking from the root, and smaller ones that go wrong.

Instants are written in milliseconds here.
"""

from __future__ import annotations

from pellucid.journey import (
    Attempt,
    Body,
    Certificate,
    Connection,
    Failure,
    Hop,
    Initiator,
    Inside,
    InsideSpan,
    Journey,
    Kernel,
    Kind,
    Lookup,
    Received,
    Sent,
    Timing,
    Tls,
    Visit,
)

BEGAN = 1_800_000_000.0
DAY = 86_400.0


def ms(value: float) -> int:
    """Milliseconds as an instant."""
    return round(value * 1e6)


def visit(
    id: int,
    url: str,
    kind: Kind = "document",
    times: tuple[float, float, float, float, float] = (0, 0, 0.2, 5, 6),
    *,
    by: int | None = None,
    what: str = "",
    status: int = 200,
    size: int = 1000,
    **more: object,
) -> Visit:
    """A visit from (discovered, ready, sent, first byte, last byte) in milliseconds."""
    discovered, ready, sent, first, last = map(ms, times)
    redirect = more.pop("redirect", None)
    how = "redirect" if redirect is not None else "user" if by is None else "style" if kind == "font" else "parser"
    initiator = Initiator(by if redirect is None else redirect, how, what)  # type: ignore[arg-type]
    fields: dict[str, object] = {
        "connection": 1,
        "reused": True,
        "queued_until": ready,
        "connection_ready": ready,
        "sent_first": ready,
        "sent_last": sent,
        "first_byte": first,
        "last_byte": last,
        "finished": last,
        "request": Sent("/", []),
        "received": Received(status, {200: "OK", 301: "Moved Permanently", 404: "Not Found"}.get(status, ""), "1.1", []),
        "body": Body(framing="length", wire=size, coded=size, decoded=size),
        **more,
    }
    return Visit(id, url, "GET", kind, initiator, discovered, **fields)  # type: ignore[arg-type]


def journey(visits: list[Visit], **more: object) -> Journey:
    """A journey of visits."""
    url = visits[0].url if visits else "http://shop.example/"
    fields: dict[str, object] = {"connections": [connection(1, 0)], **more}
    return Journey(url, url, url, BEGAN, 0, "0" * 32, visits=visits, **fields)  # type: ignore[arg-type]


def connection(id: int, at: float, host: str = "shop.example", scheme: str = "http") -> Connection:
    """A connection to a literal address that was there at once."""
    port = 443 if scheme == "https" else 80
    attempt = Attempt("203.0.113.5", port, ms(at), ms(at + 0.5), "won")
    return Connection(id, scheme, host, port, ms(at), connected=ms(at + 0.5), ready=ms(at + 0.5), attempts=[attempt])


def certificate(days: float) -> Certificate:
    """A leaf with so many days left."""
    return Certificate(
        "CN=shop.example", "CN=Example CA", ["shop.example"], BEGAN - 49 * DAY, BEGAN + days * DAY + 60, "01", "EC P-256",
        "ECDSA with SHA-256", "ab" * 32, False, 900,
    )  # fmt: skip


def hop(server: str, zone: str, began: float, ended: float, outcome: str = "referral") -> Hop:
    """A question of a walk."""
    return Hop("pellucid.shop.", "A", server, None, zone, "udp", ms(began), ms(ended), outcome, "")  # type: ignore[arg-type]


def orders() -> Inside:
    """The inside of the shop's page: one statement of nine milliseconds and one that ran eight times."""
    began = 33.0
    plan = ["SEARCH orders USING INDEX orders_buyer (buyer=?)"]
    text = 'SELECT "orders"."id", "orders"."placed"\nFROM "orders" WHERE "orders"."buyer" = ? LIMIT ?'
    line = 'SELECT "line"."id" FROM "line" WHERE "line"."order" = ?'
    spans = [
        InsideSpan("accept", ms(began), ms(0.1)),
        InsideSpan("parse", ms(began + 0.1), ms(0.3)),
        InsideSpan("route", ms(began + 0.4), ms(0.6)),
        InsideSpan("identify", ms(began + 1.0), ms(2.2)),
        InsideSpan("sql", ms(began + 3.2), ms(9.2), 0, {"sql": text, "rows": 20, "plan": plan}),
    ]
    for number in range(8):
        detail = {"sql": line, "rows": 3, "plan": ["SCAN line"]}
        spans.append(InsideSpan("sql", ms(began + 12.4 + number * 0.4), ms(0.35), 0, detail))
    spans += [InsideSpan("encode", ms(began + 15.6), ms(2.3)), InsideSpan("write", ms(began + 17.9), ms(0.8))]
    return Inside("4bf92f", spans, "clock", ms(1.2), "")


def shop() -> Journey:
    """The whole way: a walk through DNS, a lost attempt, TLS, a redirect, a page with a stylesheet, its font, and images."""
    lookup = Lookup(
        1, "pellucid.shop", "pellucid.shop", "walk", ms(0), ms(9.4), ["2001:db8::5", "203.0.113.5"],
        hops=[
            hop("127.0.0.10", ".", 0, 3),
            hop("127.0.0.20", "shop.", 3, 6.1),
            hop("127.0.0.30", "pellucid.shop.", 6.1, 9.4, "answer"),
        ],
        verdict="secure", ttl=300,
    )  # fmt: skip
    plain = connection(0, 9.5, "pellucid.shop")
    plain.lookup = 1
    secure = Connection(
        1, "https", "pellucid.shop", 443, ms(14.0), lookup=1, connected=ms(21), ready=ms(29.5), address="203.0.113.5",
        protocol="h2",
        attempts=[
            Attempt("2001:db8::5", 443, ms(14), ms(21), "lost", "the other one was first"),
            Attempt("203.0.113.5", 443, ms(16.5), ms(21), "won", "2.5 ms after the one before"),
        ],
        tls=Tls(ms(21), ms(29.5), "pellucid.shop", ["h2", "http/1.1"], "h2", "TLSv1.3", "TLS_AES_128_GCM_SHA256", "x25519",
                verified=True, chain=[certificate(41), certificate(900)]),
        kernel=Kernel(ms(150), 4200, 900, 4100, 0, 10, 1448),
    )  # fmt: skip
    cdn = connection(2, 64, "cdn.example", "https")
    cdn.tls = Tls(ms(64.5), ms(72), "cdn.example", alpn="h2", version="TLSv1.3")
    cdn.ready = ms(72)
    url = "https://pellucid.shop"
    visits = [
        visit(0, "http://pellucid.shop/", times=(0, 10, 10.1, 13.6, 13.7), status=301, size=0, connection=0, reused=False,
              redirected_to=f"{url}/"),
        visit(1, f"{url}/", times=(13.8, 29.6, 29.8, 53.1, 61.3), size=14_200, connection=1, reused=False, redirected_from=0,
              redirect=0, inside=orders()),
        visit(2, f"{url}/app.css", "stylesheet", (55, 55.6, 55.8, 64, 71), by=1, size=8_030),
        visit(3, f"{url}/shop.js?v=20261121", "script", (55.2, 56.5, 56.7, 66, 79.5), by=1, size=61_440),
        visit(4, f"{url}/fonts/inter-latin-variable.woff2", "font", (74, 74.3, 74.5, 88, 105), by=2, size=48_256),
        visit(5, f"{url}/api/orders?limit=20", "fetch", (58, 58.3, 58.5, 78, 78.4), by=1, size=2_310,
              timings=[Timing("db", 9.1, "orders"), Timing("cache", None, "miss"), Timing("total", 15.0)]),
        visit(6, "https://cdn.example/hero.webp", "image", (60, 72, 72.3, 92, 144.5), by=1, size=96_300, connection=2,
              reused=False),
        visit(7, f"{url}/missing.png", "image", (60.2, 61, 61.1, 68, 68.2), by=1, size=310, status=404),
        visit(8, f"{url}/bücher/日本語の本.webp", "image", (60.4, 82, 82.2, 95, 112), by=1, size=21_900),
    ]  # fmt: skip
    for number in range(9, 41):
        at = 62 + (number % 8) * 6.0
        times = (61, at, at + 0.1, at + 4, at + 5 + number % 3)
        visits.append(visit(number, f"{url}/thumbs/{number:03}.webp", "image", times, by=1, size=3_000 + number))
    visits.append(visit(41, f"{url}/favicon.ico", "icon", (146, 146.1, 146.3, 149, 149.2), by=1, size=1_150))
    return Journey(
        "pellucid.shop", "http://pellucid.shop/", "http://pellucid.shop/", BEGAN, 0, "4bf92f3577b34da6a3ce929d0e0e4736",
        finished=ms(150), lookups=[lookup], connections=[plain, secure, cdn], visits=visits,
    )  # fmt: skip


def simple() -> Journey:
    """One document from a literal address."""
    return journey([visit(0, "http://203.0.113.5/", times=(0, 0.6, 0.7, 3.1, 3.3), reused=False)], finished=ms(3.4))


def nameless() -> Journey:
    """A name that does not exist."""
    failure = Failure("name-not-found", "no.example does not exist (NXDOMAIN from 203.0.113.53)", "Check the spelling")
    lookup = Lookup(1, "no.example", "no.example", "system", 0, ms(12), failure=failure)
    return Journey("no.example", "https://no.example/", "https://no.example/", BEGAN, 0, "0" * 32, finished=ms(12.1),
                   lookups=[lookup], failure=failure)  # fmt: skip


def expired() -> Journey:
    """A certificate that is too old: nothing was sent."""
    failure = Failure("certificate-expired", "Certificate expired 3 days ago", "Renew it")
    made = connection(1, 0, "old.example", "https")
    made.tls = Tls(ms(0.5), ms(9), "old.example", chain=[certificate(-3.1)], failure=failure)
    made.ready, made.failure = None, failure
    first = visit(0, "https://old.example/", reused=False, queued_until=0, connection_ready=None, sent_first=None, sent_last=None,
                  first_byte=None, last_byte=None, finished=ms(9), received=None, failure=failure)  # fmt: skip
    return Journey("old.example", "https://old.example/", "https://old.example/", BEGAN, 0, "0" * 32, finished=ms(9.1),
                   connections=[made], visits=[first], failure=failure)  # fmt: skip
