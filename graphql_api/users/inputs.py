"""What mutations of users take, and the contract's requests made of it."""

from typing import Any

import strawberry

from graphql_api.inputs import parse_id, request_of
from graphql_api.users.types import AccountType
from services.users import contract


@strawberry.input(
    description="What to change; fields that are left out stay, null clears address and picture."
)
class UpdateProfileInput:
    # Null is no name and no address, which the contract's check says with a code; Strawberry's has none.
    name: strawberry.Maybe[str | None] = strawberry.field(description="1 to 120 characters.")
    email: strawberry.Maybe[str | None] = strawberry.field(description="A new e-mail address.")
    address: strawberry.Maybe[str | None] = strawberry.field(
        description="One line, up to 200 characters."
    )
    picture_url: strawberry.Maybe[str | None] = strawberry.field(
        description="An https address, up to 500 characters."
    )

    def request(self) -> contract.UpdateProfile:
        """Raises: CodedError: INVALID_INPUT."""
        given = {
            "name": self.name,
            "email": self.email,
            "address": self.address,
            "pictureUrl": self.picture_url,
        }
        fields: dict[str, Any] = {
            name: item.value for name, item in given.items() if item is not None
        }
        return request_of(contract.UpdateProfile, fields)


@strawberry.input(description="Where other banks send money to.")
class UpdateBankingDetailsInput:
    agency: str = strawberry.field(
        description="Four digits, with a check digit where there is one: 0001 or 0001-9."
    )
    account_number: str = strawberry.field(
        description="4 to 12 digits, a hyphen and the check digit: 123456-7."
    )
    account_type: AccountType = strawberry.field(description="Kind of account.")

    def request(self) -> contract.UpdateBankingDetails:
        """Raises: CodedError: INVALID_INPUT."""
        details = {
            "agency": self.agency,
            "accountNumber": self.account_number,
            "accountType": self.account_type.value,
        }
        return request_of(contract.UpdateBankingDetails, {"bankingDetails": details})


@strawberry.input(description="Whether a user can sign in and move money.")
class SetUserActiveInput:
    user_id: strawberry.ID = strawberry.field(description="Id of the user.")
    active: bool = strawberry.field(description="False ends the user's sessions.")

    def request(self) -> contract.SetUserActive:
        """Raises: CodedError: INVALID_INPUT."""
        return contract.SetUserActive(user_id=parse_id(self.user_id, "userId"), active=self.active)
