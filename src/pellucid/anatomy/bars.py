"""A row's bar in cells: which phase fills which cell, and what is written where the bar leaves room.

In: a row, the axis, how many cells it has. Out: styled words of exactly that many cells.

Problem: a send takes 0.1 ms of 200 and would never be seen; a row of 1 ms must not vanish. A cell belongs to the phase that fills
most of it. A phase that won none takes one from a neighbour that has two or more; an answer's last cell is drawn in eighths.
"""

from __future__ import annotations

from pellucid.anatomy.cells import width
from pellucid.anatomy.drawing import LOOKS, Piece, Row

__all__ = ["bar"]

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(row: Row, start: int, end: int, room: int) -> tuple[list[tuple[str, str]], bool]:
    """The words of a bar, and whether the row's note is among them."""
    cells, used = _cells(row.pieces, start, end, room)
    if row.role == "server":
        _write_stations(row, cells, used, start, end)
    if row.failed and used:
        at = used[-1] + 1 if used[-1] + 1 < room else used[-1]
        cells[at] = ("✗", "bad")
        used = [*used, at]
    said = not row.note
    if row.note:
        said = _write_note(row, cells, used, room)
    words: list[tuple[str, str]] = []
    for glyph, style in cells:
        if words and words[-1][1] == style:
            words[-1] = (words[-1][0] + glyph, style)
        else:
            words.append((glyph, style))
    return words, said


def _cells(pieces: tuple[Piece, ...], start: int, end: int, room: int) -> tuple[list[tuple[str, str]], list[int]]:
    """A glyph and a style for each cell, and the cells that are filled, in order."""
    scale = room / max(end - start, 1)
    edges = [(max((piece.start - start) * scale, 0.0), min((piece.end - start) * scale, float(room))) for piece in pieces]
    owner = [-1] * room
    best = [0.0] * room
    filled = [0.0] * room
    for number, (a, b) in enumerate(edges):
        for cell in range(min(int(a), room - 1), min(int(b) + 1, room)):
            share = min(b, cell + 1) - max(a, cell)
            if share > 0:
                filled[cell] += share
                if share > best[cell]:
                    owner[cell], best[cell] = number, share
    for cell in range(room):
        if filled[cell] < 0.5 and not (owner[cell] >= 0 and _in_eighths(pieces[owner[cell]]) and filled[cell] >= 1 / 16):
            owner[cell] = -1
    _give_each_its_cell(pieces, edges, owner, room)
    cells = [(" ", "")] * room
    for cell, number in enumerate(owner):
        if number >= 0:
            piece = pieces[number]
            glyph = LOOKS[piece.phase].glyph
            if _in_eighths(piece) and (cell + 1 == room or owner[cell + 1] != number):
                covered = min(edges[number][1], cell + 1) - max(edges[number][0], cell)
                glyph = _EIGHTHS[min(max(round(covered * 8), 1), 8)]
            cells[cell] = (glyph, piece.phase)
            if not piece.sure and piece.phase == "timing" and (cell == 0 or owner[cell - 1] != number):
                cells[cell] = ("~", piece.phase)
    return cells, [cell for cell in range(room) if owner[cell] >= 0]


def _in_eighths(piece: Piece) -> bool:
    return piece.phase == "receive"


def _give_each_its_cell(pieces: tuple[Piece, ...], edges: list[tuple[float, float]], owner: list[int], room: int) -> None:
    """A piece without a cell takes the one where it lies, or the nearest of a neighbour's, where its owner keeps another one
    and the order of the pieces stays."""
    held = [0] * len(pieces)
    for number in owner:
        if number >= 0:
            held[number] += 1
    empty = not any(held)
    for number, (a, b) in enumerate(edges):
        if held[number] or (b <= a and len(pieces) > 1):
            continue
        at = min(max(int(a), 0), room - 1)
        for cell in (at, at + 1, at - 1):
            if not 0 <= cell < room:
                continue
            other = owner[cell]
            left, right = owner[cell - 1] if cell else -1, owner[cell + 1] if cell + 1 < room else -1
            in_order = left <= number and (right < 0 or right >= number)
            if empty or (other >= 0 and held[other] > 1 and in_order):
                if other >= 0:
                    held[other] -= 1
                owner[cell] = number
                held[number] = 1
                empty = False
                break


def _write_stations(row: Row, cells: list[tuple[str, str]], used: list[int], start: int, end: int) -> None:
    """The bounds of the server's time, and the names of those stations that have room for them."""
    if not used:
        return
    scale = len(cells) / max(end - start, 1)
    for piece in row.pieces:
        first, last = round((piece.start - start) * scale), round((piece.end - start) * scale)
        first, last = max(first, used[0] + 1), min(last, used[-1])
        if piece.name.isascii() and last - first >= len(piece.name) + 2:
            at = first + (last - first - len(piece.name)) // 2
            for offset, letter in enumerate(piece.name):
                cells[at + offset] = (letter, "station")
    if len(used) > 2:
        cells[used[0]] = ("┊", "server")
        cells[used[-1]] = ("┊", "server")


def _write_note(row: Row, cells: list[tuple[str, str]], used: list[int], room: int) -> bool:
    """Write the note left of the bar, else right of it, one blank between; False where it fits on neither side."""
    needed = width(row.note)
    style = "bad" if row.failed else "note"
    first, last = (used[0], used[-1]) if used else (room, -1)
    if needed != len(row.note):  # wide letters: they would need cells that are two
        return False
    if not used and needed <= room:
        at = 0
    elif needed + 2 <= first:
        at = first - needed - 1
    elif last + 2 + needed <= room:
        at = last + 2
    else:
        return False
    for offset, letter in enumerate(row.note):
        cells[at + offset] = (letter, style)
    return True
