"""Being signed in: what docs/identity.md promises a client that loses answers, and asks of it."""

from pathlib import Path

from loadtests.documents import OVERVIEW
from loadtests.journeys import JOURNEYS
from loadtests.limits import REFRESH_GRACE_SECONDS
from loadtests.sessions import look, renew
from loadtests.visit import Visit
from tests.loadtests.scripted import LOST, Scene, refused, said, session

ME = said(data={"me": {"id": "user-0"}})


def fields(scene: Scene) -> list[str]:
    return [field for field, *_ in scene.wire.asked]


def refreshed(scene: Scene) -> list[str]:
    return [
        given["input"]["refreshToken"]
        for name, given, _ in scene.wire.asked
        if name == "refreshToken"
    ]


def visit(scene: Scene) -> Visit:
    return Visit(scene.load, scene.person, "refresh", 0.0)


def test_the_same_refresh_token_is_sent_again_when_its_answer_is_lost(tmp_path: Path) -> None:
    """A lost answer and an unknown outcome are no reason to sign in, and no theft."""
    unknown = refused("OUTCOME_UNKNOWN", "refreshToken", retryable=True)
    scene = Scene(tmp_path, LOST, unknown, session(1))

    JOURNEYS["refresh"].run(visit(scene))

    assert refreshed(scene) == ["refresh-0"] * 3
    assert scene.person.session.refresh == "refresh-1"
    assert [sample.attempt for sample in scene.samples] == [1, 2, 3]


def test_the_next_refresh_uses_the_successor(tmp_path: Path) -> None:
    """A token is used once."""
    scene = Scene(tmp_path, session(1), session(2))
    renew(visit(scene), scene.person.session)
    renew(visit(scene), scene.person.session)
    assert refreshed(scene) == ["refresh-0", "refresh-1"]


def test_a_token_that_is_refused_leads_to_signing_in(tmp_path: Path) -> None:
    """`REFRESH_TOKEN_REUSED` ends the session; a person signs in again."""
    scene = Scene(tmp_path, refused("REFRESH_TOKEN_REUSED", "refreshToken"), session(1, "login"))
    assert renew(visit(scene), scene.person.session)
    assert fields(scene) == ["refreshToken", "login"]
    assert scene.person.session.access == "access-1"


def test_a_token_is_not_sent_again_when_it_would_look_like_theft(tmp_path: Path) -> None:
    """After the grace that the platform gives, the same token would end the session: sign in instead."""
    slow = refused(
        "UNAVAILABLE", "refreshToken", retryable=True, retryAfterSeconds=REFRESH_GRACE_SECONDS / 5
    )
    scene = Scene(tmp_path, *[slow] * 6, session(1, "login"))
    assert renew(visit(scene), scene.person.session)
    assert fields(scene) == ["refreshToken"] * 6 + ["login"]


def test_who_was_renewed_meanwhile_is_not_renewed_again(tmp_path: Path) -> None:
    """Two that refresh one session at once would end it: the second takes what the first got."""
    scene = Scene(tmp_path)
    tokens = scene.person.session
    tokens.renewing.acquire()

    class Late:
        """Renewed by another while we waited for our turn."""

        def __enter__(self) -> None:
            tokens.access = "access-9"

        def __exit__(self, *_: object) -> None:
            """Nothing to release."""

    tokens.renewing = Late()

    assert renew(visit(scene), tokens)
    assert scene.wire.asked == []


def test_a_reader_who_is_signed_out_reads_after_all(tmp_path: Path) -> None:
    """An expired access token costs a refresh and a second attempt."""
    scene = Scene(tmp_path, refused("TOKEN_EXPIRED", "me"), session(1), ME)
    told = look(visit(scene), OVERVIEW)
    assert told.node == {"id": "user-0"}
    assert [sample.step for sample in scene.samples] == ["me", "refreshToken", "me"]


def test_an_unknown_registration_is_told_by_signing_in(tmp_path: Path) -> None:
    """Signing in with the same credentials says whether the registration was carried out."""
    unknown = refused("OUTCOME_UNKNOWN", "register")
    scene = Scene(tmp_path, unknown, refused("INVALID_CREDENTIALS", "login"))

    JOURNEYS["register"].run(visit(scene))

    register, login = (given["input"] for _, given, _ in scene.wire.asked)
    assert fields(scene) == ["register", "login"]
    assert (login["email"], login["password"]) == (register["email"], register["password"])
    assert scene.person.session.email == "a@example.com"
