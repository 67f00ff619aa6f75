"""The language of a page on every interpreter: look-up, plural forms, placeholders, what a browser asks for."""

from device.web import brand, html, words
from device.web.words import English, gettext, ngettext

_SLAVIC = bytes(
    [0 if n == 1 else 1 if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14 else 2 for n in range(200)]
)
TEXTS = ("Pause", "Sign in", "{0} of {1}", "{} day", "Zeit")
TEXTS = tuple(sorted(TEXTS))


def row(code, is_right_to_left, **translations):
    found = {"Sign in": "", "Pause": "", "{0} of {1}": "", "{} day": "", "Zeit": ""}
    found.update(translations)
    return (code, code.upper(), is_right_to_left, _SLAVIC, tuple([found[text] for text in TEXTS]))


class Spoken:
    """The product has the languages xx and yy inside a `with` statement."""

    def __enter__(self):
        first = row(
            "xx",
            False,
            **{"Sign in": "přihlásit", "{0} of {1}": "{1}: {0}", "{} day": ("{} a", "{} b", "{} c")},
        )
        brand.LANGUAGES = (first, row("yy-AA", True, **{"{0} of {1}": "{1}/{0}"}))
        brand.TEXTS = TEXTS

    def __exit__(self, kind, error, trace):
        brand.LANGUAGES = brand.TEXTS = ()
        words.use_english()


def speak(header):
    words.use({"Accept-Language": header}, "/setup")


def test_a_text_is_found_and_a_missing_one_stays_english():
    with Spoken():
        speak("xx")
        assert (
            gettext("Sign in") == "přihlásit"
            and gettext("Pause") == "Pause"
            and gettext("Nowhere") == "Nowhere"
        )
        assert (words.code(), words.direction(), words.path()) == ("xx", "ltr", "/setup")


def test_every_text_of_a_catalogue_is_found():
    with Spoken():
        brand.TEXTS = tuple([f"t{number:03d}" for number in range(257)])
        brand.LANGUAGES = (("xx", "XX", False, _SLAVIC, tuple([str(number) for number in range(257)])),)
        speak("xx")
        assert [gettext(text) for text in brand.TEXTS] == [str(number) for number in range(257)]
        assert gettext("") == "" and gettext("t999") == "t999"


def test_placeholders_may_change_their_order():
    with Spoken():
        assert gettext("{0} of {1}", 2, 5) == "2 of 5"
        speak("xx")
        assert gettext("{0} of {1}", 2, 5) == "5: 2"


def test_a_number_takes_its_plural_form():
    numbers = (0, 1, 2, 5, 12, 22, 101, 102, 111, 199, 200, 202, 1012, 1022)
    with Spoken():
        assert [ngettext("{} day", "{} days", number) for number in (0, 1, 2)] == [
            "0 days",
            "1 day",
            "2 days",
        ]
        speak("xx")
        assert "".join([ngettext("{} day", "{} days", number)[-1] for number in numbers]) == "cabccbcbcccbcb"
        assert ngettext("{} hour", "{} hours", 1) == "1 hour"


def test_values_are_isolated_only_in_a_language_from_right_to_left():
    with Spoken():
        speak("yy-AA")
        assert gettext("{0} of {1}", 2, "x") == "\u2068x\u2069/\u20682\u2069" and words.direction() == "rtl"


def test_a_part_of_a_page_can_be_english():
    with Spoken():
        speak("xx")
        with English():
            assert gettext("Sign in") == "Sign in" and words.code() == "en"
        assert gettext("Sign in") == "přihlásit"


def test_the_browsers_order_decides():
    with Spoken():
        for header, code in (
            ("xx", "xx"),
            ("XX-CA", "xx"),
            ("yy-aa", "yy-AA"),
            ("yy", "en"),
            ("en;q=0.5, xx;q=0.9", "xx"),
            ("xx;q=0.5, en;q=0.5", "xx"),
            ("xx;q=0", "en"),
            ("xx;q=1.5", "xx"),
            ("xx;q=.9", "en"),
            ("xx;q=0.9999", "en"),
            ("xx;q=-1", "en"),
            ("xx;q=nan", "en"),
            ("xx;v=1", "en"),
            ("*", "en"),
            ("", "en"),
            (",;=,--,-", "en"),
            (",".join(["zz"] * 16) + ",xx", "en"),
        ):
            speak(header)
            assert words.code() == code, header


def test_the_cookie_comes_before_the_header_and_an_unknown_one_counts_as_absent():
    with Spoken():
        for cookie, code in (
            ("language=en", "en"),
            ("session=0; language=yy-AA", "yy-AA"),
            ("language=zz", "xx"),
            ("language=; xlanguage=en", "xx"),
            ("language", "xx"),
        ):
            words.use({"Cookie": cookie, "Accept-Language": "xx"})
            assert words.code() == code, cookie


def test_a_product_with_one_language_reads_no_header():
    words.use({"Accept-Language": "xx", "Cookie": "language=xx"}, "/setup")
    assert (words.code(), words.direction(), gettext("Sign in")) == ("en", "ltr", "Sign in")


def test_the_buttons_offer_the_languages_that_are_not_shown():
    with Spoken():
        speak("xx")
        shown = "".join(html.page("Status", "", ""))
        assert 'value="en"' in shown and 'value="yy-AA"' in shown and 'value="xx"' not in shown
