"""Rendered prompts to token ids and completions back to text, by the model's own tokenizer."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .backends import Shown
from .pictures import Picture

BYTES = 1 << 20  # read at both ends of a file of weights for its fingerprint


def check_model(model: str) -> bool:
    """Whether a model is a folder here; FileNotFoundError for a path that is not there, or holds no model."""
    path = Path(model)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise FileNotFoundError(f"{model}: no model in this folder (no config.json)")
        return True
    if model.startswith((".", "/", "~")) or model.count("/") != 1 or path.exists():
        raise FileNotFoundError(f"{model}: no such model folder, and not the id of a model (OWNER/NAME)")
    return False


def revision_of(model: str, revision: str | None) -> str:
    """What a model is exactly: the commit of a hub id, or a fingerprint of a local folder's files.

    Of weights, the sizes and both ends are hashed. RuntimeError where the hub does not say and no copy is here.
    """
    if check_model(model):
        if revision:
            raise ValueError(f"--revision {revision}: {model} is a folder, which has no revisions")
        digest = hashlib.sha256()
        for file in sorted(Path(model).iterdir()):
            if file.is_file() and not file.name.startswith("."):
                digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
                with file.open("rb") as data:
                    digest.update(data.read(BYTES))
                    data.seek(max(0, file.stat().st_size - BYTES))
                    digest.update(data.read())
        return f"sha256:{digest.hexdigest()[:40]}"
    from transformers.utils.hub import cached_file, extract_commit_hash

    try:
        path = cached_file(model, "config.json", revision=revision)
    except (OSError, ValueError) as fault:
        raise RuntimeError(f"{model}: cannot be had: {' '.join(str(fault).split())[:200]}") from None
    return extract_commit_hash(path, None) or "unknown"


class Text:
    """A model's tokenizer: `encode` rendered prompts, `show` those with a picture, `decode` completions, `stop` ids.

    Checkpoints of this book keep special tokens in their text, because one in the middle makes a completion wrong.
    """

    def __init__(self, model: str, revision: str | None = None, trust: bool = False) -> None:
        from transformers import AutoConfig, AutoTokenizer

        self.model = model
        self.options: dict[str, Any] = {"revision": revision, "trust_remote_code": trust}
        try:
            config = AutoConfig.from_pretrained(model, **self.options)
            self.tokenizer = AutoTokenizer.from_pretrained(model, **self.options)
        except (OSError, ValueError, KeyError) as fault:
            raise ValueError(
                f"{model}: model or tokenizer cannot be loaded: {' '.join(str(fault).split())[:200]}"
            ) from None
        words = getattr(config, "text_config", config)
        self.context: int | None = getattr(words, "max_position_embeddings", None)
        self.kind, self.sees = config.model_type, _sees(config)
        self.whole = (Path(model) / "vocabulary.json").is_file()
        self._ends = _end_ids(model, revision, words) | {self.tokenizer.eos_token_id} - {None}

    def stop(self, tokens: Sequence[str]) -> tuple[int, ...]:
        """Ids that end a completion: the model's own ends, and those of `tokens` that its vocabulary has."""
        vocabulary = self.tokenizer.get_vocab()
        return tuple(sorted(self._ends | {vocabulary[token] for token in tokens if token in vocabulary}))

    def encode(self, rendered: str | list[dict[str, str]]) -> tuple[int, ...]:
        """Ids of a text (with what the tokenizer puts before every text) or of a chat."""
        if isinstance(rendered, str):
            return self._ids(rendered)
        template = self.tokenizer
        if self.sees:  # templates of such models go through a message part by part
            template = template if template.chat_template else self.processor
            rendered = [{**said, "content": [{"type": "text", "text": said["content"]}]} for said in rendered]
        if not template.chat_template:
            raise ValueError(
                f"{self.model} has no chat template; choose another --prompt, for instance qwen-boxed or plain"
            )
        text = template.apply_chat_template(rendered, add_generation_prompt=True, tokenize=False)
        return self._ids(text, add_special_tokens=False)

    def _ids(self, text: str, **options: Any) -> tuple[int, ...]:
        """Ids of a text; ValueError where the tokenizer cannot write it, as those of small vocabularies cannot."""
        try:
            return tuple(self.tokenizer(text, **options).input_ids)
        except Exception as fault:  # tokenizers' own faults have no other class
            raise ValueError(
                f"{self.model}: its tokenizer cannot write the prompt {text[:60]!r}: {' '.join(str(fault).split())};"
                " choose another --prompt, for instance plain"
            ) from None

    def look(self, place: str) -> None:
        """ValueError where the model takes no pictures, although there are at `place`."""
        if not self.sees:
            raise ValueError(
                f"{self.model}: a {self.kind} takes no pictures, and there are in {place}; choose a vision-language"
                " model, or a benchmark of text"
            )

    def show(self, messages: list[dict[str, Any]], picture: Picture) -> tuple[tuple[int, ...], Shown]:
        """Ids of a chat about a picture, the picture's own included, and what the engines are given.

        ValueError for a model that sees nothing, a processor that cannot be had, or a picture that cannot be read.
        """
        self.look(picture.place)
        if not self.processor.chat_template:
            raise ValueError(f"{self.model} has no chat template, without which a picture has no place in the prompt")
        text = self.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        made = self.processor(text=[text], images=[[picture.open()]], add_special_tokens=False)
        short = self._ids(text, add_special_tokens=False)
        return tuple(map(int, made["input_ids"][0])), Shown(text, short, picture)

    @functools.cached_property
    def processor(self) -> Any:
        """What turns a chat and pictures into a model's input."""
        return processor_of(self.model, **self.options)

    def decode(self, ids: Sequence[int], stop: Sequence[int]) -> str:
        """Text of a completion without the stop token at its end."""
        kept = list(ids[:-1]) if len(ids) and ids[-1] in stop else list(ids)
        return self.tokenizer.decode(kept, skip_special_tokens=not self.whole)


def processor_of(model: str, **options: Any) -> Any:
    """The processor of a vision-language model; ValueError says what it lacks."""
    from transformers import AutoProcessor

    try:
        return AutoProcessor.from_pretrained(model, **options)
    except ImportError as fault:
        why = " ".join(str(fault).split())[:200]
        raise ValueError(f"{model}: its processor needs more: pip install 'beyondbase[vision]' ({why})") from None
    except (OSError, ValueError, KeyError) as fault:
        raise ValueError(f"{model}: its processor cannot be loaded: {' '.join(str(fault).split())[:200]}") from None


def _sees(config: Any) -> bool:
    """Whether a configuration is of a model that takes pictures beside text."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    remote = getattr(config, "auto_map", None) or {}
    known = getattr(config, "model_type", None) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    return known or hasattr(config, "vision_config") or "AutoModelForImageTextToText" in remote


def _end_ids(model: str, revision: str | None, config: Any) -> set[int]:
    """Ends of a text by generation_config.json, else by the model's configuration."""
    from transformers import GenerationConfig

    try:
        ends = GenerationConfig.from_pretrained(model, revision=revision).eos_token_id
    except (OSError, ValueError):
        ends = None
    ends = getattr(config, "eos_token_id", None) if ends is None else ends
    return set(ends) if isinstance(ends, list) else {ends} - {None}
