"""The parts of a run's page, from the verdict to the scenario's source. Each is a function of the run."""

from collections import Counter
from typing import Final

from chaos.record import AppliedFault, Figures, Finding, Outcome, Run
from chaos.report import timeline, words
from chaos.report.markup import Markup, clipped, element, joined
from chaos.report.page import MAX_ROWS, part, sign, table

MAX_SOURCE: Final = 64_000
"""Characters of a scenario; longer ones are no longer read aloud."""

MAX_PHASES: Final = 8
"""Columns of counts; a run has five phases."""

_OUTCOMES: Final = tuple(Outcome)

_ORDER: Final[dict[bool | None, int]] = {False: 0, None: 1, True: 2}
"""What is wrong first."""


def verdict(run: Run) -> Markup:
    """The banner: how it ended, why, and what was tried."""
    said = words.VERDICTS[run.verdict]
    arm = None
    if run.mechanisms_off:
        arm = element(
            "p",
            element("strong", "Control arm."),
            f" Turned off: {', '.join(run.mechanisms_off)}.",
            class_="arm",
        )
    return element(
        "header",
        element("p", "Chaos run", " · ", element("code", run.scenario), class_="kicker"),
        element("h1", run.title or run.scenario),
        element("p", clipped(run.story), class_="story") if run.story else None,
        arm,
        element(
            "div",
            element("p", sign(said.sign, said.word, said.tone), class_="word"),
            element("p", clipped(run.reason) or said.means, class_="reason"),
            class_=f"verdict {said.tone}",
            role="status",
        ),
    )


def figures(run: Run) -> Markup | None:
    """The numbers of the run's head; those that were not measured are left out."""
    of = run.figures
    told: list[tuple[str, str, str]] = []

    def tell(value: float | None, text: str, name: str, note: str) -> None:
        if value is not None:
            told.append((text, name, note))

    tell(
        of.availability,
        words.percent(of.availability),
        "availability",
        "answers under faults that kept a promise",
    )
    tell(of.goodput, words.percent(of.goodput), "goodput", "kept answers, against the baseline")
    tell(of.time_to_detect, words.seconds(of.time_to_detect), "to detect", _detected(of))
    tell(
        of.time_to_mitigate,
        words.seconds(of.time_to_mitigate),
        "to mitigate",
        "fault to breaker or stand-in",
    )
    tell(
        of.time_to_recover,
        words.seconds(of.time_to_recover),
        "to recover",
        "revert to answers as before",
    )
    tell(
        of.correct_degradation,
        words.percent(of.correct_degradation),
        "degraded as declared",
        "of the degraded answers",
    )
    tell(
        of.retry_amplification,
        f"× {words.number(of.retry_amplification)}",
        "retry amplification",
        "attempts for each call",
    )
    tell(of.unsettled, f"{of.unsettled or 0:,}", "unsettled", "transfers not final at the end")
    tell(
        of.drain_seconds,
        words.seconds(of.drain_seconds),
        "to drain",
        "queues empty after the revert",
    )
    if not told:
        return None
    cells = [
        element(
            "div",
            element("dt", name, element("small", note)),
            element("dd", value),
        )
        for value, name, note in told
    ]
    return part("figures", "Figures", element("dl", *cells, class_="figures-list"))


def findings(run: Run) -> Markup:
    """Every expectation and what became of it, what did not hold first."""
    if not run.findings:
        return part(
            "findings", "Findings", element("p", "No expectation was judged.", class_="empty")
        )
    ordered = sorted(run.findings, key=lambda one: _ORDER[one.held])
    lines = len(run.source.splitlines())
    rows = [_finding(one, lines) for one in ordered]
    head = ("verdict", "expectation", "when", "wanted", "measured", "line")
    counted = joined(
        (
            element("p", _counted(run.findings), class_="lead"),
            table("Expectations and what became of them", head, rows, numbers=".....n"),
        )
    )
    return part("findings", "Findings", counted)


def _counted(findings: tuple[Finding, ...]) -> str:
    held = sum(one.held is True for one in findings)
    broken = sum(one.held is False for one in findings)
    unknown = len(findings) - held - broken
    told = [f"{held} of {words.count(len(findings), 'expectation')} held"]
    told += [f"{broken} did not"] if broken else []
    told += [f"{unknown} could not be judged"] if unknown else []
    return ", ".join(told) + "."


def _finding(one: Finding, lines: int) -> tuple[str, ...]:
    line: str = str(one.line) if one.line else ""
    if 0 < one.line <= lines:
        line = element("a", line, href=f"#line-{one.line}")
    said = words.judged(one.held)
    return (
        sign(said.sign, said.word, said.tone),
        clipped(one.text),
        one.phase,
        clipped(one.wanted),
        clipped(one.measured),
        line,
    )


def over_time(run: Run) -> Markup:
    """The timeline."""
    return part("timeline", "Timeline", timeline.section(run))


def faults(run: Run) -> Markup:
    """Proof that each fault was there and was met."""
    if not run.faults:
        return part("faults", "Faults", element("p", "No fault was injected.", class_="empty"))
    letters = timeline.letters(run)
    rows = [_fault(letters.get(number, ""), one) for number, one in enumerate(run.faults)]
    head = ("mark", "fault", "target", "injected", "ended", "by", "met")
    return part(
        "faults",
        "Faults, and the proof that they were met",
        table("Faults", head, rows, numbers="...nn.n"),
    )


def _fault(letter: str, one: AppliedFault) -> tuple[str, ...]:
    met: str = "not counted" if one.met is None else f"{one.met:,}"
    if one.met == 0:
        met = sign("!", "0", "doubt")
    told = ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in one.parameters.items()
    )
    detail = element("small", clipped(f"{one.owner} · {one.kind}" + (f" · {told}" if told else "")))
    ended = "never" if one.end is None and one.ended_by != "once" else words.seconds(one.end)
    return (
        element("b", letter, class_="letter"),
        element("div", clipped(one.words or one.kind), detail),
        element("code", clipped(one.target)),
        words.seconds(one.start),
        "at once" if one.ended_by == "once" else ended,
        one.ended_by,
        met,
    )


def clients(run: Run) -> Markup | None:
    """What the users of the platform were told, and how often in each phase."""
    if not run.clients_saw:
        return None
    order = {phase.name: number for number, phase in enumerate(run.phases)}
    names = sorted({row.phase for row in run.clients_saw}, key=lambda name: order.get(name, 99))
    names = names[:MAX_PHASES]
    counts: Counter[tuple[str, Outcome, str, str]] = Counter()
    examples: dict[tuple[str, Outcome, str], str] = {}
    for row in run.clients_saw:
        counts[row.step, row.outcome, row.code, row.phase] += row.count
        key = (row.step, row.outcome, row.code)
        examples[key] = examples.get(key) or row.example
    rows = [
        _told(key, [counts[(*key, name)] for name in names], examples[key])
        for key in sorted(examples, key=lambda key: (key[0], _OUTCOMES.index(key[1]), key[2]))
    ]
    head = ("asked", "was told", "code", *names, "in words, for example")
    shown = table("What clients saw, by phase", head, rows, numbers="..." + "n" * len(names))
    return part("clients", "What clients saw", shown)


def _told(key: tuple[str, Outcome, str], counts: list[int], example: str) -> tuple[str, ...]:
    step, outcome, code = key
    chip = element("i", class_=f"chip chip-{outcome}", aria_hidden="true")
    return (
        element("code", clipped(step)),
        element("span", chip, words.OUTCOMES[outcome], class_="outcome"),
        element("code", clipped(code)) if code else "",
        *(f"{count:,}" if count else element("span", "·", class_="none") for count in counts),
        clipped(example),
    )


def _detected(of: Figures) -> str:
    if of.time_to_detect_nominal is None:
        return "fault to alert"
    return f"fault to alert; {words.seconds(of.time_to_detect_nominal)} at production's pace"


def invariants(run: Run) -> Markup | None:
    """The proof of money, law by law."""
    if not run.invariants:
        return None
    rows = []
    for one in sorted(run.invariants, key=lambda one: one.number):
        said = words.LAWS.get(one.verdict, words.LAWS["unknown"])
        rows.append(
            (str(one.number), one.name, sign(said.sign, said.word, said.tone), clipped(one.detail))
        )
    head = ("no.", "law", "verdict", "on what evidence")
    return part(
        "invariants",
        "Proof of money",
        table("Checks of the proof of money", head, rows, numbers="n"),
    )


def alerts(run: Run) -> Markup | None:
    """What monitoring was to notice, and whether it did."""
    if not run.alerts:
        return None
    rows = []
    for one in run.alerts:
        said = words.judged(one.held)
        rows.append(
            (
                sign(said.sign, said.word, said.tone),
                element("code", one.name),
                clipped(one.wanted),
                clipped(one.measured),
                clipped(one.title),
                "did not fire" if one.fired_at is None else words.seconds(one.fired_at),
                words.seconds(one.resolved_at),
            )
        )
    head = ("verdict", "alert", "wanted", "measured", "message", "fired", "resolved")
    return part(
        "alerts", "Alerts", table("Alerts and what came of them", head, rows, numbers=".....nn")
    )


def facts(run: Run) -> Markup:
    """What somebody needs to run the same again."""
    told: list[tuple[str, str]] = [
        ("run", element("code", run.id)),
        ("scenario", element("code", run.scenario)),
    ]
    told += [("started", run.started)] if run.started else []
    told += [("commit", element("code", run.commit))] if run.commit else []
    told += [("seed", element("code", str(run.seed)))]
    told += (
        [("guards", joined((element("code", name) for name in run.guards), ", "))]
        if run.guards
        else []
    )
    arm = ", ".join(run.mechanisms_off) + " off" if run.mechanisms_off else "all mechanisms on"
    told += [("arm", arm)]
    told += sorted(run.platform.items())
    cells = [element("div", element("dt", name), element("dd", value)) for name, value in told]
    replay = None
    if run.command:
        replay = element(
            "div",
            element("h3", "Run it again"),
            element("pre", element("code", run.command, id="replay"), class_="command"),
            element("button", "Copy", type="button", data_copies="replay", hidden=True),
            class_="replay",
        )
    return part(
        "facts",
        "What was run",
        element("dl", *cells, class_="facts-list"),
        *([replay] if replay else []),
    )


def log(run: Run) -> Markup | None:
    """What the engine did, line by line."""
    if not run.log:
        return None
    shown = run.log[:MAX_ROWS]
    lines = [
        element(
            "li",
            element("span", f"{one.at:.2f} s", class_="at"),
            element(
                "span",
                "" if one.level == "info" else one.level,
                class_=f"level level-{_level(one.level)}",
            ),
            element("span", clipped(one.text)),
        )
        for one in shown
    ]
    note = None
    if len(run.log) > MAX_ROWS:
        left = len(run.log) - MAX_ROWS
        note = element("p", f"{left:,} more lines are in run.json.", class_="note")
    return part("log", "Log", element("ol", *lines, class_="log-lines"), *([note] if note else []))


def _level(level: str) -> str:
    return level if level in {"info", "warning", "error"} else "info"


def source(run: Run) -> Markup | None:
    """The scenario as it was, with the lines that findings name."""
    if not run.source:
        return None
    lines = [
        element("span", line or " ", id=f"line-{number}", class_="source-line")
        for number, line in enumerate(clipped(run.source, MAX_SOURCE).splitlines(), start=1)
    ]
    return part(
        "source", "Scenario", element("pre", element("code", *lines), class_="yaml", tabindex="0")
    )
