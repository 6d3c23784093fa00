"""The library's mutants: each breaks one promise by one edit, and names the tests that must see it.

An edit is a piece of source that occurs exactly once, and what stands in its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """A broken policy.

    Attributes:
        module: the module of `resilience` that is edited.
        breaks: the promise, in a sentence.
        before, after: the edit.
        seen_by: the test file, and an expression for `-k`, of which one test at least must fail.
    """

    name: str
    module: str
    breaks: str
    before: str
    after: str
    seen_by: tuple[str, str]


BREAKER: Sequence[Mutant] = (
    Mutant(
        "half-open-admits-all",
        "breaker_states",
        "half-open lets through exactly as many calls as there are probes",
        "if self.granted < options.probes:",
        "if True:",
        ("test_breaker.py", "exactly_n"),
    ),
    Mutant(
        "half-open-admits-one-more",
        "breaker_states",
        "half-open lets through exactly as many calls as there are probes",
        "if self.granted < options.probes:",
        "if self.granted <= options.probes:",
        ("test_breaker.py", "exactly_n"),
    ),
    Mutant(
        "permits-leak",
        "breaker_states",
        "a cancelled probe's permit comes back",
        "        self.granted -= 1\n",
        "        pass\n",
        ("test_breaker.py", "all_probes_cancelled"),
    ),
    Mutant(
        "no-fence",
        "breaker",
        "outcomes of an earlier epoch are dropped",
        "        if epoch is not self._state:\n            self._drop(epoch, failed=fault",
        "        if False:\n            self._drop(epoch, failed=fault",
        ("test_breaker.py", "stale_failure"),
    ),
    Mutant(
        "fence-lets-successes-by",
        "breaker",
        "a stale success is no probe",
        "        if epoch is self._state:\n            epoch.record(SLOW",
        "        if True:\n            self._state.record(SLOW",
        ("test_breaker.py", "stale_success"),
    ),
    Mutant(
        "stale-failure-trips",
        "breaker",
        "a stale failure does not open it again",
        "            self._drop(epoch, failed=fault is Fault.DEPENDENCY)",
        "            self.trip('stale')",
        ("test_breaker.py", "stale_failure"),
    ),
    Mutant(
        "cancellation-is-failure",
        "breaker",
        "a cancelled call is no failure",
        "if isinstance(error, Exception) else Fault.UNKNOWN",
        "if isinstance(error, Exception) else Fault.DEPENDENCY",
        ("test_breaker.py", "cancelled_call or outer_timeout"),
    ),
    Mutant(
        "cancellation-is-success",
        "breaker",
        "a cancelled call is no success",
        "        else:\n            epoch.release()",
        "        else:\n            epoch.record(GOOD, now)",
        ("test_breaker.py", "cancelled_call or outer_timeout"),
    ),
    Mutant(
        "hang-goes-unseen",
        "breaker",
        "calls that hang until their caller gives up open it in the end",
        "elif fault is Fault.CALLER or slow:",
        "elif fault is Fault.CALLER:",
        ("test_breaker.py", "hang_under_a_deadline"),
    ),
    Mutant(
        "rejection-is-slow",
        "breaker",
        "a rejection that took long is no slow call",
        "slow = SLOW if asked and seconds",
        "slow = SLOW if seconds",
        ("test_breaker.py", "rejection_that_took_long"),
    ),
    Mutant(
        "late-probe-given-up",
        "breaker_states",
        "a probe that is sent late gets its time",
        "            self.give_up_at = now + options.half_open_seconds\n",
        "            if self.granted == 1:\n"
        "                self.give_up_at = now + options.half_open_seconds\n",
        ("test_breaker.py", "late_probe"),
    ),
    Mutant(
        "wall-clock",
        "breaker_states",
        "a jump of the wall clock changes nothing",
        "        self.until = cb.clock.monotonic() + break_seconds",
        "        import time\n        self.until = time.time() + break_seconds",
        ("test_breaker.py", "wall_clock"),
    ),
    Mutant(
        "probes-forgotten-never",
        "breaker_states",
        "good probes of an earlier trial do not count",
        "        cb.forget_probes()\n",
        "",
        ("test_breaker.py", "earlier_trial"),
    ),
    Mutant(
        "jitter-shortens",
        "breaker",
        "a break is never shorter than configured",
        "jitter = 1 + options.break_jitter",
        "jitter = 1 - options.break_jitter",
        ("test_breaker.py", "jitter_only_stretches"),
    ),
    Mutant(
        "break-never-resets",
        "breaker",
        "after a stable time the break is short again",
        "                self._next_seconds = 0.0\n",
        "                pass\n",
        ("test_breaker.py", "stable_time"),
    ),
    Mutant(
        "stampede-on-close",
        "breaker_states",
        "after a recovery calls pass in growing numbers",
        "        elif self.in_flight >= options.probes:",
        "        elif False:",
        ("test_breaker.py", "growing_numbers"),
    ),
    Mutant(
        "slow-unseen",
        "breaker_states",
        "slow calls open it",
        "            elif window.slow >= window.calls",
        "            elif False and window.slow >= window.calls",
        ("test_breaker.py", "calls_are_slow"),
    ),
    Mutant(
        "minimum-ignored",
        "breaker_states",
        "a few failures are no rate",
        "        elif window.calls >= options.minimum_calls:",
        "        elif True:",
        ("test_breaker.py", "minimum_of_calls"),
    ),
    Mutant(
        "hooks-hurt",
        "events",
        "a raising hook is isolated",
        "            except Exception:\n",
        "            except ZeroDivisionError:\n",
        ("test_breaker.py", "raising_listener"),
    ),
)

BUDGET: Sequence[Mutant] = (
    Mutant(
        "no-budget",
        "budget",
        "retries are bounded",
        "        return False\n",
        "        return True\n",
        ("test_budget.py", "ten_calls or burst"),
    ),
    Mutant(
        "unbounded-savings",
        "budget",
        "a calm time saves no more than a burst",
        "self.tokens = tokens if tokens < self._burst else self._burst",
        "self.tokens = tokens",
        ("test_budget.py", "calm_time"),
    ),
    Mutant(
        "trickle-in-full",
        "budget",
        "the trickle grows with time",
        "gained = (now - self._trickled_at) * self.options.minimum_per_second",
        "gained = self._trickle_limit()",
        ("test_budget.py", "trickle"),
    ),
    Mutant(
        "trickle-twice",
        "budget",
        "time is counted once",
        "        self._trickled_at = now\n        if",
        "        if",
        ("test_budget.py", "trickle or law or allow"),
    ),
    Mutant(
        "free-retries",
        "budget",
        "a retry takes a whole token",
        "            self.tokens = max(0.0, self.tokens - 1.0)\n            return True\n        now",
        "            self.tokens = max(0.0, self.tokens - 0.5)\n            return True\n        now",
        ("test_budget.py", "ten_calls or burst or calm"),
    ),
    Mutant(
        "token-after-wait",
        "retry",
        "the token is taken before the wait",
        '        if budget is not None and not budget.reserve():\n            return "budget"',
        '        if budget is not None and budget.tokens < 1:\n            return "budget"',
        ("test_retry.py", "token_is_taken_before"),
    ),
    Mutant(
        "token-lost",
        "retry",
        "a cancelled wait gives its token back",
        "        except BaseException:\n            self.refund()\n",
        "        except BaseException:\n",
        ("test_retry.py", "token_is_taken_before"),
    ),
    Mutant(
        "deadline-unknown",
        "retry",
        "no retry begins that could not end in time",
        "if self._retry.clock.monotonic() + least >= self._deadline.at:",
        "if False:",
        ("test_retry.py", "before_the_deadline"),
    ),
    Mutant(
        "retry-too-early",
        "retry",
        "Retry-After is rounded up",
        "math.ceil(round(self._asked * 1000, 6)) / 1000",
        "math.floor(self._asked * 1000) / 1000",
        ("test_retry.py", "to_the_millisecond"),
    ),
    Mutant(
        "mutations-retried",
        "retry",
        "a mutation is retried only under a key",
        "if effect is Effect.READ or IDEMPOTENCY_KEY.get() is not None:",
        "if True:",
        ("test_retry.py", "mutation"),
    ),
    Mutant(
        "rejections-pay-in",
        "pipeline",
        "rejected calls pay nothing into the budget",
        "        if isinstance(error, Rejected):\n",
        "        if isinstance(error, ZeroDivisionError):\n",
        ("test_pipeline.py", "pays_nothing"),
    ),
)

FALLBACK: Sequence[Mutant] = (
    Mutant(
        "anybody-reads",
        "fallback",
        "a copy is served only to whom it may be served now",
        "        if found is None or not allowed:\n",
        "        if found is None:\n",
        ("test_fallback.py", "may_not_read"),
    ),
    Mutant(
        "anybody-reads-fresh",
        "fallback",
        "a fresh copy is served only to whom it may be served now",
        "if copy is not None and await may_read(authorise, self._clock):",
        "if copy is not None:",
        ("test_fallback.py", "may_not_read"),
    ),
    Mutant(
        "unknown-rights-are-rights",
        "fallback",
        "who cannot be authorised may not read",
        "        return False\n",
        "        return True\n",
        ("test_fallback.py", "may_not_read"),
    ),
    Mutant(
        "one-view-for-all",
        "copies",
        "copies never cross views",
        "{self.contract}:{self.entity}:{self.view}",
        "{self.contract}:{self.entity}",
        ("test_fallback.py", "never_cross"),
    ),
    Mutant(
        "keys-collide",
        "copies",
        "different keys never share a name",
        "{lengths}:",
        "",
        ("test_copies.py", "separator"),
    ),
    Mutant(
        "joined-unasked",
        "pipeline",
        "an answer on its way to one user is not handed to another",
        "if authorise is not None and name in flights:",
        "if False:",
        ("test_pipeline.py", "on_its_way"),
    ),
    Mutant(
        "ages-ignored",
        "fallback",
        "a copy that is too old is not served",
        "return copy is None or self._clock.monotonic() - copy.born > oldest",
        "return copy is None",
        ("test_fallback.py", "too_old"),
    ),
    Mutant(
        "definite-no-hidden",
        "fallback",
        "a definite no is passed on",
        "        if self._classify(error).fault is Fault.CALLER:\n"
        "            self._forget(name)\n            return None\n",
        "",
        ("test_fallback.py", "definite_no"),
    ),
    Mutant(
        "copy-outlives-no",
        "fallback",
        "after a definite no the copy is forgotten",
        "        if self._classify(error).fault is Fault.CALLER:\n"
        "            self._forget(name)\n            return None\n",
        "        if self._classify(error).fault is Fault.CALLER:\n            return None\n",
        ("test_fallback.py", "definite_no"),
    ),
    Mutant(
        "late-answer-wins",
        "copies",
        "a late answer does not replace a younger copy",
        "if known is not None and known.born > copy.born:",
        "if False:",
        ("test_fallback.py", "late_answer"),
    ),
    Mutant(
        "age-from-the-end",
        "fallback",
        "a copy's age counts from when its call began",
        "        self._keep(name, value, codec, started)\n        return Served",
        "        self._keep(name, value, codec, self._clock.monotonic())\n        return Served",
        ("test_fallback.py", "late_answer"),
    ),
    Mutant(
        "unmarked",
        "fallback",
        "a stale copy says that it is one",
        "return self._served(found, Freshness.STALE, error)",
        "return self._served(found, Freshness.LIVE, error)",
        ("test_fallback.py", "stands_in"),
    ),
    Mutant(
        "cancellation-answered",
        "fallback",
        "a cancelled call is cancelled",
        "        except Exception as error:\n            stand_in",
        "        except BaseException as error:\n            stand_in",
        ("test_fallback.py", "cancellation"),
    ),
    Mutant(
        "bytes-unbounded",
        "copies",
        "the local tier is bounded by bytes",
        "        self.shrink(self.maximum_bytes)\n",
        "",
        ("test_copies.py", "longest_goes_first or more_than_its_bytes"),
    ),
    Mutant(
        "dead-tier-asked",
        "shared_tier",
        "a dead shared tier is left alone",
        "            self._breaker.fail(epoch, error, now - started, now)\n",
        "            self._breaker.succeed(epoch, 0.0, now)\n",
        ("test_fallback.py", "dead_shared_tier"),
    ),
    Mutant(
        "call-uses-all-the-time",
        "fallback",
        "the call leaves time to find a copy",
        "deadline.earlier(reserve)",
        "deadline",
        ("test_fallback.py", "leaves_time"),
    ),
    Mutant(
        "anybody-reads-a-batch",
        "fallback",
        "each copy of a batch is served only to whom it may be served now",
        "if await may_read(lambda: search.authorise(key, value), self._clock):",
        "if True:",
        ("test_fallback_batches.py", "authorised_afresh"),
    ),
    Mutant(
        "none-keeps-its-copy",
        "fallback",
        "what the dependency says is not there has no copy",
        "            if value is None:\n                self._forget(key.text())\n",
        "            if value is None:\n                pass\n",
        ("test_fallback_batches.py", "none_is_definite"),
    ),
    Mutant(
        "one-no-wipes-all",
        "fallback",
        "a no to how a batch was asked wipes no copies",
        "for key in keys if forgets(error) else ():",
        "for key in keys:",
        ("test_fallback_batches.py", "wipes_nothing"),
    ),
    Mutant(
        "shorter-age-ignored",
        "fallback",
        "a batch's own bound on age holds",
        "oldest = stale if max_stale_seconds is None else min(stale, max_stale_seconds)",
        "oldest = stale",
        ("test_fallback_batches.py", "shorter_of_both"),
    ),
    Mutant(
        "shared-tier-told-once",
        "fallback",
        "the shared tier's copies do not run out while the same answers come",
        "and started - known.shared < rewrite:",
        "and True:",
        ("test_fallback_batches.py", "not_written_again_at_once"),
    ),
    Mutant(
        "one-failure-fails-all",
        "fallback",
        "what has a copy is served and the rest fails alone",
        "if not any(isinstance(outcome, Served) for outcome in outcomes):",
        "if not all(isinstance(outcome, Served) for outcome in outcomes):",
        ("test_fallback_batches.py", "fails_alone"),
    ),
)

MUTANTS: Sequence[Mutant] = (*BREAKER, *BUDGET, *FALLBACK)
