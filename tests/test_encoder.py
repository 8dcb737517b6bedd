"""The sentence encoder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from atonce.config.errors import ModelError
from atonce.llm.encoder import Encoder, EncoderSizes, from_bert, pad
from atonce.llm.finder import load_encoder

TEXTS = ["Is there somewhere to eat?", "The café serves soup and cakes from noon until 3 pm."]


def test_short_texts_are_padded_and_the_padding_is_known() -> None:
    ids, real = pad([[1, 2, 3], [4]])

    assert ids.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert real.tolist() == [[True, True, True], [True, False, False]]


def test_padding_changes_nothing_of_what_a_text_means() -> None:
    torch.manual_seed(0)
    sizes = EncoderSizes(width=24, layers=2, heads=2, hidden=32, vocabulary=50, context=16)
    encoder = Encoder(sizes).eval()
    with torch.inference_mode():
        for weight in (encoder.words, encoder.places):
            weight.normal_()

        alone = encoder(*pad([[4, 5]]), halfway=1)
        beside = encoder(*pad([[4, 5], [1, 2, 3, 6, 7]]), halfway=1)

    for one, other in zip(alone, beside, strict=True):
        torch.testing.assert_close(other[0, :2], one[0])


def test_a_checkpoint_without_a_tensor_is_named() -> None:
    with pytest.raises(KeyError, match="token_type_embeddings"):
        from_bert({}, EncoderSizes())


@pytest.mark.models
def test_its_vectors_are_those_of_transformers(minilm: Path) -> None:
    from transformers import BertConfig, BertModel

    encoder, tokenizer = load_encoder(minilm)
    theirs = BertModel(
        BertConfig(
            hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
        )
    ).eval()
    from safetensors.torch import load_file

    theirs.load_state_dict(load_file(minilm / "model.safetensors"), strict=False)
    ids, real = pad([tokenizer.encode(text).ids for text in TEXTS])
    with torch.inference_mode():
        ours = encoder(ids, real, halfway=3)[1]
        expected = theirs(input_ids=ids, attention_mask=real.long()).last_hidden_state

    torch.testing.assert_close(ours[real], expected[real], atol=2e-5, rtol=1e-4)


@pytest.mark.models
def test_a_damaged_tokenizer_is_named_with_the_remedy(minilm: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").symlink_to(minilm / "model.safetensors")
    (tmp_path / "tokenizer.json").write_text("{")

    with pytest.raises(ModelError, match=r"tokenizer\.json is damaged.*models fetch"):
        load_encoder(tmp_path)
