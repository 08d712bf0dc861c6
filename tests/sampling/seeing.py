"""A tiny vision-language model with a processor, made here: LLaVA's architecture, random weights, words as tokens."""

from __future__ import annotations

import io
from pathlib import Path

import torch

WORDS = ("<pad>", "<eos>", "<unk>", "<image>", "USER:", "ASSISTANT:", "SYSTEM:", "How", "many", "?", "red", "one",
         "two", "three", "\\boxed{1}", "\\boxed{2}", "\\boxed{3}", *map(str, range(10)))  # fmt: skip
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | upper }}: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }} {% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
SIDE, PATCH = 32, 8  # pixels of a picture's side, and of a patch's: 16 patches


def save(folder: Path, seed: int = 0) -> Path:
    """The checkpoint with its tokenizer, its image processor and a chat template, in `folder`."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
        Qwen2Config,
    )

    words = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>",
        additional_special_tokens=["<image>"],
    )  # fmt: skip
    size = {"height": SIDE, "width": SIDE}
    images = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=size)
    LlavaProcessor(
        images, tokenizer, patch_size=PATCH, vision_feature_select_strategy="default", chat_template=TEMPLATE,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)  # fmt: skip
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE,
            patch_size=PATCH, projection_dim=32,
        ),
        text_config=Qwen2Config(
            vocab_size=len(WORDS), hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=1,
            num_key_value_heads=1, max_position_embeddings=64, eos_token_id=1, pad_token_id=0, bos_token_id=None,
            initializer_range=0.5,
        ),
        image_token_index=WORDS.index("<image>"), vision_feature_layer=-1,
    )  # fmt: skip
    torch.manual_seed(seed)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    return folder


def png(red: int, size: tuple[int, int] = (40, 32), mode: str = "RGB") -> bytes:
    """A picture with a gradient and as much red as said, 0 to 255, as the bytes of its file."""
    from PIL import Image

    picture = Image.new("RGB", size)
    picture.putdata([(red, 3 * x % 256, 7 * y % 256) for y in range(size[1]) for x in range(size[0])])
    buffer = io.BytesIO()
    picture.convert(mode).save(buffer, format="PNG")
    return buffer.getvalue()
