"""The modules of a program: what each of their global names stands for."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wattle_tools.errors import ImageError
from wattle_tools.image.linker import scopes


class LinkError(ImageError):
    """Something in the sources that the linker does not understand; names file and line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "mend the source, or take the firmware that came with this tool")


@dataclass(frozen=True)
class Global:
    """A global name of one of our modules."""

    module: str
    name: str

    @property
    def text(self) -> str:
        """As it stands in the linked tree until short names are given."""
        return f"{self.module}:{self.name}"


@dataclass(frozen=True)
class Ours:
    """One of our modules."""

    module: str


@dataclass(frozen=True)
class Foreign:
    """A module of MicroPython (`name` is empty) or a name imported from it."""

    module: str
    name: str = ""

    @property
    def text(self) -> str:
        """As it stands in the linked tree."""
        return f"={self.module}.{self.name}" if self.name else f"={self.module}"


Meaning = Global | Ours | Foreign


@dataclass
class Module:
    """A stripped source; `meanings`: what its global names are; `imports`: ours, in order."""

    name: str
    path: Path
    tree: ast.Module
    meanings: dict[str, Meaning] = field(default_factory=dict)
    imports: list[str] = field(default_factory=list)

    def error(self, node: ast.AST, what: str) -> LinkError:
        """What the linker refuses, with its place."""
        return LinkError(f"{self.path}:{getattr(node, 'lineno', 0)}: {what}")


class Program:
    """Modules by name, each with the meaning of its names."""

    def __init__(self, modules: Mapping[str, Module]) -> None:
        """Raises LinkError for an import that names nothing."""
        self.modules = modules
        for module in modules.values():
            for name in scopes.bound_in(module.tree.body):
                module.meanings[name] = Global(module.name, name)
        for module in modules.values():
            for node in scopes.own_nodes(module.tree.body):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    module.meanings |= self.imported(module, node)
                    module.imports += self._needed(node)

    def imported(self, module: Module, node: ast.Import | ast.ImportFrom) -> dict[str, Meaning]:
        """What the names that an import binds stand for. Raises LinkError."""
        found: dict[str, Meaning] = {}
        for alias in node.names:
            if isinstance(node, ast.Import):
                if "." in alias.name:
                    raise module.error(node, f"import {alias.name}: expected a name without dots")
                ours = alias.name in self.modules
                meaning: Meaning = Ours(alias.name) if ours else Foreign(alias.name)
            else:
                if node.level or node.module is None or alias.name == "*":
                    raise module.error(node, "an import that names no module, or everything")
                meaning = self._member(module, node, node.module, alias.name)
            found[alias.asname or alias.name] = meaning
        return found

    def member(self, module: str, name: str) -> Meaning | None:
        """What `name` in one of our modules is, followed through imports; None: no such name."""
        if f"{module}.{name}" in self.modules:
            return Ours(f"{module}.{name}")
        meaning = self.modules[module].meanings.get(name)
        if isinstance(meaning, Global) and (meaning.module, meaning.name) != (module, name):
            return self.member(meaning.module, meaning.name)
        return meaning

    def order(self, entry: str) -> list[Module]:
        """The modules in the order in which importing `entry` would run them."""
        done: dict[str, Module] = {}
        entered: set[str] = set()

        def visit(name: str) -> None:
            if name not in entered:
                entered.add(name)
                for needed in self.modules[name].imports:
                    visit(needed)
                done[name] = self.modules[name]

        visit(entry)
        for name in sorted(self.modules):  # those that a function imports, last
            visit(name)
        return list(done.values())

    def _member(
        self, module: Module, node: ast.ImportFrom, source: str, name: str
    ) -> Global | Ours | Foreign:
        if source not in self.modules:
            if source.partition(".")[0] in self.modules:
                raise module.error(node, f"there is no module {source}")
            return Foreign(source, name)
        found = self.member(source, name)
        if found is None:
            raise module.error(node, f"{source} has no {name}")
        return found

    def _needed(self, node: ast.Import | ast.ImportFrom) -> list[str]:
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names if alias.name in self.modules]
        source = node.module or ""
        inside = [f"{source}.{alias.name}" for alias in node.names]
        return [name for name in (source, *inside) if name in self.modules]
