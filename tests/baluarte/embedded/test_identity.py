"""Under which user the embedded servers run."""

import os
import pwd
from pathlib import Path

import pytest

from baluarte.embedded.identity import Identity, has_a_name, server_identity
from baluarte.supervisor.plan import Options, make_plan
from baluarte.up import first_start_problems

NAMELESS = 54_321


def users(*named: tuple[str, int]) -> dict[str, pwd.struct_passwd]:
    return {
        name: pwd.struct_passwd((name, "x", uid, uid + 1, "", "/", "/bin/sh"))
        for name, uid in named
    }


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> dict[str, pwd.struct_passwd]:
    """The user database; a test fills it in."""
    entries: dict[str, pwd.struct_passwd] = {}

    def by_uid(uid: int) -> pwd.struct_passwd:
        return {entry.pw_uid: entry for entry in entries.values()}[uid]

    monkeypatch.setattr(pwd, "getpwnam", entries.__getitem__)
    monkeypatch.setattr(pwd, "getpwuid", by_uid)
    monkeypatch.setattr(pwd, "getpwall", lambda: list(entries.values()))
    return entries


def test_who_is_not_root_stays_who_they_are() -> None:
    """No switch of users where we have no right to one."""
    assert server_identity(1000) is None


@pytest.mark.parametrize(
    ("named", "chosen"),
    [
        ([("root", 0), ("daemon", 1), ("nobody", 65534), ("postgres", 70)], 70),
        ([("root", 0), ("daemon", 1), ("nobody", 65534)], 65534),
        ([("root", 0), ("daemon", 1)], 1),
        ([("postgres", 0), ("nobody", 65534)], 65534),
    ],
)
def test_root_hands_over_to_a_user_with_a_name(
    directory: dict[str, pwd.struct_passwd], named: list[tuple[str, int]], chosen: int
) -> None:
    """postgres, else nobody, else anybody but root: initdb refuses a user that it cannot name."""
    directory.update(users(*named))
    identity = server_identity(0)
    assert identity == Identity(chosen, chosen + 1)
    assert has_a_name(identity)


def test_a_user_without_a_name_is_told_before_anything_starts(
    directory: dict[str, pwd.struct_passwd], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container with a bare number for a user learns why, once, and what to do."""
    monkeypatch.setattr(os, "geteuid", lambda: NAMELESS)
    plan = make_plan(Options(tmp_path / "state"), {}, port_is_free=lambda _: True)
    (problem,) = first_start_problems(plan, fresh=False)
    assert problem.code == "USER_WITHOUT_NAME"
    assert str(NAMELESS) in problem.what


def test_a_name_is_needed_only_for_new_data(
    directory: dict[str, pwd.struct_passwd], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data that are there need no initdb, unless they are to be forgotten; nor does a server outside."""
    monkeypatch.setattr(os, "geteuid", lambda: NAMELESS)
    (tmp_path / "state" / "postgres" / "data").mkdir(parents=True)
    options = Options(tmp_path / "state")
    plan = make_plan(options, {}, port_is_free=lambda _: True)
    assert first_start_problems(plan, fresh=False) == []
    assert len(first_start_problems(plan, fresh=True)) == 1
    outside = {"BALUARTE_DATABASE_URL": "postgresql://db.example/postgres"}
    plan = make_plan(options, outside, port_is_free=lambda _: True)
    assert first_start_problems(plan, fresh=True) == []
