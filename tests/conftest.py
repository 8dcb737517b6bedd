"""Models for the tests: a tiny one that is made on the spot, and the real ones of the store."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atonce.config import models

if TYPE_CHECKING:
    from torch import Tensor

SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<mask>")
LAYERS, HEADS, KV_HEADS, WIDTH, HIDDEN = 3, 6, 2, 48, 64


@pytest.fixture(scope="session")
def tiny_llama() -> Any:
    """A random Llama of three layers, as transformers has it."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tiny_words()),
        hidden_size=WIDTH,
        intermediate_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=512,
        rope_parameters={"rope_type": "default", "rope_theta": 1000.0},
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        initializer_range=0.2,
    )
    llama = LlamaForCausalLM(config).eval()
    for name, weight in llama.named_parameters():
        if "norm" in name:
            torch.nn.init.uniform_(weight, 0.5, 1.5)

    return llama


@pytest.fixture(scope="session")
def tiny_gguf(tiny_llama: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a GGUF; its words are bytes, and "the"."""
    gguf = tmp_path_factory.mktemp("tiny") / "tiny.gguf"
    write_gguf(gguf, tiny_words(), tiny_llama.state_dict())
    return gguf


def tiny_words() -> list[str]:
    """The tiny model's vocabulary."""
    from atonce.llm.tokenizer import BYTE_OF

    return [*SPECIALS, *BYTE_OF, "th", "the", "Ġthe"]


def write_gguf(path: Path, words: list[str], state: dict[str, Tensor]) -> None:
    """Write a Llama as llama.cpp's converter does, the interleaved q and k included."""
    from gguf import GGUFWriter

    writer = GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(1000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(words))
    writer.add_token_list(words)
    writer.add_token_types([3 if word in SPECIALS else 1 for word in words])
    writer.add_token_merges(["t h", "th e", "Ġ the"])
    writer.add_tensor("token_embd.weight", state["model.embed_tokens.weight"].numpy())
    writer.add_tensor("output_norm.weight", state["model.norm.weight"].numpy())
    names = {
        "attn_q": ("self_attn.q_proj", HEADS),
        "attn_k": ("self_attn.k_proj", KV_HEADS),
        "attn_v": ("self_attn.v_proj", 0),
        "attn_output": ("self_attn.o_proj", 0),
        "ffn_gate": ("mlp.gate_proj", 0),
        "ffn_up": ("mlp.up_proj", 0),
        "ffn_down": ("mlp.down_proj", 0),
        "attn_norm": ("input_layernorm", 0),
        "ffn_norm": ("post_attention_layernorm", 0),
    }
    for layer in range(LAYERS):
        for short, (long, heads) in names.items():
            weight = state[f"model.layers.{layer}.{long}.weight"]
            if heads:
                halves = weight.view(heads, 2, -1, WIDTH)
                weight = halves.transpose(1, 2).reshape(weight.shape)

            writer.add_tensor(f"blk.{layer}.{short}.weight", weight.contiguous().numpy())

    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The folder of the real reader, fetched if it is missing."""
    models.ensure(["smollm2-135m"], say=logging.getLogger(__name__).info)
    return models.folder("smollm2-135m")


@pytest.fixture(scope="session")
def converted() -> Path:
    """Where the real reader's converted files are kept, as the agent keeps them."""
    return models.cache_folder() / "converted"


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of the sentence encoder, fetched if it is missing."""
    models.ensure(["minilm"], say=logging.getLogger(__name__).info)
    return models.folder("minilm")
