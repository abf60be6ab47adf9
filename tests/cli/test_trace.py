"""`pellucid trace` as somebody types it: what is printed, what is written, how it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from oracle import Site, served
from pellucid.cli.main import pellucid


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<!doctype html><title>Shop</title><link rel=stylesheet href=a.css><p class=x>text")
    (folder / "a.css").write_text(".x { background: url(missing.png) }")
    (folder / "other.html").write_text("<!doctype html><p>other")
    with served(folder) as running:
        yield running


def typed(*words: str, environment: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(pellucid, ["trace", *words], env={"NO_COLOR": "1", **(environment or {})}, catch_exceptions=False)


def test_a_verdict_a_waterfall_and_remarks(site: Site) -> None:
    done = typed(f"{site.origin}/", "--width", "100")
    assert done.exit_code == 0
    first, *rest = done.stdout.splitlines()
    assert re.match(r"200 OK in [\d.]+ m?s: .*4 requests", first)
    assert any(line.startswith("GET /") and " 200 " in line for line in rest)
    assert any("/a.css" in line and "css" in line for line in rest)
    assert any("/missing.png" in line and " 404 " in line for line in rest)
    assert all(len(line) <= 100 for line in rest)
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        ("dns", "it is an address already"),
        ("connect", "won"),
        ("request", "GET /other.html HTTP/1.1"),
        ("response", "It worked, and the body is what was asked for"),
        ("body", "as long as Content-Length says"),
        ("page", "it was typed"),
    ],
)
def test_a_stage_is_told_on_demand(site: Site, stage: str, says: str) -> None:
    url = f"{site.origin}/other.html"
    assert says in typed(url, "--show", stage, "--width", "120").stdout
    assert says in typed(url, "-v", "--width", "120").stdout
    assert says not in typed(url, "--width", "120").stdout


def test_everything_as_json(site: Site) -> None:
    done = typed(f"{site.origin}/", "--json")
    told = json.loads(done.stdout)
    assert told["verdict"].startswith("200 OK in")
    visits = told["journey"]["visits"]
    assert visits[0]["url"] == f"{site.origin}/"
    assert visits[0]["discovered"] < visits[0]["sent_first"] < visits[0]["first_byte"] <= visits[0]["last_byte"]


def test_the_files_are_written_and_open(site: Site, tmp_path: Path) -> None:
    page, har, svg = tmp_path / "x.html", tmp_path / "x.har", tmp_path / "x.svg"
    assert typed(f"{site.origin}/", "--html", str(page), "--har", str(har), "--svg", str(svg)).exit_code == 0
    assert "/a.css" in page.read_text()
    entries = json.loads(har.read_bytes())["log"]["entries"]
    assert entries[0]["request"]["url"] == f"{site.origin}/"
    assert svg.read_text().startswith("<svg")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.har", "x.html", "x.svg"]


def test_a_file_that_cannot_be_written_is_said(site: Site, tmp_path: Path) -> None:
    done = typed(f"{site.origin}/", "--har", str(tmp_path / ("x" * 256)))
    assert done.exit_code == 2
    assert "name too long" in done.stderr
    assert "200 OK" in done.stdout, "what was found is shown nevertheless"


def test_a_folder_that_is_not_there_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    done = typed("http://127.0.0.1:1/", "--svg", str(tmp_path / "none" / "x.svg"))
    assert done.exit_code == 2
    assert "there is no such folder" in done.stderr
    assert done.stdout == ""


def test_two_addresses_are_set_side_by_side(site: Site) -> None:
    done = typed(f"{site.origin}/", f"{site.origin}/other.html", "--width", "110")
    assert done.exit_code == 0
    assert done.stdout.count("200 OK in") >= 2
    assert "/other.html" in done.stdout


def test_beside_an_archive_made_before(site: Site, tmp_path: Path) -> None:
    har = tmp_path / "before.har"
    typed(f"{site.origin}/", "--har", str(har))
    done = typed(f"{site.origin}/", "--compare", str(har))
    assert done.exit_code == 0
    assert "/a.css" in done.stdout


@pytest.mark.parametrize(("expectation", "code"), [("total<60s", 0), ("status=200", 0), ("requests<3", 3), ("total<0ms", 3)])
def test_expectations_decide_the_exit_code(site: Site, expectation: str, code: int) -> None:
    done = typed(f"{site.origin}/", "--expect", expectation)
    assert done.exit_code == code, done.stdout


def test_a_page_that_is_not_there_fails(site: Site) -> None:
    done = typed(f"{site.origin}/nothing")
    assert done.exit_code == 1
    assert done.stdout.startswith("404 Not Found in ") or done.stdout.startswith("404 File not found in ")


def test_nobody_there_fails_with_a_reason() -> None:
    done = typed("http://127.0.0.1:1/")
    assert done.exit_code == 1
    assert "refused" in done.stdout.lower()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ftp://x.example/"], "http: and https: can"),
        (["http://"], "URL"),
        (["http://a b/"], "is not a URL"),
        (["x.example", "--show", "dnss"], "dns"),
        (["x.example", "--expect", "totl<1ms"], "total"),
        (["x.example", "--expect", "total<1parsec"], "parsec"),
        (["x.example", "--expect", f"total<{'9' * 5000}ms"], "more than anything"),
        (["x.example", "--viewport", "huge"], "1280x720"),
        (["x.example", "--resolve", "x"], "HOST:PORT:ADDRESS"),
        (["x.example", "--resolve", "x.example:80:y.example"], "is not an address"),
        (["x.example", "--resolve", "a b:80:127.0.0.1"], "is not a host"),
        (["x.example", "--http1.1", "--http2"], "exclude each other"),
        (["x.example", "--header", "nonsense"], "is not a field"),
        (["x.example", "--token", "a\nb"], "--token"),
        (["x.example", "--token", "\udcff"], "--token"),
        (["a.example", "b.example", "c.example"], "at most two"),
        (["x.example", "--timeout", "0"], "timeout"),
        (["x.example", "--cookie-jar", "/"], "cookie-jar"),
        (["x.example", "--dns", "not a server"], "dns"),
        ([], "URL"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(words: list[str], says: str) -> None:
    done = typed(*words)
    assert done.exit_code == 2
    assert says in done.stderr


@pytest.mark.parametrize("host", ["*", "bücher.example", "xn--bcher-kva.example", "BÜCHER.example"])
def test_a_name_is_told_in_both_forms_and_resolved_in_either(site: Site, host: str) -> None:
    port = site.origin.rpartition(":")[2]
    done = typed(f"http://bücher.example:{port}/", "--resolve", f"{host}:{port}:127.0.0.1", "--show", "dns")
    assert done.exit_code == 0, done.stdout
    assert "bücher.example (xn--bcher-kva.example)" in done.stdout


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.har"
    deep = '{"log":' + "[" * 100_000 + "]" * 100_000 + "}"
    for text in ("no json", "[]", '{"a": 1}', '{"log": {}}', '{"log": {"entries": "x"}}', deep, '{"log": "\udcff"}'):
        file.write_text(text, errors="surrogateescape")
        done = typed("http://127.0.0.1:1/", "--compare", str(file))
        assert done.exit_code == 2
        assert "is not an HTTP archive" in done.stderr


def test_a_jar_is_read_and_written(site: Site, tmp_path: Path) -> None:
    jar = tmp_path / "jar"
    jar.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tkept\tsecret-value\n")
    done = typed(f"{site.origin}/other.html", "--cookie-jar", str(jar), "--show", "request", "--width", "120")
    assert "Cookie: kept=***" in done.stdout
    assert "secret-value" not in done.stdout
    assert "secret-value" in jar.read_text()
    shown = typed(f"{site.origin}/other.html", "--cookie-jar", str(jar), "--show", "request", "--secrets").stdout
    assert "kept=secret-value" in shown


def test_help_tells_every_option_in_groups() -> None:
    told = typed("--help").stdout
    for heading in ("Show:", "Ask:", "Reach:", "Go:", "Judge:"):
        assert heading in told
    for option in ("--dns", "--har", "--expect", "--twice", "--only-document", "--insecure", "--limit", "--cookie-jar"):
        assert option in told
