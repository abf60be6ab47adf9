"""Cookies: what is read out of a line, what is stored, what is sent, and the reasons given."""

from __future__ import annotations

import shutil
import subprocess
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.chromium import needs_chromium, paged
from tests.listening import Listener

from pellucid.http.cookies import Context, Fate, Jar, default_path, domain_matches, path_matches
from pellucid.http.fetching import Asking
from pellucid.http.setcookie import SetCookie, parse_cookie_date, parse_set_cookie
from pellucid.http.url import parse_url

NOW = 1_800_000_000.0
SHOP = parse_url("https://www.shop.co.uk/cart/items")
PLAIN = parse_url("http://www.shop.co.uk/cart/items")
OTHER = parse_url("https://other.example/")


def stored(line: str, url: Any = SHOP, context: Context | None = None, jar: Jar | None = None, now: float = NOW) -> Fate:
    (fate,) = (jar if jar is not None else Jar()).store(url, [("Set-Cookie", line)], context or Context(), now)
    return fate


def jar_of(*lines: str, url: Any = SHOP) -> Jar:
    jar = Jar()
    for line in lines:
        assert stored(line, url, jar=jar).fate == "stored", line
    return jar


# One line.


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("a=b", "a", "b"),
        ("a=b=c", "a", "b=c"),
        ("  a  =  b  ; x", "a", "b"),
        ("a=", "a", ""),
        ("=b", "", "b"),
        ("b", "", "b"),
        ('a="q, r"', "a", '"q, r"'),
        ("a=b;", "a", "b"),
        ("a b=c d", "a b", "c d"),
        ("a=b\tc", "a", "b\tc"),
        ("ä=ü", "ä", "ü"),
    ],
)
def test_names_and_values(line: str, name: str, value: str) -> None:
    parsed = parse_set_cookie(line, NOW)
    assert isinstance(parsed, SetCookie)
    assert (parsed.name, parsed.value) == (name, value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "neither a name nor a value"),
        ("=", "neither a name nor a value"),
        (";Path=/", "neither a name nor a value"),
        ("a=b\x00", "control character"),
        ("a=b\x7f", "control character"),
        ("a=b; Path=/\x01", "control character"),
        (f"a={'x' * 4096}", "4,097 bytes"),
        ("=a=b", "could pass for another"),
    ],
)
def test_what_is_no_cookie(line: str, words: str) -> None:
    refused = parse_set_cookie(line, NOW)
    assert isinstance(refused, tuple)
    assert words in refused[0]
    assert stored(line).fate == "refused"


def test_the_longest_one_fits() -> None:
    assert stored(f"a={'x' * 4095}").fate == "stored"


def attributes(line: str) -> SetCookie:
    parsed = parse_set_cookie(f"a=b; {line}", NOW)
    assert isinstance(parsed, SetCookie)
    return parsed


def test_attributes() -> None:
    parsed = attributes("PATH=/x; domain=.Shop.CO.UK; SECURE; httponly=yes; SameSite=strict; Partitioned")
    assert (parsed.path, parsed.domain, parsed.secure, parsed.http_only) == ("/x", "shop.co.uk", True, True)
    assert (parsed.same_site, parsed.partitioned, parsed.expires) == ("strict", True, None)
    assert attributes("Path=/x; Path=relative").path == ""
    assert attributes("Domain=a.example; Domain=").domain == ""
    assert attributes("SameSite=None; SameSite=maybe").same_site == "default"
    assert attributes(f"Path=/{'x' * 1024}; Path=/y").path == "/y"
    assert attributes(f"Path=/y; Path=/{'x' * 1024}").path == "/y"


def test_lives() -> None:
    assert attributes("Max-Age=60").expires == NOW + 60
    assert attributes("Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT").expires == NOW + 60
    assert attributes("Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=x").expires == 0
    assert attributes("Max-Age=0").expires == 0
    assert attributes("Max-Age=-1").expires == 0
    assert attributes("Max-Age=99999999999999999999999").expires == NOW + 400 * 86400
    assert attributes("Expires=Fri, 31 Dec 9999 23:59:59 GMT").expires == NOW + 400 * 86400
    assert attributes("Expires=soon").expires is None
    assert attributes("Expires=soon").remarks == ("Expires=soon is no date and was left out",)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Wed, 09 Jun 2021 10:18:14 GMT", 1623233894),
        ("Wed, 09-Jun-2021 10:18:14 GMT", 1623233894),
        ("Wednesday, 09-Jun-21 10:18:14 GMT", 1623233894),
        ("Wed Jun  9 10:18:14 2021", 1623233894),
        ("9 June 2021 10:18:14", 1623233894),
        ("2021 Jun 9 10:18:14", 1623233894),
        ("10:18:14 9 jun 2021 12:00:00", 1623233894),
        ("09 Jun 69 00:00:00", 3137961600),
        ("09 Jun 70 00:00:00", 13737600),
        ("29 Feb 2021 00:00:00", None),
        ("29 Feb 2020 00:00:00", 1582934400),
        ("31 Apr 2020 00:00:00", None),
        ("09 Jun 1600 00:00:00", None),
        ("09 Jun 2021 24:00:00", None),
        ("09 Jun 2021 10:60:00", None),
        ("09 Jun 2021 10:18", None),
        ("09 Jan 1601 0:0:0", -11643782400),
        ("", None),
        ("Jun 2021", None),
    ],
)
def test_cookie_dates(text: str, seconds: int | None) -> None:
    assert parse_cookie_date(text) == seconds


@given(st.text())
def test_no_line_is_too_strange(line: str) -> None:
    parse_set_cookie(line, NOW)
    parse_cookie_date(line)
    jar = Jar()
    jar.store(SHOP, [("set-cookie", line)], Context(), NOW)
    jar.pick(SHOP, Context(), NOW)


# Storing.


@pytest.mark.parametrize(
    ("line", "url", "words"),
    [
        ("a=b; Domain=co.uk", SHOP, "public suffix"),
        ("a=b; Domain=other.example", SHOP, "not www.shop.co.uk and not above it"),
        ("a=b; Domain=sub.www.shop.co.uk", SHOP, "not above it"),
        ("a=b; Domain=hop.co.uk", SHOP, "not above it"),
        ("a=b; Secure", PLAIN, "over plain http"),
        ("a=b; SameSite=None", SHOP, "needs Secure"),
        ("a=b; Partitioned", SHOP, "needs Secure"),
        ("__Secure-a=b", SHOP, "need Secure"),
        ("__secure-a=b", SHOP, "need Secure"),
        ("__Host-a=b; Secure", SHOP, "Path=/"),
        ("__Host-a=b; Secure; Path=/; Domain=www.shop.co.uk", SHOP, "no Domain"),
        ("__Host-a=b; Path=/", SHOP, "Secure"),
        ("__Http-a=b; Secure", SHOP, "HttpOnly"),
        ("__Host-Http-a=b; Secure; Path=/", SHOP, "HttpOnly"),
        ("=__Secure-a; Secure", SHOP, "name is empty"),
        ("a=b; Domain=0.0.1", parse_url("http://127.0.0.1/"), "not above it"),
    ],
)
def test_what_is_refused(line: str, url: Any, words: str) -> None:
    fate = stored(line, url)
    assert fate.fate == "refused"
    assert words in fate.says
    assert fate.source is not None
    assert fate.source.startswith("RFC 6265bis, section ")


@pytest.mark.parametrize(
    ("line", "url", "domain", "path"),
    [
        ("a=b", SHOP, "www.shop.co.uk", "/cart"),
        ("a=b; Domain=shop.co.uk", SHOP, "shop.co.uk", "/cart"),
        ("a=b; Path=/", SHOP, "www.shop.co.uk", "/"),
        ("__Host-a=b; Secure; Path=/", SHOP, "www.shop.co.uk", "/"),
        ("__Host-a=b; Secure; Path=/; Domain=", SHOP, "www.shop.co.uk", "/"),
        ("a=b; Secure", parse_url("http://localhost/x"), "localhost", "/"),
        ("a=b; Domain=localhost", parse_url("http://localhost/"), "localhost", "/"),
        ("a=b; Domain=127.0.0.1", parse_url("http://127.0.0.1/"), "127.0.0.1", "/"),
        ("a=b", parse_url("http://[::1]/x/y"), "::1", "/x"),
        ("a=b; Domain=github.io", parse_url("https://github.io/"), "github.io", "/"),
        ("a=b; SameSite=None; Secure; Partitioned", SHOP, "www.shop.co.uk", "/cart"),
    ],
)
def test_what_is_stored(line: str, url: Any, domain: str, path: str) -> None:
    fate = stored(line, url)
    assert (fate.fate, fate.domain, fate.path) == ("stored", domain, path), fate.says


def test_a_suffix_may_keep_cookies_for_itself_alone() -> None:
    jar = jar_of("a=b; Domain=github.io", url=parse_url("https://github.io/"))
    assert jar.cookies[0].host_only


def test_replacing_and_deleting() -> None:
    jar = jar_of("a=1", "b=1")
    fate = stored("a=2", jar=jar, now=NOW + 5)
    assert fate.says.startswith("Replaced")
    assert [(cookie.name, cookie.value, cookie.created) for cookie in jar.cookies] == [("a", "2", NOW), ("b", "1", NOW)]
    assert stored("a=; Max-Age=0", jar=jar).fate == "deleted"
    assert stored("a=; Max-Age=0", jar=jar).says.endswith("there was none")
    assert stored("b=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", jar=jar).fate == "deleted"
    assert len(jar) == 0


def test_plain_http_may_not_replace_a_secure_one() -> None:
    jar = jar_of("a=1; Secure; Path=/")
    fate = stored("a=2", PLAIN, jar=jar)
    assert fate.fate == "refused"
    assert "A Secure cookie of this name" in fate.says
    assert stored("b=2", PLAIN, jar=jar).fate == "stored"


def test_parts_of_foreign_pages_set_only_same_site_none() -> None:
    part = Context(top=OTHER, navigation=False)
    assert stored("a=b", context=part).fate == "refused"
    assert stored("a=b; SameSite=Strict; Secure", context=part).fate == "refused"
    assert stored("a=b; SameSite=None; Secure", context=part).fate == "stored"
    assert stored("a=b", context=Context(top=SHOP, navigation=False)).fate == "stored"
    assert stored("a=b", context=Context(credentials=False)).fate == "refused"


def test_jars_are_bounded_and_the_oldest_that_are_not_secure_go_first() -> None:
    jar = jar_of("first=1; Secure")
    for number in range(200):
        stored(f"n{number}=1", jar=jar)
    assert len(jar) == 180
    assert [cookie.name for cookie in jar.cookies[:2]] == ["first", "n21"]


# Sending.


def test_order_is_by_path_then_by_age() -> None:
    jar = jar_of("root=1; Path=/", "deep=2; Path=/cart/items", "old=3; Path=/cart", "new=4; Path=/cart", "=nameless; Path=/")
    text, fates = jar.pick(SHOP, Context(), NOW)
    assert text == "deep=2; old=3; new=4; root=1; nameless"
    assert {fate.fate for fate in fates} == {"sent"}


@pytest.mark.parametrize(
    ("line", "url", "context", "words"),
    [
        ("a=1; Path=/account", SHOP, Context(), "path /account is not above"),
        ("a=1; Path=/car", SHOP, Context(), "path /car is not above"),
        ("a=1; Secure; Path=/", PLAIN, Context(), "over plain http"),
        ("a=1; Path=/", SHOP, Context(credentials=False), "without credentials"),
        ("a=1; Path=/; Max-Age=10", SHOP, Context(), "expired"),
        ("a=1; Path=/", SHOP, Context(OTHER, navigation=False), "part of a page of another site"),
        ("a=1; Path=/; SameSite=Lax", SHOP, Context(OTHER, method="POST"), "is a POST"),
        ("a=1; Path=/; SameSite=Strict", SHOP, Context(OTHER), "SameSite=Strict"),
        ("a=1; Path=/; SameSite=Strict", SHOP, Context(SHOP, passed=(OTHER,)), "SameSite=Strict"),
        ("a=1; Path=/", SHOP, Context(PLAIN, navigation=False), "part of a page of another site"),
    ],
)
def test_what_is_held_back(line: str, url: Any, context: Context, words: str) -> None:
    text, (fate,) = jar_of(line).pick(url, context, NOW + 300)
    assert text is None
    assert fate.fate == "withheld"
    assert words in fate.says


@pytest.mark.parametrize(
    ("line", "context"),
    [
        ("a=1; Path=/", Context()),
        ("a=1; Path=/; SameSite=Strict", Context()),
        ("a=1; Path=/; SameSite=Strict", Context(SHOP, navigation=False)),
        ("a=1; Path=/; SameSite=Strict", Context(parse_url("https://shop.co.uk/"), navigation=False)),
        ("a=1; Path=/; SameSite=Lax", Context(OTHER)),
        ("a=1; Path=/", Context(OTHER, method="POST")),
        ("a=1; Path=/; SameSite=None; Secure", Context(OTHER, navigation=False)),
    ],
)
def test_what_is_sent(line: str, context: Context) -> None:
    # The default is Lax, but for two minutes a POST from elsewhere takes it along: sign-in by other sites needs that.
    text, fates = jar_of(line).pick(SHOP, context, NOW + 60)
    assert text == "a=1", fates


def test_host_only_and_partitioned_ones() -> None:
    jar = jar_of("own=1; Path=/", "all=2; Path=/; Domain=shop.co.uk")
    text, fates = jar.pick(parse_url("https://shop.co.uk/"), Context(), NOW)
    assert text == "all=2"
    assert len(fates) == 1
    text, fates = jar.pick(parse_url("https://a.www.shop.co.uk/"), Context(), NOW)
    assert (text, fates[1].says) == ("all=2", "It is for www.shop.co.uk alone, since it was set without Domain")
    jar = Jar()
    inside = Context(OTHER, navigation=False)
    stored("p=1; Path=/; SameSite=None; Secure; Partitioned", context=inside, jar=jar)
    assert jar.pick(SHOP, inside, NOW)[0] == "p=1"
    assert jar.pick(SHOP, Context(), NOW)[0] is None
    assert "belongs to pages of https://other.example" in jar.pick(SHOP, Context(), NOW)[1][0].says


def test_strangers_cookies_are_not_spoken_of() -> None:
    assert jar_of("a=1; Path=/").pick(OTHER, Context(), NOW) == (None, [])


def test_contexts_come_from_requests() -> None:
    assert Context.of(Asking(SHOP)) == Context()
    image = Asking(SHOP, kind="image", mode="no-cors", client=OTHER, passed=(OTHER,))
    assert Context.of(image) == Context(OTHER, False, "GET", (OTHER,), True)
    font = Asking(SHOP, kind="font", mode="cors", credentials="same-origin", client=OTHER)
    assert not Context.of(font).credentials


@pytest.mark.parametrize(("path", "folder"), [("/a/b", "/a"), ("/a/", "/a"), ("/a", "/"), ("/", "/"), ("", "/"), ("opaque", "/")])
def test_default_paths(path: str, folder: str) -> None:
    assert default_path(path) == folder


def test_matching() -> None:
    assert path_matches("/a/b", "/a")
    assert path_matches("/a/b", "/a/")
    assert not path_matches("/ab", "/a")
    assert domain_matches("a.b", "b")
    assert not domain_matches("ab", "b")
    assert not domain_matches("127.0.0.1", "0.0.1")


# Files.


def test_files_come_back() -> None:
    jar = jar_of("session=1; Path=/; HttpOnly; Secure", "below=2; Domain=shop.co.uk; Max-Age=60", "empty=; Path=/", "=nameless")
    text = jar.save(NOW)
    assert text.startswith("# Netscape HTTP Cookie File\n")
    assert "#HttpOnly_www.shop.co.uk\tFALSE\t/\tTRUE\t0\tsession\t1\n" in text
    assert f".shop.co.uk\tTRUE\t/cart\tFALSE\t{NOW + 60:.0f}\tbelow\t2\n" in text
    again = Jar()
    assert again.load(text, NOW) == []
    assert again.save(NOW) == text
    late = Jar()
    late.load(text, NOW + 100)
    assert [cookie.name for cookie in late.cookies] == ["session", "empty", ""]


def test_bad_lines_are_told_and_left_out() -> None:
    jar = Jar()
    remarks = jar.load(
        "# a comment\n\nnonsense\na.example\tTRUE\t/\tFALSE\tsoon\ta\tb\na.example\tFALSE\t/\tFALSE\t0\ta\tb\r\n", NOW
    )
    assert [remark.message.partition(":")[0] for remark in remarks] == [
        "Line 3 of the cookie jar is no cookie",
        "Line 4 of the cookie jar is no cookie",
    ]
    assert [(cookie.name, cookie.value, cookie.expires) for cookie in jar.cookies] == [("a", "b", None)]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_reads_our_jars_and_we_read_curls(tmp_path: Path) -> None:
    seen: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Cookie"))
            self.send_response(200)
            self.send_header("Set-Cookie", "theirs=1; Path=/; HttpOnly; Max-Age=1000")
            self.send_header("Set-Cookie", "session=2")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            url = f"http://127.0.0.1:{server.server_address[1]}/a/b"
            jar = jar_of("ours=3; Path=/a; HttpOnly", "far=4; Path=/x", url=parse_url(url))
            file = tmp_path / "jar"
            file.write_text(jar.save(NOW))
            subprocess.run(["curl", "-sS", "--noproxy", "*", "-b", file, "-c", file, url], check=True, timeout=30)
        finally:
            server.shutdown()
            serving.join()
    assert seen == ["ours=3"]
    theirs = Jar()
    assert theirs.load(file.read_text(), NOW - 10 * 365 * 86400) == []
    found = {cookie.name: (cookie.http_only, cookie.path.rstrip("/"), cookie.expires is None) for cookie in theirs.cookies}
    assert found == {
        "ours": (True, "/a", True),
        "far": (False, "/x", True),
        "theirs": (True, "", False),
        "session": (False, "/a", True),
    }


# Against Chromium: what is set below /a/ comes back, or does not, to /a/b/ on the same host.

SET = [
    "a=1", "a=", "=a", "a", "=", "a=b=c", " a = b ", "a=1; Path=/", "a=1; Path=/a/b", "a=1; Path=/a/bc", "a=1; Path=a",
    "a=1; path=/x; Path=/",
    "a=1; Domain=localhost", "a=1; Domain=.localhost", "a=1; Domain=other", "a=1; Domain=",
    "a=1; Domain=local.localhost", "a=1; Secure",
    "a=1; SameSite=None", "a=1; SameSite=None; Secure", "a=1; SameSite=Strict", "a=1; SameSite=odd", "a=1; HttpOnly",
    "__Host-a=1",
    "__Host-a=1; Secure; Path=/", "__Host-a=1; Secure; Path=/; Domain=localhost", "__host-a=1", "__Secure-a=1",
    "__SeCuRe-a=1; Secure",
    "__Http-a=1; Secure", "__Http-a=1; Secure; HttpOnly", "__Host-Http-a=1; Secure; HttpOnly; Path=/", "=__Host-a=1",
    "__Host-a", "a=1; Max-Age=0",
    "a=1; Max-Age=-1", "a=1; Max-Age=100", "a=1; Max-Age=x", "a=1; Max-Age=1x", "a=1; Max-Age=+5",
    "a=1; Max-Age=0; Max-Age=9", "a=1; Max-Age=",
    "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "a=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT",
    "a=1; Expires=01 Jan 2020 00:00:00",
    "a=1; Expires=Jan 1 00:00:00 2020", "a=1; Expires=never", "a=1; Expires=29 Feb 2021 00:00:00", "a=1; Expires=0",
    "a=1; Partitioned",
    'a="x; y"', "a=b\tc", "a=b\x01c", "a\x7f=b", "a=b; Path=/\x01", "ä=ö", "a=" + "x" * 4095, "a=" + "x" * 4096, "a=1;",
    ";a=1", "a=1;;;Path=/",
    "a=1; Path=/" + "x" * 1022, "a=1; Path=/" + "x" * 1024, "a=1, b=2", "a=1; Expires=01-Jan-69 00:00:00",
    "a=1; Expires=01-Jan-70 00:00:00",
]  # fmt: skip


@needs_chromium
def test_chromium_keeps_and_sends_the_same_cookies(tmp_path: Path) -> None:
    server = Listener()
    try:
        base = f"http://localhost:{server.port}/a/"
        server.files["/a/page.html"] = "<!doctype html>"
        with paged(tmp_path) as page:
            page.open(f"{base}page.html")
            for number, line in enumerate(SET):
                server.fields[f"/a/set{number}"] = b"Set-Cookie: " + line.encode() + b"\r\n"
                page.evaluate(f"fetch('/a/set{number}').then(() => fetch('/a/b/{number}')).then(() => 1)")
                page.call("Network.clearBrowserCookies")
        differing: dict[str, tuple[str | None, str | None]] = {}
        top = parse_url(f"{base}page.html")
        for number, line in enumerate(SET):
            jar = Jar()
            asking = Asking(parse_url(f"{base}set{number}"), kind="fetch", mode="cors", credentials="same-origin", client=top)
            now = time.time()
            jar.store(asking.url, [("set-cookie", line)], Context.of(asking), now)
            found, _ = jar.pick(parse_url(f"{base}b/{number}"), Context.of(asking), now)
            theirs = next((value for name, value in server.head(f"/a/b/{number}") if name == "Cookie"), None)
            if found != theirs:
                differing[line[:60]] = (found and found[:60], theirs and theirs[:60])
    finally:
        server.close()
    assert differing == {"a=b\tc": ("a=b\tc", None)}  # the standard lets a tab pass, Chromium does not


@pytest.mark.parametrize("expires", ["9" * 5000, "inf", "1e400", "nan", "-inf"])
def test_a_file_of_cookies_that_ends_never_can_be_written_again(expires: str) -> None:
    jar = Jar()
    jar.load(f"shop.example\tFALSE\t/\tFALSE\t{expires}\ta\tb\n", NOW)
    again = Jar()
    assert again.load(jar.save(NOW), NOW) == []
    assert [cookie.name for cookie in again.cookies] == [cookie.name for cookie in jar.cookies]
