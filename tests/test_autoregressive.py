"""The rival: what it writes is what the reader itself would say, and the twin is changed on the
reply's side alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from atonce.config.errors import EngineError
from atonce.llm.autoregressive import (
    LONGEST,
    AutoregressiveWriter,
    Decoder,
    pinned_beginning,
    write_together,
)
from atonce.llm.fakes import FakeWriter
from atonce.llm.model import Cache
from atonce.llm.protocols import Exchange, Plan, Prompt
from atonce.llm.reading import PromptReader
from atonce.llm.twin import Adapter, beside, load_twin, merge, save_twin
from atonce.llm.twin_training import begin
from atonce.llm.weights import load_base

PROMPT = Prompt("a guide", ("We open at 9.", "It costs $14."), "when do you open?")
PLAN = Plan(steps=1, canvas=12)
END = 2


@pytest.fixture(scope="module")
def prompts(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> PromptReader:
    """The tiny reader."""
    reader, tokenizer = load_base(tiny_gguf, tmp_path_factory.mktemp("cache"))
    return PromptReader(reader, tokenizer, reply=LONGEST)


@pytest.fixture(scope="module")
def adapter(prompts: PromptReader) -> Adapter:
    """Changes that are large enough to be seen."""
    adapter = Adapter(prompts.reader.sizes, rank=2)
    begin(adapter)
    torch.manual_seed(4)
    for depth in range(adapter.sizes.layers):
        torch.nn.init.normal_(adapter.change(depth, "qkv").widen, std=0.3)

    return adapter


def test_it_writes_what_transformers_writes(prompts: PromptReader, tiny_llama: Any) -> None:
    writer = AutoregressiveWriter(prompts)
    read = writer.read(PROMPT)
    *_, draft = writer.write(read, PLAN)
    theirs = tiny_llama.generate(
        torch.tensor([read.ids]), max_new_tokens=12, do_sample=False, eos_token_id=END,
        pad_token_id=END, attention_mask=torch.ones(1, len(read.ids)),
    )  # fmt: skip
    said = theirs[0, len(read.ids) :].tolist()
    assert [cell.token for cell in draft.cells][: len(said)] == said
    assert draft.is_finished


def test_the_past_is_read_once_and_changes_nothing(prompts: PromptReader) -> None:
    talk = replace(PROMPT, history=(Exchange("hi", "Hello."), Exchange("price?", "It costs $14.")))
    writer, fresh = AutoregressiveWriter(prompts), PromptReader(
        prompts.reader, prompts.tokenizer, reply=LONGEST
    )  # fmt: skip
    writer.read(PROMPT)
    kept, anew = writer.read(talk), fresh.read(talk)
    assert kept.ids == anew.ids
    for (keys, values), (keys2, values2) in zip(kept.past.layers, anew.past.layers, strict=True):
        assert torch.allclose(keys, keys2, atol=1e-5)
        assert torch.allclose(values, values2, atol=1e-5)


def test_the_oldest_turns_go_first_where_the_talk_is_too_long(prompts: PromptReader) -> None:
    turns = tuple(Exchange(f"question {i}", "It costs $14.") for i in range(9))
    read = prompts.read(replace(PROMPT, history=turns))
    assert read.tokens <= prompts.reader.sizes.context - LONGEST
    assert "question 8" in prompts.tokenizer.decode(read.ids)
    assert "question 0" not in prompts.tokenizer.decode(read.ids)


def test_facts_that_do_not_fit_are_refused_in_one_sentence(prompts: PromptReader) -> None:
    with pytest.raises(EngineError, match=r"shorten agent\.facts"):
        prompts.read(replace(PROMPT, facts=("We open at 9. " * 40,)))


def test_a_draft_comes_with_every_token(prompts: PromptReader) -> None:
    writer = AutoregressiveWriter(prompts)
    drafts = list(writer.write(writer.read(PROMPT), PLAN))
    assert [draft.step for draft in drafts] == list(range(1, len(drafts) + 1))
    assert all(len(draft.cells) == PLAN.canvas for draft in drafts)
    assert [draft.is_finished for draft in drafts] == [False] * (len(drafts) - 1) + [True]
    assert all(0 < cell.confidence <= 1 for cell in drafts[-1].cells[: len(drafts)])


def test_a_beginning_can_be_pinned_and_a_gap_cannot(prompts: PromptReader) -> None:
    writer = AutoregressiveWriter(prompts)
    read = writer.read(PROMPT)
    *_, draft = writer.write(read, PLAN, given=[50, 51, *[None] * 10])
    assert [cell.token for cell in draft.cells[:2]] == [50, 51]
    assert pinned_beginning([None, None]) == []
    with pytest.raises(EngineError, match="left to right"):
        writer.write(read, PLAN, given=[None, 51, *[None] * 10])


def test_a_deadline_stops_it_where_it_is(prompts: PromptReader) -> None:
    times = iter(range(100))
    writer = AutoregressiveWriter(prompts, clock=lambda: float(next(times)))
    read = writer.read(PROMPT)
    free = list(AutoregressiveWriter(prompts).write(read, PLAN))
    assert len(free) > 4
    drafts = list(writer.write(read, replace(PLAN, deadline_s=3)))
    assert len(drafts) == 4  # it looks at 0, 1, 2 and 3 seconds
    assert drafts[-1].forced
    assert drafts[-1].is_finished
    assert not any(draft.forced for draft in free)


@pytest.mark.parametrize("canvas", [0, LONGEST + 1])
def test_a_canvas_it_cannot_take_is_refused(prompts: PromptReader, canvas: int) -> None:
    writer = AutoregressiveWriter(prompts)
    with pytest.raises(EngineError, match="does not fit"):
        writer.write(writer.read(PROMPT), replace(PLAN, canvas=canvas))


def test_another_engines_prompt_is_refused(prompts: PromptReader) -> None:
    with pytest.raises(EngineError, match="another engine"):
        AutoregressiveWriter(prompts).write(FakeWriter().read(PROMPT), PLAN)


def test_rows_of_different_prompts_are_written_as_alone(
    prompts: PromptReader, adapter: Adapter
) -> None:
    reads = [prompts.read(PROMPT), prompts.read(replace(PROMPT, question="price?"))]
    assert reads[0].tokens != reads[1].tokens
    longest = max(read.past.tokens for read in reads)
    past = Cache(
        tuple(
            (
                torch.cat([pad_end(read.past.layers[d][0], longest) for read in reads]),
                torch.cat([pad_end(read.past.layers[d][1], longest) for read in reads]),
            )
            for d in range(prompts.reader.sizes.layers)
        )
    )
    features = torch.stack([pad_end(read.features, longest) for read in reads])
    lengths = torch.tensor([read.past.tokens for read in reads])
    last = torch.tensor([read.ids[-1] for read in reads])
    for relevance in (None, adapter.relevance):
        together = Decoder(prompts.reader, relevance)
        together.begin(past, features, 9, rows=2, lengths=lengths)
        replies = write_together(together, last, 9, END)
        for read, reply in zip(reads, replies, strict=True):
            alone = Decoder(prompts.reader, relevance)
            alone.begin(read.past, read.features[None], 9)
            assert write_together(alone, torch.tensor([read.ids[-1]]), 9, END) == [reply]


def pad_end(tensor: torch.Tensor, length: int) -> torch.Tensor:
    """Longer along the last but one dimension."""
    return torch.nn.functional.pad(tensor, (0, 0, 0, length - tensor.shape[-2]))


# ---- the twin ----


def test_the_twin_runs_as_it_was_trained(
    prompts: PromptReader, adapter: Adapter, tmp_path: Path
) -> None:
    path = tmp_path / "twin.safetensors"
    save_twin(path, adapter, "1.0")
    writer = AutoregressiveWriter(prompts, twin=path)
    assert writer.name == "twin"
    stored = load_twin(path, prompts.reader.sizes)
    trained, merged = beside(prompts.reader, stored), merge(prompts.reader, stored)
    ids = torch.tensor([[40, 41, 42]])
    with torch.inference_mode():
        assert torch.allclose(trained(ids)[0], merged(ids)[0], atol=1e-4)
        assert not torch.allclose(prompts.reader(ids)[0], merged(ids)[0], atol=1e-2)


def test_the_twins_prompt_is_read_by_the_reader_as_it_is(
    prompts: PromptReader, adapter: Adapter, tmp_path: Path
) -> None:
    save_twin(tmp_path / "twin.safetensors", adapter, "1.0")
    twin = AutoregressiveWriter(prompts, twin=tmp_path / "twin.safetensors")
    plain = AutoregressiveWriter(prompts)
    read = plain.read(PROMPT)
    assert torch.equal(twin.read(PROMPT).past.layers[-1][0], read.past.layers[-1][0])
    *_, ours = twin.write(read, PLAN)
    *_, theirs = plain.write(read, PLAN)
    assert ours.cells != theirs.cells
