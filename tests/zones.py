"""The names of the laboratory: which zones there are, who serves them, what is wrong with them, and what that must come to.

In: nothing. Out: `ZONES` (data for `hierarchy.py`) and `CASES`: questions with what becomes of them. The cases are checked
against Unbound and delv, so they state what is so and not what we wish. Nothing ends in `.test`, since Unbound answers such names
itself (RFC 6761).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["CASES", "PARTS", "SERVERS", "ZONES", "Case", "Zone"]

ECDSA, RSA, ED25519 = "ECDSAP256SHA256", "RSASHA256", "ED25519"

SERVERS: dict[str, tuple[str, ...]] = {
    "root": ("127.0.53.10", "127.0.53.11"),
    "lab": ("127.0.53.20", "127.0.53.21"),
    "tlds": ("127.0.53.22",),
    "signing": ("127.0.53.23",),
    "leaves": ("127.0.53.30",),
    "more": ("127.0.53.31",),
    # Those of badservers.py:
    "slow": ("127.0.53.40",),
    "silent": ("127.0.53.41",),
    "poison": ("127.0.53.42",),
    "noedns": ("127.0.53.43",),
    "truncating": ("127.0.53.44",),
    "noempty": ("127.0.53.45",),
    "lossy": ("127.0.53.46",),
    # Nothing listens there:
    "nobody": ("127.0.53.99",),
}
"""The addresses of each server, which is a process of its own, so that it answers for its zones and no others.

`signing` signs its zone itself, the others get theirs signed."""

PARTS = {"root": "nsd", "lab": "knot", "tlds": "nsd", "signing": "knot", "leaves": "nsd", "more": "knot"}
"""Which program each real server is."""


class Zone(NamedTuple):
    """A zone: what stands in it, how it is signed, and how it is delegated."""

    name: str
    server: str
    """A key of `SERVERS`."""
    records: str = ""
    """Lines of a zone file, the SOA, the NS and the servers' own addresses left out."""
    algorithms: tuple[str, ...] = (ECDSA,)
    """None: not signed."""
    denial: Literal["nsec", "nsec3", "opt-out"] = "nsec"
    iterations: int = 0
    salt: str = ""
    split: bool = False
    """A key for the keys and another for the records, as larger zones have it; else one for both."""
    dates: Literal["now", "past", "future"] = "now"
    delegation: tuple[tuple[str, str | None], ...] | None = None
    """Name and address of each of its servers, as the parent has them; the address None: no glue. The default is `ns1` inside."""
    ds: Literal["right", "none", "wrong", "algorithm", "digest"] = "right"
    """What the parent says of its key: another's, or one of an algorithm or a digest that nobody knows."""
    spoiled: Literal["", "changed", "nodenial", "stripped", "nokey", "unsigned-record"] = ""
    """What was done to it after signing: a record changed, NSEC and NSEC3 taken out, all signatures taken out, ..."""


MANY = "\n".join(f"big A 192.0.2.{number}" for number in range(1, 121))

ZONES = (
    Zone(
        ".",
        "root",
        "a.root. A 127.0.53.10\nb.root. A 127.0.53.11",
        delegation=(("a.root.", "127.0.53.10"), ("b.root.", "127.0.53.11")),
        split=True,
    ),
    Zone(
        "lab.",
        "lab",
        "www A 192.0.2.1\nhost.empty A 192.0.2.2",
        delegation=(("ns1.lab.", "127.0.53.20"), ("ns2.lab.", "127.0.53.21")),
    ),
    Zone("cdn.", "tlds", "www A 192.0.2.3", algorithms=(RSA,), denial="nsec3", split=True),
    Zone("open.", "signing", "www A 192.0.2.4", algorithms=(ED25519,), denial="opt-out", split=True),
    Zone("plain.", "tlds", "www A 192.0.2.5\nalias CNAME www.shop.lab.", algorithms=(), ds="none"),
    Zone(
        "shop.lab.",
        "leaves",
        f"""\
@ A 127.0.0.1
@ HTTPS 1 . alpn=h2,http/1.1 ipv4hint=127.0.0.1
www A 127.0.0.1
www AAAA ::1
www HTTPS 1 . alpn=h2,http/1.1
v4 A 192.0.2.10
v6 AAAA 2001:db8::10
text TXT "no address here"
alias CNAME www
far CNAME www.site.cdn.
farther CNAME alias.site.cdn.
naked CNAME www.plain.
spoiled CNAME www.expired.lab.
dangling CNAME nothing.site.cdn.
round CNAME about
about CNAME round
self CNAME self
host.empty A 192.0.2.11
*.wild A 192.0.2.12
known.wild A 192.0.2.13
*.wildalias CNAME www
*.wildfar CNAME www.site.cdn.
*.wildgone CNAME nothing.site.cdn.
a.*.odd A 192.0.2.15
old DNAME site.cdn.
moved DNAME new.shop.lab.
www.new A 192.0.2.14
{MANY}
""",
    ),
    Zone("sub.shop.lab.", "leaves", "www A 192.0.2.20", algorithms=(ED25519,)),
    Zone("bare.shop.lab.", "leaves", "www A 192.0.2.21", algorithms=(), ds="none"),
    Zone(
        "site.cdn.",
        "more",
        """\
@ A 192.0.2.30
www A 192.0.2.31
www AAAA 2001:db8::31
alias CNAME www
back CNAME www.shop.lab.
text TXT "no address here"
host.empty A 192.0.2.32
*.wild A 192.0.2.33
*.wildback CNAME www.shop.lab.
a.*.odd A 192.0.2.36
moved DNAME shop.lab.
ns A 127.0.53.30
""",
        algorithms=(RSA,),
        denial="nsec3",
        salt="beef",
        iterations=3,
    ),
    Zone("inner.site.cdn.", "more", "www A 192.0.2.34", denial="nsec3"),
    Zone("deep.under.lab.", "more", "www A 192.0.2.40"),
    Zone("long.lab.", "more", "www A 192.0.2.43", algorithms=("ECDSAP384SHA384",), denial="nsec3"),
    Zone("two.lab.", "more", "www A 192.0.2.41", algorithms=(ECDSA, RSA)),
    Zone("signed.open.", "leaves", "www A 192.0.2.42", denial="opt-out"),
    Zone("unsigned.lab.", "leaves", "www A 192.0.2.50", algorithms=(), ds="none"),
    Zone("unsigned.cdn.", "leaves", "www A 192.0.2.51", algorithms=(), ds="none"),
    Zone("unsigned.open.", "leaves", "www A 192.0.2.52", algorithms=(), ds="none"),
    Zone("island.plain.", "leaves", "www A 192.0.2.53", ds="none"),
    Zone("island.lab.", "leaves", "www A 192.0.2.54", ds="none"),
    Zone("newalgorithm.lab.", "leaves", "www A 192.0.2.55", ds="algorithm"),
    Zone("newdigest.lab.", "leaves", "www A 192.0.2.56", ds="digest"),
    Zone("manyrounds.lab.", "leaves", "www A 192.0.2.57\n*.wild A 192.0.2.58", denial="nsec3", iterations=200, salt="aabb"),
    Zone("somerounds.lab.", "leaves", "www A 192.0.2.59", denial="nsec3", iterations=150),
    Zone("expired.lab.", "leaves", "www A 192.0.2.60", dates="past"),
    Zone("future.lab.", "leaves", "www A 192.0.2.61", dates="future"),
    Zone("wrongds.lab.", "leaves", "www A 192.0.2.62", ds="wrong"),
    Zone("changed.lab.", "leaves", "www A 192.0.2.63\nother A 192.0.2.64", spoiled="changed"),
    Zone(
        "nodenial.lab.",
        "leaves",
        "www A 192.0.2.65\ntext TXT hello\n*.wild A 192.0.2.66\n*.wildfar CNAME www.site.cdn.",
        denial="nsec3",
        spoiled="nodenial",
    ),
    Zone("nodenial2.lab.", "leaves", "www A 192.0.2.67\ntext TXT hello\n*.wild A 192.0.2.68", spoiled="nodenial"),
    Zone("stripped.lab.", "leaves", "www A 192.0.2.69", spoiled="stripped"),
    Zone("nokey.lab.", "leaves", "www A 192.0.2.70", spoiled="nokey"),
    Zone("halfsigned.lab.", "leaves", "www A 192.0.2.71\nother A 192.0.2.72", spoiled="unsigned-record"),
    Zone("below.expired.lab.", "leaves", "www A 192.0.2.73"),
    # Servers that do not do what they should; one is well in the first three, and the fourth loses every other question.
    Zone(
        "lame.lab.",
        "leaves",
        "www A 192.0.2.80",
        delegation=(("ns1.lame.lab.", "127.0.53.31"), ("ns2.lame.lab.", "127.0.53.30"), ("ns3.lame.lab.", "127.0.53.20")),
    ),
    Zone(
        "halfdead.lab.",
        "leaves",
        "www A 192.0.2.81",
        delegation=(("ns1.halfdead.lab.", "127.0.53.99"), ("ns2.halfdead.lab.", "127.0.53.30")),
    ),
    Zone(
        "halfsilent.lab.",
        "leaves",
        "www A 192.0.2.82",
        delegation=(("ns1.halfsilent.lab.", "127.0.53.41"), ("ns2.halfsilent.lab.", "127.0.53.30")),
    ),
    Zone("lossy.lab.", "leaves", "www A 192.0.2.91", delegation=(("ns1.lossy.lab.", "127.0.53.46"),)),
    Zone("alllame.lab.", "nobody", algorithms=(), ds="none", delegation=(("ns1.alllame.lab.", "127.0.53.31"),)),
    Zone("dead.lab.", "nobody", algorithms=(), ds="none"),
    Zone("silent.lab.", "silent", algorithms=(), ds="none"),
    Zone("slow.lab.", "slow", "www A 192.0.2.83", algorithms=(), ds="none"),
    Zone("poison.lab.", "poison", "www A 192.0.2.84", algorithms=(), ds="none"),
    Zone("noedns.lab.", "noedns", "www A 192.0.2.85", algorithms=(), ds="none"),
    Zone("truncating.lab.", "truncating", "www A 192.0.2.86", algorithms=(), ds="none"),
    Zone("noempty.lab.", "noempty", "www.a.b A 192.0.2.87", algorithms=(), ds="none"),
    # Servers whose own names lie elsewhere, or nowhere.
    Zone("glueless.lab.", "leaves", "www A 192.0.2.90", delegation=(("ns.site.cdn.", None),)),
    Zone("loop1.lab.", "nobody", algorithms=(), ds="none", delegation=(("ns.loop2.lab.", None),)),
    Zone("loop2.lab.", "nobody", algorithms=(), ds="none", delegation=(("ns.loop1.lab.", None),)),
    Zone("missingglue.lab.", "nobody", algorithms=(), ds="none", delegation=(("ns.missingglue.lab.", None),)),
)
"""All zones, parents before children."""

Verdict = Literal["secure", "insecure", "bogus", "indeterminate"]
End = Literal["answer", "nodata", "nxdomain", "failure"]


class Case(NamedTuple):
    """A question and what it must come to, walking from the root with the right anchor."""

    name: str
    type: str
    end: End
    """What the walk finds; `failure` where no server gives an answer."""
    verdict: Verdict
    first: str = ""
    """The text of one record of the answer (the last step's), where there is one."""
    names: str = ""
    """Words of the sentence that names the failing link, where it is bogus."""


CASES = (
    Case(".", "NS", "answer", "secure"),
    Case("lab.", "SOA", "answer", "secure"),
    Case("www.lab.", "A", "answer", "secure", "192.0.2.1"),
    Case("empty.lab.", "A", "nodata", "secure"),
    Case("nothing.lab.", "A", "nxdomain", "secure"),
    Case("nothing.", "A", "nxdomain", "secure"),
    Case("www.cdn.", "A", "answer", "secure", "192.0.2.3"),
    Case("nothing.cdn.", "A", "nxdomain", "secure"),
    Case("www.open.", "A", "answer", "secure", "192.0.2.4"),
    Case("nothing.open.", "A", "nxdomain", "insecure"),
    Case("www.plain.", "A", "answer", "insecure", "192.0.2.5"),
    Case("nothing.plain.", "A", "nxdomain", "insecure"),
    Case("alias.plain.", "A", "answer", "insecure", "127.0.0.1"),
    Case("shop.lab.", "A", "answer", "secure", "127.0.0.1"),
    Case("shop.lab.", "HTTPS", "answer", "secure"),
    Case("shop.lab.", "DS", "answer", "secure"),
    Case("shop.lab.", "DNSKEY", "answer", "secure"),
    Case("www.shop.lab.", "A", "answer", "secure", "127.0.0.1"),
    Case("www.shop.lab.", "AAAA", "answer", "secure", "::1"),
    Case("www.shop.lab.", "HTTPS", "answer", "secure"),
    Case("www.shop.lab.", "TXT", "nodata", "secure"),
    Case("v4.shop.lab.", "AAAA", "nodata", "secure"),
    Case("v6.shop.lab.", "AAAA", "answer", "secure", "2001:db8::10"),
    Case("v6.shop.lab.", "A", "nodata", "secure"),
    Case("text.shop.lab.", "A", "nodata", "secure"),
    Case("alias.shop.lab.", "A", "answer", "secure", "127.0.0.1"),
    Case("alias.shop.lab.", "TXT", "nodata", "secure"),
    Case("far.shop.lab.", "A", "answer", "secure", "192.0.2.31"),
    Case("farther.shop.lab.", "A", "answer", "secure", "192.0.2.31"),
    Case("naked.shop.lab.", "A", "answer", "insecure", "192.0.2.5"),
    Case("spoiled.shop.lab.", "A", "answer", "bogus", "192.0.2.60", "expired.lab."),
    Case("dangling.shop.lab.", "A", "nxdomain", "secure"),
    Case("round.shop.lab.", "A", "failure", "indeterminate"),
    Case("self.shop.lab.", "A", "failure", "indeterminate"),
    Case("nothing.shop.lab.", "A", "nxdomain", "secure"),
    Case("empty.shop.lab.", "A", "nodata", "secure"),
    Case("host.empty.shop.lab.", "A", "answer", "secure", "192.0.2.11"),
    Case("any.wild.shop.lab.", "A", "answer", "secure", "192.0.2.12"),
    Case("any.thing.wild.shop.lab.", "A", "answer", "secure", "192.0.2.12"),
    Case("any.wild.shop.lab.", "AAAA", "nodata", "secure"),
    Case("known.wild.shop.lab.", "A", "answer", "secure", "192.0.2.13"),
    Case("below.known.wild.shop.lab.", "A", "nxdomain", "secure"),
    Case("wild.shop.lab.", "A", "nodata", "secure"),
    Case("any.wildalias.shop.lab.", "A", "answer", "secure", "127.0.0.1"),
    Case("any.wildfar.shop.lab.", "A", "answer", "secure", "192.0.2.31"),
    Case("any.wildgone.shop.lab.", "A", "nxdomain", "secure"),
    Case("any.odd.shop.lab.", "A", "nodata", "secure"),
    Case("a.any.odd.shop.lab.", "A", "nodata", "secure"),
    Case("www.old.shop.lab.", "A", "answer", "secure", "192.0.2.31"),
    Case("nothing.old.shop.lab.", "A", "nxdomain", "secure"),
    Case("old.shop.lab.", "A", "nodata", "secure"),
    Case("www.moved.shop.lab.", "A", "answer", "secure", "192.0.2.14"),
    Case("big.shop.lab.", "A", "answer", "secure", "192.0.2.1"),
    Case("www.sub.shop.lab.", "A", "answer", "secure", "192.0.2.20"),
    Case("sub.shop.lab.", "DS", "answer", "secure"),
    Case("www.bare.shop.lab.", "A", "answer", "insecure", "192.0.2.21"),
    Case("bare.shop.lab.", "DS", "nodata", "secure"),
    Case("site.cdn.", "A", "answer", "secure", "192.0.2.30"),
    Case("www.site.cdn.", "A", "answer", "secure", "192.0.2.31"),
    Case("www.site.cdn.", "TXT", "nodata", "secure"),
    Case("text.site.cdn.", "A", "nodata", "secure"),
    Case("back.site.cdn.", "A", "answer", "secure", "127.0.0.1"),
    Case("nothing.site.cdn.", "A", "nxdomain", "secure"),
    Case("nothing.at.all.site.cdn.", "A", "nxdomain", "secure"),
    Case("empty.site.cdn.", "A", "nodata", "secure"),
    Case("any.wild.site.cdn.", "A", "answer", "secure", "192.0.2.33"),
    Case("any.thing.wild.site.cdn.", "A", "answer", "secure", "192.0.2.33"),
    Case("any.wild.site.cdn.", "AAAA", "nodata", "secure"),
    Case("any.wildback.site.cdn.", "A", "answer", "secure", "127.0.0.1"),
    Case("any.odd.site.cdn.", "A", "nodata", "secure"),
    Case("www.moved.site.cdn.", "A", "answer", "secure", "127.0.0.1"),
    Case("nothing.moved.site.cdn.", "A", "nxdomain", "secure"),
    Case("www.inner.site.cdn.", "A", "answer", "secure", "192.0.2.34"),
    Case("www.deep.under.lab.", "A", "answer", "secure", "192.0.2.40"),
    Case("under.lab.", "A", "nodata", "secure"),
    Case("www.long.lab.", "A", "answer", "secure", "192.0.2.43"),
    Case("nothing.long.lab.", "A", "nxdomain", "secure"),
    Case("www.two.lab.", "A", "answer", "secure", "192.0.2.41"),
    Case("nothing.two.lab.", "A", "nxdomain", "secure"),
    Case("www.signed.open.", "A", "answer", "secure", "192.0.2.42"),
    Case("www.unsigned.lab.", "A", "answer", "insecure", "192.0.2.50"),
    Case("nothing.unsigned.lab.", "A", "nxdomain", "insecure"),
    Case("unsigned.lab.", "DS", "nodata", "secure"),
    Case("www.unsigned.cdn.", "A", "answer", "insecure", "192.0.2.51"),
    Case("www.unsigned.open.", "A", "answer", "insecure", "192.0.2.52"),
    Case("unsigned.open.", "DS", "nodata", "insecure"),
    Case("www.island.plain.", "A", "answer", "insecure", "192.0.2.53"),
    Case("www.island.lab.", "A", "answer", "insecure", "192.0.2.54"),
    Case("www.newalgorithm.lab.", "A", "answer", "insecure", "192.0.2.55"),
    Case("www.newdigest.lab.", "A", "answer", "insecure", "192.0.2.56"),
    Case("www.manyrounds.lab.", "A", "answer", "secure", "192.0.2.57"),
    Case("nothing.manyrounds.lab.", "A", "nxdomain", "insecure"),
    Case("any.wild.manyrounds.lab.", "A", "answer", "insecure", "192.0.2.58"),
    Case("nothing.somerounds.lab.", "A", "nxdomain", "secure"),
    Case("www.expired.lab.", "A", "answer", "bogus", "192.0.2.60", "expired.lab. DNSKEY ended on 2020-01-01"),
    Case("nothing.expired.lab.", "A", "nxdomain", "bogus", "", "expired.lab."),
    Case("www.below.expired.lab.", "A", "answer", "bogus", "192.0.2.73", "expired.lab."),
    Case("www.future.lab.", "A", "answer", "bogus", "192.0.2.61", "begins only on"),
    Case("www.wrongds.lab.", "A", "answer", "bogus", "192.0.2.62", "wrongds.lab."),
    Case("www.changed.lab.", "A", "answer", "bogus", "203.0.113.66", "www.changed.lab. A"),
    Case("other.changed.lab.", "A", "answer", "secure", "192.0.2.64"),
    Case("www.nodenial.lab.", "A", "answer", "secure", "192.0.2.65"),
    Case("nothing.nodenial.lab.", "A", "nxdomain", "bogus", "", "nothing.nodenial.lab."),
    Case("text.nodenial.lab.", "A", "nodata", "bogus", "", "text.nodenial.lab."),
    Case("any.wild.nodenial.lab.", "A", "answer", "bogus", "192.0.2.66", "any.wild.nodenial.lab."),
    Case("any.wildfar.nodenial.lab.", "A", "answer", "bogus", "192.0.2.31", "any.wildfar.nodenial.lab."),
    Case("www.nodenial2.lab.", "A", "answer", "secure", "192.0.2.67"),
    Case("nothing.nodenial2.lab.", "A", "nxdomain", "bogus", "", "nothing.nodenial2.lab."),
    Case("text.nodenial2.lab.", "A", "nodata", "bogus", "", "text.nodenial2.lab."),
    Case("any.wild.nodenial2.lab.", "A", "answer", "bogus", "192.0.2.68", "any.wild.nodenial2.lab."),
    Case("www.stripped.lab.", "A", "answer", "bogus", "192.0.2.69", "stripped.lab."),
    Case("www.nokey.lab.", "A", "answer", "bogus", "192.0.2.70", "nokey.lab."),
    Case("www.halfsigned.lab.", "A", "answer", "bogus", "192.0.2.71", "www.halfsigned.lab. A"),
    Case("other.halfsigned.lab.", "A", "answer", "secure", "192.0.2.72"),
    Case("www.lame.lab.", "A", "answer", "secure", "192.0.2.80"),
    Case("www.halfdead.lab.", "A", "answer", "secure", "192.0.2.81"),
    Case("www.halfsilent.lab.", "A", "answer", "secure", "192.0.2.82"),
    Case("www.lossy.lab.", "A", "answer", "secure", "192.0.2.91"),
    Case("www.alllame.lab.", "A", "failure", "indeterminate"),
    Case("www.dead.lab.", "A", "failure", "indeterminate"),
    Case("www.silent.lab.", "A", "failure", "indeterminate"),
    Case("www.slow.lab.", "A", "answer", "insecure", "192.0.2.83"),
    Case("www.poison.lab.", "A", "answer", "insecure", "192.0.2.84"),
    Case("www.noedns.lab.", "A", "answer", "insecure", "192.0.2.85"),
    Case("www.truncating.lab.", "A", "answer", "insecure", "192.0.2.86"),
    Case("www.a.b.noempty.lab.", "A", "answer", "insecure", "192.0.2.87"),
    Case("www.glueless.lab.", "A", "answer", "secure", "192.0.2.90"),
    Case("www.loop1.lab.", "A", "failure", "indeterminate"),
    Case("www.missingglue.lab.", "A", "failure", "indeterminate"),
)
