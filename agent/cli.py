"""The command line: what a person types, told apart here and done elsewhere."""

from __future__ import annotations

import signal

if __name__ == "__main__":  # until main listens, Ctrl-C ends the program without a word
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from atonce.config.errors import AtonceError, UsageError

INTERRUPTED = 130  # what a shell expects of a program that Ctrl-C ended


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Every fault is one sentence on standard error."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Threads that wait for each other must not spin where a core is taken: on a busy machine a
    # denoising step was five times as slow. Read by OpenMP when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    try:
        return _run(_parser().parse_args(argv))
    except AtonceError as error:
        print(f"atonce: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader of a pipe went away: `atonce settings | head`
        _drop_output()
        return 1
    except KeyboardInterrupt:
        print("atonce: stopped", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        # An engine may be deep in a call that nothing can interrupt: do not wait for its thread.
        os._exit(INTERRUPTED)


def _run(arguments: argparse.Namespace) -> int:
    logging.basicConfig(
        level=getattr(arguments, "log_level", "warning").upper(),
        format="%(levelname)s %(name)s: %(message)s",
    )
    code: int = arguments.run(arguments)
    sys.stdout.flush()
    return code


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    """argparse whose faults are ours: one sentence."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError(f"{message} (see: {self.prog} --help)")


if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[_Parser]  # argparse has no public name for it


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="atonce", description="A voice agent that has its whole reply at once.")
    parser.add_argument("--version", action="version", version=f"atonce {version('atonce')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_ask(commands)
    _add_talk(commands)
    _add_serve(commands)
    _add_kiosk(commands)
    _add_record(commands)
    _add_devices(commands)
    _add_race(commands)
    _add_fill(commands)
    _add_tune(commands)
    _add_rehearse(commands)
    _add_report(commands)
    _add_models(commands)
    _add_settings(commands)
    _add_doctor(commands)
    return parser


def _with_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file (YAML)")
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="one setting, for example llm.steps=8; may be repeated",
    )
    parser.add_argument(
        "--log-level",
        default="warning",
        choices=("debug", "info", "warning", "error"),
        help="what is logged on standard error (default: warning)",
    )


def _add_ask(commands: _Commands) -> None:
    parser = commands.add_parser(
        "ask", help="answer one question, from an audio file or from text, aloud in a WAV file"
    )
    parser.add_argument("question", nargs="?", type=Path, metavar="QUESTION.wav")
    parser.add_argument("--text", help="the question in words, instead of a file")
    parser.add_argument("--out", type=Path, default=Path("reply.wav"), help="default: reply.wav")
    parser.add_argument("--steps", type=int, metavar="K", help="denoising steps (llm.steps)")
    parser.add_argument("--canvas", type=int, metavar="N", help="reply positions (llm.canvas)")
    parser.add_argument("--seconds", type=float, metavar="S", help="speech time (agent.reply_s)")
    parser.add_argument("--seed", type=int, help="same seed, same reply (llm.seed)")
    parser.add_argument("--json", action="store_true", help="one line of JSON on standard output")
    _with_settings(parser)
    parser.set_defaults(run=_ask)


def _add_talk(commands: _Commands) -> None:
    parser = commands.add_parser("talk", help="talk through this machine's microphone")
    parser.add_argument("--input", metavar="NAME", help="microphone (microphone.input)")
    parser.add_argument("--output", metavar="NAME", help="loudspeaker (microphone.output)")
    parser.add_argument(
        "--headphones", action="store_true", help="no echo to take out (microphone.mode)"
    )
    parser.add_argument("--push-to-talk", action="store_true", help="hear only while a key is held")
    parser.add_argument("--log", type=Path, metavar="DIR", help="keep sound and events in a folder")
    _with_settings(parser)
    parser.set_defaults(run=_talk)


def _add_serve(commands: _Commands) -> None:
    parser = commands.add_parser("serve", help="talk in the browser: a page of this server")
    parser.add_argument("--host", metavar="ADDRESS", help="listen at (serve.host)")
    parser.add_argument("--port", type=int, help="listen at; 0: any that is free (serve.port)")
    parser.add_argument(
        "--token",
        default="",
        help="what clients must send; better in the environment variable ATONCE_TOKEN",
    )
    parser.add_argument(
        "--certificate", type=Path, metavar="FILE", help="for https, PEM (serve.tls_certificate)"
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="its key, PEM (serve.tls_key)")
    _with_settings(parser)
    parser.set_defaults(run=_serve)


def _add_kiosk(commands: _Commands) -> None:
    parser = commands.add_parser(
        "kiosk", help="talk unattended, with messages over MQTT (docs/mqtt.md)"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="only look at devices and broker, and say what is wrong",
    )
    _with_settings(parser)
    parser.set_defaults(run=_kiosk)


def _add_record(commands: _Commands) -> None:
    parser = commands.add_parser("record", help="record a question into a file")
    parser.add_argument("file", type=Path, metavar="FILE.wav", help="also .flac or .ogg")
    parser.add_argument("--input", metavar="NAME", help="microphone (microphone.input)")
    parser.add_argument("--seconds", type=float, metavar="S", help="exactly so long")
    _with_settings(parser)
    parser.set_defaults(run=_record)


def _add_devices(commands: _Commands) -> None:
    parser = commands.add_parser("devices", help="list microphones and loudspeakers")
    parser.add_argument("--json", action="store_true", help="one line of JSON on standard output")
    parser.set_defaults(run=_devices)


def _add_race(commands: _Commands) -> None:
    parser = commands.add_parser(
        "race", help="let the denoiser and its autoregressive rival answer one question"
    )
    parser.add_argument("text", metavar="QUESTION", help="the question in words")
    parser.add_argument(
        "--zero-shot", action="store_true", help="the rival is the reader as it is, not the twin"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON on standard output")
    _with_settings(parser)
    parser.set_defaults(run=_race)


def _add_fill(commands: _Commands) -> None:
    parser = commands.add_parser(
        "fill", help="fill the gaps of a sentence from the facts, or rewrite lines of a file"
    )
    parser.add_argument("text", nargs="?", metavar='"We open at ____"', help="____ is a gap")
    parser.add_argument("--file", type=Path, help="a file of which lines are rewritten")
    parser.add_argument("--lines", metavar="12-20", help="which lines of the file")
    parser.add_argument("--write", action="store_true", help="change the file, not only show how")
    parser.add_argument("--json", action="store_true", help="one line of JSON on standard output")
    _with_settings(parser)
    parser.set_defaults(run=_fill)


def _add_tune(commands: _Commands) -> None:
    parser = commands.add_parser(
        "tune", help="measure this machine, and choose the denoising steps for it"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds and questions")
    parser.add_argument(
        "--packs", type=Path, metavar="DIR", help="scenario packs to try another writer on"
    )
    _with_settings(parser)
    parser.set_defaults(run=_tune)


def _add_rehearse(commands: _Commands) -> None:
    parser = commands.add_parser(
        "rehearse", help="have a scripted talk, and check what came of it (docs/rehearsals.md)"
    )
    parser.add_argument("scripts", nargs="+", type=Path, metavar="TALK.yaml")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="keep sound, events, turns and a picture"
    )
    parser.add_argument(
        "--fast", action="store_true", help="on a clock that jumps, whatever the script says"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON for every turn")
    _with_settings(parser)
    parser.set_defaults(run=_rehearse)


def _add_report(commands: _Commands) -> None:
    parser = commands.add_parser("report", help="what went on in a talk, from its log")
    parser.add_argument("log", type=Path, metavar="LOG", help="the folder that talk --log wrote")
    parser.add_argument("--turn", type=int, metavar="N", help="one turn alone, mark by mark")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the talk (matplotlib)")
    parser.add_argument("--json", action="store_true", help="one line of JSON on standard output")
    parser.set_defaults(run=_report)


def _add_models(commands: _Commands) -> None:
    parser = commands.add_parser("models", help="list, fetch or remove the model files")
    parser.add_argument("action", nargs="?", default="list", choices=("list", "fetch", "clear"))
    parser.set_defaults(run=_models)


def _add_settings(commands: _Commands) -> None:
    parser = commands.add_parser(
        "settings", help="what is in force, and where each value came from"
    )
    _with_settings(parser)
    parser.set_defaults(run=_settings)


def _add_doctor(commands: _Commands) -> None:
    parser = commands.add_parser("doctor", help="look for what is missing, and say what to do")
    _with_settings(parser)
    parser.set_defaults(run=_doctor)


# The commands import their modules only when they run: --help and a typing slip stay instant.


def _ask(arguments: argparse.Namespace) -> int:
    from atonce.agent import ask

    if (arguments.question is None) == (arguments.text is None):
        raise UsageError("give one question: a file (atonce ask QUESTION.wav) or --text WORDS")

    overrides = list(arguments.overrides)
    for key in ("steps", "canvas", "seed"):
        value = getattr(arguments, key)
        if value is not None:
            overrides.append(f"llm.{key}={value}")

    if arguments.seconds is not None:
        overrides.append(f"agent.reply_s={arguments.seconds}")

    return ask.run(
        ask.Question(arguments.question, arguments.text),
        out=arguments.out,
        config=arguments.config,
        overrides=overrides,
        is_json=arguments.json,
    )


def _talk(arguments: argparse.Namespace) -> int:
    from atonce.agent import talk

    overrides = [*arguments.overrides, *_device_overrides(arguments)]
    if arguments.headphones:
        overrides.append("microphone.mode=headphones")

    if arguments.push_to_talk:
        overrides.append("microphone.push_to_talk=true")

    return talk.run(talk.Wish(arguments.config, overrides, log=arguments.log))


def _serve(arguments: argparse.Namespace) -> int:
    from atonce.agent import serve

    options = serve.Options(
        arguments.host, arguments.port, arguments.token, arguments.certificate, arguments.key
    )
    return serve.run(options, arguments.config, arguments.overrides)


def _kiosk(arguments: argparse.Namespace) -> int:
    from atonce.agent import kiosk

    return kiosk.run(arguments.config, arguments.overrides, is_check=arguments.check)


def _record(arguments: argparse.Namespace) -> int:
    from atonce.agent import record

    if arguments.seconds is not None and not 0.1 <= arguments.seconds <= 600:
        raise UsageError("--seconds is from 0.1 to 600")

    overrides = [*arguments.overrides, *_device_overrides(arguments)]
    return record.run(
        arguments.file, seconds=arguments.seconds, config=arguments.config, overrides=overrides
    )


def _device_overrides(arguments: argparse.Namespace) -> list[str]:
    """Names of devices as settings; quoted, because they hold colons and hashes."""
    given = {key: getattr(arguments, key, None) for key in ("input", "output")}
    return [f"microphone.{key}={json.dumps(name)}" for key, name in given.items() if name]


def _devices(arguments: argparse.Namespace) -> int:
    from atonce.agent import devices

    return devices.run(is_json=arguments.json)


def _fill(arguments: argparse.Namespace) -> int:
    from atonce.agent import fill

    config, overrides = arguments.config, arguments.overrides
    if arguments.text is not None and arguments.file is None:
        if arguments.lines is not None or arguments.write:
            raise UsageError("--lines and --write are for a file: give it with --file")

        return fill.run(arguments.text, config=config, overrides=overrides, is_json=arguments.json)

    if arguments.text is not None or arguments.file is None or arguments.lines is None:
        raise UsageError(
            'give a text with gaps (atonce fill "We open at ____"), or a file and its lines '
            "(atonce fill --file FILE --lines 12-20)"
        )

    if arguments.json:
        raise UsageError("--json is for gaps in a text: lines of a file are shown as a diff")

    span = fill.span_of(arguments.file, arguments.lines)
    return fill.rewrite(span, config=config, overrides=overrides, is_written=arguments.write)


def _race(arguments: argparse.Namespace) -> int:
    from atonce.agent import race

    if not arguments.text.strip():
        raise UsageError('the question is empty: atonce race "When do you open?"')

    return race.run(
        arguments.text,
        config=arguments.config,
        overrides=arguments.overrides,
        is_zero_shot=arguments.zero_shot,
        is_json=arguments.json,
    )


def _tune(arguments: argparse.Namespace) -> int:
    from atonce.agent import tune

    return tune.run(
        arguments.config, arguments.overrides, packs=arguments.packs, is_quick=arguments.quick
    )


def _rehearse(arguments: argparse.Namespace) -> int:
    from atonce.agent import rehearse

    return rehearse.run(
        arguments.scripts,
        out=arguments.out,
        config=arguments.config,
        overrides=arguments.overrides,
        is_fast=arguments.fast,
        is_json=arguments.json,
    )


def _report(arguments: argparse.Namespace) -> int:
    from atonce.agent import talk_report

    return talk_report.run(
        arguments.log, picture=arguments.picture, turn=arguments.turn, is_json=arguments.json
    )


def _models(arguments: argparse.Namespace) -> int:
    from atonce.agent import models_view

    return models_view.run(arguments.action)


def _settings(arguments: argparse.Namespace) -> int:
    from atonce.agent.settings_view import render
    from atonce.config.load import load

    print(render(load(arguments.config, arguments.overrides)))
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from atonce.agent import doctor

    return doctor.run(arguments.config, arguments.overrides)


if __name__ == "__main__":
    sys.exit(main())
