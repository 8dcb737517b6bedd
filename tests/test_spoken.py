"""Written text as a host would say it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.config import models
from atonce.speech.spoken import speakable

PAIRS = [
    ("A ticket costs $14.", "A ticket costs 14 dollars."),
    ("It costs $14.50.", "It costs 14 dollars 50."),
    ("It costs $14.00.", "It costs 14 dollars."),
    ("It costs $1.", "It costs 1 dollar."),
    ("It costs $0.75.", "It costs 75 cents."),
    ("It costs $0.01.", "It costs 1 cent."),
    ("It costs £4.60.", "It costs 4 pounds 60."),
    ("It costs £0.50 or £0.01.", "It costs 50 pence or 1 penny."),
    ("It costs €8.", "It costs 8 euros."),
    ("It cost $1,250.", "It cost 1250 dollars."),
    ("It cost $75 million.", "It cost 75 million dollars."),
    ("It cost $3.5 million.", "It cost 3.5 million dollars."),
    ("It costs $9-$12.", "It costs 9 dollars to 12 dollars."),
    ("We open at 9:30 am.", "We open at 9:30 am."),
    ("We open at 9:05 am.", "We open at 9 oh 5 am."),
    ("We open at 9:00 am.", "We open at 9 am."),
    ("The bus leaves at 17:00.", "The bus leaves at 17 o'clock."),
    ("The bus leaves at 17:30.", "The bus leaves at 17:30."),
    ("Open 9-5.", "Open 9 to 5."),
    ("Open 9:30 am–5:45 pm.", "Open 9:30 am to 5:45 pm."),
    ("Open Monday–Friday.", "Open Monday to Friday."),
    ("Call 555 0142.", "Call 5 5 5, 0 1 4 2."),
    ("Call 555-0142 now.", "Call 5 5 5, 0 1 4 2 now."),
    ("Room 304 is free.", "Room 304 is free."),
    ("Ask Dr. Smith or Mr. Holm.", "Ask Doctor Smith or Mister Holm."),
    ("Take bus no. 27.", "Take bus number 27."),
    ("No. It is closed.", "No. It is closed."),
    ("Fruit, e.g. apples.", "Fruit, for example apples."),
    ("The big one, i.e. the left.", "The big one, that is the left."),
    ("Fish & chips.", "Fish and chips."),
    ("**Bold** and `code`.", "Bold and code."),
    ("See [the map](http://a.b/c).", "See the map."),
    ("# Prices", "Prices"),
    ("- one", "one"),
    ("2 * 3 = 6", "2 * 3 = 6"),
    ("my_file_name and C#", "my_file_name and C#"),
    ("Welcome! 😀", "Welcome!"),
    ("The code is B27.", "The code is B27."),
    ("It is 21 degrees, 20% humid.", "It is 21 degrees, 20% humid."),
]


@pytest.mark.parametrize(("written", "spoken"), PAIRS)
def test_the_voice_says(written: str, spoken: str) -> None:
    assert speakable(written) == spoken


@given(st.text("abc ABC,.!?'", max_size=60))
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert speakable(text) == " ".join(text.split())


@given(st.integers(0, 99_999), st.integers(0, 99))
def test_no_sign_of_money_is_left_to_the_voice(whole: int, cents: int) -> None:
    spoken = speakable(f"It costs ${whole:,}.{cents:02d} today.")

    assert "$" not in spoken
    assert re.search(r"dollar|cent", spoken)
    assert spoken.endswith(" today.")


@pytest.mark.models
def test_what_is_said_is_heard_again() -> None:
    from atonce.speech.audio_file import join
    from atonce.speech.piper import PiperSynthesizer
    from atonce.speech.whisper import WhisperTranscriber

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
