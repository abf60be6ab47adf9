"""Static files from a real folder: no way out, every conditional and partial form, codings, and files that change."""

from __future__ import annotations

import asyncio
import gzip
import os
import zlib
from pathlib import Path

import brotli
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.errors import METHOD_NOT_ALLOWED, NOT_FOUND, PRECONDITION_FAILED, RANGE_NOT_SATISFIABLE, Problem
from pellucid.http.conditional import format_date
from pellucid.http.headers import Headers
from pellucid.http.messages import Request, Response
from pellucid.spans import Trace
from pellucid.web.folder import FolderError, content_type_of
from pellucid.web.router import Route, Router
from pellucid.web.static import StaticFiles

DIGITS = b"0123456789"
SCRIPT = b"export const answer = 42; // " + b"words " * 400
BIG = os.urandom(300_000)
NEW = 1_700_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files, and beside it a secret that nobody may reach."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "public-too").mkdir()
    (tmp_path / "public-too" / "x.txt").write_text("secret")
    root = tmp_path / "public"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / ".well-known").mkdir()
    for name, data in {
        "index.html": b"<h1>home</h1>",
        "digits.txt": DIGITS,
        "empty.txt": b"",
        "app.js": SCRIPT,
        "app.3f9a2c1b.js": SCRIPT,
        "big.bin": BIG,
        "sub/index.html": b"sub",
        "sub/n\u00fc\u4e2d \u00a0.txt": b"name",
        ".env": b"secret",
        "sub/.git": b"secret",
        ".well-known/security.txt": b"contact",
    }.items():
        (root / name).write_bytes(data)
        os.utime(root / name, (NEW, NEW))
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "outside").symlink_to(tmp_path)
    (root / "inside.txt").symlink_to("digits.txt")
    (root / "round").symlink_to("round")
    (root / "hidden.txt").symlink_to(".env")
    os.mkfifo(root / "pipe.txt")
    return root


def serve(files: StaticFiles, target: str, method: str = "GET", **fields: str) -> Response:
    headers = Headers([(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()])
    request = Request(method, target, headers)
    return files(request, (request.path,))


def body(response: Response) -> bytes:
    async def read() -> bytes:
        assert not isinstance(response.body, bytes)
        return b"".join([chunk async for chunk in response.body])

    return response.body if isinstance(response.body, bytes) else asyncio.run(read())


@pytest.mark.parametrize(
    ("target", "content"),
    [
        ("/", b"<h1>home</h1>"),
        ("/index.html", b"<h1>home</h1>"),
        ("/digits.txt", DIGITS),
        ("/digits.txt?v=1", DIGITS),
        ("/empty.txt", b""),
        ("/sub/", b"sub"),
        ("/sub/n%C3%BC%E4%B8%AD%20%C2%A0.txt", b"name"),
        ("/.well-known/security.txt", b"contact"),
        ("/inside.txt", DIGITS),
        ("/big.bin", BIG),
    ],
)
def test_a_file_is_served_as_it_is(folder: Path, target: str, content: bytes) -> None:
    files = StaticFiles(folder)
    for _ in range(2):
        response = serve(files, target)
        assert (response.status, body(response)) == (200, content)
        assert response.header("x-content-type-options") == "nosniff"
        assert response.header("cache-control") == "no-cache"
        assert response.header("last-modified") == format_date(NEW)
        assert str(response.header("etag")).startswith('"')


ESCAPES = [
    "/../secret.txt",
    "/sub/../../secret.txt",
    "/sub/../digits.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/sub/..%2f..%2fsecret.txt",
    "/..%5csecret.txt",
    "/..\\secret.txt",
    "/.%2e/secret.txt",
    "/./digits.txt",
    "//digits.txt",
    "///etc/passwd",
    "//etc/passwd",
    "/%2fetc/passwd",
    "/../public-too/x.txt",
    "/digits.txt%00",
    "/digits.txt%00.html",
    "/digits.txt%0a",
    "/digits.txt/",
    "/digits.txt/x",
    "/out.txt",
    "/outside/secret.txt",
    "/hidden.txt",
    "/round",
    "/pipe.txt",
    "/.env",
    "/sub/.git",
    "/sub/.well-known/x",
    "/.well-known/../.env",
    "/empty/",
    "/empty",
    "/sub/deep",
    "/missing.txt",
    "/" + "x" * 5000,
    "/" + "x/" * 1000,
    "/DIGITS.TXT",
    "/~/digits.txt",
    "/C:/digits.txt",
]


@pytest.mark.parametrize("target", ESCAPES)
def test_no_name_leads_out_of_the_folder(folder: Path, target: str) -> None:
    with pytest.raises(Problem) as caught:
        serve(StaticFiles(folder), target)
    assert caught.value.code is NOT_FOUND


STEPS = ["..", ".", "", "sub", "outside", "secret.txt", "%2e%2e", "..%2f", "\\", "public-too"]


@given(st.lists(st.sampled_from(STEPS), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_combination_of_names_reaches_the_secret(folder: Path, parts: list[str]) -> None:
    try:
        response = serve(StaticFiles(folder), "/" + "/".join(parts))
    except Problem:
        return
    assert b"secret" not in body(response)


def test_a_folder_without_its_slash_redirects_and_never_to_another_site(folder: Path) -> None:
    response = serve(StaticFiles(folder), "/sub?a=b")
    assert (response.status, response.header("location")) == (308, "/sub/?a=b")
    with pytest.raises(Problem):
        serve(StaticFiles(folder), "//sub")


def test_other_methods_are_405_for_a_file_and_404_elsewhere(folder: Path) -> None:
    files = StaticFiles(folder)
    with pytest.raises(Problem) as caught:
        serve(files, "/digits.txt", "POST")
    assert (caught.value.code, caught.value.headers) == (METHOD_NOT_ALLOWED, (("allow", "GET, HEAD, OPTIONS"),))
    with pytest.raises(Problem) as caught:
        serve(files, "/missing.txt", "POST")
    assert caught.value.code is NOT_FOUND
    assert serve(files, "/digits.txt", "OPTIONS").header("allow") == "GET, HEAD, OPTIONS"
    head = serve(files, "/big.bin", "HEAD")
    assert (head.status, head.length) == (200, len(BIG))


def test_an_endpoint_beats_a_file(folder: Path) -> None:
    router = Router([Route("GET", "/digits.txt", lambda _r, _v: Response(200, b"endpoint"))], fallback=StaticFiles(folder))

    def ask(path: str) -> object:
        endpoint, values = router.find("GET", path)
        response = endpoint(Request("GET", path, Headers()), values)
        assert isinstance(response, Response)
        return response.body

    assert ask("/digits.txt") == b"endpoint"
    assert ask("/index.html") == b"<h1>home</h1>"


@pytest.mark.parametrize("target", ["/digits.txt", "/big.bin"])
def test_a_file_that_has_not_changed_is_304(folder: Path, target: str) -> None:
    files = StaticFiles(folder)
    etag = str(serve(files, target).header("etag"))
    for fields in ({"if_none_match": etag}, {"if_none_match": f'"x", W/{etag}'}, {"if_modified_since": format_date(NEW)}):
        for method in ("GET", "HEAD"):
            response = serve(files, target, method, **fields)
            assert (response.status, response.body, response.header("content-type")) == (304, b"", None)
            assert response.header("etag") in (etag, f"W/{etag}")
    assert serve(files, target, if_none_match='"x"', if_modified_since=format_date(NEW)).status == 200
    assert serve(files, target, if_modified_since=format_date(NEW - 1)).status == 200
    with pytest.raises(Problem) as caught:
        serve(files, target, if_match='"x"')
    assert caught.value.code is PRECONDITION_FAILED


@pytest.mark.parametrize(
    ("asked", "content", "content_range"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=-99", DIGITS, "bytes 0-9/10"),
        ("bytes=5-99", b"56789", "bytes 5-9/10"),
    ],
)
def test_one_range_is_sent_as_it_is(folder: Path, asked: str, content: bytes, content_range: str) -> None:
    response = serve(StaticFiles(folder), "/digits.txt", range=asked)
    assert (response.status, response.body, response.header("content-range")) == (206, content, content_range)
    assert response.header("content-type") == "text/plain; charset=utf-8"


@pytest.mark.parametrize("small", [1, 1000])
def test_several_ranges_are_sent_as_multipart(folder: Path, small: int) -> None:
    response = serve(StaticFiles(folder, small=small), "/digits.txt", range="bytes=0-1, -3")
    kind, _, boundary = str(response.header("content-type")).partition("; boundary=")
    data = body(response)
    assert (response.status, kind) == (206, "multipart/byteranges")
    assert response.length in (None, len(data))
    parts = data.split(f"--{boundary}".encode())
    assert parts[0] == b"\r\n"
    assert parts[-1] == b"--\r\n"
    assert [part.strip(b"\r\n").partition(b"\r\n\r\n") for part in parts[1:-1]] == [
        (b"content-type: text/plain; charset=utf-8\r\ncontent-range: bytes 0-1/10", b"\r\n\r\n", b"01"),
        (b"content-type: text/plain; charset=utf-8\r\ncontent-range: bytes 7-9/10", b"\r\n\r\n", b"789"),
    ]


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=-0", "bytes=0-,0-,0-", "bytes=" + "0-0," * 30])
def test_a_range_outside_or_too_many_are_416_with_the_size(folder: Path, asked: str) -> None:
    with pytest.raises(Problem) as caught:
        serve(StaticFiles(folder), "/digits.txt", range=asked)
    assert (caught.value.code, caught.value.headers) == (RANGE_NOT_SATISFIABLE, (("content-range", "bytes */10"),))


@pytest.mark.parametrize("asked", ["bytes=5-2", "lines=1-2", "bytes=x", "bytes"])
def test_a_range_that_cannot_be_read_is_ignored(folder: Path, asked: str) -> None:
    assert serve(StaticFiles(folder), "/digits.txt", range=asked).status == 200


def test_a_range_counts_only_for_get_and_for_the_state_of_if_range(folder: Path) -> None:
    files = StaticFiles(folder)
    etag = str(serve(files, "/digits.txt").header("etag"))
    assert serve(files, "/digits.txt", "HEAD", range="bytes=0-1").status == 200
    assert serve(files, "/digits.txt", range="bytes=0-1", if_range=etag).status == 206
    assert serve(files, "/digits.txt", range="bytes=0-1", if_range=format_date(NEW)).status == 206
    assert serve(files, "/digits.txt", range="bytes=0-1", if_range='"x"').body == DIGITS
    assert serve(files, "/digits.txt", range="bytes=0-1", if_range=f"W/{etag}").body == DIGITS


@given(st.integers(0, 299_999), st.integers(0, 400_000))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_range_of_a_large_file_is_its_slice(folder: Path, first: int, length: int) -> None:
    response = serve(StaticFiles(folder), "/big.bin", range=f"bytes={first}-{first + length}")
    assert body(response) == BIG[first : first + length + 1]
    assert response.length == len(BIG[first : first + length + 1])


@pytest.mark.parametrize(
    ("accept", "coding"), [("br", "br"), ("gzip, br;q=0.5", "gzip"), ("zstd, br, gzip", "zstd"), ("", None), ("identity", None)]
)
def test_small_text_is_coded_once_and_kept(folder: Path, accept: str, coding: str | None) -> None:
    files = StaticFiles(folder)
    first, again = (serve(files, "/app.js", accept_encoding=accept) for _ in range(2))
    assert first.header("content-encoding") == coding
    assert first.header("vary") == "Accept-Encoding"
    assert first.body is again.body
    etag = str(serve(files, "/app.js").header("etag"))
    own = str(first.header("etag"))
    assert own == (etag if coding is None else f'{etag[:-1]}-{coding}"')
    fresh = serve(StaticFiles(folder), "/app.js", accept_encoding=accept, if_none_match=own)
    assert (fresh.status, fresh.header("etag")) == (304, own)
    if coding == "br":
        assert brotli.decompress(body(first)) == SCRIPT
    if coding == "gzip":
        assert zlib.decompress(body(first), 31) == SCRIPT


def test_images_and_tiny_files_are_never_coded(folder: Path) -> None:
    for target in ("/big.bin", "/digits.txt"):
        response = serve(StaticFiles(folder), target, accept_encoding="br, gzip")
        assert (response.header("content-encoding"), response.header("vary")) == (None, None)


@pytest.mark.parametrize("small", [10, 100_000])
def test_a_coded_sibling_is_sent_unless_it_is_older_than_the_file(folder: Path, small: int) -> None:
    sibling = folder / "app.js.gz"
    sibling.write_bytes(gzip.compress(SCRIPT + b" // sibling"))
    os.utime(sibling, (NEW + 1, NEW + 1))
    response = serve(StaticFiles(folder, small=small), "/app.js", accept_encoding="gzip")
    assert gzip.decompress(body(response)).endswith(b"sibling")
    assert response.header("content-type") == "text/javascript; charset=utf-8"
    assert response.header("content-encoding") == "gzip"
    os.utime(sibling, (NEW - 1, NEW - 1))
    response = serve(StaticFiles(folder, small=small), "/app.js", accept_encoding="gzip")
    assert b"sibling" not in body(response)


def test_a_range_is_never_of_a_coded_variant(folder: Path) -> None:
    response = serve(StaticFiles(folder), "/app.js", accept_encoding="br", range="bytes=0-5")
    assert (response.status, response.body, response.header("content-encoding")) == (206, SCRIPT[:6], None)


def test_a_hashed_name_is_immutable_except_in_dev(folder: Path) -> None:
    immutable = "public, max-age=31536000, immutable"
    assert serve(StaticFiles(folder), "/app.3f9a2c1b.js").header("cache-control") == immutable
    assert serve(StaticFiles(folder), "/app.js").header("cache-control") == "no-cache"
    assert serve(StaticFiles(folder, dev=True), "/app.3f9a2c1b.js").header("cache-control") == "no-cache"
    (folder / "report-20240101.txt").write_text("x")
    assert serve(StaticFiles(folder), "/report-20240101.txt").header("cache-control") == "no-cache"


@pytest.mark.parametrize("name", ["digits.txt", "big.bin"])
def test_a_file_that_changes_is_served_anew_and_one_that_goes_is_404(folder: Path, name: str) -> None:
    files = StaticFiles(folder)
    before = serve(files, f"/{name}")
    assert body(before)
    changed = (folder / name).read_bytes()[::-1]
    (folder / name).write_bytes(changed)
    after = serve(files, f"/{name}")
    assert body(after) == changed
    assert after.header("etag") != before.header("etag")
    (folder / name).unlink()
    with pytest.raises(Problem):
        serve(files, f"/{name}")


def test_a_file_that_changes_while_it_is_sent_breaks_off(folder: Path) -> None:
    response = serve(StaticFiles(folder), "/big.bin")
    (folder / "big.bin").write_bytes(b"other")
    with pytest.raises(OSError, match="changed while"):
        body(response)


def test_memory_is_bounded(folder: Path) -> None:
    files = StaticFiles(folder, memory=20_000, small=4_000)
    for number in range(50):
        (folder / f"{number}.txt").write_bytes(bytes([number]) * 3000)
    for _ in range(2):
        for number in range(50):
            assert serve(files, f"/{number}.txt", accept_encoding="gzip").status == 200
    kept = files._folder._kept
    assert 0 < len(kept) < 10
    assert files._folder._weight == sum(file.weight for file in kept.values()) <= 20_000


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"),
        ("a.woff2", "font/woff2"),
        ("a.wasm", "application/wasm"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.tar.gz", "application/gzip"),
        ("a", "application/octet-stream"),
    ],
)
def test_a_type_follows_from_the_ending(name: str, kind: str) -> None:
    assert content_type_of(f"/x/{name}") == kind


def test_finding_a_file_is_a_station_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    trace = Trace("t", 0)
    StaticFiles(tmp_path)(Request("GET", "/a.txt", Headers(), trace=trace), ("a.txt",))
    assert [mark[0] for mark in trace.marks] == ["file"]


def test_a_folder_that_is_not_there_fails_at_start(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"the folder of static= does not exist: .*nowhere; make it, or leave"):
        StaticFiles(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="is no folder"):
        StaticFiles(tmp_path / "file")
