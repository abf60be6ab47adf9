"""All that is known of a stage of the journey: what `--show` prints and the report unfolds.

In: a Journey and the names of stages. Out: sections of items, or the same as text for a terminal.
"""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.anatomy.cells import width as cells
from pellucid.anatomy.cells import wrap
from pellucid.anatomy.figures import count_text, duration_text
from pellucid.anatomy.layout import Line
from pellucid.anatomy.messages import body_section, request_section, response_section
from pellucid.anatomy.sections import STAGES, Item, Section
from pellucid.anatomy.terminal import Color, encode
from pellucid.anatomy.wires import connect_sections, dns_sections, tls_sections, why
from pellucid.journey import Journey, Visit, document_visit

__all__ = ["STAGES", "details", "sections", "visit_sections"]

_LABEL = 14
_MOST_LISTED = 500


def sections(journey: Journey, stages: Sequence[str], *, whole: bool = False) -> list[Section]:
    """The details of some stages. Requests and answers are those of the document, its redirects and what failed, or
    (`whole`) all of them.
    """
    told: list[Section] = []
    visits = list(journey.visits) if whole else _of_interest(journey)
    for stage in STAGES:
        if stage not in stages:
            continue
        match stage:
            case "dns":
                told += dns_sections(journey)
            case "connect":
                told += connect_sections(journey)
            case "tls":
                told += tls_sections(journey)
            case "page":
                told.append(page_section(journey))
            case _:
                told += [section for visit in visits for section in visit_sections(visit, (stage,))]
    return told


def visit_sections(visit: Visit, stages: Sequence[str] = ("request", "response", "body")) -> list[Section]:
    """The details of one request."""
    makers = {"request": request_section, "response": response_section, "body": body_section}
    return [makers[stage](visit) for stage in stages if stage in makers and not (stage == "body" and visit.received is None)]


def _of_interest(journey: Journey) -> list[Visit]:
    chain: list[Visit] = []
    visit = document_visit(journey.visits)
    while visit is not None:
        chain.insert(0, visit)
        visit = next((each for each in journey.visits if each.id == chain[0].redirected_from), None)
    failed = [each for each in journey.visits if each not in chain and (each.failure is not None or _status(each) >= 400)]
    return [*chain, *failed[:20]]


def _status(visit: Visit) -> int:
    return visit.received.status if visit.received is not None else 0


def page_section(journey: Journey) -> Section:
    """What the page named: each resource with the byte that revealed it, and what was left out with the reason."""
    section = Section(
        "page", f"Page: {count_text(len(journey.visits), 'request')}, {count_text(len(journey.skipped), 'resource')} left out", []
    )
    view = journey.viewport
    section.add(
        f"{view.width} x {view.height} pixels, density {view.density:g}",
        "window",
        "what media queries and srcset were answered for",
    )
    for visit in journey.visits:
        section.add(
            visit.url,
            f"{duration_text(visit.discovered)}",
            f"{visit.kind}, {visit.priority}{_over(visit)}: {why(journey, visit.initiator)}",
        )
    for connection in journey.connections:
        if connection.ahead is not None:
            place = f"{connection.host}:{connection.port}"
            section.add(place, f"{duration_text(connection.started)}", f"connected ahead: {why(journey, connection.ahead)}")
    for skipped in journey.skipped[:_MOST_LISTED]:
        section.add(
            skipped.url,
            "left out",
            f"{skipped.kind}: {skipped.why}; {why(journey, skipped.initiator)}",
            skipped.source,
            tone="dim",
        )
    if len(journey.skipped) > _MOST_LISTED:
        section.add(f"{len(journey.skipped) - _MOST_LISTED:,} more were left out", "left out", tone="dim")
    section.note(journey.notes)
    return section


def _over(visit: Visit) -> str:
    return "" if visit.connection is None else f", on connection {visit.connection}"


# -- as text -------------------------------------------------------------------------------------------------------------------


def details(journey: Journey, stages: Sequence[str], width: int, color: Color = "none", *, whole: bool = False) -> str:
    """The sections as text of `width` columns; nothing is cut off, long lines are continued below."""
    lines: list[Line] = []
    for section in sections(journey, stages, whole=whole):
        lines.append([])
        lines += [[(part, "title")] for part in wrap(section.title, width)]
        for item in section.items:
            lines += _lines(item, width)
    return "".join(f"{encode(line, color)}\n" for line in lines)


def _lines(item: Item, width: int) -> list[Line]:
    room = min(_LABEL, max(width // 5, 8))
    indent = "  " * item.depth
    start = " " * 2 + indent
    label = item.label
    text_room = max(width - len(start) - room - 1, 16)
    pieces = wrap(item.text, text_room)
    lines: list[Line] = []
    if cells(label) > room:
        lines.append([(f"{start}{label}", "dim")])
        label = ""
    style = {"good": "good", "warning": "warning", "bad": "bad", "dim": "dim"}.get(item.tone, "")
    for number, piece in enumerate(pieces):
        shown = label if number == 0 else ""
        lines.append([(f"{start}{shown}{' ' * (room - cells(shown))} ", "dim"), (piece, style)])
    told = "; ".join(filter(None, (item.note, item.source)))
    lines += [[(f"{start}{' ' * room}   ", ""), (piece, "dim")] for piece in (wrap(told, text_room - 2) if told else ())]
    return lines
