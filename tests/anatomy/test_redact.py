"""No secret outlives its request, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.anatomy.redact import redact_fields, redact_headers, redact_target
from pellucid.http.headers import Headers


def test_credentials_in_header_fields_are_hidden_and_the_rest_stays() -> None:
    headers = Headers([(b"host", b"a"), (b"authorization", b"Bearer s3cret"), (b"cookie", b"s=1"), (b"x-access-token", b"k")])
    assert redact_headers(headers) == (
        (b"host", b"a"),
        (b"authorization", b"***"),
        (b"cookie", b"***"),
        (b"x-access-token", b"***"),
    )
    assert redact_headers(headers) is redact_headers(headers)


def test_a_block_without_secrets_is_kept_as_it_is() -> None:
    headers = Headers([(b"host", b"a"), (b"accept", b"*/*")])
    assert redact_headers(headers) is headers.pairs


def test_a_cookie_that_is_set_is_hidden_however_its_name_is_written() -> None:
    assert redact_fields([("Set-Cookie", "s=1"), ("etag", '"x"')]) == [("Set-Cookie", "***"), ("etag", '"x"')]


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/a", "/a"),
        ("/a?select=name&country_code=eq.FR", "/a?select=name&country_code=eq.FR"),
        ("/a?name=ilike.*monkey*", "/a?name=ilike.*monkey*"),
        ("/a?token=abc&x=1", "/a?token=***&x=1"),
        ("/a?x=1&PASSWORD=abc", "/a?x=1&PASSWORD=***"),
        ("/a?access_token=abc", "/a?access_token=***"),
        ("/a?api-key=abc", "/a?api-key=***"),
        ("/a?X-Amz-Signature=abc", "/a?X-Amz-Signature=***"),
        ("/a?%74oken=abc", "/a?%74oken=***"),
        ("/a?q=%C3%A3&secret=", "/a?q=%C3%A3&secret=***"),
        ("/a?token", "/a?token"),
        ("/a?", "/a?"),
    ],
)
def test_sensitive_parameters_of_a_target_are_hidden(target: str, shown: str) -> None:
    assert redact_target(target) == shown
    assert redact_target(target) == shown


WORDS = ["token", "password", "passphrase", "secret", "key", "auth", "signature", "session", "jwt", "pwd", "apikey"]


@given(
    st.sampled_from(WORDS),
    st.lists(st.sampled_from(["x=1", "select=name,country(name)", "order=name.desc", "q=%41"])),
    st.sampled_from(["", "my_", "my-", "A_"]),
    st.booleans(),
)
def test_no_sensitive_parameter_slips_through_the_quick_look(word: str, others: list[str], prefix: str, loud: bool) -> None:
    name = prefix + (word.upper() if loud else word)
    target = "/a?" + "&".join([*others, f"{name}=hunter2", *others])
    assert "hunter2" not in redact_target(target)
