"""Check that a reader without technical knowledge can understand a text: a score, a word list, one sentence (SP-04).

The score is the Flesch-Kincaid grade: 0.39 words per sentence + 11.8 syllables per word - 15.59. Syllables are
groups of vowels, as in the formula's usual tools. Grade 8 and the list of words are our choice.
"""

from __future__ import annotations

import re
from typing import Final

HIGHEST_GRADE: Final = 8.0
WORDS_TOO_TECHNICAL: Final = (
    "firmware", "cryptograph", "vulnerabilit", "mitigat", "patch", "ota", "cve", "exploit", "authenticat",
    "encrypt", "manifest", "tls", "sha-256", "end of life", "eol", "lifecycle", "lifetime", "as soon as possible",
    "promptly", "from time to time", "best effort", "commercially reasonable",
)  # fmt: skip
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z'-]*|\d+")


def grade(text: str) -> float:
    """Return the Flesch-Kincaid grade of a text; 0.0 for one without words."""
    words = _WORD.findall(text)
    if not words:
        return 0.0
    sentences = max(1, len(re.findall(r"[.!?]+(?:\s|$)", text)))
    syllables = sum(_syllables(word) for word in words)
    return round(0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59, 2)


def _syllables(word: str) -> int:
    small = word.lower()
    groups = len(re.findall(r"[aeiouy]+", small))
    if small.endswith("e") and not small.endswith(("le", "ee")) and groups > 1:
        groups -= 1
    return max(1, groups)


def problems(text: str, sentence: str) -> list[str]:
    """Return why a reader without technical knowledge may not understand a page, one phrase each; empty if they can."""
    found = []
    if sentence not in text:
        found.append(f'the sentence "{sentence}" is missing')
    score = grade(text)
    if score > HIGHEST_GRADE:
        found.append(f"its reading grade is {score}, above {HIGHEST_GRADE}")
    small = text.lower()
    found += [
        f'it says "{word}"' for word in WORDS_TOO_TECHNICAL if re.search(rf"\b{re.escape(word)}", small)
    ]
    return found
