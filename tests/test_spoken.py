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
    ("Call 1-800-555-0199.", "Call 1, 8 0 0, 5 5 5, 0 1 9 9."),
    ("Call +44 20 7946 0958.", "Call 4 4, 2 0, 7 9 4 6, 0 9 5 8."),
    ("Call 2345 6789.", "Call 2 3 4 5, 6 7 8 9."),
    ("It ran from 1990-1995.", "It ran from 1990 to 1995."),
    ("See pages 1200–1300.", "See pages 1200 to 1300."),
    ("Closed on 2027-03-01.", "Closed on March 1, 2027."),
    ("Closed 2026-12-24–2026-12-26.", "Closed December 24, 2026 to December 26, 2026."),
    ("It costs $5/person.", "It costs 5 dollars per person."),
    ("We are open 24/7.", "We are open 24 7."),
    ("Ring #42, ~20 minutes away.", "Ring number 42, about 20 minutes away."),
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
