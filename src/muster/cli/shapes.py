"""Which record each command prints with `--json`, and the schemas and the page made of them.

Whoever adds a command adds a row to SHAPES; the tests of the commands hold what they print against
it. A schema stands for one command: docs/schemas/host-status.json for `muster host status`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import cast

from muster.cli import verified
from muster.cli.demo import DemoReport
from muster.cli.slmgr import records as slmgr
from muster.client import agent_results as agent
from muster.client import agent_state
from muster.client import results as client
from muster.core.records import JSON, ErrorRecord, any_of
from muster.core.values import dataclass
from muster.health.report import Diagnosis
from muster.host import results as host
from muster.manager import results as manager
from muster.net.firewall import FirewallRules
from muster.publisher import results as publisher
from muster.publisher.running import PublisherStatus
from muster.wire import agent as sockets

VERSION = 1
"""Of all shapes; a command whose shape breaks gets a higher one of its own in SHAPES."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The records that a command may print, by what was asked of it."""

    records: tuple[type, ...]
    version: int = VERSION

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(record.__name__ for record in self.records)


def _shape(*records: type) -> Shape:
    return Shape(records)


SHAPES: Mapping[str, Shape] = {
    "client activate": _shape(client.Activations, client.FailedActivations, client.RequestWritten),
    "client agent": _shape(agent_state.AgentServing),
    "client catalogue import": _shape(client.Imported),
    "client clear-domain": _shape(client.DomainSetting),
    "client clear-host": _shape(client.HostSetting),
    "client clear-publisher": _shape(client.PublisherSetting),
    "client confirm": _shape(client.Activations, client.FailedActivations),
    "client discover": _shape(client.DiscoveredHosts),
    "client facts": _shape(client.FactList),
    "client history": _shape(client.History),
    "client host-caching": _shape(client.CachingSetting),
    "client host-tls": _shape(client.TLSSetting),
    "client identity": _shape(client.IdentityList, client.IdentityChange),
    "client install-key": _shape(client.KeyChange),
    "client installation-id": _shape(client.OfflineRequest, client.CodeWritten),
    "client licence": _shape(client.LicenceText),
    "client product add": _shape(client.ProductAdded),
    "client product list": _shape(client.ProductList),
    "client product remove": _shape(client.ProductRemoved),
    "client release": _shape(client.Released),
    "client reset-clock-mark": _shape(client.ClockReset),
    "client set-domain": _shape(client.DomainSetting),
    "client set-host": _shape(client.HostSetting),
    "client set-publisher": _shape(client.PublisherSetting),
    "client status": _shape(agent.MachineStatus),
    "client uninstall-key": _shape(client.KeyChange),
    "client wait": _shape(client.Waited),
    "demo": _shape(DemoReport),
    "doctor": _shape(Diagnosis),
    "host activate": _shape(host.HostActivation, host.RequestWritten, host.InstallationIdShown),
    "host backup": _shape(host.HostBackupWritten),
    "host catalogue fetch": _shape(host.CatalogueNews),
    "host catalogue import": _shape(host.PublisherUpdate),
    "host check": _shape(host.DatabaseCheck),
    "host client-config": _shape(host.ClientConfig),
    "host clients": _shape(host.ClientList, host.MachineRemoval),
    "host firewall": _shape(FirewallRules),
    "host init": _shape(host.HostInit),
    "host install-key": _shape(host.KeyInstallation),
    "host log": _shape(host.RequestList, host.AuditList),
    "host publish-dns": _shape(host.DNSChange, host.DNSRecords),
    "host remove-key": _shape(host.KeyRemoval),
    "host remove-publisher": _shape(host.PublisherRemoval),
    "host restore": _shape(host.HostRestored),
    "host serve": _shape(host.HostServing),
    "host set": _shape(host.HostSettings, host.HostSetting, host.SettingChange),
    "host status": _shape(host.HostStatus),
    "host terms fetch": _shape(host.TermsNews),
    "host terms import": _shape(host.TermsNews),
    "manager add": _shape(manager.Discovered),
    "manager discover": _shape(manager.Discovered),
    "manager filter list": _shape(manager.FilterList),
    "manager filter remove": _shape(manager.FilterChange),
    "manager filter save": _shape(manager.FilterChange),
    "manager log": _shape(manager.AuditList),
    "manager machines": _shape(manager.MachineList),
    "manager remove": _shape(manager.Selected),
    "manager tag": _shape(manager.Selected),
    "publisher activation revoke": _shape(publisher.Revoked),
    "publisher audit export": _shape(publisher.AuditExported),
    "publisher audit list": _shape(publisher.AuditList),
    "publisher audit verify": _shape(publisher.AuditVerified),
    "publisher backup": _shape(publisher.BackupWritten),
    "publisher catalogue diff": _shape(publisher.CatalogueDifference),
    "publisher catalogue publish": _shape(publisher.CataloguePublished),
    "publisher catalogue show": _shape(publisher.CatalogueShown),
    "publisher clock confirm": _shape(publisher.ClockConfirmed),
    "publisher clock repair": _shape(publisher.ClockRepaired),
    "publisher clock show": _shape(publisher.ClockShown),
    "publisher check": _shape(publisher.DatabaseCheck),
    "publisher confirm": _shape(publisher.Confirmed),
    "publisher descriptor": _shape(publisher.DescriptorWritten),
    "publisher export": _shape(publisher.Exported),
    "publisher firewall": _shape(FirewallRules),
    "publisher host activate": _shape(publisher.HostActivated),
    "publisher host list": _shape(publisher.HostList),
    "publisher host release": _shape(publisher.Revoked),
    "publisher host revoke": _shape(publisher.Revoked),
    "publisher host terms": _shape(publisher.TermsShown),
    "publisher init": _shape(publisher.PublisherMade),
    "publisher key correct": _shape(publisher.PoolChange),
    "publisher key extend": _shape(publisher.PoolChange),
    "publisher key issue": _shape(publisher.KeysIssued),
    "publisher key limit": _shape(publisher.LimitChange),
    "publisher key list": _shape(publisher.KeyList),
    "publisher key revoke": _shape(publisher.Revoked),
    "publisher key show": _shape(publisher.KeyShown),
    "publisher product list": _shape(publisher.ProductList),
    "publisher product revoke": _shape(publisher.Revoked),
    "publisher product show": _shape(publisher.ProductShown),
    "publisher restore": _shape(publisher.Restored),
    "publisher resume": _shape(publisher.Resumed),
    "publisher serve": _shape(publisher.PublisherServing),
    "publisher status": _shape(PublisherStatus),
    "publisher trust recover": _shape(publisher.TrustSigned),
    "publisher trust rotate": _shape(publisher.TrustSigned),
    "publisher trust show": _shape(publisher.TrustList),
    "slmgr": _shape(
        client.Activations,
        client.CachingSetting,
        client.DomainSetting,
        client.FailedActivations,
        client.HostSetting,
        client.KeyChange,
        client.OfflineRequest,
        slmgr.ActivationType,
        slmgr.Expiries,
        slmgr.HostExpiries,
        slmgr.NoKeyRemoved,
        slmgr.NothingCleared,
        slmgr.ShownHost,
        slmgr.ShownProducts,
        host.HostActivation,
        host.InstallationIdShown,
        host.KeyInstallation,
        host.KeyRemoval,
        host.SettingChange,
    ),
    "verify": _shape(verified.JudgedFile, verified.ProvedFile),
}
"""By the words behind `muster`."""

ANSWERS: Mapping[str, Shape] = {
    sockets.AGENT.name: _shape(agent_state.AgentStatus),
    sockets.STATUS.name: _shape(client.StatusList),
    sockets.PRODUCT.name: _shape(client.ProductStatus),
    sockets.EVIDENCE.name: _shape(agent.Evidence),
    sockets.VERIFY.name: _shape(agent.JudgedProduct),
    sockets.ACTIVATE.name: _shape(agent.AgentActivation),
    sockets.ADD.name: _shape(client.ProductAdded),
    sockets.REMOVE.name: _shape(client.ProductRemoved),
    sockets.INSTALL_KEY.name: _shape(client.KeyChange),
    sockets.UNINSTALL_KEY.name: _shape(client.KeyChange),
    sockets.RELEASE.name: _shape(client.Released),
    sockets.SET_HOST.name: _shape(client.HostSetting),
    sockets.SET_PUBLISHER.name: _shape(client.PublisherSetting),
}
"""What the agent answers at its sockets, by the name of the route (docs/spec/14-agent.md)."""

ERROR = "error"
"""The name of the schema of what every command prints when it was refused."""


def answer_of(route: str) -> str:
    """The name of the schema of an answer of the agent."""
    return f"agent {route}"


_EVERY: Mapping[str, Shape] = {
    **SHAPES,
    **{answer_of(route): shape for route, shape in ANSWERS.items()},
}


def file_of(command: str) -> str:
    """Where the schema of a command or of an answer stands, below docs/."""
    return f"schemas/{command.replace(' ', '-')}.json"


def schema_of(command: str) -> dict[str, JSON]:
    """The JSON Schema of what a command prints, of an `answer_of` the agent, or of an `error`."""
    if command == ERROR:
        inner = any_of("error", (ErrorRecord,), VERSION)
        return {
            "$schema": inner["$schema"],
            "$id": inner["$id"],
            "title": "A refusal or fault",
            "type": "object",
            "properties": {"error": {"$ref": "#/$defs/ErrorRecord"}},
            "required": ["error"],
            "$defs": inner["$defs"],
        }
    shape = _EVERY[command]
    return any_of(command.replace(" ", "-"), shape.records, shape.version)


def schemas() -> dict[str, str]:
    """The text of each file below docs/schemas/, by its path below docs/."""
    note: dict[str, JSON] = {"$comment": "Made by docs/generate.py (make docs). Do not edit."}
    return {
        file_of(command): json.dumps(note | schema_of(command), indent=1, ensure_ascii=False) + "\n"
        for command in (ERROR, *_EVERY)
    }


def page() -> str:
    """The page docs/json.md."""
    parts = [
        "# JSON output\n\n",
        "Every command that does something takes `--json` and prints one object on standard"
        " output. The object is a record: a member for each field, always there, in any order. The"
        " shapes are published as JSON Schemas (draft 2020-12), one a command, and the tests hold"
        " what commands print against them.\n\n"
        "A schema has a version, the last part of its `$id`. Within a version members may be"
        " added, so pass over what you do not know; none is removed or changes its meaning."
        " Instants are Unix seconds, spans are seconds. Codes and states are stable, texts may be"
        " reworded.\n\n"
        'A command that is refused prints `{"error": …}`'
        f" ([schema]({file_of(ERROR)}), [codes](errors.md)); exit codes are in"
        " [the list of commands](cli.md). `changed` says whether a command that changes something"
        " changed anything.\n\n"
        "## Commands\n\n"
        "| command | schema | record |\n| --- | --- | --- |\n",
    ]
    for command in sorted(SHAPES):
        file, wing = file_of(command), _wing(command)
        names = " or ".join(_link(wing, name) for name in SHAPES[command].names)
        parts.append(
            f"| `muster {command}` | [version {SHAPES[command].version}]({file}) | {names} |\n"
        )
    parts.append(
        "\n## Answers of the agent\n\n"
        "At the [agent's sockets](spec/14-agent.md); what is refused is a problem document.\n\n"
        "| route | schema | record |\n| --- | --- | --- |\n"
    )
    for route in sockets.ROUTES:
        name, shape = answer_of(route.name), ANSWERS[route.name]
        links = " or ".join(_link(_wing(name), record) for record in shape.names)
        schema = f"[version {shape.version}]({file_of(name)})"
        parts.append(f"| `{route.method} {route.path}` | {schema} | {links} |\n")
    for wing, records in sorted(_records().items()):
        parts.append(f"\n## Records: {wing}\n")
        for name, record in sorted(records.items()):
            parts += _section(wing, name, record)
    return "".join(parts)


def _wing(command: str) -> str:
    """The word under which records of a command stand; each word has names of its own."""
    word = command.split(" ", maxsplit=1)[0]
    return "client" if word == "agent" else word  # its answers are records of the client


def _records() -> dict[str, dict[str, dict[str, JSON]]]:
    """The object of every record that is printed or is in one, by wing and name.

    Raises: TypeError where a name of a wing stands for two records.
    """
    records: dict[str, dict[str, dict[str, JSON]]] = {}
    for command in (ERROR, *_EVERY):
        known = records.setdefault(_wing(command), {})
        for name, record in cast(dict[str, dict[str, JSON]], schema_of(command)["$defs"]).items():
            if known.setdefault(name, record) != record:
                raise TypeError(f"{command} prints another {name} than a command beside it")
    return records


def _link(wing: str, name: str) -> str:
    return f"[{name}](#{wing}-{name.lower()})"


def _section(wing: str, name: str, record: dict[str, JSON]) -> Iterator[str]:
    yield f"\n### {wing} {name}\n\n{record['description']}\n\n| member | value |\n| --- | --- |\n"
    for member, value in cast(dict[str, dict[str, JSON]], record["properties"]).items():
        yield f"| `{member}` | {_words(wing, value)} |\n"


def _words(wing: str, value: dict[str, JSON]) -> str:
    """A schema in words."""
    if "anyOf" in value:
        return " or ".join(
            _words(wing, choice) for choice in cast(list[dict[str, JSON]], value["anyOf"])
        )
    if "$ref" in value:
        return _link(wing, str(value["$ref"]).rpartition("/")[2])
    if "enum" in value:
        shown = (json.dumps(choice) for choice in cast(list[JSON], value["enum"]))
        return "one of " + ", ".join(f"`{choice}`" for choice in shown)
    if value.get("type") == "array":
        return f"list of: {_words(wing, cast(dict[str, JSON], value['items']))}"
    if value.get("type") == "object":
        inner = _words(wing, cast(dict[str, JSON], value["additionalProperties"]))
        return f"object by name, of: {inner}"
    kind = str(value.get("type", "any value"))
    return f"{kind}, {value['description']}" if "description" in value else kind
