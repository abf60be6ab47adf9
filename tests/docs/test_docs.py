"""What the documentation shows is what happens: every example is run, every link leads somewhere."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from documents import ROOT, Block, anchors, asked_in_tables, blocks, commands, difference, drawn, links, pages
from terminal import Terminal, read_curl

import journeys
from pellucid.anatomy.details import STAGES
from pellucid.anatomy.drawing import LOOKS
from pellucid.anatomy.expect import METRICS, OF_A_KIND
from pellucid.anatomy.terminal import overview
from pellucid.anatomy.waterfall import KINDS
from pellucid.api.asked import _KNOWN as KNOWN
from pellucid.api.filters import LIMITS
from pellucid.api.grammar import UNSUPPORTED
from pellucid.cli.trace import trace
from pellucid.client.dns.dnssec import Verdict
from pellucid.plan.query import OPERATORS
from pellucid.schema import rules
from pellucid.schema.model import FieldInfo

PAGES = pages()
NOT_RUN_AT_MOST = 8
_DRAWN = re.compile(r"drawn: (\w+)(?:, at most (\d+) of a kind)?$")
"""A picture of one of the journeys in `tests/journeys.py`."""


def names(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_example_of_a_page_does_what_it_shows(page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = page.read_text(encoding="utf-8")
    terminal = Terminal(tmp_path)
    namespace: dict[str, object] = {"__name__": "example"}
    left_out: list[str] = []
    wrong: list[str] = []
    try:
        for block in blocks(text):
            if block.reason_not_run is not None:
                left_out.append(f"{names(page)}:{block.line}: {block.reason_not_run}")
            else:
                wrong += run(block, terminal, namespace, page)
            if wrong and terminal.server is None:
                break  # what follows would only say that nobody answers
        for request, ids, line in asked_in_tables(text) if terminal.server is not None else ():
            status, body = terminal.get(request)
            found = [row["id"] for row in json.loads(body)] if status == 200 else body.decode()
            if found != ids:
                wrong.append(f"{names(page)}:{line}: {request} gives {found}, not {ids}")
    finally:
        terminal.close()
    with capsys.disabled():
        for reason in left_out:
            print(f"\nnot run: {reason}", end="")
    assert not wrong, "\n".join(wrong)


def run(block: Block, terminal: Terminal, namespace: dict[str, object], page: Path) -> list[str]:
    """Run one block; what is wrong with it."""
    where = f"{names(page)}:{block.line}"
    if (file := block.file) is not None:
        terminal.write(file[0], block.text, more=file[1])
        return []
    match block.language:
        case "console":
            found = []
            for command in commands(block):
                real = terminal.run(command.text, command.given)
                whole = command.text.startswith("pellucid trace ") and command.shown[:1] != ("...",)
                if whole and (rows := drawn(command.shown)):
                    if rows != drawn(real):
                        found.append(f"{names(page)}:{command.line}: $ {command.text}: {rows} is shown, this is drawn: {real}")
                elif (why := difference(command.shown, real, days())) is not None:
                    found.append(f"{names(page)}:{command.line}: $ {command.text}: {why}")
            return found
        case "python":
            printed = io.StringIO()
            try:
                with contextlib.redirect_stdout(printed):
                    exec(compile(block.text, where, "exec"), namespace)
            except Exception as error:
                return [f"{where}: {error!r}"]
            return []
        case "text" if block.comment.startswith("the server says"):
            shown = block.text.splitlines()
            real = terminal.said(lambda lines: difference(shown, lines, days()) is None)
            why = difference(shown, real, days())
            return [] if why is None else [f"{where}: {why}"]
        case "text" if (made := _DRAWN.match(block.comment)) is not None:
            picture = overview(getattr(journeys, made[1])(), 100, most=int(made[2] or 20))
            return [] if picture.splitlines() == block.text.splitlines() else [f"{where}: this is drawn:\n{picture}"]
        case language:
            return [f"{where}: nobody knows how to run a block of {language!r}; name its file, or say <!-- not run: why -->"]


def days() -> str:
    """Yesterday, today and tomorrow, here or in UTC: the days whose moments are just now."""
    today = datetime.now(UTC).date()
    return "|".join(str(today + timedelta(days=offset)) for offset in (-1, 0, 1))


def test_few_examples_are_left_out() -> None:
    reasons = [
        f"{names(page)}:{block.line}: {block.reason_not_run}"
        for page in PAGES
        for block in blocks(page.read_text(encoding="utf-8"))
        if block.reason_not_run is not None
    ]
    assert len(reasons) <= NOT_RUN_AT_MOST, "\n".join(reasons)
    assert all(len(reason.partition(": ")[2]) > 10 for reason in reasons), "each says why"


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_link_leads_somewhere(page: Path) -> None:
    wrong = []
    for link in links(page.read_text(encoding="utf-8")):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or not target.is_relative_to(ROOT):
            wrong.append(f"{link}: there is no such file")
        elif anchor and anchor not in anchors(target.read_text(encoding="utf-8")):
            wrong.append(f"{link}: {target.name} has no such heading")
    assert not wrong, "\n".join(wrong)


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    named = set(links(index.read_text(encoding="utf-8")))
    assert {page.name for page in PAGES if page.parent == index.parent} - {"index.md"} <= named


def test_every_file_that_the_design_map_names_exists() -> None:
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    files = re.findall(r"`([\w./]+\.py)`", design)
    assert len(files) > 20
    missing = [file for file in files if not any((folder / file).exists() for folder in (ROOT / "src" / "pellucid", ROOT))]
    assert not missing


def test_the_page_on_queries_names_every_operator_preference_and_limit_and_no_other() -> None:
    text = (ROOT / "docs" / "queries.md").read_text(encoding="utf-8")
    offered, refused = text.split("## What PostgREST has and this has not")
    assert set(re.findall(r"^\| `(\w+)` \| [^|]+ \| `/api", offered, re.MULTILINE)) == set(OPERATORS)
    assert set(UNSUPPORTED) <= set(re.findall(r"`(\w+)`", refused))
    preferences = offered.split("## Preferences")[1].split("## Limits")[0]
    told = re.findall(r"`([\w-]+)=([\w-]+)`", preferences)
    known = [(name, value) for name, values in KNOWN.items() for value in values or {"N"}]
    assert sorted(set(told)) == sorted(known)
    for limit in LIMITS.__struct_fields__:
        assert re.search(rf"(?<![\d,]){getattr(LIMITS, limit):,}\s", offered.split("## Limits")[1]), limit


def test_the_page_on_models_names_every_option() -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    for option in FieldInfo.__dataclass_fields__:
        assert re.search(rf"`[^`\n]*\b{option}\b ?=?", text) or f"{option}=" in text, option
    for name in rules.__all__:
        if name.islower():
            assert name in text or name == "simplify", name


def _slugs() -> set[str]:
    """Those that say what is wrong with a certificate or a handshake."""
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src" / "pellucid" / "client").glob("*.py"))
    return set(re.findall(r'"((?:certificate|tls)-[a-z-]+)"', source))


def test_the_page_on_traces_names_every_flag_stage_texture_kind_metric_slug_and_name_in_archives() -> None:
    text = (ROOT / "docs" / "trace.md").read_text(encoding="utf-8")
    flags = {flag for param in trace.params for flag in param.opts if flag.startswith("-") and flag != "--help"}
    archive = (ROOT / "src" / "pellucid" / "anatomy" / "har.py").read_text(encoding="utf-8")
    own = set(re.findall(r'"(_[a-zA-Z]+)"', archive))
    quoted = set(re.findall(r"`([^`\n]+)`", text))
    words = {word for each in quoted for word in re.findall(r"[\w.-]+", each)}
    told = {word.rpartition(".")[2] for word in words}
    assert flags <= quoted | words, flags - quoted - words
    assert set(STAGES) <= quoted
    assert set(METRICS) <= quoted
    assert set(OF_A_KIND) <= told
    assert _slugs() <= quoted
    assert own <= quoted
    for kind, (short, _) in KINDS.items():
        assert kind in words, kind
        assert not short or short in quoted or kind in ("document", "other"), short
    for look in LOOKS.values():
        assert f"| `{look.glyph}` | {look.meaning} |" in text, look
    for verdict in get_args(Verdict):
        assert f"| `{verdict}` |" in text, verdict


# What tests the documentation must itself be able to fail.


def test_output_that_differs_is_found() -> None:
    assert difference(["a", "b"], ["a", "b"], days()) is None
    assert difference(["a"], ["a", "b"], days()) is not None
    assert difference(["a", "b"], ["a"], days()) is not None
    assert difference(['{"id":1}'], ['{"id":2}'], days()) is not None
    assert difference(["a", "...", "d"], ["a", "b", "c", "d"], days()) is None
    assert difference(["a", "...", "d"], ["a", "b", "c"], days()) is not None
    assert difference(['{"id":1,…}'], ['{"id":1,"name":"x"}'], days()) is None
    assert difference(['{"id":1,…}'], ['{"id":2,"name":"x"}'], days()) is not None


def test_only_what_must_vary_may_vary() -> None:
    now = datetime.now(UTC)
    fresh, old = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "2001-01-01T00:00:00.000000Z"
    shown = '{"created":"2026-11-21T10:00:00.000000Z"}'
    assert difference([shown], [f'{{"created":"{fresh}"}}'], days()) is None
    assert difference([shown], [f'{{"created":"{old}"}}'], days()) is not None
    ids = [digit * 32 for digit in "ab"]
    assert difference([f"x-request-id: {ids[0]}"], [f"x-request-id: {ids[1]}"], days()) is None
    assert difference([f"x-request-id: {ids[0]}"], ["x-request-id: none"], days()) is not None
    assert difference(['etag: "481607ca5a62728a6583"'], ['etag: "581607ca5a62728a6583"'], days()) is not None
    assert difference(["ready after 347 ms"], ["ready after 1.20 s"], days()) is not None
    assert difference(["ready after 347 ms"], ["ready after 12 ms"], days()) is None


@pytest.mark.parametrize(
    "command",
    [
        "curl localhost:8000/a?b=c",
        "curl 'localhost:8000/a?b={c}'",
        "curl 'localhost:8000/a b'",
        "curl 'localhost:8000/ä'",
        "curl -Z localhost:8000/",
    ],
)
def test_a_curl_command_that_would_not_work_as_printed_is_refused(command: str) -> None:
    with pytest.raises(AssertionError):
        read_curl(command)
