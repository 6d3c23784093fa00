"""What mutations of sessions take, and the contract's requests made of it."""

import strawberry

from graphql_api.inputs import request_of
from services.users import contract


@strawberry.input(description="A new customer.")
class RegisterInput:
    email: str = strawberry.field(description="E-mail address; unique regardless of case.")
    password: str = strawberry.field(description="10 to 128 characters.")
    name: str = strawberry.field(description="1 to 120 characters; counterparties see it.")
    address: str | None = strawberry.field(
        default=None, description="One line, up to 200 characters."
    )
    picture_url: str | None = strawberry.field(
        default=None, description="An https address, up to 500 characters."
    )

    def request(self) -> contract.Register:
        """Raises: CodedError: INVALID_INPUT."""
        return request_of(
            contract.Register,
            {
                "email": self.email,
                "password": self.password,
                "name": self.name,
                "address": self.address,
                "pictureUrl": self.picture_url,
            },
        )


@strawberry.input(description="Credentials.")
class LoginInput:
    email: str = strawberry.field(description="E-mail address, in any case.")
    password: str = strawberry.field(description="The password.")

    def request(self) -> contract.Login:
        """Raises: CodedError: INVALID_INPUT."""
        return request_of(contract.Login, {"email": self.email, "password": self.password})


@strawberry.input(description="The right to new tokens.")
class RefreshTokenInput:
    refresh_token: str = strawberry.field(description="As the last `Session` told it.")

    def request(self) -> contract.Refresh:
        """Raises: CodedError: INVALID_INPUT."""
        return request_of(contract.Refresh, {"refreshToken": self.refresh_token})


@strawberry.input(description="The session to end.")
class LogoutInput:
    refresh_token: str = strawberry.field(description="As the last `Session` told it.")

    def request(self) -> contract.Logout:
        """Raises: CodedError: INVALID_INPUT."""
        return request_of(contract.Logout, {"refreshToken": self.refresh_token})
