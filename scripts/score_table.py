"""The scores of evaluate.py as a table for the terminal, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache

from atonce.llm.evaluation import Shares, Written, hits, share, shares, sources
from atonce.llm.intervals import Bootstrap
from atonce.llm.scoring import question_kinds

WIDE = ("grounded", "unknown")
NARROW = ("invented", "wrong_value", "refused", "repetition")
TITLES = {
    "grounded": "grounded right",
    "unknown": "unknown right",
    "invented": "invented value",
    "wrong_value": "wrong value",
    "refused": "known refused",
    "repetition": "repetition",
}


@dataclass(frozen=True)
class Entry:
    """One row of the table."""

    name: str
    """What wrote, for a person."""
    written: Sequence[Written]
    """Every reply."""
    steps: int | None = None
    """K; None where it is none of the denoiser's."""
    is_checked: bool = False
    """With check, repair and fallbacks."""
    is_fixed: bool = False
    """Says what it says without writing anything."""
    is_aside: bool = False
    """Of other turns than the rest of the table."""
    twin: Entry | None = None
    """The same turns asked otherwise, one by one in the same order: what this row is held
    against."""

    @cached_property
    def shares(self) -> Shares:
        """Its numbers."""
        return shares(self.written)

    def interval(self, name: str) -> tuple[float, float]:
        """95 %, of one share."""
        return bootstrap(self).interval(hits(self.written, name))


def bootstrap(entry: Entry) -> Bootstrap:
    """Of the turns of an entry; the same for all that have the same turns."""
    return _bootstrap(tuple(one.example.key for one in entry.written))


@lru_cache(8)
def _bootstrap(questions: tuple[str, ...]) -> Bootstrap:
    return Bootstrap(questions)


def summary(written: Sequence[Written]) -> str:
    """How many turns of which kind."""
    kinds = [one.verdict.kind for one in written]
    packs = {one.example.key.split("/")[0] for one in written}
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("grounded", "unknown", "talk"))
    questions = len({one.example.key for one in written})
    return f"{len(written)} turns ({counts}; {questions} questions of {len(packs)} packs)"


def text_table(entries: Sequence[Entry]) -> Iterator[str]:
    """Lines for a terminal."""
    heads = "".join(f"{TITLES[name]:>17}" for name in WIDE)
    narrow = "".join(f"{name.replace('_value', '')[:9]:>10}" for name in NARROW)
    yield f"{'percent (95 %)':<34}{heads}{narrow}{'own':>8}{'steps':>7}{'ms':>7}"
    for entry in entries:
        row = asdict(entry.shares)
        cells = "".join(f"{percent(row[name], entry.interval(name)):>17}" for name in WIDE)
        cells += "".join(f"{100 * row[name]:10.1f}" for name in NARROW)
        cost = f"{100 * row['own']:8.1f}{row['steps']:7.1f}{row['ms']:7.0f}"
        yield f"{entry.name:<34}{cells}{'' if entry.is_fixed else cost}"
        if entry.is_checked:
            yield "    " + agent_line(entry)


def agent_line(entry: Entry) -> str:
    """What the whole agent gets right, fallbacks included."""
    right = percent(entry.shares.agent_grounded, entry.interval("agent_grounded"))
    shares_of = ", ".join(
        f"{name} {100 * part:.1f} %" for name, part in sources(entry.written).items()
    )
    return f"whole agent: grounded {right}; replies from {shares_of}"


def percent(value: float, interval: tuple[float, float]) -> str:
    """ "75.2 (70–80)"."""
    low, high = interval
    return f"{100 * value:.1f} ({100 * low:.0f}–{100 * high:.0f})"


def comparisons(main: Entry, others: Sequence[Entry]) -> Iterator[str]:
    """The main row less each other one, on the turns that both have."""
    for other in others:
        mine, theirs = paired(main, other)
        gap = mine.shares.grounded - theirs.shares.grounded
        low, high = bootstrap(mine).difference(
            hits(mine.written, "grounded"), hits(theirs.written, "grounded")
        )
        ratio = mine.shares.grounded / (theirs.shares.grounded or 1)
        yield (
            f"{main.name} less {other.name}: {100 * gap:+.1f} points of grounded "
            f"({100 * low:+.1f} to {100 * high:+.1f}), {100 * ratio:.0f} % of it"
        )


def asides(entries: Sequence[Entry]) -> Iterator[str]:
    """Rows that are held against the same turns asked otherwise."""
    for entry in entries:
        if entry.twin is not None:
            low, high = bootstrap(entry).difference(
                hits(entry.written, "grounded"), hits(entry.twin.written, "grounded")
            )
            gap = entry.shares.grounded - entry.twin.shares.grounded
            yield (
                f"{entry.name} less {entry.twin.name}: {100 * gap:+.1f} points of grounded "
                f"({100 * low:+.1f} to {100 * high:+.1f}), {len(entry.written)} turns"
            )


def paired(main: Entry, other: Entry) -> tuple[Entry, Entry]:
    """Both entries on the turns that both have."""
    theirs = {one.example.prompt: one for one in other.written}
    mine = [one for one in main.written if one.example.prompt in theirs]
    return replace(main, written=mine), replace(
        other, written=[theirs[one.example.prompt] for one in mine]
    )


def by_kind(entry: Entry) -> dict[str, list[Written]]:
    """The replies by kind of question, the kinds in a fixed order."""
    kinds: dict[str, list[Written]] = {}
    for one in entry.written:
        for kind in question_kinds(one.example):
            kinds.setdefault(kind, []).append(one)

    return dict(sorted(kinds.items()))


def kinds_table(entry: Entry) -> Iterator[str]:
    """Markdown: how often each kind of question is answered right, percent."""
    yield "| kind of question | turns | right, in its own words | right, as spoken |"
    yield "|---|---|---|---|"
    for kind, written in by_kind(entry).items():
        of_kind = written[0].verdict.kind
        part = Entry(kind, written)
        own = percent(share(hits(written, of_kind)), part.interval(of_kind))
        spoken = share([one.verdict.is_right for one in written])
        yield f"| {kind} | {len(written)} | {own} | {100 * spoken:.0f} |"


def markdown_table(entries: Sequence[Entry]) -> Iterator[str]:
    """The table of the card, percent."""
    titles = [TITLES[name] for name in (*WIDE, *NARROW)]
    titles += ["not its own", "grounded, whole agent", "steps", "ms"]
    yield f"| | {' | '.join(titles)} |"
    yield "|---" * (len(titles) + 1) + "|"
    for entry in entries:
        row = asdict(entry.shares)
        cells = [percent(row[name], entry.interval(name)) for name in WIDE]
        cells += [f"{100 * row[name]:.1f}" for name in NARROW]
        agent = percent(row["agent_grounded"], entry.interval("agent_grounded"))
        cells += [f"{100 - 100 * row['own']:.1f}", agent] if entry.is_checked else ["–", "–"]
        ms = f"{row['ms']:.0f}" if row["ms"] else "–"  # not every row is timed
        cells += ["–"] * 2 if entry.is_fixed else [f"{row['steps']:.1f}", ms]
        yield f"| {entry.name} | {' | '.join(cells)} |"


def as_json(main: Entry, entries: Sequence[Entry], found: Sequence[float]) -> dict[str, object]:
    """The main row at the top, all rows below."""
    return {
        "row": main.name,
        "turns": len(main.written),
        **asdict(main.shares),
        "sources": dict(sources(main.written)),
        "intervals": {name: main.interval(name) for name in (*WIDE, "agent_grounded")},
        "facts_found": list(found),
        "rows": {
            entry.name: {
                **asdict(entry.shares),
                "turns": len(entry.written),
                "sources": dict(sources(entry.written)),
            }
            for entry in entries
        },
    }
