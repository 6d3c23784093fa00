"""The grammar of scenarios: shapes that read YAML and describe themselves as JSON Schema.

A shape is derived from a frozen dataclass and its annotations, so that what is read, what an editor
offers and what a message allows cannot differ:

    @dataclass(frozen=True, kw_only=True)
    class Abort:
        errors: Annotated[float, SHARE, "Stop when so many answers keep no promise …"]
        for_: Annotated[float, DURATION, "… for so long."] = 3.0

A field `at_least` is the key `at least`; `for_` is `for`.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, Protocol, TypeVar

import yaml

from chaos.grammar.problems import Problem, unknown
from chaos.grammar.scalars import COUNT, TEXT, TIMES, Scalar

MAX_ITEMS: Final = 64
"""Of a list: a scenario is read aloud."""

T = TypeVar("T")


class Wrong(Exception):
    """Something could not be read: all that is wrong with it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__()
        self.problems = problems


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """The file that is being read."""

    name: str

    def wrong(self, node: yaml.Node, what: str) -> Wrong:
        """A mistake at `node`."""
        mark = node.start_mark
        return Wrong(Problem(self.name, mark.line + 1, mark.column + 1, what))


class Shape(Protocol):
    """What may stand at a place."""

    def read(self, source: Source, node: yaml.Node) -> Any:
        """The value. Raises `Wrong`."""

    def schema(self) -> dict[str, Any]:
        """For JSON Schema."""


@dataclasses.dataclass(frozen=True, slots=True)
class One:
    """A single value."""

    scalar: Scalar[Any]

    def read(self, source: Source, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise source.wrong(node, f"here must stand {self.scalar.wanted}")
        try:
            return self.scalar.read(node.value)
        except ValueError as error:
            raise source.wrong(node, str(error)) from None

    def schema(self) -> dict[str, Any]:
        return self.scalar.schema()


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    kind: str
    words: tuple[str, ...]

    def read(self, source: Source, node: yaml.Node) -> str:
        given = node.value if isinstance(node, yaml.ScalarNode) else "…"
        if given not in self.words:
            raise source.wrong(node, unknown(self.kind, given, self.words))
        return str(given)

    def schema(self) -> dict[str, Any]:
        return {"title": " ".join((self.kind, *self.words[:1])), "enum": list(self.words)}


@dataclasses.dataclass(frozen=True, slots=True)
class Truth:
    """`true` or `false`."""

    def read(self, source: Source, node: yaml.Node) -> bool:
        if not isinstance(node, yaml.ScalarNode) or node.value not in {"true", "false"}:
            raise source.wrong(node, "here must stand `true` or `false`")
        return bool(node.value == "true")

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclasses.dataclass(frozen=True, slots=True)
class Several:
    """A list; a single item may stand without its brackets."""

    item: Shape

    def read(self, source: Source, node: yaml.Node) -> tuple[Any, ...]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if len(nodes) > MAX_ITEMS:
            raise source.wrong(node, f"has {len(nodes)} items; {MAX_ITEMS} at most")
        return tuple(gather([partial(self.item.read, source, one) for one in nodes]))

    def schema(self) -> dict[str, Any]:
        item = self.item.schema()
        return {"anyOf": [{"type": "array", "items": item, "maxItems": MAX_ITEMS}, item]}


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Names, each with a value; of the author's own, unless `names` says which there are."""

    value: Shape
    names: Choice | None = None

    def read(self, source: Source, node: yaml.Node) -> dict[str, Any]:
        pairs = entries(source, node)
        known = [] if self.names is None else [self.names]
        keys = [partial(shape.read, source, key) for shape in known for key, _ in pairs.values()]
        values = [partial(self.value.read, source, value) for _, value in pairs.values()]
        return dict(zip(pairs, gather([*keys, *values])[len(keys) :], strict=True))

    def schema(self) -> dict[str, Any]:
        names = {"propertyNames": self.names.schema()} if self.names else {}
        return {"type": "object", "additionalProperties": self.value.schema(), **names}


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A key of a record."""

    key: str
    field: str
    shape: Shape
    required: bool
    about: str


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """A mapping with known keys, which becomes a dataclass.

    `shorthand` names the key whose value may stand alone in place of the mapping.
    """

    of: type[Any]
    shorthand: str | None = None

    def read(self, source: Source, node: yaml.Node) -> Any:
        return self.build(source, node, {})

    def build(self, source: Source, node: yaml.Node, given: Mapping[str, Any]) -> Any:
        """Read the mapping; `given` are fields that it does not say itself."""
        if self.shorthand and not isinstance(node, yaml.MappingNode):
            member = next(m for m in members(self.of) if m.key == self.shorthand)
            values = {member.field: member.shape.read(source, node)}
        else:
            values = read_members(source, node, members(self.of), _words(self.of))
        try:
            return self.of(**values, **given)
        except ValueError as error:
            raise source.wrong(node, str(error)) from None

    def schema(self) -> dict[str, Any]:
        mapping = members_schema(members(self.of))
        if self.shorthand is None:
            return mapping
        member = next(m for m in members(self.of) if m.key == self.shorthand)
        return {"anyOf": [member.shape.schema(), mapping]}


def read_members(
    source: Source, node: yaml.Node, known: Sequence[Member], what: str
) -> dict[str, Any]:
    """The values of a mapping by field name. Raises `Wrong` with everything that is wrong in it."""
    pairs = entries(source, node)
    by_key = {member.key: member for member in known}
    problems: list[Problem] = []
    for key, (key_node, _) in pairs.items():
        if key not in by_key:
            said = unknown(f"key of {what}", key, by_key)
            problems += source.wrong(key_node, said).problems
    values: dict[str, Any] = {}
    for key, member in by_key.items():
        if key in pairs:
            try:
                values[member.field] = member.shape.read(source, pairs[key][1])
            except Wrong as wrong:
                problems += wrong.problems
        elif member.required:
            said = f"{what} needs {key!r}: {member.about}"
            problems += source.wrong(node, said).problems
    if problems:
        raise Wrong(*problems)
    return values


def members_schema(known: Sequence[Member]) -> dict[str, Any]:
    """A mapping with these keys, for JSON Schema."""
    return {
        "type": "object",
        "properties": {m.key: m.shape.schema() | {"description": m.about} for m in known},
        "required": [m.key for m in known if m.required],
        "additionalProperties": False,
    }


def entries(source: Source, node: yaml.Node) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """The pairs of a mapping by key, each once."""
    if not isinstance(node, yaml.MappingNode):
        raise source.wrong(node, "here must stand a mapping (`key: value`)")
    if len(node.value) > MAX_ITEMS:
        raise source.wrong(node, f"has {len(node.value)} keys; {MAX_ITEMS} at most")
    found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise source.wrong(key, "a key is a single word or a few")
        if key.value in found:
            raise source.wrong(key, f"{key.value!r} is said twice")
        found[key.value] = (key, value)
    return found


def gather(reads: Sequence[Callable[[], T]]) -> list[T]:
    """All values; raises `Wrong` with the mistakes of all."""
    values: list[T] = []
    problems: list[Problem] = []
    for read in reads:
        try:
            values.append(read())
        except Wrong as wrong:
            problems += wrong.problems
    if problems:
        raise Wrong(*problems)
    return values


def members(of: type[Any]) -> tuple[Member, ...]:
    """The keys of a dataclass: every field with an annotation that says what it is for."""
    hints = typing.get_type_hints(of, include_extras=True)
    found = []
    for field in dataclasses.fields(of):
        hint = hints[field.name]
        about = next((m for m in getattr(hint, "__metadata__", ()) if isinstance(m, str)), None)
        if about is None:
            continue  # set by the program, not by the author
        key = field.name.rstrip("_").replace("_", " ")
        no_default = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        found.append(Member(key, field.name, shape_of(hint, key), no_default, about))
    return tuple(found)


def shape_of(hint: Any, key: str = "value") -> Shape:
    """The shape of an annotation. What is annotated with a `Scalar` or a shape is that."""
    extras = getattr(hint, "__metadata__", ())
    inner = hint.__origin__ if extras else hint
    told = next((extra for extra in extras if not isinstance(extra, str)), None)
    leaf = One(told) if isinstance(told, Scalar) else told
    return _shape(inner, leaf, key)


def _shape(hint: Any, leaf: Shape | None, key: str) -> Shape:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        (rest,) = (one for one in arguments if one is not types.NoneType)
        return _shape(rest, leaf, key)
    if origin is tuple:
        return Several(_shape(arguments[0], leaf, key))
    if origin in (dict, Mapping):
        if isinstance(leaf, Table):
            return leaf
        return Table(_shape(arguments[1], leaf, key))
    if leaf is not None:
        return leaf
    if origin is Literal:
        return Choice(key, arguments)
    if dataclasses.is_dataclass(hint):
        return Record(typing.cast("type[Any]", hint))
    return _PLAIN[hint]


_PLAIN: Final[Mapping[Any, Shape]] = {
    str: One(TEXT),
    int: One(COUNT),
    float: One(TIMES),
    bool: Truth(),
}


def _words(of: type[Any]) -> str:
    """`a Platform` → `platform`; for messages."""
    return str(getattr(of, "name", None) or of.__name__.lower())
