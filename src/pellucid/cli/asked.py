"""The request that the flags of `pellucid trace` describe: method, fields and body.

In: what was typed. Out: plain values for the client, or a usage error that says which flag was wrong, and how. It reads
the files.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from pathlib import Path

import click
import msgspec

from pellucid.errors import shorten
from pellucid.http.fields import TCHAR

__all__ = ["Asked", "asked"]

_TOKEN = re.compile(f"{TCHAR}+").fullmatch
_FIELD = re.compile(rf"({TCHAR}+)\s*(?:[:](.*)|;)").fullmatch


class Asked(msgspec.Struct, frozen=True):
    """A request as asked for; `content_type` is None without a body."""

    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    content_type: str | None


def asked(
    method: str | None,
    headers: tuple[str, ...],
    data: str | None,
    forms: tuple[str, ...],
    files: tuple[str, ...],
    user: str | None,
) -> Asked:
    """Put the flags together. Raises click.BadParameter and click.UsageError."""
    if data is not None and (forms or files):
        raise click.UsageError("--data is a whole body, --form and --file make one: give one or the other")
    fields = [_header(text) for text in headers]
    body, content_type = b"", None
    if data is not None:
        body = _read(Path(data[1:]), "--data") if data.startswith("@") else os.fsencode(data)
        content_type = "application/json" if _is_json(body) else "application/x-www-form-urlencoded"
    elif forms or files:
        body, content_type = _form(forms, files)
    if user is not None:
        fields.append(("Authorization", "Basic " + base64.b64encode(os.fsencode(user)).decode()))
    verb = method or ("GET" if content_type is None else "POST")
    if not _TOKEN(verb):
        raise click.BadParameter(f"{shorten(verb)} is not a method", param_hint="--method")
    if verb.upper() == "CONNECT":
        raise click.BadParameter("CONNECT is for proxies, and cannot be traced", param_hint="--method")
    if verb.upper() in ("DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"):  # Fetch, "normalize a method"
        verb = verb.upper()
    return Asked(verb, tuple(fields), body, content_type)


def _header(text: str) -> tuple[str, str]:
    found = _FIELD(text)
    if found is None:
        raise click.BadParameter(
            f"{shorten(text)} is not a field: `Name: value`, or `Name:` to leave one out", param_hint="--header"
        )
    value = (found[2] or "").strip(" \t")
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value) or not value.isprintable():
        raise click.BadParameter(f"the value of {found[1]} has control characters", param_hint="--header")
    return found[1], value


def _is_json(body: bytes) -> bool:
    if body.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def _form(forms: tuple[str, ...], files: tuple[str, ...]) -> tuple[bytes, str]:
    from pellucid.http.sending import File, multipart, urlencoded  # late: only where there is a form

    fields = [_pair(text, "--form") for text in forms]
    if not files:
        return urlencoded(fields), "application/x-www-form-urlencoded"
    parts: list[tuple[str, str | File]] = [*fields]
    for text in files:
        name, rest = _pair(text, "--file")
        path, _, media_type = rest.partition(";type=")
        file = Path(path.removeprefix("@")).expanduser()
        parts.append((name, File(file.name, _read(file, "--file"), media_type or None)))
    content_type, body = multipart(parts)
    return body, content_type


def _pair(text: str, flag: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        what = "name=value" if flag == "--form" else "name=path"
        raise click.BadParameter(f"{shorten(text)} is not {what}", param_hint=flag)
    return name, value


def _read(path: Path, flag: str) -> bytes:
    """A file, or with `-` what is piped in."""
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}", param_hint=flag) from None
