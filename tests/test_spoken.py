"""Written text as a good host says it, and the map between the two."""

import csv
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atonce.config import models
from atonce.speech.spoken import speak, speakable, written_until

with (Path(__file__).parent / "data" / "spoken.tsv").open(encoding="utf-8", newline="") as _table:
    PAIRS = [
        (row["written"].replace("\\n", "\n"), row["spoken"])
        for row in csv.DictReader(_table, delimiter="\t", quoting=csv.QUOTE_NONE)
    ]
MORE = [
    ("It costs US$5.", "It costs five dollars."),
    ("We meet at 14:30:15.", "We meet at two thirty PM and fifteen seconds."),
    ("The scale is 1:50.", "The scale is one to fifty."),
    (
        "The number is 123456789012345678.",
        "The number is " + "one two three four five six seven "
        "eight nine zero one two three four five six seven eight.",
    ),
    ("You pay 7/24.", "You pay seven twenty-four."),
    ("See /usr/local/bin now.", "See slash usr slash local slash bin now."),
    ("The host is 192.168.0.1.", "The host is one nine two dot one six eight dot zero dot one."),
    ("It costs −$5.", "It costs minus five dollars."),
    ("Open it with node.js, or .NET.", "Open it with node dot js, or dot NET."),
    ("A &amp; B are \\*here\\*.", "A and B are here."),
    ("one\n\ntwo", "one. two"),
    ("Anna\nLee\nis here", "Anna, Lee is here"),
    ("| a | b |\n|---|---|", "a, b"),
    (
        "| Kind | *Open* | Price |\n|---|---|---|\n| **All** | 9-5 | |\n| [Kids](x) | | $7 |",
        "All, Open nine to five. Kids, Price seven dollars",
    ),
    ("See [x](http://a.b/c), now.", "See x, now."),
    ("It has 5️⃣ stars.", "It has five stars."),
    ("Add 2**3 = 8.", "Add two to the power of three equals eight."),
    ("Are x < 5 and 3 <5?", "Are x is less than five and three is less than five?"),
    ("Only <5 or >3 left.", "Only less than five or more than three left."),
    ("Take one (or two) ticket(s).", "Take one, or two, tickets."),
    ("What?! No!!", "What? No!"),
    ("Well… yes…", "Well, yes..."),
    ("Our room_12 and x2_y.", "Our room twelve and x two y."),
    ("It is n/a for him/her.", "It is not applicable for him or her."),
    ("- [x] done", "done"),
    ("It's 5:00-6:00 p.m. or 10 a.m.-4 p.m.", "It's five to six PM or ten AM to four PM."),
    ("At 430 pm on October 3 to 5.", "At four thirty PM on October third to fifth."),
    ("Mr. and Mrs. Lee, Drs. Ito", "Mister and Missus Lee, Doctors Ito"),
    ("A 5* hotel, ★★★★ food, in '85.", "A five star hotel, four stars food, in eighty-five."),
    (
        "Dial 9-1-1. It was WW2, or WWI.",
        "Dial nine, one, one. It was World War two, or World War one.",
    ),
    ("Join Guest-5G.", "Join Guest-five G."),
    (
        "Buy 3 x $9.50 = $28.50.",
        "Buy three times nine dollars fifty equals twenty-eight dollars fifty.",
    ),
    (
        "It is €1.50/km, at 2.4GHz.",
        "It is one euro fifty per kilometer, at two point four gigahertz.",
    ),
    (
        "Suite 1200 is cats vs dogs, 24-7.",
        "Suite twelve hundred is cats versus dogs, twenty-four seven.",
    ),
    ("Look: http://0;0@0.AA;", "Look: http://zero;zero at zero dot AA;"),
    (
        "It is 45-45-1999.",
        "It is forty-five to forty-five to one thousand nine hundred ninety-nine.",
    ),
    ("See <https://a.org> now.", "See a dot org now."),
    ("Cards, etc. Thanks!", "Cards, et cetera. Thanks!"),
    ("It is $3/hr. Ok, go.", "It is three dollars per hour. Ok, go."),
    ("The U.S. Navy is here.", "The US Navy is here."),
    ("She has a Ph.D. here.", "She has a PhD here."),
    ("It opens at 9 a.m. Monday to Friday.", "It opens at nine AM Monday to Friday."),
    ("We are on N. Main St. by the sea.", "We are on North Main Street by the sea."),
]


@pytest.mark.parametrize(("written", "spoken"), [*PAIRS, *MORE])
def test_the_voice_says(written: str, spoken: str) -> None:
    assert speakable(written) == spoken


def test_the_table_has_every_kind_and_no_pair_twice() -> None:
    assert len(PAIRS) >= 150
    assert len({written for written, _ in PAIRS}) == len(PAIRS)


@pytest.mark.parametrize("spoken", [spoken for _, spoken in PAIRS])
def test_what_is_spoken_is_said_the_same_way_again(spoken: str) -> None:
    assert speakable(spoken) == spoken


@pytest.mark.parametrize("spoken", [spoken for _, spoken in PAIRS])
def test_no_digit_and_no_sign_is_left_to_the_voice(spoken: str) -> None:
    assert not re.search(r"[^\w\s.,:;!?'-]|\d|_", spoken)


@settings(deadline=None)
@given(st.text("abc ABC", max_size=60))
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert speakable(text) == " ".join(text.split())


@settings(deadline=None)
@given(st.integers(0, 99_999), st.integers(0, 99))
def test_no_sign_of_money_is_left_to_the_voice(whole: int, cents: int) -> None:
    spoken = speakable(f"It costs ${whole:,}.{cents:02d} today.")

    assert not re.search(r"[$\d]", spoken)
    assert re.search(r"dollar|cent", spoken)
    assert spoken.endswith(" today.")


SNIPPETS = [
    *("$14.50", "9:05", "17:30", "am", "12-10-1990", "Henry", "VIII", "Dr.", "St.", "Main", "304"),
    *("555-0142", "B27", "room", "**b**", "`c`", "*", "=", "3/4", "5 km", "20%", "21°C", "-", "–"),
    *("info@a.org", "https://a.org/x", "#", "|", "(", ")", "!", "?", ".", ",", "1990s", "½", "No."),
    *("approx.", "Mon", "p.m.", "e.g.", "a_b", "C#", "😀", "~~x~~", "1.", "×", "10-12", "the", "I"),
    *("IV", "War", "2026", "\n", "\n\n", "[a](b)", "\\", "&", "<", ">", "→", "\u2028", "\ue000"),
]
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(SNIPPETS), max_size=10).map(" ".join),
    st.lists(st.sampled_from(SNIPPETS), max_size=6).map("".join),
)


@settings(deadline=None)
@given(TEXTS)
def test_any_text_is_said_and_every_spoken_word_stands_for_written_ones_in_their_order(
    text: str,
) -> None:
    spoken = speak(text)

    assert spoken.written == text
    assert spoken.text.split() == [word.text for word in spoken.words]
    assert all(0 <= word.start < word.end <= len(text) for word in spoken.words)
    assert all(any(map(str.isalnum, word.text)) for word in spoken.words)
    assert all(a.start <= b.start and a.end <= b.end for a, b in pairwise(spoken.words))


@settings(deadline=None)
@given(TEXTS)
def test_the_more_words_are_heard_the_more_of_the_text_is_kept(text: str) -> None:
    spoken = speak(text)
    kept = [written_until(spoken, heard) for heard in range(len(spoken.words) + 1)]

    assert all(longer.startswith(shorter) for shorter, longer in pairwise(kept))
    assert kept[-1] == text


HOURS = "**We** open at 9:30 am, and it costs $14.50 (call 555-0142)."


@pytest.mark.parametrize(
    ("heard", "kept"),
    [
        (0, ""),
        (1, "**We**"),
        (3, "**We** open at"),
        (5, "**We** open at"),
        (6, "**We** open at 9:30 am,"),
        (11, "**We** open at 9:30 am, and it costs"),
        (12, "**We** open at 9:30 am, and it costs $14.50"),
        (16, "**We** open at 9:30 am, and it costs $14.50 (call 555"),
        (19, "**We** open at 9:30 am, and it costs $14.50 (call 555-014"),
        (20, HOURS),
        (99, HOURS),
        (-1, ""),
    ],
)
def test_the_text_is_cut_by_what_was_heard_and_a_value_heard_in_part_is_not_kept(
    heard: int, kept: str
) -> None:
    assert written_until(speak(HOURS), heard) == kept


def test_every_spoken_word_knows_the_characters_it_stands_for() -> None:
    spoken = speak("See **Henry VIII** at 9:05 am.")

    assert [(word.text, spoken.written[word.start : word.end]) for word in spoken.words] == [
        ("See", "See"),
        ("Henry", "Henry"),
        ("the", "VIII"),
        ("eighth", "VIII"),
        ("at", "at"),
        *((word, "9:05 am") for word in ("nine", "oh", "five")),
        ("AM.", "9:05 am."),
    ]


@pytest.mark.parametrize("text", ["", " \n", "...", "😀 🎉", "***", "—", "```\na = 1\nb = 2\n```"])
def test_a_text_without_words_leaves_nothing_to_say(text: str) -> None:
    assert speak(text).words == ()
    assert written_until(speak(text), 0) == text


def test_the_example_of_the_document_prints_what_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    document = (Path(__file__).parents[1] / "docs" / "spoken.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", document, re.DOTALL)
    exec(compile(example, "spoken.md", "exec"), {})

    assert capsys.readouterr().out.splitlines()[:3] == re.findall(r"#\s(.+)", example)


@pytest.mark.models
def test_what_is_said_is_heard_again() -> None:
    import onnxruntime

    from atonce.speech.audio_file import join
    from atonce.speech.piper import PiperSynthesizer
    from atonce.speech.whisper import WhisperTranscriber

    onnxruntime.set_seed(1)  # the voice draws its melody at random
    voice = PiperSynthesizer(models.folder("joe"))
    ears = WhisperTranscriber(models.folder("whisper-base"))

    for written, heard in (
        ("A ticket costs $14.", r"\b14 dollars|\$14\b"),
        ("A locker takes $0.75.", r"75 cents|\$0\.75"),
        ("Please call 555 0142.", r"555.{0,3}0142"),
        ("The tour starts at 9:05 am.", r"9[:. ]?(?:0|oh )5"),
    ):
        said = ears.transcribe(join(list(voice.synthesize(speakable(written))))).text
        assert re.search(heard, said), said
