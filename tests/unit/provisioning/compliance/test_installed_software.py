"""PW-05: the package of what the user must install is searched for passwords, and names the component."""

from __future__ import annotations

import dataclasses
import io
import zipfile

import pytest

from provisioning.compliance import installed_software
from provisioning.compliance.check_outcomes import FAIL, NOT_APPLICABLE, NOT_RUN, PASS, EvidenceError
from provisioning.compliance.installed_software import (
    judge_installed_software,
    package_digests,
    passwords_in,
    searched,
)
from provisioning.product.statement_fields import Component
from tests.unit.provisioning.compliance.statement_bench import PRODUCT

APP = dataclasses.replace(
    PRODUCT, components=(*PRODUCT.components, Component("App", "must-install", True, None))
)


def archive(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


def test_pw_05_a_product_without_such_software_needs_no_package() -> None:
    assert judge_installed_software(PRODUCT, {}).outcome == NOT_APPLICABLE


def test_pw_05_a_package_that_was_not_given_is_not_run() -> None:
    found = judge_installed_software(APP, {})
    assert found.outcome == NOT_RUN and "App" in found.detail


def test_pw_05_a_package_without_a_password_passes_and_says_what_was_not_seen() -> None:
    found = judge_installed_software(APP, {"App": archive(code=b"password = ask_the_user()")})
    assert found.outcome == PASS and "; partly: " in found.detail


def test_pw_05_a_package_with_a_password_fails_and_does_not_repeat_it() -> None:
    found = judge_installed_software(APP, {"App": b'DEFAULT_PASSWORD = "hunter2"'})
    assert found.outcome == FAIL
    assert "DEFAULT_PASSWORD" in found.detail and "hunter2" not in found.detail


@pytest.mark.parametrize(
    "text",
    [
        b'password="admin1"',
        b"{'passwd': 'admin1'}",
        b'"user_pwd" => "admin1"',
        b'setPassword("x"); put("password", "admin1")',
        b'<string name="default_password">admin1</string>',
        b"mqtts://lamp:admin1@broker.example",
        'let passphrase = "admin1"'.encode("utf-16-le"),
    ],
)
def test_pw_05_a_literal_password_is_found_in_every_form(text: bytes) -> None:
    assert len(passwords_in(text, "App")) == 1


@pytest.mark.parametrize(
    "text",
    [
        b'<string name="password">Password</string>',
        b'"password_hint": "At least 15 characters"',
        b'password = ""',
        b'if (password == other) return "yes"',
        b"https://example.com/password:reset",
    ],
)
def test_pw_05_a_label_of_a_form_is_no_password(text: bytes) -> None:
    assert passwords_in(text, "App") == []


def test_pw_05_an_archive_in_an_archive_is_searched_and_the_member_is_named() -> None:
    inner = archive(**{"lib/config.json": b'{"password": "admin1"}'})
    assert passwords_in(archive(**{"base.apk": inner}), "App") == ["password in lib/config.json"]


def test_pw_05_a_package_of_another_component_is_refused() -> None:
    with pytest.raises(EvidenceError, match="'FB-1 firmware' is not a component of kind must-install"):
        judge_installed_software(APP, {"FB-1 firmware": b"data"})


def test_pw_05_an_archive_that_cannot_be_read_is_refused() -> None:
    whole = archive(**{"a.txt": b"some text" * 100})
    damaged = whole.replace(whole[40:60], bytes(20))
    with pytest.raises(EvidenceError, match="cannot be read"):
        passwords_in(damaged, "App")


def test_pw_05_an_empty_package_is_refused() -> None:
    with pytest.raises(EvidenceError, match="empty"):
        passwords_in(b"", "App")


@pytest.mark.parametrize(("limit", "value"), [("MEMBER_BYTES", 99), ("UNPACKED_BYTES", 150), ("MEMBERS", 1)])
def test_pw_05_a_package_that_unpacks_to_too_much_is_refused(
    limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = archive(**{"a.txt": bytes(100), "b.txt": bytes(100)})
    assert passwords_in(package, "App") == []
    monkeypatch.setattr(installed_software, limit, value)
    with pytest.raises(EvidenceError):
        passwords_in(package, "App")


def test_the_digests_of_packages_are_read_back() -> None:
    assert set(searched(package_digests({"App": b"data", "Other": b"more"}))) == {"App", "Other"}
    assert package_digests({}) == "" and searched("") == {}


@pytest.mark.parametrize("text", ["[", "[]", "7", "null"])
def test_what_is_no_list_of_digests_names_no_package(text: str) -> None:
    assert searched(text) == {}


def test_the_name_of_a_member_stays_one_line_of_text() -> None:
    found = passwords_in(archive(**{"a\nPW-05: pass\u202e" + "b" * 300: b'password = "hunter2"'}), "App")
    assert len(found) == 1 and found[0].isprintable() and len(found[0]) < 300


def test_an_archive_with_a_huge_directory_is_refused_before_its_list_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(installed_software, "MEMBERS", 3)
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda _: pytest.fail("the list was made"))
    with pytest.raises(EvidenceError, match="unpacks to more"):
        passwords_in(archive(a=b"", b=b"", c=b"", d=b""), "App")
