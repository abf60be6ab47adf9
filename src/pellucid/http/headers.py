"""Header fields as a message carried them: ordered pairs with lookup by lower-case name (RFC 9110, section 5).

In: pairs of bytes that the parser has already checked. Out: text by name. It never validates and never touches a
socket. One `Headers` object may be shared by all requests of a connection that send the same header block, so it is
immutable, and `facts` keeps what other stations derived from it (negotiation, for one): asked once per block, not once
per request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["Headers"]


class Headers:
    """An immutable list of header fields. Names are lower case; values are decoded as ISO-8859-1 (RFC 9110, section
    5.5).
    """

    __slots__ = ("_by_name", "facts", "pairs")

    def __init__(self, pairs: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.pairs: tuple[tuple[bytes, bytes], ...] = tuple(pairs)
        by_name: dict[str, str] = {}
        for raw_name, raw_value in self.pairs:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            # RFC 9110, section 5.3: a repeated field equals its values joined by commas; cookies join by semicolons
            # (RFC 9113, 8.2.3).
            by_name[name] = f"{by_name[name]}{'; ' if name == 'cookie' else ', '}{value}" if name in by_name else value
        self._by_name = by_name
        self.facts: dict[object, object] = {}

    @classmethod
    def of(cls, pairs: Sequence[tuple[bytes, bytes]], by_name: dict[str, str]) -> Headers:
        """The same from what is decoded already: `by_name` holds each name once, in lower case."""
        made = cls.__new__(cls)
        made.pairs = tuple(pairs)
        made._by_name = by_name
        made.facts = {}
        return made

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of a field by lower-case name; repeated fields are joined by commas."""
        return self._by_name.get(name, default)

    def all(self, name: str) -> list[str]:
        """Every value of a field, in order, for the fields that must not be joined (Set-Cookie)."""
        wanted = name.encode("latin-1")
        return [value.decode("latin-1") for key, value in self.pairs if key == wanted]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> str:
        return self._by_name[name]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"
