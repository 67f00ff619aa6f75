"""The tables of placeholders: fillers, example names, hosts, telephone numbers and mailboxes that reach nobody.

Each table gives its source or its reason. A table has exact values or whole words, so that a real name which contains
one ("Acme Lighting Ltd", "Sampleforth Road") is not a placeholder.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

# Fillers: whole values, compared without case and without punctuation around them.
FILLERS: Final = frozenset(
    {
        "tbd", "tbc", "tba", "todo", "to do", "fixme", "wip", "placeholder", "change me", "changeme", "fill in",
        "fill me in", "replace me", "insert here", "asdf", "asdfasdf", "qwerty", "foo", "foobar", "foo bar",
        "to be added", "to be advised", "to be announced", "to be completed", "to be confirmed", "to be decided",
        "to be defined", "to be determined", "to be done",
    }
)  # fmt: skip
# Fillers inside of a text. Upper case: "todo" is a word of other languages.
_FILLER: Final = re.compile(
    r"\b(?:TODO|FIXME|TBD|TBC|TBA)\b|(?i:\blorem ipsum\b|\bx{3,}\b|\b(?:insert|enter|your) [a-z ]{1,30} here\b)"
)
_BRACKETS: Final = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\{[^{}]*\}")
_EDGES: Final = " .,:;!?*_-\u2013\u2014()\"'"

# Example names: what is left of a name without the legal form and the article, as a whole.
EXAMPLE_NAMES: Final = frozenset(
    {
        "acme", "anon", "anonymous", "beispiel", "beispielfirma", "brand", "brand name", "company", "company name",
        "contoso", "demo", "dummy", "ejemplo", "empresa", "esempio", "example", "exemple", "fabrikam", "firma",
        "joe bloggs", "john doe", "jane doe", "maker", "manufacturer", "manufacturer name", "max mustermann",
        "erika mustermann", "muster", "musterfirma", "mustermann", "my company", "n/a", "na", "name", "nobody",
        "none", "not applicable", "null", "nil", "ourcompany", "our company", "sample", "sample company",
        "some company", "test", "test company", "testfirma", "unknown", "voorbeeld", "your brand", "your company",
        "your company name", "your name", "yourcompany", "address", "city", "country", "location", "place", "street",
        "town", "your address", "your city", "anytown", "anywhere", "somewhere", "nowhere", "musterstadt",
        "musterhausen",
    }
)  # fmt: skip
# Words that make any name or address an example, wherever they stand.
_EXAMPLE_WORD: Final = re.compile(
    r"(?i)\b(?:example(?:town|ville|shire)?|beispiel(?:stra(?:ß|ss)e|stadt|firma)|muster(?:stra(?:ß|ss)e|str|stadt|hausen|mann|firma)|"
    r"anytown|fake street|your (?:company|address|street|town|city|name|brand)|company name|address line [1-9])\b"
)
_LEGAL_FORM: Final = re.compile(
    r"(?i)[\s,]+(?:ltd|limited|plc|llp|llc|inc|incorporated|corp|corporation|co|company|gmbh|ag|kg|ug|se|s\.?a\.?(?:s|rl)?|"
    r"s\.?r\.?l|s\.?p\.?a|b\.?v|n\.?v|oy|ab|as|a/s|aps|pty|sp\. ?z ?o\.? ?o|s\.?r\.?o|d\.?o\.?o)\.?$"
)
_ARTICLE: Final = re.compile(r"(?i)^(?:the|a|an) ")

# Hosts that no name server of the internet answers for, or that answer for everybody.
RESERVED_SUFFIXES: Final = {
    "example": "RFC 2606", "test": "RFC 2606", "invalid": "RFC 2606", "localhost": "RFC 6761", "local": "RFC 6762",
    "onion": "RFC 7686", "alt": "RFC 9476", "home.arpa": "RFC 8375", "internal": "ICANN, 2024",
    "localdomain": "hosts files", "lan": "home routers", "home": "ICANN, 2018", "corp": "ICANN, 2018",
    "mail": "ICANN, 2018", "intranet": "RFC 6762 appendix G", "private": "RFC 6762 appendix G",
    "tld": "never delegated",
}  # fmt: skip
# A unit in development asks servers on the machine or in the network of the developer.
SUFFIXES_OF_EXAMPLES: Final = ("example", "test", "invalid")
# Labels of a host that replace the maker's own name: "example.com" of RFC 2606 and its likenesses.
HOST_LABELS: Final = frozenset(
    {
        "example", "your-domain", "yourdomain", "my-domain", "mydomain", "your-company", "yourcompany", "my-company",
        "mycompany", "your-brand", "yourbrand", "your-site", "yoursite", "your-website", "yourwebsite",
        "company-name", "companyname", "domain-name", "domainname", "changeme", "placeholder", "todo", "tbd", "xxx",
        "beispiel", "ejemplo", "exemple",
    }
)  # fmt: skip
# Mailboxes that nobody reads, or that replace a name.
MAILBOXES: Final = frozenset(
    {
        "no-reply", "noreply", "do-not-reply", "donotreply", "your-name", "yourname", "your.name", "todo", "tbd",
        "xxx", "changeme", "placeholder",
    }
)  # fmt: skip
# Numbers for drama: Ofcom, "Telephone numbers for use in TV and radio drama programmes"; NANPA for 555.
DRAMA_NUMBER: Final = re.compile(
    r"\+44(?:2079460|1632960|7700900|8081570|9098790|3069990|1(?:1[3-8]|[2-6]1)4960|1914980|2896496|2920180)\d*|"
    r"\+1\d{3}555\d{4}"
)
_COUNTED_NUMBER: Final = re.compile(r"\+\d{0,3}?(?:(\d)\1{6,}|0?1234567(?:89?0?)?)")


def is_filler(value: str) -> bool:
    """Return whether a text replaces a value that nobody entered."""
    plain = " ".join(value.casefold().split()).strip(_EDGES)
    return (
        (bool(value) and not plain)
        or plain in FILLERS
        or _FILLER.search(value) is not None
        or _BRACKETS.fullmatch(value.strip()) is not None
    )


def is_example_name(value: str) -> bool:
    """Return whether a company, person, place or address has a usual example name."""
    rest = " ".join(value.split()).strip(_EDGES)
    names = {rest}
    while (shorter := _LEGAL_FORM.sub("", rest)) != rest:
        rest = shorter.strip(_EDGES)
        names.add(rest)
    names |= {_ARTICLE.sub("", name) for name in names}
    return (
        bool(EXAMPLE_NAMES & {name.casefold() for name in names}) or _EXAMPLE_WORD.search(value) is not None
    )


def is_unreachable(address: str) -> bool:
    """Return whether a mailto:, tel: or https: address reaches nobody."""
    scheme, _, rest = address.partition(":")
    if scheme == "tel":
        number = rest.replace("-", "")
        return bool(DRAMA_NUMBER.fullmatch(number) or _COUNTED_NUMBER.fullmatch(number))
    if scheme == "mailto":
        mailbox, _, host = rest.partition("@")
        return mailbox.casefold() in MAILBOXES or _is_reserved(host, tuple(RESERVED_SUFFIXES))
    return _is_reserved(urlsplit(address).hostname or "", tuple(RESERVED_SUFFIXES))


def is_unreachable_host(host: str) -> bool:
    """Return whether a server's name is reserved for examples. Names and addresses in private networks are not."""
    return _is_reserved(host, SUFFIXES_OF_EXAMPLES)


def _is_reserved(host: str, suffixes: tuple[str, ...]) -> bool:
    labels = host.casefold().strip(".").split(".")
    return bool(HOST_LABELS & set(labels)) or any(
        labels[-len(suffix.split(".")) :] == suffix.split(".") for suffix in suffixes
    )
