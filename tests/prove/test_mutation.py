"""The mutation proofs' own parts: what is run, and the list of equivalent mutants."""

from tests.prove import mutation
from tests.prove.ledger_of_proofs import ROOT
from tests.prove.mutation import EQUIVALENT, TARGETS, equivalent, imported_by


def test_every_line_of_the_list_names_a_mutant_and_argues() -> None:
    """Four fields, a module that is mutated, a change, an argument in words, and no line twice."""
    lines = [line for line in EQUIVALENT.read_text().splitlines() if not line.startswith("#")]
    known = equivalent()
    assert len(known) == len(lines)
    for mutant, argument in known.items():
        assert mutant.module in {target.module for target in TARGETS}
        assert " => " in mutant.change
        assert len(argument.split()) >= 3


def test_each_proof_is_about_files_that_exist() -> None:
    """A result that hashed a file of another name would never become stale."""
    for target in TARGETS:
        assert [source for source in target.sources if not (ROOT / source).is_file()] == []
        assert f"resilience/{target.module}.py" in target.sources


def test_a_change_in_what_a_module_uses_makes_its_result_stale() -> None:
    """Imports are followed, however indirect they are."""
    assert {"breaker", "breaker_states", "window", "pipeline"} & set(imported_by("breaker")) == {
        "breaker",
        "breaker_states",
        "window",
    }


def test_a_mutants_name_tells_its_function() -> None:
    """mutmut's mangled names are read back, for methods and for functions."""
    method = "resilience.breaker.xǁCircuitBreakerǁ_change__mutmut_12"
    assert mutation._function(method) == "CircuitBreaker._change"
    assert mutation._function("resilience.breaker.x__window_of__mutmut_1") == "_window_of"
