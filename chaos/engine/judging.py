"""Every expectation of a scenario, judged in every stretch in which it must hold. Pure."""

from collections.abc import Iterator
from typing import Final

from chaos.evidence import Evidence, When
from chaos.expectations import Stated
from chaos.record import Finding
from chaos.scenarios.scenario import Scenario

BEFORE: Final = frozenset({When.BASELINE})
LATER: Final = frozenset({When.DURING, When.AFTER})


def wanted(scenario: Scenario) -> Iterator[tuple[When, Stated]]:
    """What must hold when: the hypothesis throughout, but where `expect` says otherwise."""
    for when in When:
        own = {When.DURING: scenario.expect.during, When.AFTER: scenario.expect.after}.get(when, ())
        replaced = {stated.what.subject() for stated in own}
        for stated in scenario.hypothesis:
            if when in stated.what.judged and stated.what.subject() not in replaced:
                yield when, stated
        for stated in own:
            yield when, stated


def judge(scenario: Scenario, evidence: Evidence, stretches: frozenset[When]) -> list[Finding]:
    """All findings of those stretches; one that fails keeps no other from being judged."""
    findings = []
    for number, (when, stated) in enumerate(wanted(scenario), start=1):
        if when not in stretches:
            continue
        try:
            judgement = stated.what.judge(evidence, when)
            held, measured = judgement.held, judgement.measured
        except Exception as error:  # noqa: BLE001 - a bug in one is no answer, and hides no other
            held, measured = None, f"judging it failed: {type(error).__name__}: {error}"
        findings.append(
            Finding(
                id=f"{number}-{when}-{stated.what.name.replace(' ', '-')}",
                text=stated.what.sentence(),
                phase=when.value,
                held=held,
                wanted=stated.what.sentence(),
                measured=measured,
                line=stated.line,
            )
        )
    return findings
