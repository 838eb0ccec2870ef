"""The one table of settings: names, types, defaults, bounds, environment names and help.

Decides which settings exist and what values they may have. Refuses to know where values come
from: `muster.system.config` joins file, environment and flags by this table. docs/settings.md,
the template of the settings file and `--help` are generated from it.

In the TOML file the settings of all roles are at the top, those of one role in its section
(`[host]`, `[client]`, `[publisher]`). Periods are whole seconds.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterator

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.text import shown_url
from muster.core.values import dataclass

Value = int | bool | str | tuple[str, ...]
"""What a setting can be: integer, boolean, text (all other types), or several texts."""


class Role(enum.StrEnum):
    """Who reads a setting."""

    COMMON = "common"
    HOST = "host"
    CLIENT = "client"
    PUBLISHER = "publisher"
    MANAGER = "manager"


class Type(enum.Enum):
    """What a value must be; the text is what messages and docs/settings.md say."""

    INTEGER = "a whole number"
    BOOLEAN = "true or false"
    CHOICE = "one of the words"
    PATH = "a path of a file or folder"
    URL = "an http or https address"
    ADDRESS = "an IP address"
    HOST = "name, name:port, IPv4:port or [IPv6]:port"
    NAMESERVER = "an IP address, with :port if it is not 53"
    DOMAIN = "a domain name in ASCII"
    DATABASE = "an address such as postgresql://user@host/name"
    NETWORK = "an IP network such as 10.0.0.0/8"
    PRINCIPAL = "a Kerberos principal such as host/kms1.corp.example@CORP.EXAMPLE"
    LISTEN = "off, or IPv4:port or [IPv6]:port"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table.

    `name` as in the TOML file; `unit` of integers, such as "s"; `minimum` and `maximum` of
    integers, inclusive; `choices` of words; `many`: a list of values of `type`. An empty text or
    list means "not set", and `help` says what happens then. Above `warn_above` a value is taken
    with the warning `warning`.
    """

    name: str
    role: Role
    type: Type
    default: Value
    help: str
    unit: str = ""
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    many: bool = False
    warn_above: int | None = None
    warning: str = ""

    @property
    def env(self) -> str:
        """The environment variable, such as `MUSTER_HOST_PORT`."""
        role = "" if self.role is Role.COMMON else f"{self.role.value.upper()}_"
        return f"MUSTER_{role}{self.name.upper()}"

    @property
    def flag(self) -> str:
        """The flag of commands, such as `--retry-interval`."""
        return "--" + self.name.replace("_", "-")

    @property
    def full_name(self) -> str:
        """`role.name`, or the bare name of a setting of all roles."""
        return self.name if self.role is Role.COMMON else f"{self.role.value}.{self.name}"

    @property
    def wanted(self) -> str:
        """What a value must be, in words."""
        text = self.type.value
        if self.type is Type.CHOICE:
            text = "one of " + ", ".join(self.choices)
        if self.minimum is not None and self.maximum is not None:
            text += f" from {self.minimum} to {self.maximum}"
        return f"a list; each {text}" if self.many else text


PORT = 16880
"""The TCP port of hosts for machines; not 1688, so that a KMS host can live on the same machine."""
PUBLISHER_PORT = 16882
"""The TCP port of an activation server."""
HOST_OPERATION = "127.0.0.1:16881"
"""Where a host tells its administrators how it is."""
PUBLISHER_OPERATION = "127.0.0.1:16884"
"""Where an activation server tells its administrators how it is; 16883 is another program's."""

_TLS_CERTIFICATE = (
    "PEM file with the certificate for TLS and its intermediates. Not set: plain HTTP. A "
    "renewed file is picked up without a restart."
)
_TLS_KEY = "PEM file with the private key of `tls_certificate`, not encrypted. Not set: plain HTTP."
_TRUSTED_PROXIES = (
    "Proxies whose X-Forwarded-For or Forwarded is trusted. Not set: no header is trusted, and "
    "requests from this machine itself are not limited by source."
)
_OPERATION = (
    "Where /healthz, /readyz and /metrics are answered, without a login; port 0 chooses any "
    "free one. If it cannot listen there, the server logs that and runs without it."
)

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "store",
        Role.COMMON,
        Type.PATH,
        "",
        "Folder of the store. Not set: the system's store, or the user's if there is no system "
        "store.",
    ),
    Setting(
        "log_format",
        Role.COMMON,
        Type.CHOICE,
        "text",
        "Form of log lines.",
        choices=("text", "json"),
    ),
    Setting(
        "log_level",
        Role.COMMON,
        Type.CHOICE,
        "info",
        "Lowest level of log lines to write.",
        choices=("debug", "info", "warning", "error"),
    ),
    Setting(
        "ca_file",
        Role.COMMON,
        Type.PATH,
        "",
        "PEM file with certificates of certificate authorities to trust for TLS in addition to "
        "the system's: a private one, or that of a proxy that inspects TLS. Not set: the "
        "system's only.",
    ),
    Setting(
        "port",
        Role.HOST,
        Type.INTEGER,
        PORT,
        "Port for machines; it is published in DNS, where clients find it. 0 chooses any free "
        "port.",
        minimum=0,
        maximum=65535,
    ),
    Setting(
        "bind",
        Role.HOST,
        Type.ADDRESS,
        "0.0.0.0",  # noqa: S104  # machines of the whole network ask; allowed_networks narrows it
        "Address to listen on for machines; `::` serves IPv6 and IPv4.",
    ),
    Setting(
        "news_interval",
        Role.HOST,
        Type.INTEGER,
        86_400,
        "How often a running host asks the publishers whose address it knows for catalogue, trust "
        "and terms. 0: never.",
        unit="s",
        minimum=0,
        maximum=2_592_000,
    ),
    Setting(
        "retry_interval",
        Role.HOST,
        Type.INTEGER,
        7200,
        "After this long a machine that is not licensed asks again (activation interval). "
        "Above 4 hours it applies only to machines that have had a lease.",
        unit="s",
        minimum=900,
        maximum=2_592_000,
    ),
    Setting(
        "renewal_interval",
        Role.HOST,
        Type.INTEGER,
        604_800,
        "After this long a licensed machine renews its lease.",
        unit="s",
        minimum=900,
        maximum=2_592_000,
        warn_above=1_296_000,
        warning="Above 15 days a machine that misses one renewal drops out of the 30-day "
        "count, so the count fluctuates.",
    ),
    Setting(
        "publish_dns",
        Role.HOST,
        Type.BOOLEAN,
        True,
        "Whether the host writes its SRV records by dynamic update, at start and daily.",
    ),
    Setting(
        "dns_domains",
        Role.HOST,
        Type.DOMAIN,
        (),
        "Domains in which the host publishes its records. Not set: the domain of its own name.",
        many=True,
    ),
    Setting(
        "dns_zone",
        Role.HOST,
        Type.DOMAIN,
        "",
        "Zone to update. Not set: each domain is a zone of its own.",
    ),
    Setting(
        "dns_target",
        Role.HOST,
        Type.DOMAIN,
        "",
        "Name that the records point to. Not set: the host's full name.",
    ),
    Setting(
        "dns_priority",
        Role.HOST,
        Type.INTEGER,
        0,
        "Priority in the SRV records; clients try the lowest first.",
        minimum=0,
        maximum=65535,
    ),
    Setting(
        "dns_weight",
        Role.HOST,
        Type.INTEGER,
        0,
        "Weight in the SRV records; it shares the load among hosts of the same priority.",
        minimum=0,
        maximum=65535,
    ),
    Setting(
        "dns_ttl",
        Role.HOST,
        Type.INTEGER,
        3600,
        "Time to live of the records.",
        unit="s",
        minimum=30,
        maximum=604_800,
    ),
    Setting(
        "dns_server",
        Role.HOST,
        Type.NAMESERVER,
        "",
        "Server that accepts the updates. Not set: the primary server of the zone.",
    ),
    Setting(
        "tsig_key_file",
        Role.HOST,
        Type.PATH,
        "",
        "File with the TSIG key that signs updates, as `tsig-keygen` writes it. Not set: updates"
        " are not signed.",
    ),
    Setting(
        "dns_keytab",
        Role.HOST,
        Type.PATH,
        "",
        "Keytab with a Kerberos key, for servers that take updates signed by GSS-TSIG, as Active"
        " Directory's do. Not set: updates are signed by the TSIG key.",
    ),
    Setting(
        "dns_principal",
        Role.HOST,
        Type.PRINCIPAL,
        "",
        "Kerberos principal that signs updates. Not set: the first one of the keytab.",
    ),
    Setting(
        "withdraw_dns",
        Role.HOST,
        Type.BOOLEAN,
        False,
        "Whether the host removes its records when it stops.",
    ),
    Setting(
        "allowed_networks",
        Role.HOST,
        Type.NETWORK,
        (),
        "Networks whose machines are answered. Not set: all.",
        many=True,
    ),
    Setting(
        "new_cmid_rate",
        Role.HOST,
        Type.INTEGER,
        600,
        "New machines that may ask from one source address in an hour; renewals are not "
        "limited. 0 sets no limit.",
        unit="machines for each source and hour",
        minimum=0,
        maximum=1_000_000,
    ),
    Setting("tls_certificate", Role.HOST, Type.PATH, "", _TLS_CERTIFICATE),
    Setting("tls_key", Role.HOST, Type.PATH, "", _TLS_KEY),
    Setting("trusted_proxies", Role.HOST, Type.NETWORK, (), _TRUSTED_PROXIES, many=True),
    Setting("operation_address", Role.HOST, Type.LISTEN, HOST_OPERATION, _OPERATION),
    Setting(
        "connections_per_source",
        Role.HOST,
        Type.INTEGER,
        500,
        "Connections that one source (an IPv4 address or a /64 of IPv6) may have at a time; a "
        "further one closes the one of them that has kept the server waiting longest. It does not "
        "apply to this machine's own addresses, where a proxy may be. 0 sets no limit.",
        unit="connections for each source",
        minimum=0,
        maximum=100_000,
    ),
    Setting(
        "host",
        Role.CLIENT,
        Type.HOST,
        "",
        "The host to ask (set-host); it turns discovery off. Not set: hosts are found by DNS.",
    ),
    Setting(
        "port",
        Role.CLIENT,
        Type.INTEGER,
        PORT,
        "Port of the host to ask, if `host` has none.",
        minimum=1,
        maximum=65535,
    ),
    Setting(
        "suffixes",
        Role.CLIENT,
        Type.DOMAIN,
        (),
        "Domains in which hosts are looked for. Not set: the machine's own domain and search list.",
        many=True,
    ),
    Setting(
        "nameserver",
        Role.CLIENT,
        Type.NAMESERVER,
        (),
        "Name servers to ask. Not set: those of the system.",
        many=True,
    ),
    Setting(
        "timeout",
        Role.CLIENT,
        Type.INTEGER,
        10,
        "Longest time of one exchange with a host or a publisher.",
        unit="s",
        minimum=1,
        maximum=300,
    ),
    Setting(
        "send_name",
        Role.CLIENT,
        Type.BOOLEAN,
        True,
        "Whether requests to hosts contain the machine's name, for the host's administrator.",
    ),
    Setting(
        "site_folder",
        Role.CLIENT,
        Type.PATH,
        "",
        "Folder with site files, which name hosts before DNS is asked. Not set: site.d beside the"
        " settings file of the system.",
    ),
    Setting(
        "host_caching",
        Role.CLIENT,
        Type.BOOLEAN,
        True,
        "Whether the host that answered last is asked first.",
    ),
    Setting(
        "host_tls",
        Role.CLIENT,
        Type.BOOLEAN,
        False,
        "Whether hosts are asked over TLS only; each must present a certificate for the name "
        "under which it was found or set.",
    ),
    Setting(
        "publisher_url",
        Role.CLIENT,
        Type.URL,
        "",
        "Address of the publisher's service, for keys that activate this machine once "
        "(set-publisher). Not set: it must be given, or activation goes by file or digits.",
    ),
    Setting(
        "port",
        Role.PUBLISHER,
        Type.INTEGER,
        PUBLISHER_PORT,
        "Port of the activation server. 0 chooses any free port.",
        minimum=0,
        maximum=65535,
    ),
    Setting(
        "bind",
        Role.PUBLISHER,
        Type.ADDRESS,
        "127.0.0.1",
        "Address of the activation server; put a proxy with TLS in front of it.",
    ),
    Setting(
        "connections_per_source",
        Role.PUBLISHER,
        Type.INTEGER,
        500,
        "Connections that one source (an IPv4 address or a /64 of IPv6) may have at a time; a "
        "further one closes the one of them that has kept the server waiting longest. It does not "
        "apply to this machine's own addresses, where a proxy may be. 0 sets no limit.",
        unit="connections for each source",
        minimum=0,
        maximum=100_000,
    ),
    Setting(
        "database",
        Role.PUBLISHER,
        Type.DATABASE,
        "",
        "PostgreSQL database of the publisher, for several servers. A password belongs in the "
        "password file of libpq. Not set: an SQLite file in the store.",
    ),
    Setting(
        "url",
        Role.PUBLISHER,
        Type.URL,
        "",
        "Address at which hosts and machines reach the activation server. Not set: derived "
        "from `bind` and `port`.",
    ),
    Setting("tls_certificate", Role.PUBLISHER, Type.PATH, "", _TLS_CERTIFICATE),
    Setting("tls_key", Role.PUBLISHER, Type.PATH, "", _TLS_KEY),
    Setting("trusted_proxies", Role.PUBLISHER, Type.NETWORK, (), _TRUSTED_PROXIES, many=True),
    Setting("operation_address", Role.PUBLISHER, Type.LISTEN, PUBLISHER_OPERATION, _OPERATION),
    Setting(
        "database",
        Role.MANAGER,
        Type.DATABASE,
        "",
        "PostgreSQL database of the manager, for several administrators. A password belongs in the "
        "password file of libpq. Not set: an SQLite file in the store.",
    ),
)
"""Every setting, in the order of docs/settings.md."""

_TRUE, _FALSE = {"true", "on", "yes", "1"}, {"false", "off", "no", "0"}
_LONGEST = 4096


def of_role(role: str) -> Iterator[Setting]:
    """The settings of one role, in the order of the table."""
    return (setting for setting in SETTINGS if setting.role == role)


def lookup(role: str, name: str) -> Setting:
    """The setting of a role by its name; `-` counts as `_`.

    Raises `settings/unknown`, naming the nearest one.
    """
    wanted = name.replace("-", "_")
    for setting in of_role(role):
        if setting.name == wanted:
            return setting
    known = [setting.name for setting in of_role(role)]
    import difflib  # nobody else needs it

    near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.0)
    raise error("settings/unknown", name=_shown(name), role=role, near=near[0] if near else "none")


def defaults(role: str) -> dict[str, Value]:
    """The defaults of a role by name."""
    return {setting.name: setting.default for setting in of_role(role)}


def check(setting: Setting, value: object) -> Value:
    """Judge a value as TOML or JSON gives it.

    Returns:
        The value in its one form: lists as tuples, domains in lower case without a final dot,
        networks and addresses as `ipaddress` writes them.
    Raises:
        MusterError: `settings/value`, naming the setting and what it must be.
    """
    if not setting.many:
        return _check_one(setting, value)
    if not isinstance(value, list | tuple) or len(value) > 256:
        raise _refused(setting, value)
    texts = (_check_one(setting, item) for item in value)
    return tuple(str(text) for text in texts)


def parse(setting: Setting, text: str) -> Value:
    """Judge a value as environment and command line give it: a text, lists with commas.

    Raises `settings/value`.
    """
    if setting.many:
        return check(setting, [part.strip() for part in text.split(",") if part.strip()])
    return check(setting, _typed(setting, text))


def _typed(setting: Setting, text: str) -> object:
    """A text as the type that TOML would give; what does not fit stays text and is refused."""
    if setting.type is Type.INTEGER and grammar.INTEGER.fullmatch(text):
        return int(text)
    if setting.type is Type.BOOLEAN and text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    return text


def warning(setting: Setting, value: Value) -> str | None:
    """What to warn of when this value is set, or None."""
    if setting.warn_above is not None and isinstance(value, int) and value > setting.warn_above:
        return setting.warning
    return None


def _check_one(setting: Setting, value: object) -> Value:
    if setting.type is Type.INTEGER:
        if not isinstance(value, int) or isinstance(value, bool):
            raise _refused(setting, value)
        if setting.minimum is not None and value < setting.minimum:
            raise _refused(setting, value)
        if setting.maximum is not None and value > setting.maximum:
            raise _refused(setting, value)
        return value
    if setting.type is Type.BOOLEAN:
        if not isinstance(value, bool):
            raise _refused(setting, value)
        return value
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise _refused(setting, value)
    if value == "" and setting.default == "":
        return value
    cleaned = _text(setting, value)
    if cleaned is None:
        raise _refused(setting, value)
    return cleaned


def _text(setting: Setting, value: str) -> str | None:
    """The one form of a text, or None when it is not of the setting's type."""
    match setting.type:
        case Type.CHOICE:
            return value if value in setting.choices else None
        case Type.PATH:
            return value if value and "\x00" not in value else None
        case Type.URL:
            return value.rstrip("/") if grammar.SETTING_URL.fullmatch(value) else None
        case Type.DATABASE:
            return value if grammar.DATABASE_URL.fullmatch(value) else None
        case Type.PRINCIPAL:
            return value if grammar.PRINCIPAL.fullmatch(value) else None
        case Type.DOMAIN:
            return _domain(value)
        case Type.NETWORK:
            return _network(value)
        case Type.ADDRESS:
            return _address(value)
        case Type.LISTEN:
            return _listen(value)
        case Type.HOST | Type.NAMESERVER:
            return value if _host_port(value, setting.type is Type.NAMESERVER) else None
        case _:
            return None


def _domain(value: str) -> str | None:
    name = value.removesuffix(".")
    if not name.isascii():
        return None
    name = name.lower()
    good = len(name) <= 253 and grammar.DNS_NAME.fullmatch(name) is not None
    return name if good else None


def _network(value: str) -> str | None:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        return None


def _address(value: str) -> str | None:
    _, mark, scope = value.partition("%")
    if mark and not grammar.ZONE_ID.fullmatch(scope):
        # The library takes any characters behind the %.
        return None
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return None


def _host_port(value: str, address_only: bool) -> tuple[str, int | None] | None:
    bare = _address(value)
    if bare is not None:
        return bare, None
    match = grammar.HOST_PORT.fullmatch(value)
    if match is None:
        return None
    six, name, port = match.groups()
    number = int(port) if port else None
    if number is not None and not 1 <= number <= 65535:
        return None
    host = _address(six) if six else _address(name)
    if six and (host is None or ":" not in host):
        return None
    if host is None and not address_only:
        host = _domain(name)
    return None if host is None else (host, number)


def _listen(value: str) -> str | None:
    place = split_listen(value)
    if place is None:
        return "off" if value == "off" else None
    address, port = place
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def split_listen(text: str) -> tuple[str, int] | None:
    """Address and port of a setting of type LISTEN; None for `off` and for what is of no such
    form."""
    match = grammar.ADDRESS_PORT.fullmatch(text)
    if match is None:
        return None
    six, four, port = match.groups()
    address = _address(six or four)
    if address is None or (six is not None) != (":" in address) or int(port) > 65535:
        return None
    return address, int(port)


def split_host_port(text: str, default_port: int) -> tuple[str, int]:
    """Host and port of a setting of type HOST or NAMESERVER, such as `[2001:db8::1]:16880`.

    The host is a name in lower case or an IP address without brackets. Raises `settings/host`.
    """
    split = _host_port(text, address_only=False)
    if split is None:
        raise error("settings/host", value=_shown(text), wanted=Type.HOST.value)
    host, port = split
    return host, default_port if port is None else port


def _refused(setting: Setting, value: object) -> MusterError:
    return error(
        "settings/value", name=setting.full_name, value=_shown(value), wanted=setting.wanted
    )


def _shown(value: object) -> str:
    """A value for a message: in ASCII, bounded, an address without its secrets."""
    if isinstance(value, str) and ("@" in value or "://" in value):
        value = shown_url(value)
    try:
        text = ascii(value)
    except ValueError:
        # Python does not write numbers of more than 4,300 digits.
        return "a number of thousands of digits"
    return text if len(text) <= 80 else text[:77] + "..."


def toml(value: Value) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    escaped = "".join(
        f"\\u{ord(character):04X}" if character < " " or character in '"\\\x7f' else character
        for character in value
    )
    return f'"{escaped}"'


def template() -> str:
    """The settings file with every setting at its default, commented out, with its help."""
    lines = ["# Settings of Muster. Environment variables and flags override this file."]
    for role in Role:
        lines.append("" if role is Role.COMMON else f"\n[{role.value}]")
        for setting in of_role(role):
            unit = f", in {setting.unit}" if setting.unit else ""
            lines.append(f"# {setting.help}")
            lines.append(f"# {setting.wanted[0].upper()}{setting.wanted[1:]}{unit}; {setting.env}")
            lines.append(f"#{setting.name} = {toml(setting.default)}")
    return "\n".join(lines) + "\n"


def value_text(value: Value) -> str:
    """A value as it is typed and stored: lists with commas, `true` and `false`."""
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
