"""Reads a mail from anyone: the text, the attachments, what it answers. Nothing of it is trusted.

Rules:
1. Size, nesting, number of parts, length of a header and of the text are bounded. Beyond a bound the mail is not taken
   apart: its text says so, and the whole mail is kept as it came.
2. The reader never fails. A mail that it cannot take apart gives a text about that.
3. A text is plain characters: no control and no direction characters. HTML is reduced to its words; nothing is loaded.
4. A signed or encrypted mail is not changed: the whole mail is kept, so its signature can be checked and its content
   decrypted elsewhere (RFC 3156).
5. Only character sets of mail are decoded. Others of Python's codecs take quadratic time or are not character sets.
"""

from __future__ import annotations

import codecs
import email.errors
import email.utils
import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import Compat32
from typing import Any, Final

from provisioning.disclosure.letter import MESSAGE_ID
from provisioning.mail_address import is_address

LARGEST_BYTES: Final = 25 << 20
HEAD_BYTES: Final = 256 << 10  # of a larger mail, this much is read
MOST_NESTED: Final = 100  # boundaries and enclosed messages
MOST_PARTS: Final = 200
MOST_ATTACHMENTS: Final = 32
LONGEST_HEADER: Final = 4000
LONGEST_TEXT: Final = 90_000
LONGEST_NAME: Final = 100
_NESTING: Final = re.compile(rb"(?i)boundary|^content-type:[ \t]*message/", re.MULTILINE)
_TAG: Final = re.compile(r"<[^<>]*>")
_CHARSETS: Final = (
    "utf-8", "ascii", "iso8859", "cp125", "cp85", "cp43", "cp93", "cp94", "cp95", "koi8", "utf-16", "utf-32", "utf-7",
    "gb", "big5", "shift_jis", "euc_", "iso2022", "mac-", "windows", "latin", "tis", "hz",
)  # fmt: skip
_DIRECTION: Final = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")
_AUTOMATIC: Final = ("bulk", "list", "junk", "auto_reply")


@dataclass(frozen=True)
class Attachment:
    """A part of a mail that is not its text. `name` and `kind`: as the sender wrote them, made printable."""

    name: str
    kind: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Bounce:
    """A failed delivery, as RFC 3464 reports it: the Message-ID of our notice, and the status code like 5.1.1."""

    message_id: str
    status: str


@dataclass(frozen=True)
class Mail:
    """The content of a mail. `sender`: None if it has no plain address."""

    sender: str | None
    name: str | None
    message_id: str | None
    answers: tuple[str, ...]
    text: str
    attachments: tuple[Attachment, ...] = ()
    is_automatic: bool = False
    bounce: Bounce | None = None


class _Bounded(Compat32):
    """The parser's policy: a header longer than the bound is cut before anything reads it (rule 1)."""

    def header_source_parse(self, sourcelines: Sequence[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(list(sourcelines))
        return name, value[:LONGEST_HEADER]


def read_mail(data: bytes, size: int | None = None) -> Mail:
    """Return what a mail says. `size`: of the whole mail, if `data` is only its beginning."""
    is_whole = size is None or size <= len(data)
    nested = sum(1 for _ in _NESTING.finditer(data))
    if not is_whole or len(data) > LARGEST_BYTES or nested > MOST_NESTED:
        if nested > MOST_NESTED:
            return _headers_only(
                data, "(This mail has too many parts, so it was not taken apart. It is kept as it came.)"
            )
        whole = size or len(data)
        return _headers_only(
            data, f"(This mail has {whole} bytes, so it was not read. The whole mail is where it came.)"
        )
    try:
        return _mail(BytesParser(policy=_Bounded()).parsebytes(data))
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError, IndexError, AssertionError):
        return _headers_only(
            data, "(This mail is malformed, so it was not taken apart. It is kept as it came.)"
        )


def _headers_only(data: bytes, text: str) -> Mail:
    head = re.split(rb"\r?\n\r?\n", data[:HEAD_BYTES], maxsplit=1)[0]
    try:
        message = BytesParser(policy=_Bounded()).parsebytes(head + b"\r\n\r\n", headersonly=True)
        return _mail(message, text)
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError, IndexError, AssertionError):
        return Mail(None, None, None, (), text)


def _mail(message: Message, instead: str | None = None) -> Mail:
    name, address = _sender(message)
    found = MESSAGE_ID.fullmatch(_raw(message, "Message-ID").strip())
    answers = re.findall(MESSAGE_ID.pattern, f"{_raw(message, 'In-Reply-To')} {_raw(message, 'References')}")
    text, attachments = (instead, ()) if instead is not None else _content(message)
    subject = plain(_decoded(message, "Subject")).replace("\n", " ")[:300].strip()
    return Mail(
        sender=address if is_address(address) else None,
        name=plain(_words(name)).replace("\n", " ")[:LONGEST_NAME].strip() or None,
        message_id=found[0] if found is not None else None,
        answers=tuple(dict.fromkeys(answers)),
        text=f"Subject: {subject}\n\n{text}"[:LONGEST_TEXT] if subject else text[:LONGEST_TEXT],
        attachments=attachments,
        is_automatic=_is_automatic(message),
        bounce=None if instead is not None else _bounce(message),
    )


def _sender(message: Message) -> tuple[str, str]:
    """Return (name, address); empty unless there is one From with one mailbox that can be read.

    Of several, nobody knows who wrote it, and an answer would go to a person whom the writer chose.
    """
    if len(message.get_all("From", [])) != 1:
        return "", ""
    try:
        found = email.utils.getaddresses([_raw(message, "From")])
    except RecursionError:
        return "", ""
    return found[0] if len(found) == 1 else ("", "")


def _is_automatic(message: Message) -> bool:
    """Return whether a program wrote it, so that no program answers (RFC 3834)."""
    submitted = _raw(message, "Auto-Submitted").partition(";")[0].strip().lower()
    precedence = _raw(message, "Precedence").strip().lower()
    is_null = _raw(message, "Return-Path").strip() == "<>"
    return submitted not in ("", "no") or precedence in _AUTOMATIC or "List-Id" in message or is_null


def _content(message: Message) -> tuple[str, tuple[Attachment, ...]]:
    texts: list[str] = []
    pages: list[str] = []
    attachments: list[Attachment] = []
    notes: list[str] = []
    for number, part in enumerate(_leaves(message)):
        if number >= MOST_PARTS:
            notes.append("(The mail has more parts than are read. It is kept as it came.)")
            break
        kind = part.get_content_type()
        is_text = kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment"
        if is_text and message.get_content_type() != "multipart/encrypted":
            (texts if kind == "text/plain" else pages).append(_text(part))
        elif len(attachments) < MOST_ATTACHMENTS:
            attachments.append(_attachment(part))
        else:
            notes.append("(The mail has more attachments than are kept apart. It is kept as it came.)")
            break
    if message.get_content_type() == "multipart/encrypted":
        notes.append(
            "(This mail is encrypted with OpenPGP or S/MIME. It is kept as it came; decrypt it elsewhere.)"
        )
    words = texts or [_without_tags(page) for page in pages]
    return "\n\n".join([*(plain(one).strip() for one in words), *notes]).strip() or "(no text)", tuple(
        attachments
    )


def _leaves(message: Message) -> Iterator[Message]:
    """Yield the parts that are not containers, in order, without recursion. An enclosed message is one part."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        payload: Any = part.get_payload()
        if isinstance(payload, list) and not part.get_content_type().startswith("message/"):
            waiting += reversed([one for one in payload if isinstance(one, Message)])
        else:
            yield part


def _attachment(part: Message) -> Attachment:
    payload: Any = part.get_payload()
    if isinstance(payload, list):
        data = b"\n".join(one.as_bytes() for one in payload if isinstance(one, Message))
    else:
        decoded: Any = part.get_payload(decode=True)
        data = decoded if isinstance(decoded, bytes) else str(payload).encode("utf-8", "replace")
    name = plain(str(part.get_filename() or "")).replace("\n", " ").replace("/", "_").replace("\\", "_")
    return Attachment(
        name[:LONGEST_NAME].strip() or "unnamed", plain(part.get_content_type())[:LONGEST_NAME], data
    )


def _text(part: Message) -> str:
    data: Any = part.get_payload(decode=True)
    return decoded_text(data if isinstance(data, bytes) else b"", str(part.get_content_charset() or "utf-8"))


def decoded_text(data: bytes, charset: str) -> str:
    """Return the text of bytes in a character set of mail, UTF-8 for any other (rule 5). Never fails."""
    data = data[: 4 * LONGEST_TEXT]
    try:
        name = codecs.lookup(charset).name
        if name.startswith(_CHARSETS):
            return data.decode(name, "replace")
    except (LookupError, ValueError, UnicodeError):
        pass
    return data.decode("utf-8", "replace")


def _without_tags(page: str) -> str:
    text = re.sub(r"(?i)<(?:br|/p|/div|/tr|/li|/h[1-6])[^<>]{0,50}>", "\n", page)
    return html.unescape(_TAG.sub(" ", text))


def plain(text: str) -> str:
    """Return `text` with its line ends as \\n and a replacement character for control and direction characters."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        one if one in "\n\t" or (one.isprintable() and one not in _DIRECTION) or one == "\xa0" else "\ufffd"
        for one in lines
    )


def _raw(message: Message, name: str) -> str:
    return re.sub(r"[\r\n]+[ \t]*", " ", str(message.get(name, "")))[:LONGEST_HEADER]


def _decoded(message: Message, name: str) -> str:
    return _words(_raw(message, name))


def _words(raw: str) -> str:
    """Return encoded words as text (RFC 2047)."""
    try:
        parts = decode_header(raw)
    except (ValueError, LookupError, email.errors.HeaderParseError):
        return raw
    return "".join(
        decoded_text(part, charset or "utf-8") if isinstance(part, bytes) else part for part, charset in parts
    )


def _bounce(message: Message) -> Bounce | None:
    """Return the failed delivery that a report names (RFC 3464 section 2.3, RFC 6522)."""
    if message.get_content_type() != "multipart/report":
        return None
    payload: Any = message.get_payload()
    parts = [one for one in payload if isinstance(one, Message)][:10] if isinstance(payload, list) else []
    status = next((found for part in parts if (found := _failed_status(part)) is not None), None)
    original = next((found for part in parts if (found := _original_id(part)) is not None), None)
    return None if status is None or original is None else Bounce(original, status)


def _failed_status(part: Message) -> str | None:
    blocks: Any = part.get_payload()
    if part.get_content_type() != "message/delivery-status" or not isinstance(blocks, list):
        return None
    for block in blocks[:50]:
        if _raw(block, "Action").strip().lower() == "failed":
            found = re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", _raw(block, "Status").partition("(")[0].strip())
            return found[0] if found is not None else "5.0.0"
    return None


def _original_id(part: Message) -> str | None:
    kind = part.get_content_type()
    if kind == "message/rfc822":
        enclosed: Any = part.get_payload()
        text = _raw(enclosed[0], "Message-ID") if isinstance(enclosed, list) and enclosed else ""
    elif kind in ("text/rfc822-headers", "message/rfc822-headers"):
        payload: Any = part.get_payload(decode=True) or b""
        found = re.search(
            rb"(?im)^message-id:[ \t]*(<[^\r\n]{1,300}>)", payload if isinstance(payload, bytes) else b""
        )
        text = found[1].decode("ascii", "replace") if found is not None else ""
    else:
        return None
    match = MESSAGE_ID.fullmatch(text.strip())
    return match[0] if match is not None else None
