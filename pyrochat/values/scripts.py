"""Scripts that are written without spaces between words: there a word can't be told from what follows it."""

import re
import unicodedata

# Thai and Lao, Tibetan, Burmese, Khmer, kana and bopomofo, Han.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff]"
)


def is_unspaced(character: str) -> bool:
    """Whether *character* is of such a script."""
    return UNSPACED.match(unicodedata.normalize("NFKC", character)) is not None
