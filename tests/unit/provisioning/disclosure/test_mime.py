"""Mails from anyone: each is read within bounds, and none fails, injects or hangs."""

from __future__ import annotations

import base64
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.disclosure import mime
from provisioning.disclosure.mime import read_mail

HEAD = b"From: Ada <ada@reporter.example>\r\nMessage-ID: <1@reporter.example>\r\nSubject: Reset\r\n"


def mail(body: bytes = b"It leaves data.\r\n", more: bytes = b"") -> bytes:
    return HEAD + more + b"\r\n" + body


def test_a_plain_mail_gives_sender_name_id_and_text() -> None:
    found = read_mail(mail(more=b"In-Reply-To: <a@x>\r\nReferences: <b@x>\r\n <a@x>\r\n"))
    assert (found.sender, found.name, found.message_id) == (
        "ada@reporter.example",
        "Ada",
        "<1@reporter.example>",
    )
    assert found.answers == ("<a@x>", "<b@x>")
    assert found.text == "Subject: Reset\n\nIt leaves data."
    assert not found.is_automatic and found.bounce is None


def test_text_is_preferred_to_html_and_attachments_are_kept_apart() -> None:
    message = EmailMessage()
    message["From"] = "ada@reporter.example"
    message.set_content("plain words")
    message.add_alternative("<p>rich &amp; words</p>", subtype="html")
    message.add_attachment(
        b"\x00\x01", maintype="application", subtype="x-firmware", filename="../../etc/passwd"
    )
    found = read_mail(message.as_bytes())
    assert found.text == "plain words"
    assert [(one.name, one.kind, one.data) for one in found.attachments] == [
        (".._.._etc_passwd", "application/x-firmware", b"\x00\x01")
    ]


def test_html_gives_its_words_and_loads_nothing() -> None:
    page = b"<style>x</style><p>Hello<br>you &lt;there&gt;<img src='https://x.example/1.png'><<<<"
    found = read_mail(mail(page, b"Content-Type: text/html; charset=utf-8\r\n"))
    assert "Hello\nyou <there>" in found.text and "img" not in found.text


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("utf-8", "żółć"),
        ("iso-8859-2", "żółć"),
        ("koi8-r", "привет"),
        ("gb18030", "漏洞"),
        ("shift_jis", "脆弱性"),
        ("utf-16", "ab"),
    ],
)
def test_character_sets_of_mail_are_decoded(charset: str, text: str) -> None:
    encoded = base64.encodebytes(text.encode(charset))
    more = f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: base64\r\n".encode()
    assert read_mail(mail(encoded, more)).text.endswith(text)


@pytest.mark.parametrize(
    "charset", ["idna", "punycode", "unicode_escape", "rot13", "base64", "x-unknown", "\udcff", "../../x"]
)
def test_codecs_that_are_no_character_set_of_mail_are_not_used(charset: str) -> None:
    assert mime.decoded_text(b"\\u0041 YQ==", charset) == "\\u0041 YQ=="


@pytest.mark.parametrize(
    "sender",
    [
        b"",
        b"<>",
        b"undisclosed",
        b"a@b@c",
        b"ada@x.example, ben@x.example",
        b"ada@x.example, ben@x.example (",
        b"both:ada@x.example,ben@x.example;",
        b"ada@x.example\r\nFrom: ben@x.example",
        b"(" * 3500 + b")" * 3500 + b" ada@x.example",
        b'"a\nb"@x.example',
        b"=?utf-8?q?a=0AB?= <x y@z>",
    ],
)
def test_a_sender_without_one_plain_address_is_no_address(sender: bytes) -> None:
    assert read_mail(b"From: " + sender + b"\r\n\r\ntext").sender is None


@pytest.mark.parametrize(
    "sender",
    [
        b"ada@x.example",
        b"Ada <ada@x.example>",
        b'"Example, Ada" <ada@x.example> (at work)',
    ],
)
def test_a_sender_with_one_mailbox_is_its_address(sender: bytes) -> None:
    assert read_mail(b"From: " + sender + b"\r\n\r\ntext").sender == "ada@x.example"


def test_a_name_or_subject_cannot_hold_a_line_break_or_a_direction_character() -> None:
    data = b"From: =?utf-8?q?Ada=0ABcc:_all=40x=E2=80=AE?= <a@x.example>\r\nSubject: =?utf-8?q?a=0D=0Ab=1B[J?=\r\n\r\nt"
    found = read_mail(data)
    assert found.name is not None and "\n" not in found.name and "\u202e" not in found.name
    assert found.text.splitlines()[0].startswith("Subject: a") and "\x1b" not in found.text


@pytest.mark.parametrize("kind", ["multipart", "message"])
def test_deep_nesting_is_not_taken_apart_and_the_headers_are_read(kind: str) -> None:
    if kind == "multipart":
        body = b"".join(
            b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1) for n in range(5000)
        )
        more = b"Content-Type: multipart/mixed; boundary=b0\r\n"
    else:
        body, more = b"Content-Type: message/rfc822\r\n\r\n" * 5000, b"Content-Type: message/rfc822\r\n"
    found = read_mail(mail(body, more))
    assert "too many parts" in found.text and found.sender == "ada@reporter.example"


def test_nesting_below_the_bound_does_not_end_the_program() -> None:
    body = b"Content-Type: message/rfc822\r\n\r\n" * 90
    assert read_mail(mail(body, b"Content-Type: message/rfc822\r\n")).sender == "ada@reporter.example"


def test_many_parts_are_read_up_to_the_bound() -> None:
    part = b"--b\r\nContent-Disposition: attachment\r\n\r\nx\r\n"
    found = read_mail(mail(part * 1000 + b"--b--\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n"))
    assert len(found.attachments) == mime.MOST_ATTACHMENTS
    assert "more attachments than are kept apart" in found.text


def test_of_a_mail_of_100_mb_only_the_beginning_is_read() -> None:
    found = read_mail(mail(b"x" * mime.HEAD_BYTES), size=100 << 20)
    assert found.sender == "ada@reporter.example" and f"has {100 << 20} bytes" in found.text
    assert not found.attachments


@pytest.mark.parametrize(
    "name", [b'Content-Type: text/plain; x="', b'Content-Disposition: attachment; filename="', b"From: "]
)
@pytest.mark.parametrize("filler", [b";" * 500_000, b"(" * 500_000, b'"' * 500_000, b"<" * 500_000])
def test_a_header_of_half_a_megabyte_is_cut_before_anything_reads_it(name: bytes, filler: bytes) -> None:
    found = read_mail(b"Message-ID: <1@x>\r\n" + name + filler + b"\r\n\r\ntext")
    assert found.message_id == "<1@x>"


def test_an_encrypted_mail_is_kept_and_not_changed() -> None:
    body = (
        b"--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n"
        b"--b\r\nContent-Type: application/octet-stream\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\n--b--\r\n"
    )
    more = b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b\r\n'
    found = read_mail(mail(body, more))
    assert "encrypted with OpenPGP" in found.text
    assert [one.kind for one in found.attachments] == [
        "application/pgp-encrypted",
        "application/octet-stream",
    ]
    assert found.attachments[1].data.startswith(b"-----BEGIN PGP MESSAGE-----")


@pytest.mark.parametrize(
    "more",
    [
        b"Auto-Submitted: auto-replied\r\n",
        b"Precedence: bulk\r\n",
        b"List-Id: <x>\r\n",
        b"Return-Path: <>\r\n",
    ],
)
def test_a_mail_of_a_program_is_recognised(more: bytes) -> None:
    assert read_mail(mail(more=more)).is_automatic


def bounce(action: bytes = b"failed", original: bytes = b"<n@example.com>") -> bytes:
    return (
        b"From: <MAILER-DAEMON@x.example>\r\nAuto-Submitted: auto-replied\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        b"--b\r\n\r\nIt failed.\r\n"
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
        b"Final-Recipient: rfc822; ada@reporter.example\r\nAction: "
        + action
        + b"\r\nStatus: 5.1.1 (gone)\r\n\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: " + original + b"\r\n\r\ntext\r\n--b--\r\n"
    )


def test_a_failed_delivery_names_our_message() -> None:
    assert read_mail(bounce()).bounce == mime.Bounce("<n@example.com>", "5.1.1")


def test_a_delayed_delivery_is_no_bounce() -> None:
    assert read_mail(bounce(b"delayed")).bounce is None


@given(
    st.binary(max_size=400),
    st.sampled_from([b"", HEAD, bounce()[:300], b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"]),
)
def test_no_bytes_make_the_reader_fail(data: bytes, start: bytes) -> None:
    found = read_mail(start + data)
    assert found.text and (found.sender is None or mime.is_address(found.sender))
