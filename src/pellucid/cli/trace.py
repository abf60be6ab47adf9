"""`pellucid trace`: what happens under the hood when somebody types a URL, drawn on one clock.

In: one or two URLs, and how to ask. Out: a verdict, a waterfall and remarks, or the same as files; an exit code for scripts.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pellucid.anatomy.sections import STAGES

__all__ = ["trace"]

_EPILOG = """\b
Examples:
  pellucid trace example.org
  pellucid trace https://example.org/ --dns walk --show dns
  pellucid trace http://127.0.0.1:8000/ --html page.html --har page.har
  pellucid trace https://example.org/ --expect 'total<500ms' --only-document

\b
Exit codes: 0 the page came; 1 it did not, or its status was an error;
2 asked wrongly; 3 an expectation was not met; 130 interrupted.
"""


class _Grouped(click.Command):
    """A command whose options stand in groups."""

    groups: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("Show", ("show", "verbose", "html", "har", "json", "svg", "width", "color", "secrets")),
        ("Ask", ("method", "header", "data", "form", "file", "user", "cookie_jar")),
        ("Reach", ("resolve", "dns", "root_hints", "trust_anchor", "dns_port", "http11", "http2", "insecure", "cacert", "token")),
        ("Go", ("only_document", "twice", "viewport", "timeout", "limit")),
        ("Judge", ("expect", "compare")),
    )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options by what they are for."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records = {option.name: option.get_help_record(ctx) for option in options}
        for title, names in self.groups:
            with formatter.section(title):
                formatter.write_dl([record for name in names if (record := records.pop(name, None)) is not None])
        with formatter.section("Other"):
            formatter.write_dl([record for record in records.values() if record is not None])


@click.command(cls=_Grouped, epilog=_EPILOG)
@click.argument("urls", nargs=-1, required=True, metavar="URL [URL]")
@click.option("--show", multiple=True, metavar="STAGE", help=f"Tell all of a stage: {', '.join(STAGES)}.")
@click.option("-v", "--verbose", is_flag=True, help="Tell all of every stage.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write one self-contained page.")
@click.option("--har", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write an HTTP archive (HAR 1.2).")
@click.option("--json", "json", is_flag=True, help="Print everything that is known as JSON instead.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the terminal's picture.")
@click.option("--width", type=click.IntRange(40, 400), metavar="COLUMNS", help="Draw for this width, not for the terminal's.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours; NO_COLOR is heeded.")
@click.option("--secrets", is_flag=True, help="Leave cookies, passwords and tokens in what is shown and written.")
@click.option("-X", "--method", metavar="METHOD", help="GET unless there is a body, which is a POST.")
@click.option("-H", "--header", multiple=True, metavar="'NAME: VALUE'", help="Send a field; an empty value leaves one out.")
@click.option("-d", "--data", metavar="TEXT|@FILE|@-", help="Send a body.")
@click.option("--form", multiple=True, metavar="NAME=VALUE", help="Send a field of a form, as browsers encode it.")
@click.option("--file", multiple=True, metavar="NAME=PATH", help="Send a file in a form; PATH;type=image/png says its type.")
@click.option("-u", "--user", metavar="NAME:PASSWORD", help="Send Basic credentials.")
@click.option(
    "--cookie-jar", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Read cookies from it, write them back."
)
@click.option("--resolve", multiple=True, metavar="HOST:PORT:ADDRESS", help="Take this address; PORT may be *.")
@click.option(
    "--dns",
    default="system",
    metavar="system|walk|SERVER",
    help="Who is asked: as the system does, from the root down, or SERVER.",
)
@click.option(
    "--root-hints",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Begin the walk at these root servers.",
)
@click.option(
    "--trust-anchor",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Believe these DS records of the root.",
)
@click.option("--dns-port", type=click.IntRange(1, 65535), default=53, metavar="PORT", help="Where name servers listen.")
@click.option("--http1.1", "http11", is_flag=True, help="Offer nothing newer than HTTP/1.1.")
@click.option("--http2", is_flag=True, help="Speak HTTP/2, over plain http as well.")
@click.option("-k", "--insecure", is_flag=True, help="Go on with a bad certificate.")
@click.option(
    "--cacert",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Trust these authorities as well.",
)
@click.option("--token", metavar="TOKEN|@FILE", help="Shows the inside of a Pellucid server in production.")
@click.option("--only-document", is_flag=True, help="Leave out what the page names.")
@click.option("--twice", is_flag=True, help="Visit again, from what a browser's cache would have kept.")
@click.option(
    "--viewport", default="1280x720", metavar="WxH[@DENSITY]", help="The window that images and media queries are chosen for."
)
@click.option("--timeout", type=click.FloatRange(0.001), default=60.0, metavar="SECONDS", help="For everything; 60.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=300, metavar="REQUESTS", help="For a page with its parts; 300.")
@click.option("--expect", multiple=True, metavar="'total<500ms'", help="Exit with 3 unless this holds.")
@click.option(
    "--compare",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="HAR",
    help="Set beside an archive made before.",
)
def trace(urls: tuple[str, ...], **flags: object) -> None:
    """Make the journey that a browser makes to URL, and draw it on one clock.

    The name is looked up, the address connected to, the page fetched with everything it names, and where a Pellucid server
    answers, its inside is shown down to the SQL. JavaScript is not run. Two URLs are set side by side.
    """
    from pellucid.cli.tracing import Told, run  # late: --help needs none of it

    if len(urls) > 2:
        raise click.UsageError("at most two URLs can be set side by side")
    try:
        code = run(urls, Told(**flags))  # type: ignore[arg-type]
    except KeyboardInterrupt:  # before the journey began, or while it was drawn
        code = 130
    sys.exit(code)
