"""What `pellucid trace` does once its flags are known: make the journey, show it, write it down, judge it.

In: URLs and flags. Out: text on stdout, files, and an exit code.
"""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import msgspec

from pellucid.anatomy.sections import STAGES
from pellucid.cli.asked import asked
from pellucid.cli.outlets import Outlets, safe_json
from pellucid.client.connect import ConnectOptions
from pellucid.client.dns.resolv_conf import parse_server
from pellucid.client.options import TraceOptions
from pellucid.client.resolve import ResolveOptions
from pellucid.client.trace import begin, prepare, trace
from pellucid.errors import near, shorten
from pellucid.http.url import BadUrl, parse_url
from pellucid.journey import Clock, Journey, Viewport, document_visit

if TYPE_CHECKING:
    from pellucid.anatomy.expect import Expectation
    from pellucid.anatomy.progress import Progress
    from pellucid.http.cookies import Jar

__all__ = ["Told", "run"]

FAILED, UNMET, INTERRUPTED = 1, 3, 130
_TICK = 0.1
_SLICE = 0.0005
"""Seconds for which a thread may hold Python: the cascade runs in one, and answers must not be heard late for it."""


class Told(msgspec.Struct, frozen=True):
    """The flags, as `cli/trace.py` declares them."""

    show: tuple[str, ...] = ()
    verbose: bool = False
    html: Path | None = None
    har: Path | None = None
    json: bool = False
    svg: Path | None = None
    width: int | None = None
    color: Literal["auto", "always", "never"] = "auto"
    secrets: bool = False
    method: str | None = None
    header: tuple[str, ...] = ()
    data: str | None = None
    form: tuple[str, ...] = ()
    file: tuple[str, ...] = ()
    user: str | None = None
    cookie_jar: Path | None = None
    resolve: tuple[str, ...] = ()
    dns: str = "system"
    root_hints: Path | None = None
    trust_anchor: Path | None = None
    dns_port: int = 53
    http11: bool = False
    http2: bool = False
    insecure: bool = False
    cacert: tuple[str, ...] = ()
    token: str | None = None
    only_document: bool = False
    twice: bool = False
    viewport: str = "1280x720"
    timeout: float = 60.0
    limit: int = 300
    expect: tuple[str, ...] = ()
    compare: Path | None = None


def run(urls: Sequence[str], told: Told) -> int:
    """Make the journeys and show them; gives the exit code. Raises click's usage errors for flags that cannot be."""
    stages = _stages(told)
    expectations = _expectations(told.expect)
    options = _options(told)
    before = _archive(told.compare) if told.compare is not None else None
    for flag, file in (("--html", told.html), ("--har", told.har), ("--svg", told.svg), ("--cookie-jar", told.cookie_jar)):
        if file is not None and not file.absolute().parent.is_dir():
            raise click.BadParameter(f"{file}: there is no such folder", param_hint=flag)
    jar = _load(told.cookie_jar)
    for url in urls:
        _begin(url, options)  # every mistake is said before anything is sent
    prepare(urls, options)
    sys.setswitchinterval(_SLICE)
    from pellucid.anatomy.progress import Progress  # late, and before any clock runs

    journeys: list[Journey] = []
    interrupted = False
    for url in urls:
        journey, clock, assumed = _begin(url, options)
        journeys.append(journey)
        if interrupted := _make(journey, clock, options, assumed, jar, Progress(sys.stderr)):
            break
    outlets = Outlets()
    if told.cookie_jar is not None and jar is not None:
        outlets.write(told.cookie_jar, jar.save(journeys[-1].began).encode(), "--cookie-jar", private=True)
    _show(journeys, told, stages, before, outlets)
    met = _judge(journeys[-1], expectations, told, outlets)
    outlets.close()
    if interrupted:
        return INTERRUPTED
    if any(_failed(journey) for journey in journeys):
        return FAILED
    return 0 if met else UNMET


def _begin(url: str, options: TraceOptions) -> tuple[Journey, Clock, bool]:
    try:
        return begin(url, options)
    except BadUrl as error:
        hint = f": {error.hint}" if error.hint else ""
        raise click.BadParameter(f"{error.message}{hint}", param_hint="URL") from None


def _make(journey: Journey, clock: Clock, options: TraceOptions, assumed: bool, jar: Jar | None, progress: Progress) -> bool:
    """Make one journey, with a line that tells how far it is; gives whether it was interrupted."""

    async def ticking() -> None:
        while True:
            await asyncio.sleep(_TICK)
            done = sum(visit.finished is not None for visit in journey.visits)
            progress.update(done, len(journey.visits), sum(visit.body.wire for visit in journey.visits), clock())

    async def going() -> None:
        ticker = asyncio.create_task(ticking())
        try:
            await trace(journey, clock, options, assumed=assumed, jar=jar)
        finally:
            ticker.cancel()
            await asyncio.gather(ticker, return_exceptions=True)

    gc.freeze()  # a round over all that was imported takes as long as several answers, and would be drawn as theirs
    try:
        asyncio.run(going())
    except KeyboardInterrupt:
        return True
    finally:
        gc.unfreeze()
        progress.erase()
    return False


def _failed(journey: Journey) -> bool:
    document = document_visit(journey.visits)
    if journey.failure is not None or document is None or document.received is None or document.failure is not None:
        return True
    return document.received.status >= 400


# -- what is asked for -----------------------------------------------------------------------------------------------------------


def _options(told: Told) -> TraceOptions:
    request = asked(told.method, told.header, told.data, told.form, told.file, told.user)
    if told.http11 and told.http2:
        raise click.UsageError("--http1.1 and --http2 exclude each other")
    alpn = ("http/1.1",) if told.http11 else ("h2",) if told.http2 else ("h2", "http/1.1")
    return TraceOptions(
        method=request.method,
        headers=request.headers,
        body=request.body,
        content_type=request.content_type,
        only_document=told.only_document,
        twice=told.twice,
        timeout=told.timeout,
        limit=told.limit,
        viewport=_viewport(told.viewport),
        resolve=_resolve(told),
        connect=ConnectOptions(alpn=alpn, verify=not told.insecure, authorities=told.cacert, timeout=min(told.timeout, 30.0)),
        token=_token(told.token),
    )


def _token(text: str | None) -> str | None:
    """The token itself, or what a file has: on a command line everybody on the machine can read it."""
    token = text or ""
    if token.startswith("@"):
        try:
            token = Path(token[1:]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise click.BadParameter(f"{token[1:]}: {error}", param_hint="--token") from None
    if not (token.isascii() and token.isprintable()):
        raise click.BadParameter("a token is on one line, of letters, digits and marks of ASCII", param_hint="--token")
    return token or None


def _viewport(text: str) -> Viewport:
    size, _, density = text.partition("@")
    width, _, height = size.lower().partition("x")
    try:
        viewport = Viewport(int(width), int(height), float(density or 1))
    except ValueError:
        viewport = Viewport(0)
    if not (0 < viewport.width <= 100_000 and 0 < viewport.height <= 100_000 and 0 < viewport.density <= 10):
        raise click.BadParameter(f"{shorten(text)} is not a size such as 1280x720 or 390x844@3", param_hint="--viewport")
    return viewport


def _resolve(told: Told) -> ResolveOptions:
    overrides: list[tuple[str, int, tuple[str, ...]]] = []
    for text in told.resolve:
        host, _, rest = text.partition(":")
        port, _, addresses = rest.partition(":")
        if not host or not addresses or not (port == "*" or (port.isdecimal() and int(port) < 65536)):
            raise click.BadParameter(f"{shorten(text)} is not HOST:PORT:ADDRESS", param_hint="--resolve")
        given = tuple(address.strip().strip("[]") for address in addresses.split(","))
        overrides.append((_host(host), 0 if port == "*" else int(port), tuple(_address(address) for address in given)))
    if told.dns not in ("system", "walk"):
        try:
            parse_server(told.dns)
        except ValueError as error:
            raise click.BadParameter(f"{error}; or say system or walk", param_hint="--dns") from None
    hints = None if told.root_hints is None else _hints(told.root_hints)
    anchors = None if told.trust_anchor is None else _anchors(told.trust_anchor)
    return ResolveOptions(
        mode=told.dns,
        overrides=tuple(overrides),
        timeout=min(told.timeout, 20.0),
        hints=hints,
        anchors=anchors,
        port=told.dns_port,
    )


def _host(text: str) -> str:
    """A host of --resolve as it goes over the wire: what is typed in Unicode must fit what is asked for."""
    try:
        return text if text == "*" else parse_url(f"http://{text}/").host
    except BadUrl:
        raise click.BadParameter(f"{shorten(text)} is not a host", param_hint="--resolve") from None


def _address(text: str) -> str:
    import ipaddress  # late: only where an address is given

    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise click.BadParameter(f"{shorten(text)} is not an address", param_hint="--resolve") from None
    return text


def _zone_lines(file: Path) -> Iterator[list[str]]:
    """The words of each line of a zone file, comments left out."""
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        yield line.partition(";")[0].split()


def _hints(file: Path) -> tuple[tuple[str, str], ...]:
    """Root hints as a zone file has them: `NAME TTL A ADDRESS` lines; other lines are left out."""
    lines = _zone_lines(file)
    found = [(words[0], words[-1]) for words in lines if len(words) >= 3 and words[-2].upper() in ("A", "AAAA")]
    if not found:
        raise click.BadParameter(f"{file} has no A or AAAA records", param_hint="--root-hints")
    return tuple(found)


def _anchors(file: Path) -> tuple[str, ...]:
    """The DS records of the root, as a zone file has them; the text behind `DS`."""
    found = []
    for words in _zone_lines(file):
        kinds = [word.upper() for word in words]
        if "DS" in kinds:
            found.append(" ".join(words[kinds.index("DS") + 1 :]))
    if not found:
        raise click.BadParameter(f"{file} has no DS records", param_hint="--trust-anchor")
    return tuple(found)


def _stages(told: Told) -> tuple[str, ...]:
    wanted = [stage.strip() for text in told.show for stage in text.split(",")]
    for stage in wanted:
        if stage not in STAGES:
            hint = near(stage, STAGES)
            raise click.BadParameter(
                f"{shorten(stage)} is none of {', '.join(STAGES)}{f': {hint}' if hint else ''}", param_hint="--show"
            )
    return STAGES if told.verbose else tuple(stage for stage in STAGES if stage in wanted)


def _expectations(texts: tuple[str, ...]) -> list[Expectation]:
    if not texts:
        return []
    from pellucid.anatomy.expect import BadExpectation, parse

    try:
        return [expectation for text in texts for expectation in parse(text)]
    except BadExpectation as error:
        raise click.BadParameter(f"{error.message}{f': {error.hint}' if error.hint else ''}", param_hint="--expect") from None


def _archive(file: Path) -> dict[str, object]:
    try:
        data = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
        told: dict[str, object] = msgspec.json.decode(data, type=dict[str, object])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise click.BadParameter(f"{file} is not an HTTP archive: {error}", param_hint="--compare") from None
    if not isinstance(told.get("log"), dict):
        raise click.BadParameter(f"{file} is not an HTTP archive: it has no `log`", param_hint="--compare")
    from pellucid.anatomy.compare import Summary

    try:
        Summary.from_har(told)
    except ValueError as error:
        raise click.BadParameter(f"{file} is not an HTTP archive: {error}", param_hint="--compare") from None
    return told


def _load(file: Path | None) -> Jar | None:
    if file is None:
        return None
    from pellucid.http.cookies import Jar

    jar = Jar()
    if file.exists():
        try:
            remarks = jar.load(file.read_text(encoding="utf-8"), _now())
        except (OSError, UnicodeDecodeError) as error:
            raise click.BadParameter(f"{file}: {error}", param_hint="--cookie-jar") from None
        for remark in remarks:
            click.echo(f"{file}: {remark.message}", err=True)
    return jar


def _now() -> float:
    import time

    return time.time()


# -- what is shown ---------------------------------------------------------------------------------------------------------------


def _show(
    journeys: list[Journey], told: Told, stages: tuple[str, ...], before: dict[str, object] | None, outlets: Outlets
) -> None:
    from pellucid.anatomy.hide import without_secrets

    shown = journeys if told.secrets else [without_secrets(journey) for journey in journeys]
    if told.json:
        outlets.say(_json(shown))
    else:
        _paint(shown, told, stages, before, outlets)
    last = shown[-1]
    if told.html is not None:
        from pellucid.anatomy.report import page

        outlets.write(told.html, page(last).encode(), "--html")
    if told.har is not None:
        from pellucid.anatomy.har import archive

        outlets.write(told.har, safe_json(msgspec.json.format(msgspec.json.encode(archive(last)), indent=2)).encode(), "--har")
    if told.svg is not None:
        from pellucid.anatomy.svg import picture

        outlets.write(told.svg, picture(last, told.width or 110, command=f"pellucid trace {last.typed}").encode(), "--svg")


def _paint(
    journeys: list[Journey], told: Told, stages: tuple[str, ...], before: dict[str, object] | None, outlets: Outlets
) -> None:
    from pellucid.anatomy.terminal import color_of, overview

    width = told.width or min(max(shutil.get_terminal_size((100, 24)).columns, 40), 200)
    color = "none" if told.color == "never" else color_of(sys.stdout, os.environ)
    if told.color == "always" and color == "none":
        color = "256"
    for journey in journeys:
        outlets.say(overview(journey, width, color))
        if stages:
            from pellucid.anatomy.details import details

            outlets.say(details(journey, stages, width, color))
    if len(journeys) > 1 or before is not None:
        from pellucid.anatomy.compare import Summary, compare

        first = Summary.from_har(before) if before is not None else Summary.from_journey(journeys[0])
        outlets.say(compare(first, Summary.from_journey(journeys[-1]), width, color))


def _json(journeys: list[Journey]) -> str:
    from pellucid.anatomy.verdict import judge

    told = [{"verdict": judge(journey).text, "journey": journey} for journey in journeys]
    return safe_json(msgspec.json.format(msgspec.json.encode(told[0] if len(told) == 1 else told), indent=2)) + "\n"


def _judge(journey: Journey, expectations: list[Expectation], told: Told, outlets: Outlets) -> bool:
    if not expectations:
        return True
    from pellucid.anatomy.expect import check

    results = check(journey, expectations)
    for result in results:
        outlets.say(f"{result.text}\n", err=told.json)
    return all(result.passed for result in results)
