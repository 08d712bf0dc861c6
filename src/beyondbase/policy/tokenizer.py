"""A task's vocabulary as tokenizer files that `transformers` and vLLM read.

The words of the vocabulary are the tokens: a `tokenizers` WordLevel model behind a splitter with the vocabulary's own
pattern. `tokenizer(text)` puts bos before the text, as every prompt here begins; with `add_special_tokens=False` it
equals `Vocabulary.encode`. An unknown token is an error, as it is there.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from beyondbase.tasks.vocabulary import SPECIALS

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from beyondbase.tasks.vocabulary import Vocabulary

PAD, BOS, EOS = SPECIALS

# transformers 5 distrusts tokenizer_class beside model_type "qwen2" and silently builds a Qwen2Tokenizer, which encodes
# our texts to nothing. An auto_map entry takes it off that path: AutoTokenizer then reads tokenizer.json as it is. The
# module is loaded only where the caller passes trust_remote_code=True.
MODULE = "word_tokenizer"
MODULE_TEXT = '''"""Named in tokenizer_config.json, so that AutoTokenizer does not build Qwen's own tokenizer."""

from transformers import PreTrainedTokenizerFast


class WordTokenizer(PreTrainedTokenizerFast):
    """tokenizer.json, unchanged."""
'''


def write_tokenizer(vocabulary: Vocabulary, folder: Path, max_positions: int) -> None:
    """Write tokenizer.json, tokenizer_config.json and the module named by its auto_map into a folder."""
    build_tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "TokenizersBackend",
        "auto_map": {"AutoTokenizer": [None, f"{MODULE}.WordTokenizer"]},
        "pad_token": PAD,
        "bos_token": BOS,
        "eos_token": EOS,
        "clean_up_tokenization_spaces": False,
        "model_max_length": max_positions,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    (folder / f"{MODULE}.py").write_text(MODULE_TEXT)


def build_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """The `tokenizers` object of a vocabulary."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

    ids = {token: index for index, token in enumerate(vocabulary.tokens)}
    tokenizer = Tokenizer(models.WordLevel(ids))
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(vocabulary.pattern), behavior="removed", invert=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, ids[BOS])]
    )
    # WordPiece with an impossible prefix joins tokens by spaces, Fuse makes them one string for the last rule.
    steps = [decoders.WordPiece(prefix="\0", cleanup=False), decoders.Fuse()]
    if vocabulary.tight_before or vocabulary.tight_after:
        steps.append(decoders.Replace(Regex(tight_spaces(vocabulary)), ""))
    tokenizer.decoder = decoders.Sequence(steps)
    return tokenizer


def tight_spaces(vocabulary: Vocabulary) -> str:
    """Regular expression of the spaces that `Vocabulary.decode` leaves out."""
    rules = [f" (?={re.escape(token)}(?: |$))" for token in vocabulary.tight_before]
    rules += [f"(?<{sign}{re.escape(token)}) " for token in vocabulary.tight_after for sign in ("=^", "= ")]
    return "|".join(rules)
