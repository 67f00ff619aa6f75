"""Any bytes to the local pages give a parsed value or one typed refusal, and no sent byte is returned."""

from __future__ import annotations

import asyncio
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import RequestError
from device.limits import HTTP_BODY_BYTES
from device.web import forms, http
from device.web.html import escape
from device.web.server import serve_client
from tests.unit.device.web.web_fake import Answer, Browser, FakeDevice, ScriptedStream

_LINES = st.sampled_from(
    [
        b"GET / HTTP/1.1",
        b"POST /setup HTTP/1.1",
        b"Host: h",
        b"Content-Length: 4",
        b"Cookie: session=x",
        b"",
        b":",
        b" x",
    ]
)


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=40), max_size=forms.FIELDS))
def test_a_form_that_a_browser_encodes_comes_back(fields: dict[str, str]) -> None:
    assert forms.parse(urlencode(fields).encode(), forms.CONTENT_TYPE) == fields


@given(st.text(max_size=60))
def test_percent_and_plus_give_the_same_text(text: str) -> None:
    assert forms.unescape(quote(text, safe="").encode()) == text


@given(st.binary(max_size=200) | st.text("ab=&%+0f", max_size=60).map(str.encode))
def test_any_body_is_a_form_or_one_typed_refusal(body: bytes) -> None:
    try:
        fields = forms.parse(body, forms.CONTENT_TYPE)
    except RequestError as error:
        assert error.fields["status"] == 400
    else:
        assert len(fields) <= forms.FIELDS


@given(st.binary(max_size=300) | st.lists(_LINES | st.binary(max_size=30), max_size=50).map(b"\r\n".join))
def test_any_head_is_parsed_or_one_typed_refusal(data: bytes) -> None:
    try:
        head = http.parse_head(data)
        assert 0 <= http.body_length(head) <= HTTP_BODY_BYTES
    except RequestError as error:
        assert error.fields["status"] in http.REASONS
    else:
        assert head.path.startswith("/") and set(head.headers) <= set(http.KEPT.values())


@given(
    st.lists(_LINES | st.binary(max_size=40), max_size=30).map(
        lambda lines: b"\r\n".join(lines) + b"\r\n\r\n"
    ),
    st.binary(max_size=100),
    st.lists(st.integers(1, 40), max_size=10),
)
def test_any_stream_gets_one_whole_answer_and_changes_nothing(
    head: bytes, body: bytes, cuts: list[int]
) -> None:
    browser = Browser(FakeDevice())
    data, parts = head + body, []
    for cut in cuts:
        parts.append(data[:cut])
        data = data[cut:]
    stream = ScriptedStream([part for part in [*parts, data] if part])
    asyncio.run(serve_client(browser.app, stream))
    answer = Answer(stream.written)
    assert answer.status in http.REASONS and answer.status != 500
    assert len(answer.body) == int(answer.headers["content-length"]) or head.startswith(b"HEAD")
    assert browser.device.current == "factory default"


@given(st.text(max_size=60))
def test_escaped_text_holds_nothing_that_opens_html(text: str) -> None:
    escaped = escape(text)
    assert not set("<>\"'") & set(escaped)
    import html

    assert html.unescape(escaped) == html.unescape(html.escape(text))


@given(
    st.dictionaries(st.sampled_from(["A", "B-C"]), st.text(max_size=20), max_size=2), st.binary(max_size=20)
)
def test_an_answer_has_one_head_whatever_its_values(headers: dict[str, str], body: bytes) -> None:
    if any("\r" in value or "\n" in value for value in headers.values()):
        with pytest.raises(ValueError, match="header"):
            http.head_bytes(200, headers, len(body))
    else:
        head = http.head_bytes(200, headers, len(body))
        assert head.count(b"\r\n\r\n") == 1 and head.endswith(b"\r\n\r\n")
