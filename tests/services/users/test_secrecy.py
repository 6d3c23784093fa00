"""Nothing personal and nothing secret in logs, metrics, problems and documents."""

import io
import json

import pytest

from chassis import logs
from chassis.errors import CodedError
from services.users.contract import (
    LOGIN,
    REFRESH,
    REGISTER,
    UPDATE_BANKING_DETAILS,
    UPDATE_PROFILE,
    AccountType,
    BankingDetails,
    Login,
    Refresh,
    Register,
    UpdateBankingDetails,
    UpdateProfile,
)
from tests.services.users.running import Users

EMAIL = "sentinel.mail@example.com"
NAME = "Sentinel Name"
ADDRESS = "Sentinel Street 1"
SECRET = "sentinel-password-1"
AGENCY, NUMBER = "9876", "135792468-0"


async def test_sentinels_do_not_leak(users: Users) -> None:
    """A journey with right and wrong steps leaves no name, address, password or token outside."""
    stream = io.StringIO()
    logs.configure("users", "DEBUG", stream)
    seen: list[str] = []
    ana = await users.call(REGISTER, Register(email=EMAIL, password=SECRET, name=NAME))
    token = ana.access_token
    details = BankingDetails(
        agency=AGENCY, account_number=NUMBER, account_type=AccountType.CHECKING
    )
    await users.call(UPDATE_PROFILE, UpdateProfile(address=ADDRESS), token=token)
    banking = UpdateBankingDetails(banking_details=details)
    await users.call(UPDATE_BANKING_DETAILS, banking, token=token)
    bento = await users.register("bento@example.com", "Bento")
    used = await users.call(REFRESH, Refresh(refresh_token=ana.refresh_token))
    again = await users.call(REFRESH, Refresh(refresh_token=used.refresh_token))
    wrong = (
        (REGISTER, Register(email=EMAIL, password=SECRET, name=NAME), None),
        (LOGIN, Login(email=EMAIL, password=SECRET + "x"), None),
        (REFRESH, Refresh(refresh_token=ana.refresh_token), None),
        (REFRESH, Refresh(refresh_token=again.refresh_token), None),
        (UPDATE_PROFILE, UpdateProfile(email=EMAIL), bento.access_token),
        (UPDATE_BANKING_DETAILS, banking, bento.access_token),
    )
    for operation, request, as_user in wrong:
        with pytest.raises(CodedError) as caught:
            await users.call(operation, request, token=as_user)
        seen.append(f"{caught.value} {caught.value.detail} {caught.value.field}")
    for path in ("/metrics", "/health/ready", "/openapi.json"):
        async with users.session.get(users.url + path) as response:
            seen.append(await response.text())
    seen.append(stream.getvalue())

    everything = "\n".join(seen)
    assert '"event":"session ended"' in everything, "the log was captured"
    for sentinel in (
        EMAIL,
        "sentinel.mail",
        NAME,
        ADDRESS,
        SECRET,
        NUMBER,
        ana.refresh_token,
        ana.refresh_token[4:24],
        used.refresh_token,
        again.refresh_token,
        token,
        "argon2",
    ):
        assert sentinel not in everything, sentinel


async def test_events_carry_no_contact_data(users: Users) -> None:
    """What goes over the bus names users, and neither mail, address nor password."""
    await users.call(REGISTER, Register(email=EMAIL, password=SECRET, name=NAME, address=ADDRESS))
    from tests.waiting import eventually

    await eventually(lambda: bool(users.bus.events))
    sent = json.dumps([bytes(event.data).decode() for event in users.bus.events])
    assert NAME in sent
    for sentinel in (EMAIL, ADDRESS, SECRET):
        assert sentinel not in sent
