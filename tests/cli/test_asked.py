"""The flags of `pellucid trace` that describe a request: what they make, and what they refuse."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import click
import pytest

from pellucid.cli.asked import Asked, asked


def ask(**flags: object) -> Asked:
    told: dict[str, object] = {"method": None, "headers": (), "data": None, "forms": (), "files": (), "user": None, **flags}
    return asked(**told)  # type: ignore[arg-type]


def test_nothing_said_is_a_get() -> None:
    assert ask() == Asked("GET", (), b"", None)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('{"a": 1}', "application/json"),
        (" [1, 2]", "application/json"),
        ("{not json", "application/x-www-form-urlencoded"),
        ("a=1&b=2", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_is_posted_as_what_it_looks_like(data: str, expected: str) -> None:
    assert ask(data=data) == Asked("POST", (), data.encode(), expected)


def test_a_body_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"\x00\xff")
    assert ask(data=f"@{tmp_path / 'body'}").body == b"\x00\xff"


def test_a_form_is_encoded_as_browsers_do() -> None:
    made = ask(forms=("name=Tom & Ann", "note=ü"))
    assert (made.method, made.content_type) == ("POST", "application/x-www-form-urlencoded")
    assert made.body == b"name=Tom+%26+Ann&note=%C3%BC"


def test_a_file_makes_the_form_multipart(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    made = ask(forms=("title=x",), files=(f"photo={tmp_path / 'a.png'}", f"raw={tmp_path / 'a.png'};type=text/x"))
    assert made.content_type is not None
    boundary = re.fullmatch(r"multipart/form-data; boundary=(.+)", made.content_type)
    assert boundary is not None
    assert made.body.count(f"--{boundary[1]}".encode()) == 4
    assert b'name="photo"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n' in made.body
    assert b"Content-Type: text/x\r\n" in made.body


def test_fields_and_credentials() -> None:
    made = ask(headers=("Accept: a/b", "X-Empty:"), user="ann:pässword")
    assert made.headers[:2] == (("Accept", "a/b"), ("X-Empty", ""))
    assert base64.b64decode(made.headers[2][1].removeprefix("Basic ")).decode() == "ann:pässword"


@pytest.mark.parametrize(("given", "made"), [("post", "POST"), ("patch", "patch"), ("PURGE", "PURGE")])
def test_methods_are_normalized_as_fetch_does(given: str, made: str) -> None:
    assert ask(method=given).method == made


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"headers": ("no colon",)}, "is not a field"),
        ({"headers": ("X: a\r\nY: b",)}, "is not a field"),
        ({"headers": ("X: a\x00b",)}, "control characters"),
        ({"method": "GET /"}, "is not a method"),
        ({"method": "CONNECT"}, "cannot be traced"),
        ({"forms": ("novalue",)}, "is not name=value"),
        ({"files": ("novalue",)}, "is not name=path"),
        ({"files": ("a=/does/not/exist",)}, "No such file"),
        ({"data": "@/does/not/exist"}, "No such file"),
        ({"data": "x", "forms": ("a=b",)}, "one or the other"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(flags: dict[str, object], says: str) -> None:
    with pytest.raises(click.UsageError, match=says):
        ask(**flags)


def test_bytes_that_are_no_text_go_as_they_were_typed() -> None:
    assert ask(data="a=\udcff").body == b"a=\xff"
    assert ask(user="\udcff:x").headers == (("Authorization", "Basic " + base64.b64encode(b"\xff:x").decode()),)


def test_a_body_can_be_piped_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"a": 1}')))
    assert ask(data="@-") == Asked("POST", (), b'{"a": 1}', "application/json")
