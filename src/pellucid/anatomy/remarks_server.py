"""Remarks on the servers: how long they took, on what, and which requests failed.

In: a Journey. Out: a remark of each rule, or None.
"""

from __future__ import annotations

import re

from pellucid.anatomy.cells import fit
from pellucid.anatomy.figures import count_text, duration_text, join_text, share_text
from pellucid.anatomy.inside import Statement, server_time, statements, summarize_statement
from pellucid.anatomy.remark import Remark, Rule, document_of, first_round, name_of, share
from pellucid.anatomy.verdict import span_of
from pellucid.journey import Journey, Visit

__all__ = ["RULES"]

MS = 1_000_000
_MANY = 5


def slow_server(journey: Journey) -> Remark | None:
    """More than half of the time was waiting for the document."""
    document = document_of(journey)
    if document is None or document.first_byte is None or document.sent_last is None:
        return None
    wait = document.first_byte - document.sent_last
    part = share(journey, wait)
    if wait < 20 * MS or part < 0.5:
        return None
    start, end = span_of(journey)
    text = f"The server took {duration_text(wait)} for the document, {share_text(wait, end - start)} of the time"
    return Remark(30 + 50 * part, f"{text}{_most_of_it(document)}")


def _most_of_it(document: Visit) -> str:
    inside = document.inside
    if inside is not None and inside.spans:
        sql = sum(statement.duration for statement in statements(inside))
        start, end = server_time(inside)
        if sql * 2 > end - start:
            return f"; {duration_text(sql)} of it in SQL"
        longest = max(inside.spans, key=lambda span: (span.duration if span.depth == 0 else 0))
        return f"; {duration_text(longest.duration)} of it in {longest.name}"
    told = [timing for timing in document.timings if timing.duration and timing.name.lower() != "total"]
    if told:
        longest_told = max(told, key=lambda timing: timing.duration or 0.0)
        return f"; it says {duration_text(round((longest_told.duration or 0) * MS))} of it were {longest_told.name}"
    return ""


def _statements(journey: Journey) -> list[tuple[Visit, Statement]]:
    return [
        (visit, statement)
        for visit in first_round(journey)
        if visit.inside is not None
        for statement in statements(visit.inside)
    ]


def repeated_statement(journey: Journey) -> Remark | None:
    """One request ran the same statement again and again."""
    found = [(visit, statement) for visit, statement in _statements(journey) if len(statement.spans) >= _MANY]
    if not found:
        return None
    visit, statement = max(found, key=lambda each: len(each[1].spans))
    count = len(statement.spans)
    text = f"The same statement ran {count} times for {name_of(visit)}, {duration_text(statement.duration)} together"
    return Remark(45 + min(count, 40), f"{text}: {fit(summarize_statement(statement.text), 60)}")


def scanned_table(journey: Journey) -> Remark | None:
    """A slow statement read a whole table."""
    scanning = [
        (visit, statement, step.split()[1])
        for visit, statement in _statements(journey)
        for step in statement.plan
        if step.strip().startswith("SCAN ") and "USING" not in step and len(step.split()) > 1 and not _stops_early(statement)
    ]
    if not scanning:
        return None
    visit, statement, table = max(scanning, key=lambda each: each[1].duration)
    part = share(journey, statement.duration)
    if statement.duration < 5 * MS and part < 0.2:
        return None
    aliased = re.search(rf"(?:FROM|JOIN)\s+(\w+)\s+AS\s+{re.escape(table)}\b", statement.text, re.IGNORECASE)
    whole = aliased[1] if aliased is not None else table
    text = f"SQL for {name_of(visit)} read the whole of {whole} in {duration_text(statement.duration)}: an index would spare that"
    return Remark(40 + 50 * part, text)


def _stops_early(statement: Statement) -> bool:
    """Whether it reads in the order that it wants, up to its LIMIT: nothing has to be seen whole for that."""
    return " LIMIT " in statement.text.upper() and not any("TEMP B-TREE" in step for step in statement.plan)


def failed_requests(journey: Journey) -> Remark | None:
    """Parts of the page are missing."""
    document = document_of(journey)
    visits = [visit for visit in first_round(journey) if visit is not document and visit.initiator.what != "/favicon.ico"]
    answered = [(visit, visit.received.status) for visit in visits if visit.received is not None]
    failed = [(visit, str(status)) for visit, status in answered if status >= 400]
    failed += [(visit, visit.failure.slug) for visit in visits if visit.failure is not None and visit.received is None]
    if not failed or document is None:
        return None
    names = [f"{name_of(visit)} ({why})" for visit, why in failed[:2]]
    if len(failed) > 2:
        names.append(f"{len(failed) - 2} more")
    trivial = all(visit.kind in ("icon", "manifest") for visit, _ in failed)
    text = f"{count_text(len(failed), 'request')} failed: {join_text(names)}"
    return Remark(22 if trivial else 60 + min(len(failed), 20), text)


RULES: tuple[Rule, ...] = (slow_server, repeated_statement, scanned_table, failed_requests)
