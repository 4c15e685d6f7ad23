"""Word lists that indicate the language, themes and style of lyrics.

Tags are stemmed with an English stemmer ("pas, dan, comm" are French "pas, dans, comme"), so the lists
contain words as they appear in tags. A word can be in several lists ("la", "que", "no"). The lists were
written by hand from the most common words of the labelled songs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _word_sets(lists: Mapping[str, str]) -> Mapping[str, frozenset[str]]:
    return MappingProxyType({name: frozenset(words.split()) for name, words in lists.items()})


COMMON_WORDS = _word_sets(
    {
        "english": """
            i the you to and a me it not in my is of your that do on are we am will all for no be have love
            so know this but with what just when like now time can come go oh she he her his they there was
            were how if
        """,
        "spanish": """
            que de y el mi en tu la te se yo amor con por un lo las es como para una sin los si no me del al
            más pero todo ya eso está mas nada vida corazón quiero cuando porqu este esta su sus le muy
            donde soy ser solo aqui tus mis
        """,
        "portuguese": """
            que não eu você de e o a um uma meu minha pra em do da seu com se por mas tudo quando mais vou
            ser tem amor só é na no os as nos ela ele sem
        """,
        "french": """
            les et la le je tout pas dan il mai comm du pour au à toi un moi des est que qui ce cest oui ne
            tu en une on se si sur plus ma mon ta ton nous vous elle sont avec sans jai quand
        """,
        "german": """
            ich und die der das nicht du ist es mir wir mich ein in dir zu auf den sie mit dich so wie was
            er im nur von wenn war bin hat mein kein noch wird dein uns alles immer
        """,
        "italian": """
            che di e il la non mi un per una sono con ma come più io ti se tu del nel lo le della senza qui
            cosa amor gli al mio mia perché è solo quando sei anch tutto
        """,
    }
)
"""Common words by language, in the order of the features."""

THEMES = _word_sets(
    {
        "love": "love heart kiss babi darl honey sweet hold touch arm tender lover",
        "interjections": "oh ooh yeah hey la na uh ah whoa doo da hmm mm",
        "death": """
            die dead death kill blood burn pain hate hell grave bleed flesh corps war sin soul evil demon
            dark doom suffer destroy
        """,
        "swearing": "fuck shit bitch ass damn fuckin motherfuck",
        "party": "danc move rhythm beat music floor dj bodi party tonight rock shake groov",
        "tales": """
            river road mountain town sea ship hill land wind tree wood valley sail old man mother father
            brother king queen sir lord
        """,
        "religion": "god jesus lord heaven pray angel holi bless prais jah babylon zion",
        "patois": "jah rasta man dem di mi gwaan fi ina babylon yuh nuh",
        "first_person": "i me my mine am myself",
        "second_person": "you your yourself ya",
        "third_person": "he she her his him they them",
        "we": "we us our",
        "protest": """
            polic govern law system street societi state fight world war freedom right riot bored school
            work
        """,
        "slang": "gonna wanna gotta ai caus ya em til",
    }
)
"""Words by theme, in the order of the features."""
