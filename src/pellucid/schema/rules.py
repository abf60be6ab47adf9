"""Access rules as small trees, and the Actor they are asked about.

A rule is data: `plan/resolve.py` turns it into conditions on rows, so that a rule is part of the WHERE and never a
check afterwards. `anyone`, `nobody`, `signed_in`, `owner("field")`, `role("name")`, joined by `|` and `&`.
"""

from __future__ import annotations

import msgspec

__all__ = [
    "NOBODY",
    "Actor",
    "AllOf",
    "AnyOf",
    "Anyone",
    "Nobody",
    "Owner",
    "Role",
    "Rule",
    "SignedIn",
    "anyone",
    "nobody",
    "owner",
    "role",
    "signed_in",
    "simplify",
]


class Actor(msgspec.Struct, frozen=True):
    """Who asks: an account's key with its roles, or nobody (`id` is None)."""

    id: int | str | None = None
    roles: frozenset[str] = frozenset()

    @property
    def kind(self) -> tuple[bool, frozenset[str]]:
        """What of the actor can change the SQL text: everything else about it is bound as a value."""
        return (self.id is not None, self.roles)


NOBODY = Actor()


class Rule(msgspec.Struct, frozen=True, tag=True):
    """A node of a rule tree."""

    def __or__(self, other: Rule) -> Rule:
        return AnyOf((self, other))

    def __and__(self, other: Rule) -> Rule:
        return AllOf((self, other))


class Anyone(Rule, frozen=True):
    """Always yes."""


class Nobody(Rule, frozen=True):
    """Always no: the rule where a model states none."""


class SignedIn(Rule, frozen=True):
    """Yes for every account."""


class Owner(Rule, frozen=True):
    """Yes where the row's `field` holds the actor's id."""

    field: str


class Role(Rule, frozen=True):
    """Yes for accounts with this role."""

    name: str


class AnyOf(Rule, frozen=True):
    """Yes where one part says yes."""

    parts: tuple[Rule, ...]


class AllOf(Rule, frozen=True):
    """Yes where every part says yes."""

    parts: tuple[Rule, ...]


anyone = Anyone()
nobody = Nobody()
signed_in = SignedIn()


def owner(field: str) -> Rule:
    """Rows whose `field` (a `Ref` to the account model) is the caller."""
    return Owner(field)


def role(name: str) -> Rule:
    """Accounts that have this role."""
    return Role(name)


def simplify(rule: Rule, actor: Actor) -> Rule:
    """Decide what can be decided before any row is seen: `anyone`, `nobody`, or a tree with nothing but owners left in
    it.
    """
    match rule:
        case SignedIn():
            return anyone if actor.id is not None else nobody
        case Role(name=name):
            return anyone if name in actor.roles else nobody
        case Owner():
            return rule if actor.id is not None else nobody
        case AnyOf(parts=parts):
            left = tuple(part for part in (simplify(part, actor) for part in parts) if part != nobody)
            if anyone in left:
                return anyone
            return nobody if not left else left[0] if len(left) == 1 else AnyOf(left)
        case AllOf(parts=parts):
            left = tuple(part for part in (simplify(part, actor) for part in parts) if part != anyone)
            if nobody in left:
                return nobody
            return anyone if not left else left[0] if len(left) == 1 else AllOf(left)
        case _:
            return rule
