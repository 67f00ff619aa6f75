"""The local pages on every interpreter: parsing, forms, and an owner's requests from set-up to sign-out."""

import asyncio
import json

from memory_unit import CODE, PASSWORD, MemoryUnit, refused

from device.errors import CodecError, RequestError
from device.owner import passwords, setup_code, typed
from device.web import forms, html, http
from device.web.app import create_app
from device.web.server import serve_client

FORM = "application/x-www-form-urlencoded"


class Facade:
    """device.web.facade.Device over a MemoryUnit."""

    wifi = None

    def __init__(self, unit):
        self.unit = unit
        self.ticks_ms = unit.clock.ticks_ms
        self.ticks_diff = unit.clock.ticks_diff
        self.random_bytes = unit.entropy.random_bytes
        self.state = unit.state

    def public_info(self):
        return {"model": "Lamp One", "brand": "Firstboot", "support": None, "contact": None}

    def host_names(self):
        return ("lamp.local", "h")

    def is_press_needed(self):
        return False

    def statement(self):
        return b'{"notice": "demonstration"}'

    def status(self):
        return {"version": "1.2.3+0", "time": 1900000000, "support": None, "update": {"state": "idle"}}

    async def setup(self, code, password, is_normalised):
        for _ in self.unit.owner.set_up(code, password, is_normalised):
            await asyncio.sleep(0)

    async def login(self, password):
        for _ in self.unit.owner.sign_in(password):
            await asyncio.sleep(0)


class Wire:
    """A Stream whose client has sent `data` in parts of `step` bytes, and then waits or hangs up."""

    def __init__(self, data, step=1 << 20, waits=False):
        self.data = data
        self.step = step
        self.waits = waits
        self.written = b""

    async def read(self, limit):
        if not self.data and self.waits:
            await asyncio.sleep(60)
        part = self.data[: min(limit, self.step)]
        self.data = self.data[len(part) :]
        return part

    async def write(self, data):
        self.written += data

    async def close(self):
        pass


def exchange(app, data, step=1 << 20):
    wire = Wire(data, step)
    asyncio.run(serve_client(app, wire))
    return wire.written


def status_of(answer):
    return int(answer.split(b" ", 2)[1])


def ask(app, method, path, form=None, cookie="", step=1 << 20):
    text = method + " " + path + " HTTP/1.1\r\nHost: lamp.local\r\n"
    if cookie:
        text += "Cookie: " + cookie + "\r\n"
    if form is not None:
        text += "Content-Type: " + FORM + "\r\nContent-Length: " + str(len(form)) + "\r\n"
    return exchange(app, text.encode() + b"\r\n" + (form or b""), step)


def cookie_of(answer):
    for line in answer.split(b"\r\n"):
        if line.startswith(b"Set-Cookie: "):
            return line[12:].split(b";")[0].decode()
    return ""


def set_up_form():
    return ("code=" + CODE + "&password=" + PASSWORD.replace(" ", "+")).encode()


def test_an_owner_goes_from_set_up_to_sign_out():
    app = create_app(Facade(MemoryUnit()))
    assert status_of(ask(app, "GET", "/login")) == 404
    assert status_of(ask(app, "POST", "/setup", set_up_form())) == 303
    assert status_of(ask(app, "POST", "/setup", set_up_form())) == 404
    answer = ask(app, "POST", "/login", ("password=" + PASSWORD.replace(" ", "%20")).encode())
    assert status_of(answer) == 303
    cookie = cookie_of(answer)
    shown = ask(app, "GET", "/status", cookie=cookie)
    assert status_of(shown) == 200 and b"1.2.3+0" in shown
    assert status_of(ask(app, "POST", "/logout", b"", cookie)) == 303
    assert status_of(ask(app, "GET", "/status", cookie=cookie)) == 303


def test_the_strength_meter_carries_the_devices_own_rules():
    answer = ask(create_app(Facade(MemoryUnit())), "GET", "/meter.js")
    assert status_of(answer) == 200
    data = answer.split(b"var D = ", 1)[1].split(b";\n", 1)[0]
    found = json.loads(data)
    assert [list(row) for row in typed.INVISIBLE] == found["invisible"] and list(passwords.WALKS) == found[
        "walks"
    ]
    words = answer.split(b'D.words = "', 1)[1].split(b'"', 1)[0]
    assert b"correcthorsebatterystaple" in words.split(b" ") and found["leet"] == passwords.LEET


def test_a_refused_form_shows_the_code_again_and_never_the_password():
    app = create_app(Facade(MemoryUnit()))
    form = "code=" + CODE.lower() + "&password=correct+horse+battery+staple"
    answer = ask(app, "POST", "/setup", form.encode())
    assert status_of(answer) == 422
    assert ('value="' + setup_code.grouped(CODE) + '"').encode() in answer and b"staple" not in answer


def test_a_request_may_come_byte_by_byte():
    app = create_app(Facade(MemoryUnit()))
    assert status_of(ask(app, "POST", "/setup", set_up_form(), step=1)) == 303


def test_a_client_that_stops_sending_gets_an_answer():
    app = create_app(Facade(MemoryUnit()))
    wire = Wire(b"GET / HTTP/1.1\r\nHost", waits=True)
    asyncio.run(serve_client(app, wire, 0.01))
    assert status_of(wire.written) == 408


def test_malformed_requests_are_refused_with_their_status():
    app = create_app(Facade(MemoryUnit()))
    host = b"Host: h\r\n"
    cases = (
        (b"\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET http://x/ HTTP/1.1\r\n" + host + b"\r\n", 400),
        (b"GET  / HTTP/1.1\r\n" + host + b"\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\n" + host + b"\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\n" + host + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + host + host + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + host + b" folded: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + host + b"Cookie : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + host + b"nothing\r\n\r\n", 400),
        (b"POST /setup HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /setup HTTP/1.1\r\n" + host + b"Content-Length: -1\r\n\r\n", 400),
        (b"POST /setup HTTP/1.1\r\n" + host + b"Content-Length: 1_0\r\n\r\n", 400),
        (b"POST /setup HTTP/1.1\r\n" + host + b"Content-Length: 5\r\n\r\nab", 400),
        (b"POST /setup HTTP/1.1\r\n" + host + b"Content-Length: 2049\r\n\r\n", 413),
        (b"POST /setup HTTP/1.1\r\n" + host + b"Content-Length: 99999999999999\r\n\r\n", 400),
        (b"POST /setup HTTP/1.1\r\n" + host + b"\r\n", 415),
        (b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\n" + host + b"\r\n", 414),
        (b"GET /" + b"a" * 9000, 414),
        (b"GET / HTTP/1.1\r\n" + host + b"x: " + b"a" * 2000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 41 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + (b"x: " + b"a" * 900 + b"\r\n") * 20, 431),
        (b"BREW / HTTP/1.1\r\n" + host + b"\r\n", 404),
    )
    for data, status in cases:
        assert status_of(exchange(app, data)) == status, data[:60]


def test_a_client_that_closes_without_asking_gets_nothing():
    app = create_app(Facade(MemoryUnit()))
    assert exchange(app, b"") == b""


def test_a_form_gives_its_fields_as_text():
    body = b"code=AB%2dC+D&password=%C3%A4%e2%82%ac%3D%26"
    assert forms.parse(body, FORM + "; charset=UTF-8") == {"code": "AB-C D", "password": "ä€=&"}


def test_a_malformed_form_is_refused():
    for body in (
        b"a",
        b"=b",
        b"a=b&",
        b"a=b&a=c",
        b"a=%",
        b"a=%4",
        b"a=%zz",
        b"a=%+1",
        b"a=%-1",
        b"a=%ff",
        b"a=%c0%80",
        b"a=%ed%a0%80",
        b"a=%f4%90%80%80",
        b"&".join([b"f%d=" % number for number in range(9)]),
    ):
        assert refused(RequestError, forms.parse, body, FORM).fields["status"] == 400, body


def test_a_form_of_another_type_is_refused():
    for kind in ("", "text/plain", "multipart/form-data", "application/json"):
        assert refused(RequestError, forms.parse, b"a=b", kind).fields["status"] == 415


def test_html_is_escaped():
    assert html.escape("<a href='x' title=\"y\">&") == "&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;"


def test_a_header_value_cannot_open_a_second_header():
    refused(ValueError, http.head_bytes, 303, {"Location": "/\r\nSet-Cookie: a=b"}, 0)


def test_a_request_error_is_a_link_error_and_no_codec_error():
    assert not issubclass(RequestError, CodecError)
