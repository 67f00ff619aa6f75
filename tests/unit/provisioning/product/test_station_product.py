"""Product definitions: every problem is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.product.example import EXAMPLE
from provisioning.product.product import Product, ProductError, load_product, parse_product


def problems(text: str) -> list[str]:
    with pytest.raises(ProductError) as caught:
        parse_product(text)
    return caught.value.problems


def changed(old: str, new: str) -> str:
    assert EXAMPLE.count(old) == 1
    return EXAMPLE.replace(old, new)


def test_the_example_is_a_valid_definition(tmp_path: Path) -> None:
    (tmp_path / "product.toml").write_text(EXAMPLE)
    product = load_product(tmp_path / "product.toml")
    assert (product.model, len(product.servers), len(product.class_id)) == ("FB-1", 2, 16)


WRONG_LINES = [
    ('model = "FB-1"', "", "[product] model"),
    ('model = "FB-1"', 'model = "two\\nlines"', "[product] model"),
    ('class_id = "1492af14-2569-5e48-bf42-9b2d51f2ab45"', 'class_id = "1492"', "[product] class_id"),
    ('number = "2026-001"', 'number = "a/b"', "[batch] number"),
    ('number = "2026-001"', 'number = ".."', "[batch] number"),
    ('number = "2026-001"', 'number = "-x"', "[batch] number"),
    ('serial_prefix = "FB1-"', 'serial_prefix = "fb1"', "[batch] serial_prefix"),
    ('serial_prefix = "FB1-"', 'serial_prefix = "-FB1"', "[batch] serial_prefix"),
    ('period = "P5Y" ', 'period = "lifetime" ', "[support] period"),
    ('period = "P5Y" ', 'period = "P" ', "[support] period"),
    ("end_date = 2031-12-31", 'end_date = "from purchase"', "[support] end_date"),
    ("end_date = 2031-12-31", "end_date = 2031-12-31T00:00:00", "[support] end_date"),
    ("notice_days = 180", "notice_days = true", "[support] notice_days"),
    ('acknowledgement = "within 3 working days"', 'acknowledgement = "promptly"', "[contact] acknowl"),
    ('status_updates = "every 14 days until resolved"', 'status_updates = "open dialogue"', "[contact] status"),
    ('report = "mailto:security@example.com"', 'report = "javascript:alert(1)"', "[contact] report"),
    ('place = "Exampletown"', "", "[statement] place"),
    ("check_interval_s = 3600", "check_interval_s = 0", "[update] check_interval_s"),
    ('transport = "coap"', 'transport = "http"', "[servers no. 2] transport"),
    ("port = 5683", "port = 70000", "[servers no. 2] port"),
    ('tls_name = "localhost"', "", "[servers no. 1] tls_name"),
    ("https://{name}.local/setup", "http://{name}.local/setup", "[label] setup_address"),
    ("https://{name}.local/setup", "https://x.example/?a=b", "[label] setup_address"),
    ("https://{name}.local/setup", "https://x.example/" + "y" * 90, "[label] setup_address"),
    ("[label]", "[labels]", "[label] is missing"),
    ('connectable = "internet"', 'connectable = "by mail"', "[scope] connectable"),
    ('markets = ["GB", "NI"]', 'markets = ["EU"]', "[scope] markets"),
    ('markets = ["GB", "NI"]', "markets = []", "[scope] markets"),
    ('kind = "associated"', 'kind = "cloud"', "[components no. 3] kind"),
    ("updates = false", 'updates = "no"', "[components no. 1] updates"),
    ('["800 lumen, warm to cool white", ', "[8, ", "[publication] main_characteristics"),
    ("[scope]", '[statement.labels.passwords]\nscheme = "CE"\n[scope]', "[statement.labels.passwords] scheme"),
    ("[scope]", "[statement.labels.colour]\n[scope]", "[statement.labels] may name"),
    ('brand = "Example Brand"', 'brand = "Example Brand"\ncolour = "red"', "[product] colour"),
    ("[label]", '[firmware]\nimage_sha256 = "AB"\n[label]', "[firmware] image_sha256"),
    ("[label]", '[firmware]\nimage = "AB"\n[label]', "[firmware] image"),
    ("[label]", '[label]\ntemplate = "../secret.toml"', "[label] template"),
    ("[label]", '[label]\ntemplate = "/etc/passwd"', "[label] template"),
    ("[label]", '[keys]\ninjected = "yes"\n[label]', "[keys] injected"),
    ('serial_prefix = "FB1-"', 'serial_prefix = "FB1-"\nfirst_number = 0\nlast_number = 9', "[batch] first_number"),
    ('serial_prefix = "FB1-"', 'serial_prefix = "FB1-"\nfirst_number = 5', "[batch] first_number and last_number"),
    ('serial_prefix = "FB1-"', 'serial_prefix = "FB1-"\nfirst_number = 5\nlast_number = 4', "[batch] last_number"),
    ("start_date = 2026-12-01", "start_date = 2027-01-02", "[support] end_date must not be before 2032-01-01"),
    ('period = "P5Y" ', 'period = "P0Y" ', "[support] period"),
    ('period = "P5Y" ', 'period = "P0Y0M0D" ', "[support] period"),
    ('model = "FB-1"', 'model = "FB-1\\u202e1302"', "[product] model"),
    ('name = "Example Devices Ltd"', 'name = "Example\\u200bDevices"', "[manufacturer] name"),
    ('"within 3 working days"', '"our phones are staffed 24 hours a day"', "[contact] acknowl"),
    ('"within 3 working days"', '"we do not promise 3 days"', "[contact] acknowl"),
    ('"within 3 working days"', '"within 0 days"', "[contact] acknowl"),
    ('"every 14 days until resolved"', '"every 14 days"', "[contact] status"),
    ('"mailto:security@example.com"', '"mailto:"', "[contact] report"),
    ('"mailto:security@example.com"', '"mailto:security@localhost"', "[contact] report"),
    ('"https://example.com/security/policy"', '"https://example.com/../../../PWN2"', "[contact] policy"),
    ('"https://example.com/security/policy"', '"https://example.com/a/%2e%2e/b"', "[contact] policy"),
    ("start_date = 2026-12-01", 'start_date = "soon"', "[support] start_date"),
    ('period = "P5Y" ', 'period = "P9999Y" ', "[support] end_date must not be before any day"),
    ("end_date = 2031-12-31", "end_date = 9999-12-31", "[support] end_date must not be after the year 2199"),
    ("end_date = 2031-12-31", "end_date = 2200-01-01", "[support] end_date must not be after the year 2199"),
    ('name = "FB-1 firmware"', 'name = "FB-1 hardware"', "[components no. 2] name must differ from those of no. 1"),
    ("updates = false", "updates = false\nsupport_end = 2031-12-31", "[components no. 1] support_end needs"),
    ('model = "FB-1"', 'model = " "', "[product] model"),
    ('model = "FB-1"', 'model = "FB-1 "', "[product] model"),
    ('brand = "Example Brand"', 'brand = " Example Brand"', "[product] brand"),
    ('place = "Exampletown"', 'place = "  "', "[statement] place"),
    ('host = "10.0.2.2"\nport = 8883', "host = \"a b/c'd\"\nport = 8883", "[servers no. 1] host"),
    ('host = "10.0.2.2"\nport = 8883', 'host = "broker:8883/x"\nport = 8883', "[servers no. 1] host"),
    ('host = "10.0.2.2"\nport = 8883', 'host = "-oProxyCommand=x"\nport = 8883', "[servers no. 1] host"),
    ('tls_name = "localhost"', 'tls_name = "*.*"', "[servers no. 1] tls_name"),
    ("https://{name}.local/setup", "https://", "[label] setup_address"),
    ("https://{name}.local/setup", "https:///setup", "[label] setup_address"),
    ("https://{name}.local/setup", "https://maker.co.uk@{name}.local/", "[label] setup_address"),
    ("https://{name}.local/setup", "https://{name}.local/a b", "[label] setup_address"),
    ("https://{name}.local/setup", "https://{name}.local/<b>", "[label] setup_address"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place"), WRONG_LINES)
def test_a_wrong_line_is_named_with_its_place(old: str, new: str, place: str) -> None:
    assert any(place in problem for problem in problems(changed(old, new)))


def test_all_problems_are_reported_at_once() -> None:
    text = changed('model = "FB-1"', "model = 3").replace("port = 5683", "port = 0")
    assert len(problems(text)) == 2


def test_a_file_that_is_no_toml_is_a_product_error(tmp_path: Path) -> None:
    assert problems("model = ") and problems("= 3")
    assert problems("a = " + "[" * 100_000)
    (tmp_path / "product.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ProductError, match="UTF-8"):
        load_product(tmp_path / "product.toml")


def test_without_servers_there_is_nothing_to_update_from() -> None:
    text = EXAMPLE[: EXAMPLE.index("[[servers]]")] + EXAMPLE[EXAMPLE.index("[label]") :]
    assert any("[[servers]]" in problem for problem in problems(text))


def test_the_default_horizon_is_ten_years_after_the_end() -> None:
    product = parse_product(EXAMPLE)
    assert (product.support.horizon - product.support.end_date).days == 3650


def test_a_horizon_before_the_end_is_refused() -> None:
    text = changed("notice_days = 180", "horizon = 2030-01-01\nnotice_days = 180")
    assert any("horizon" in problem for problem in problems(text))


def digest(text: str) -> bytes:
    product: Product = parse_product(text)
    return product.declared_digest


def test_statement_fields_may_be_left_out_of_a_definition() -> None:
    text = EXAMPLE[: EXAMPLE.index("[scope]")] + EXAMPLE[EXAMPLE.index("[update]") :]
    product = parse_product(text)
    assert (product.scope, product.components, product.publication) == (None, (), None)


def test_the_words_of_the_site_may_change_within_a_batch() -> None:
    assert digest(changed("A lamp for your home", "The lamp for your home")) == digest(EXAMPLE)
    assert digest(changed('markets = ["GB", "NI"]', 'markets = ["GB"]')) != digest(EXAMPLE)


def test_what_a_batch_declares_does_not_depend_on_its_servers() -> None:
    assert digest(changed("port = 5683", "port = 5684")) == digest(EXAMPLE)
    assert digest(changed("end_date = 2031-12-31", "end_date = 2032-12-31")) != digest(EXAMPLE)


def test_image_and_template_are_read_and_change_no_declaration() -> None:
    text = changed(
        "[label]", f'[firmware]\nimage_sha256 = "{"ab" * 32}"\n[label]\ntemplate = "labels/small.toml"'
    )
    product = parse_product(text)
    assert (product.image_sha256, product.label_template) == (b"\xab" * 32, "labels/small.toml")
    assert product.declared_digest == parse_product(EXAMPLE).declared_digest


def test_without_range_and_start_a_batch_declares_what_it_declared_before_there_were_any() -> None:
    """Otherwise a line would need new batch numbers after an update of this program."""
    assert (
        digest(without_start(EXAMPLE)).hex()
        == "24bab81c8a4db14e2bb5d3563f511fff39a5119c73942b7e5f0015f96dc6b5c3"
    )


def test_a_start_date_and_a_range_are_declared_with_the_batch() -> None:
    assert digest(changed("start_date = 2026-12-01", "start_date = 2026-12-02")) != digest(EXAMPLE)
    ranged = changed("# first_number = 1 ", "first_number = 1 ").replace("# last_number", "last_number")
    assert parse_product(ranged).numbers == (1, 500)
    assert digest(ranged) != digest(EXAMPLE)


def without_start(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("start_date"))


@pytest.mark.parametrize(
    ("period", "end"), [("P10Y", "2027-01-01"), ("P5Y", "2027-12-31"), ("P60M", "2028-06-30")]
)
def test_a_period_that_would_begin_before_the_regulations_needs_a_start_date(period: str, end: str) -> None:
    text = without_start(changed('period = "P5Y" ', f'period = "{period}" ')).replace("2031-12-31", end)
    assert any("[support] end_date" in problem and "start_date" in problem for problem in problems(text))


def test_a_definition_names_any_number_of_manufacturers() -> None:
    text = changed("[manufacturer]", "[[manufacturer]]").replace(
        "# [[representatives]]",
        '[[manufacturer]]\nname = "Second Ltd"\naddress = "2 Road"\n# [[representatives]]',
    )
    product = parse_product(text)
    assert [party.name for party in product.manufacturers] == ["Example Devices Ltd", "Second Ltd"]
    assert product.manufacturer == product.manufacturers[0]
    assert digest(text) != digest(EXAMPLE)
    assert digest(changed("[manufacturer]", "[[manufacturer]]")) == digest(EXAMPLE)


SECOND_MAKER = '[[manufacturer]]\nname = "{}"\naddress = "2 Road"\n# [[representatives]]'


@pytest.mark.parametrize(
    "name",
    [
        "Example Devices Ltd",
        "EXAMPLE DEVICES LTD",
        "Example  Devices Ltd.",
        "Example-Devices, Ltd",
    ],
)
def test_no_manufacturer_is_named_twice(name: str) -> None:
    text = changed("[manufacturer]", "[[manufacturer]]")
    text = text.replace("# [[representatives]]", SECOND_MAKER.format(name))
    assert problems(text) == ["[manufacturer no. 2] name must differ from those of no. 1"]


def test_a_representative_is_named_once_and_is_no_manufacturer() -> None:
    parties = [("R Ltd", "1 Road"), ("r ltd.", "2 Road"), ("Example Devices Ltd.", "3 Road")]
    entries = "".join(
        f'[[representatives]]\nname = "{name}"\naddress = "{place}"\n' for name, place in parties
    )
    assert problems(changed("[batch]", entries + "[batch]")) == [
        "[representatives no. 2] name must differ from those of no. 1",
        "[representatives no. 3] name is the name of a manufacturer",
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            'name = "FB-1 firmware"',
            'name = "fb-1  HARDWARE"',
            "[components no. 2] name must differ from those of no. 1",
        ),
        (
            'markets = ["GB", "NI"]',
            'markets = ["GB", "GB"]',
            "[scope] markets must be a list of different ones of GB, NI",
        ),
        (
            '["800 lumen, warm to cool white", ',
            '["800 lumen", "800 lumen", ',
            "[publication] main_characteristics must be a list of 1 to 12 different texts of one line",
        ),
    ],
)
def test_no_entry_of_a_list_is_there_twice(old: str, new: str, problem: str) -> None:
    assert problems(changed(old, new)) == [problem]


def test_no_server_is_named_twice() -> None:
    first = EXAMPLE[
        EXAMPLE.index("[[servers]]") : EXAMPLE.index("[[servers]]", EXAMPLE.index("[[servers]]") + 1)
    ]
    assert problems(changed(first, first + first)) == [
        "[servers no. 2] transport and host and port must differ from those of no. 1"
    ]


def test_a_definition_without_a_manufacturer_is_refused() -> None:
    text = EXAMPLE[: EXAMPLE.index("[manufacturer]")] + EXAMPLE[EXAMPLE.index("# [[representatives]]") :]
    assert any("manufacturer" in problem for problem in problems(text))
    assert any("manufacturer" in problem for problem in problems("manufacturer = []\n" + text))
