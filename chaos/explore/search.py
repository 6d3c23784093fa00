"""Which faults to try next: Filibuster's search, as values and one small state.

Run once with no fault, and every call that is reached is a place for faults. Each run with faults may
reach calls that its predecessor did not (a retry, a fallback): for those, "the earlier faults plus this one"
is put on the stack. Depth first, bounded, pruned by what is known already.

Source: C. Meiklejohn et al., "Service-Level Fault Injection Testing" (SoCC 2021). From there are the
execution index, the search and dynamic reduction: services are deterministic in what their own calls come
to, so that a set of faults is redundant when no service would see anything that it has not seen before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chaos.explore.calls import CallKey, FaultSet, Injected, Trace, View

Outcome = Callable[[str], str]
"""Of a kind of fault: what the caller learns."""


@dataclass(slots=True)
class Search:
    """What is left to try for one operation.

    Use: `while (faults := search.next()) is not None: search.saw(faults, trace of the run)`. The first set is
    the empty one.

    Attributes:
        kinds: of faults, by name; the first ones are tried first.
        outcome: what the caller learns of a kind.
        depth: most faults at once.
        combine: also combine calls that were reached without the earlier faults.
        prune: leave out what would show nothing new. Only for tests of the pruning is it off.
        pruned: sets that were left out.
    """

    kinds: Sequence[str]
    outcome: Outcome
    depth: int = 2
    combine: bool = False
    prune: bool = True
    pruned: int = 0
    _stack: list[tuple[FaultSet, Trace | None]] = field(default_factory=lambda: [((), None)])
    _tried: set[frozenset[Injected]] = field(default_factory=set)
    _views: dict[View, int] = field(default_factory=dict)
    """What any service saw, with the fewest faults that led to it."""
    _reached: dict[FaultSet, Trace] = field(default_factory=dict)

    def next(self) -> FaultSet | None:
        """The next set of faults to run with; None when all is done."""
        while self._stack:
            faults, before = self._stack.pop()
            if frozenset(faults) in self._tried:
                continue
            if before is not None and self._redundant(faults, before):
                self.pruned += 1
                continue
            self._tried.add(frozenset(faults))
            return faults
        return None

    def saw(self, faults: FaultSet, trace: Trace) -> None:
        """Learn from the run with `faults`."""
        for view in trace.views():
            self._note(view, len(faults))
        self._reached[faults] = trace
        if len(faults) >= self.depth:
            return
        more = [
            ((*faults, Injected(call, kind)), trace)
            for call in sorted(self._places(faults, trace))  # some run side by side, in any order
            for kind in self.kinds
        ]
        self._stack.extend(reversed(more))  # the first one is taken first

    def _places(self, faults: FaultSet, trace: Trace) -> list[CallKey]:
        """Calls of this run on which a further fault would be something else than the runs before."""
        faulted = {fault.call for fault in faults}
        if not faults or self.combine:
            return [call for call in trace if call not in faulted]
        before = self._reached[faults[:-1]]
        return [call for call in trace if call not in faulted and call not in before]

    def _redundant(self, faults: FaultSet, before: Trace) -> bool:
        """Whether no service would see outcomes of its calls that it has not seen together before.

        Only the request in which the last call is made takes another course than in the run before. What is
        seen in it is what was seen before but for the last call; that is remembered as if it had been seen
        already, because what follows from it (fewer calls, or further ones) follows each time.
        Single faults are never redundant: each has a cell in the matrix.
        """
        last = faults[-1]
        but = {last.call: self.outcome(last.kind)}
        view = before.view(before.parents[last.call], but)
        # With fewer faults, or as many: what follows from it was then explored as far as it will be here.
        known = self._views.get(view, len(faults) + 1) <= len(faults)
        self._note(view, len(faults))
        return self.prune and known and len(faults) > 1

    def _note(self, view: View, faults: int) -> None:
        self._views[view] = min(faults, self._views.get(view, faults))
