"""What the system's files say: hosts, resolv.conf, nsswitch.conf, with the mistakes that people make in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pellucid.client.dns.hosts_file import HostsEntry, find_in_hosts
from pellucid.client.dns.resolv_conf import SystemConfig, candidates, parse_server, read_sources, read_system

THREE = ("1.1.1.1", "::1", "2.2.2.2")
HOSTS = """\
127.0.0.1 localhost
# 192.0.2.1 shop.example
192.0.2.2\tshop.example  www.Shop.example # its alias
nonsense shop.example
2001:db8::2 shop.example.
192.0.2.3
"""


def test_the_hosts_file_is_read_by_line(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text(HOSTS)
    assert find_in_hosts(file, "SHOP.example.") == [
        HostsEntry(3, "192.0.2.2", "shop.example"),
        HostsEntry(5, "2001:db8::2", "shop.example."),
    ]
    assert find_in_hosts(file, "www.shop.example") == [HostsEntry(3, "192.0.2.2", "shop.example")]
    assert find_in_hosts(file, "nowhere.example") == []
    assert find_in_hosts(tmp_path / "missing", "localhost") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", SystemConfig()),
        ("nameserver 192.0.2.1\n", SystemConfig(("192.0.2.1",))),
        ("nameserver 1.1.1.1\nnameserver ::1\nnameserver 2.2.2.2\nnameserver 3.3.3.3", SystemConfig(servers=THREE)),
        ("nameserver dns.example\nnameserver", SystemConfig()),
        ("domain a.example\nsearch B.example. c.example\n", SystemConfig(search=("b.example", "c.example"))),
        ("search b.example c.example\ndomain a.example more\n", SystemConfig(search=("a.example",))),
        ("options ndots:5 timeout:1 attempts:4 rotate", SystemConfig(ndots=5, timeout=1, attempts=4, rotate=True)),
        ("options ndots:99 timeout:99 attempts:99", SystemConfig(ndots=15, timeout=30, attempts=5)),
        ("options ndots:x timeout:0 attempts:-1", SystemConfig(ndots=0, timeout=1, attempts=1)),
        ("; nameserver 192.0.2.1\n# search example\n", SystemConfig()),
    ],
)
def test_resolv_conf(tmp_path: Path, text: str, expected: SystemConfig) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(text)
    assert read_system(file) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.binary(max_size=200))
def test_no_file_is_too_odd(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "odd"
    file.write_bytes(data)
    read_system(file)
    read_sources(file)
    find_in_hosts(file, "example.org")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hosts: files mdns4_minimal [NOTFOUND=return] dns\n", ("files", "mdns4_minimal", "dns")),
        ("passwd: files\nhosts:dns files # both\n", ("dns", "files")),
        ("passwd: files\n", ("files", "dns")),
    ],
)
def test_nsswitch_conf(tmp_path: Path, text: str, expected: tuple[str, ...]) -> None:
    file = tmp_path / "nsswitch.conf"
    file.write_text(text)
    assert read_sources(file) == expected


@pytest.mark.parametrize(
    ("name", "config", "expected"),
    [
        ("shop", SystemConfig(), ["shop."]),
        ("shop", SystemConfig(search=("a.example", "b.example")), ["shop.a.example.", "shop.b.example.", "shop."]),
        ("www.shop", SystemConfig(search=("a.example",)), ["www.shop.", "www.shop.a.example."]),
        ("www.shop", SystemConfig(search=("a.example",), ndots=2), ["www.shop.a.example.", "www.shop."]),
        ("shop.", SystemConfig(search=("a.example",)), ["shop."]),
    ],
)
def test_the_search_list(name: str, config: SystemConfig, expected: list[str]) -> None:
    assert candidates(name, config) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9.9.9.9", ("9.9.9.9", 53)),
        ("127.0.0.1:5300", ("127.0.0.1", 5300)),
        ("[::1]:5300", ("::1", 5300)),
        ("[::1]", ("::1", 53)),
        ("2001:db8::1", ("2001:db8::1", 53)),
    ],
)
def test_a_server_is_named_by_address_and_port(text: str, expected: tuple[str, int]) -> None:
    assert parse_server(text) == expected


@pytest.mark.parametrize("text", ["", "wlak", "9.9.9.9:", "9.9.9.9:0", "9.9.9.9:70000", "[::1]x", "[::1", "a.example:53"])
def test_what_names_no_server_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not (the address of a name server; 9\.9\.9\.9|a port)"):
        parse_server(text)
