"""Word lists of themes and manners of speech that tell genres apart.

The lexical genre scores know what words the genres of the lyrics corpus use; these few shares say what a
song is about in a way that does not depend on that corpus, which has few songs of some genres. Words are
stems, as in tags. The lists were written by hand, after a look at the labelled songs' commonest words.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


THEMES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "love": _words("love heart kiss babi darl honey sweet hold touch arm tender lover"),
        "interjections": _words("oh ooh yeah hey la na uh ah whoa doo da hmm mm"),
        "death": _words(
            """
            die dead death kill blood burn pain hate hell grave bleed flesh corps war sin soul evil demon
            dark doom suffer destroy
            """
        ),
        "swearing": _words("fuck shit bitch ass damn fuckin motherfuck"),
        "party": _words("danc move rhythm beat music floor dj bodi party tonight rock shake groov"),
        "tales": _words(
            """
            river road mountain town sea ship hill land wind tree wood valley sail old man mother father
            brother king queen sir lord
            """
        ),
        "religion": _words("god jesus lord heaven pray angel holi bless prais jah babylon zion"),
        "patois": _words("jah rasta man dem di mi gwaan fi ina babylon yuh nuh"),
        "first_person": _words("i me my mine am myself"),
        "second_person": _words("you your yourself ya"),
        "third_person": _words("he she her his him they them"),
        "we": _words("we us our"),
        "protest": _words(
            """
            polic govern law system street societi state fight world war freedom right riot bored school work
            """
        ),
        "slang": _words("gonna wanna gotta ai caus ya em til"),
    }
)
"""Words by theme, in the order of the lyric statistics."""
