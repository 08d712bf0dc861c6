"""Tiny vision-language models with processors, made here: random weights, words as tokens."""

from __future__ import annotations

import io
from pathlib import Path

import torch

WORDS = ("<pad>", "<eos>", "<unk>", "<image>", "USER:", "ASSISTANT:", "SYSTEM:", "How", "many", "?", "red", "one",
         "two", "three", "\\boxed{1}", "\\boxed{2}", "\\boxed{3}", *map(str, range(10)),
         "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")  # fmt: skip
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | upper }}: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }} {% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
SIDE, PATCH = 32, 8  # pixels of a picture's side, and of a patch's: 16 patches


def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>",
        additional_special_tokens=[word for word in WORDS[3:] if word.startswith("<")],
    )  # fmt: skip


def text_config(kind: type):
    return kind(
        vocab_size=len(WORDS), hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=1,
        num_key_value_heads=1, max_position_embeddings=64, eos_token_id=1, pad_token_id=0, bos_token_id=None,
        initializer_range=0.5,
    )  # fmt: skip


def llava(folder: Path) -> Path:
    """A LLaVA checkpoint with its tokenizer, its image processor and a chat template, in `folder`."""
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        Qwen2Config,
    )

    size = {"height": SIDE, "width": SIDE}
    images = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=size)
    LlavaProcessor(
        images, tokenizer(), patch_size=PATCH, vision_feature_select_strategy="default", chat_template=TEMPLATE,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)  # fmt: skip
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE,
            patch_size=PATCH, projection_dim=32,
        ),
        text_config=text_config(Qwen2Config),
        image_token_index=WORDS.index("<image>"), vision_feature_layer=-1,
    )  # fmt: skip
    torch.manual_seed(0)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    return folder


def idefics3(folder: Path) -> Path:
    """The same of the architecture of Idefics3 and SmolVLM, whose code in vLLM does without torchvision."""
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessorPil,
        Idefics3Processor,
        LlamaConfig,
    )

    side = {"longest_edge": SIDE}
    images = Idefics3ImageProcessorPil(size=side, max_image_size=side, do_image_splitting=False)
    made = Idefics3Processor(images, tokenizer(), image_seq_len=4, chat_template=TEMPLATE)
    assert len(made.tokenizer) == len(WORDS)
    made.save_pretrained(folder)
    config = Idefics3Config(
        vision_config={"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
                       "image_size": SIDE, "patch_size": PATCH},
        text_config=text_config(LlamaConfig), scale_factor=2, image_token_id=WORDS.index("<image>"), pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def png(red: int, size: tuple[int, int] = (40, 32), mode: str = "RGB") -> bytes:
    """A picture with a gradient and as much red as said, 0 to 255, as the bytes of its file."""
    from PIL import Image

    picture = Image.new("RGB", size)
    picture.putdata([(red, 3 * x % 256, 7 * y % 256) for y in range(size[1]) for x in range(size[0])])
    buffer = io.BytesIO()
    picture.convert(mode).save(buffer, format="PNG")
    return buffer.getvalue()
