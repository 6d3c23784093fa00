"""Registering, signing in and out."""

from chaos.explore.operations.operation import FRESHNESS, Actor, Effect, Operation

PASSWORD = "explored-in-depth"  # noqa: S105 - of people who live as long as an exploration
DOMAIN = "explore.example"

_SESSION = f"accessToken accessExpiresIn refreshToken user {{ id email name role {FRESHNESS} }}"

OPERATIONS = (
    Operation(
        "register",
        f"mutation Join($input: RegisterInput!) {{ register(input: $input) {{ {_SESSION} }} }}",
        Actor.NOBODY,
        lambda scene: {
            "input": {
                "email": f"{scene.word}@{DOMAIN}",
                "password": PASSWORD,
                "name": "Nova Pessoa",
            }
        },
        effect=Effect.REGISTRATION,
    ),
    Operation(
        "login",
        f"mutation SignIn($input: LoginInput!) {{ login(input: $input) {{ {_SESSION} }} }}",
        Actor.NOBODY,
        lambda scene: {
            "input": {"email": scene.customer.email, "password": scene.customer.password}
        },
    ),
    Operation(
        "refreshToken",
        f"""mutation Renew($input: RefreshTokenInput!) {{
          refreshToken(input: $input) {{ {_SESSION} }}
        }}""",
        Actor.NOBODY,
        lambda scene: {"input": {"refreshToken": scene.customer.refresh}},
        effect=Effect.RENEWAL,
        session=True,
    ),
    Operation(
        "logout",
        "mutation SignOut($input: LogoutInput!) { logout(input: $input) }",
        Actor.NOBODY,
        lambda scene: {"input": {"refreshToken": scene.customer.refresh}},
        effect=Effect.SIGN_OUT,
        session=True,
    ),
)
