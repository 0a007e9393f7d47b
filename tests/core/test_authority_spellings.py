"""No spelling of a host is a second host: each is refused, or read as the one the system's own parsers read."""

from __future__ import annotations

import ipaddress
import socket
from itertools import product

import pytest

from proxy.core.addresses import forbidden_address
from proxy.core.destinations import Destination, read_authority
from proxy.errors import Refused

NEVER = ("127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.9", "192.168.1.1", "169.254.169.254", "100.100.100.200",
         "168.63.129.16", "0.0.0.0", "255.255.255.255", "224.0.0.1", "198.18.0.7")


def numbers(value: int) -> tuple[str, ...]:
    return str(value), f"0{value:o}", f"0x{value:x}", f"0X{value:X}", f"0x{value:08x}"


def ipv4_spellings(text: str):
    a, b, c, d = ipaddress.IPv4Address(text).packed
    for shape in ((a, b, c, d), (a, b, c << 8 | d), (a, b << 16 | c << 8 | d), (a << 24 | b << 16 | c << 8 | d,)):
        for style in range(5):
            yield ".".join(numbers(part)[style] for part in shape)
    for styles in product(range(3), repeat=4):
        yield ".".join(numbers(part)[style] for part, style in zip((a, b, c, d), styles, strict=True))


def ipv6_spellings(text: str):
    value = int(ipaddress.IPv4Address(text))
    for prefix, at in (("::ffff:0:0", 0), ("::", 0), ("64:ff9b::", 0), ("64:ff9b:1::", 0), ("2002::", 80),
                       ("::ffff:0:0:0", 0)):
        wrapped = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | value << at)
        yield wrapped.compressed
        yield wrapped.exploded
        yield wrapped.exploded.upper()
        if not at:
            yield f"{wrapped.exploded[:30]}{text}"


IPV4 = sorted({(text, spelling) for text in NEVER for spelling in ipv4_spellings(text)})
IPV6 = sorted({(text, spelling) for text in NEVER for spelling in ipv6_spellings(text)})


def test_there_are_many():
    assert len(IPV4) + len(IPV6) >= 500


@pytest.mark.parametrize(("text", "spelling"), IPV4)
def test_an_ipv4_spelling_is_the_address_that_inet_aton_reads(text, spelling):
    assert socket.inet_ntoa(socket.inet_aton(spelling)) == text
    for dot in ("", "."):
        assert read_authority(f"{spelling}{dot}:443".encode(), default_port=None) == Destination(text, 443)
    assert forbidden_address(text, ())


@pytest.mark.parametrize(("text", "spelling"), IPV6)
def test_an_ipv6_spelling_is_the_address_that_inet_pton_reads(text, spelling):
    read = read_authority(f"[{spelling}]:443".encode(), default_port=None)
    assert socket.inet_pton(socket.AF_INET6, read.host) == socket.inet_pton(socket.AF_INET6, spelling)
    assert read == read_authority(f"[{read.host}]:443".encode(), default_port=None)
    assert forbidden_address(read.host, ())


@pytest.mark.parametrize(("authority", "host"), [
    (b"Example.COM:443", "example.com"), (b"example.com.:443", "example.com"), (b"EXAMPLE.com.:443", "example.com"),
    (b"xn--bcher-kva.example:443", "xn--bcher-kva.example"), (b"_dmarc.a_b.example:443", "_dmarc.a_b.example"),
    (b"localhost:443", "localhost"), (b"127.0.0.1.nip.example:443", "127.0.0.1.nip.example"),
    (b"0x7f.1.example:443", "0x7f.1.example"), (b"1e100.example:443", "1e100.example"), (b"a.0xg:443", "a.0xg"),
    (b"[::1]:443", "::1"), (b"[0:0:0:0:0:0:0:1]:443", "::1"), (b"[::FFFF:127.0.0.1]:443", "::ffff:127.0.0.1"),
    (b"[::ffff:7f00:1]:443", "::ffff:127.0.0.1"), (b"[2001:DB8:0:0:1::1]:443", "2001:db8::1:0:0:1"),
    (b"a" * 63 + b".example:443", "a" * 63 + ".example"),
])
def test_a_host_has_one_spelling(authority, host):
    assert read_authority(authority, default_port=None) == Destination(host, 443)


def test_where_a_port_need_not_be_given():
    assert read_authority(b"a.example", default_port=80) == Destination("a.example", 80)
    assert read_authority(b"a.example:8080", default_port=80) == Destination("a.example", 8080)
    assert read_authority(b"[::1]", default_port=80) == Destination("::1", 80)


@pytest.mark.parametrize(("destination", "text"), [
    (Destination("a.example", 80), "a.example:80"), (Destination("::1", 80), "[::1]:80")])
def test_it_is_written_as_an_authority(destination, text):
    assert str(destination) == text


@pytest.mark.parametrize("authority", [
    b"", b":443", b"a.example", b"a.example:", b"a.example:0", b"a.example:00", b"a.example:0443", b"a.example:65536",
    b"a.example:+443", b"a.example:-1", b"a.example: 443", b"a.example:443 ", b"a.example:4_43", b"a.example:https",
    b"a.example:443:443", b"user@a.example:443", b"user:pw@a.example:443", b"@a.example:443", b"a%2eexample:443",
    b"%61.example:443", b".:443", b"..:443", b".a.example:443", b"a..example:443", b"a.example..:443",
    b"-a.example:443", b"a-.example:443", b"a b.example:443", b"a.example/x:443", b"a.example?:443", b"a,b:443",
    b"http://a.example:443", b"a.example\x00:443", b"a.example\n:443", b"a.example:443\n", b"a.example:\xd9\xa4",
    b"a" * 64 + b".example:443", b"a." * 128 + b":443", b"a" * 63 + b".a" * 96 + b":443",
    "bücher.example:443".encode(), "127。0。0。1:443".encode(), "１２７.0.0.1:443".encode(),
    "ⓛocalhost:443".encode(), "a．example:443".encode(), "①27.0.0.1:443".encode(), b"\xff.example:443",
    b"127.0.0.1.5:443", b"1.2.3.4.5:443", b"256.0.0.1:443", b"127.0.0.256:443", b"127.0.65536:443",
    b"127.16777216:443", b"4294967296:443", b"08.0.0.1:443", b"127.0.0.09:443", b"0x:443", b"127.0.0.0x:443",
    b"0x7g.0.0.1:443", b"127..1:443", b"a.1:443", b"a.0x1:443", b"a.example.127:443", b"0x100000000:443",
    b"127.0.0.1..:443", b"1.0x1ff.1.1:443",
    b"::1:443", b"[::1:443", b"::1]:443", b"[]:443", b"[::1]443", b"[::1].:443", b"[[::1]]:443", b"[::1%25eth0]:443",
    b"[fe80::1%eth0]:443", b"[fe80::1%1]:443", b"[127.0.0.1]:443", b"[::127.0.0]:443", b"[::ffff:127.0.0.01]:443",
    b"[::ffff:0x7f.0.0.1]:443", b"[1:2:3:4:5:6:7]:443", b"[1:2:3:4:5:6:7:8:9]:443", b"[1::2::3]:443",
    b"[12345::]:443", b"[v1.a]:443", b"[a.example]:443", b"[::1]", b"[::g]:443", b"[ ::1]:443",
])
def test_what_is_none_is_refused(authority):
    with pytest.raises(Refused) as refused:
        read_authority(authority, default_port=None)
    assert (refused.value.code, refused.value.problem.status) == ("bad_authority", 400)
    assert refused.value.detail
    assert "example" not in str(refused.value)
