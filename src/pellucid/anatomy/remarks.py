"""What is worth knowing about a journey, three sentences at most: each found by a rule of its own, the weightiest first.

In: a Journey. Out: remarks with a weight from 0 to 100. A rule is a pure function that gives a remark or None; its weight is the
part of the time or of the bytes that it could spare, or how bad it is where it is not about speed.
"""

from __future__ import annotations

from pellucid.anatomy import remarks_arrival, remarks_page, remarks_server
from pellucid.anatomy.cells import clean
from pellucid.anatomy.figures import count_text
from pellucid.anatomy.remark import Remark, Rule, first_round
from pellucid.journey import Journey, Note

__all__ = ["RULES", "Remark", "footnotes", "noted", "remarks"]

_WEIGHTS = {"limit": 85, "delay": 72, "mixed-content": 66, "integrity": 66, "framing": 60, "cors": 50, "csp": 48, "preload": 40}
"""What the client remarked itself, by topic; anything else at its level's weight."""
_LEVELS = {"error": 58, "warning": 30}


def noted(journey: Journey) -> Remark | None:
    """The weightiest warning that was written down on the way."""
    return next(iter(_noted(journey)), None)


def noted_besides(journey: Journey) -> Remark | None:
    """The weightiest warning about anything else."""
    return next(iter(_noted(journey)[1:]), None)


def _noted(journey: Journey) -> list[Remark]:
    """One of each topic, the weightiest first."""
    topics: dict[str, list[Note]] = {}
    for note in [*journey.notes, *(note for visit in first_round(journey) for note in visit.notes)]:
        if note.level in _LEVELS:
            topics.setdefault(note.topic, []).append(note)
    return sorted(map(_remark, topics.values()), key=lambda remark: -remark.score)


def _remark(notes: list[Note]) -> Remark:
    def weight(note: Note) -> float:
        return _WEIGHTS.get(note.topic, 0) or _LEVELS[note.level]

    worst = max(notes, key=weight)
    text, more = clean(worst.message), len(notes) - 1
    text = text[:1].upper() + text[1:]
    return Remark(weight(worst), f"{text} (and {count_text(more, 'more remark')} like it)" if more else text)


RULES: tuple[Rule, ...] = (*remarks_arrival.RULES, *remarks_server.RULES, *remarks_page.RULES, noted, noted_besides)


def remarks(journey: Journey, most: int = 3) -> list[Remark]:
    """The weightiest remarks on a journey, weightiest first."""
    found = [remark for rule in RULES if (remark := rule(journey)) is not None]
    found.sort(key=lambda remark: -remark.score)
    return [Remark(remark.score, clean(remark.text)) for remark in found[:most]]


def footnotes(journey: Journey) -> list[str]:
    """The limits of what was done, said always: JavaScript was not run."""
    return [clean(note.message) for note in journey.notes if note.topic == "script" and note.level == "info"]
