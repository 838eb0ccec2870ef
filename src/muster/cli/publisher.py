"""`muster publisher …`: what an engineer of a publisher types (docs/publisher.md).

Each command opens the store, does one act of `muster.publisher.admin` or of its service, and says
what it did. Passphrases come from a file, from the environment or from a prompt, never from an
argument: everybody on a machine can read the arguments of its programs.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muster.cli import compose
from muster.cli.options import Command, show_code, store_option
from muster.cli.output import LazyGroup, MusterCommand, emit, interactive, wants_json
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.text import shown_url

if TYPE_CHECKING:
    from muster.core.products import KeyGroup, Product
    from muster.lease.trust import Trust, TrustKey
    from muster.publisher.act.signing import Revoked
    from muster.publisher.act.trust import Rotated
    from muster.publisher.admin import Admin
    from muster.publisher.backup import Resumed
    from muster.publisher.chain import Head
    from muster.publisher.look import HostRow
    from muster.publisher.model import Change, Draft, IssuedKey, MachineGrant
    from muster.system.keyfile import KDF
    from muster.wire.publisher import ConfirmRequest

"""A command before click gives it its options; each comes by name."""

PASSPHRASE = "MUSTER_PASSPHRASE"  # noqa: S105 - the name of a variable
ROOT_PASSPHRASE = "MUSTER_ROOT_PASSPHRASE"  # noqa: S105 - the name of a variable
_PASSPHRASE_BYTES = 1024
_LEADING_DASH = re.compile(r"-[A-Za-z0-9_-]{21}")
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(cls=LazyGroup)
def publisher() -> None:
    """The vendor's side: products, product keys, trust, activation of hosts.

    Begin with 'muster publisher init'; docs/publisher.md walks through the rest.
    """


# Options that many commands share.


def passphrase_options(command: Command) -> Command:
    """Where the passphrases of key files come from; gives the command `phrases`."""

    @click.option(
        "--passphrase-file",
        type=_FILE,
        help=f"File whose first line opens the key files; else {PASSPHRASE}, else a prompt.",
    )
    @click.option(
        "--root-passphrase-file",
        type=_FILE,
        help=f"The same for the roots, where theirs is another; else {ROOT_PASSPHRASE}.",
    )
    @functools.wraps(command)
    def wrapped(
        *args: Any, passphrase_file: Path | None, root_passphrase_file: Path | None, **kwargs: Any
    ) -> Any:
        kwargs["phrases"] = Phrases(passphrase_file, root_passphrase_file)
        return command(*args, **kwargs)

    return wrapped


def kdf_options(command: Command) -> Command:
    """The cost of new key files; gives the command `kdf`."""

    @click.option(
        "--kdf",
        "kdf_name",
        type=click.Choice(["argon2id", "scrypt"]),
        default="argon2id",
        show_default=True,
        help="How a passphrase becomes the key of a key file.",
    )
    @click.option("--kdf-memory", type=int, metavar="KIB", help="Argon2id: memory (65536).")
    @click.option("--kdf-passes", type=int, metavar="N", help="Argon2id: passes over it (3).")
    @click.option("--kdf-lanes", type=int, metavar="N", help="Argon2id: lanes (4).")
    @click.option("--kdf-log-n", type=int, metavar="N", help="scrypt: log2 of the cost (17).")
    @click.option("--kdf-r", type=int, metavar="N", help="scrypt: block size (8).")
    @click.option("--kdf-p", type=int, metavar="N", help="scrypt: parallel blocks (1).")
    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        numbers = {
            name: kwargs.pop(f"kdf_{name}")
            for name in ("memory", "passes", "lanes", "log_n", "r", "p")
        }
        kwargs["kdf"] = _kdf(kwargs.pop("kdf_name"), numbers)
        return command(*args, **kwargs)

    return wrapped


def _kdf(name: str, numbers: Mapping[str, int | None]) -> KDF:
    from muster.system.keyfile import Argon2id, Scrypt

    given = {key: value for key, value in numbers.items() if value is not None}
    own = ("memory", "passes", "lanes") if name == "argon2id" else ("log_n", "r", "p")
    for key in given:
        if key not in own:
            option = "--kdf-" + key.replace("_", "-")
            raise click.UsageError(f"{option} does not belong to --kdf {name}.")
    kdf: KDF
    if name == "argon2id":
        if "memory" in given:
            given["memory_kib"] = given.pop("memory")
        kdf = Argon2id(**given)
    else:
        kdf = Scrypt(**given)
    fault = kdf.faults()
    if fault:
        raise click.UsageError(f"The cost of key files: {fault}.")
    return kdf


class Phrases:
    """The passphrases of one command; each is asked for once, when it is needed."""

    def __init__(self, file: Path | None, root_file: Path | None) -> None:
        self._file = file
        self._root_file = root_file
        self._known: dict[str, str] = {}
        self.confirm = False

    def work(self) -> str:
        """The passphrase of the working keys and the tag key."""
        if PASSPHRASE not in self._known:
            self._known[PASSPHRASE] = self._find(
                self._file, PASSPHRASE, "Passphrase of the key files"
            )
        return self._known[PASSPHRASE]

    def root(self) -> str:
        """The passphrase of the roots: their own where one is given, else the other."""
        if self._root_file is None and ROOT_PASSPHRASE not in os.environ:
            return self.work()
        if ROOT_PASSPHRASE not in self._known:
            self._known[ROOT_PASSPHRASE] = self._find(
                self._root_file, ROOT_PASSPHRASE, "Passphrase of the roots"
            )
        return self._known[ROOT_PASSPHRASE]

    def _find(self, file: Path | None, variable: str, text: str) -> str:
        if file is not None:
            return _read_passphrase(file)
        if os.environ.get(variable):
            return os.environ[variable]
        if interactive():
            found = click.prompt(text, hide_input=True, confirmation_prompt=self.confirm, err=True)
            return str(found)
        raise error("publisher/passphrase", variable=variable)


def _read_passphrase(path: Path) -> str:
    from muster.system.textfile import read_text_private

    data = read_text_private(path, _PASSPHRASE_BYTES)
    line = data.split(b"\n", 1)[0].rstrip(b"\r")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise error("publisher/passphrase-file", path=str(path), detail="not UTF-8") from None
    if not text:
        detail = "its first line is empty"
        raise error("publisher/passphrase-file", path=str(path), detail=detail)
    return text


def _admin(store: Path | None, phrases: Phrases | None = None, kdf: KDF | None = None) -> Admin:
    return compose.publisher_admin(
        store,
        phrases.work if phrases else _no_passphrase,
        phrases.root if phrases else _no_passphrase,
        kdf,
    )


def _no_passphrase() -> str:
    raise AssertionError("this command opens no key file")


# Setting up.


@publisher.command()
@store_option
@click.option("--label", help="Short name for DNS, a-z 0-9 -, at most 20; it never changes.")
@click.option("--name", help="Name for people.")
@click.option(
    "--reserve-root",
    type=_FILE,
    required=True,
    help="New file for the reserve root, on a medium that is then locked away.",
)
@click.option("--catalogue", type=_FILE, help="TOML file of the first catalogue.")
@click.option("--sample", is_flag=True, help="Begin with the shipped sample, publisher Contoso.")
@passphrase_options
@kdf_options
def init(
    store: Path | None,
    label: str | None,
    name: str | None,
    reserve_root: Path,
    catalogue: Path | None,
    sample: bool,
    phrases: Phrases,
    kdf: KDF,
) -> None:
    """Make a publisher: keys, trust version 1, catalogue version 1.

    A second run changes nothing and says so.
    """
    if (catalogue is not None) == sample:
        raise click.UsageError("Give either --catalogue FILE or --sample.")
    draft = _draft(catalogue)
    label, name = label or draft.label, name or draft.name or label
    if not label or not name:
        raise error("publisher/label", field="name" if label else "label")
    phrases.confirm = True
    made = compose.publisher_init(
        store,
        phrases.work,
        phrases.root,
        kdf,
        label=label,
        name=name,
        content=draft.content,
        reserve=reserve_root,
    )
    found = made.publisher
    data = {
        "changed": made.changed,
        "publisher": found.id,
        "label": found.label,
        "name": found.name,
        "trust": made.trust,
        "catalogue": made.catalogue,
        "store": str(made.keys_folder.parent),
        "keys": str(made.keys_folder),
        "root": str(made.root) if made.root else None,
        "reserve_root": str(made.reserve) if made.reserve else None,
        "unfinished": str(made.unfinished) if made.unfinished else None,
    }
    who = f"Publisher {found.name} (label {found.label}, id {found.id})"
    if not made.changed:
        lines = [
            f"{who} is there already; nothing was changed.",
            f"Trust version {made.trust}, catalogue version {made.catalogue}.",
        ]
        emit(data, lines)
        return
    lines = [
        f"{who} is made.",
        f"Store: {made.keys_folder.parent}",
        "Trust version 1 and catalogue version 1 are signed.",
        f"Reserve root: {made.reserve}",
        "  Lock this file away now: it is the only way back when the working root is lost.",
        f"Working root: {made.root}",
        "  'publisher serve' never needs it. Move it to another machine before you serve.",
    ]
    if made.unfinished:
        lines.append(f"Key files of an init that did not end were moved to {made.unfinished}.")
    emit(data, lines)


def _draft(path: Path | None) -> Draft:
    from muster.publisher.catalogue_file import FILE_LIMIT, parse_catalogue_file, sample
    from muster.system.textfile import read_text

    return parse_catalogue_file(sample() if path is None else read_text(path, FILE_LIMIT))


@publisher.command()
@store_option
@click.option("--bind", help="Address to listen at (127.0.0.1).")
@click.option("--port", type=int, help="Port to listen at (16882); 0 takes a free one.")
@click.option(
    "--operation-address",
    metavar="ADDRESS:PORT",
    help="Where /readyz and /metrics are answered (127.0.0.1:16884), or off.",
)
@passphrase_options
def serve(
    store: Path | None,
    bind: str | None,
    port: int | None,
    operation_address: str | None,
    phrases: Phrases,
) -> None:
    """Activate hosts over HTTP, and give catalogue and trust.

    Opens the grant key only. Runs until SIGTERM or Ctrl-C.
    """
    from muster.net import operation
    from muster.net.certificate import certificate_of
    from muster.net.peers import networks
    from muster.net.serve import Listener, serve_forever, url_of
    from muster.net.serve import bind as bind_socket
    from muster.system import log

    settings = compose.publisher_settings(
        {"bind": bind, "port": port, "operation_address": operation_address}
    )
    log.configure(settings.text("log_format"), settings.text("log_level"))
    service = compose.publisher_service(store, phrases.work)
    try:
        opened = service.open_grant_keys()
        certificate = certificate_of(
            settings.text("tls_certificate"), settings.text("tls_key"), compose.clock().now
        )
        door, operation_door = compose.publisher_doors(service, settings, certificate)
        sock = bind_socket(settings.text("bind"), settings.integer("port"))
        monitor = operation.listen(settings.text("operation_address"))
        url = url_of(sock, tls=certificate is not None)
        who = service.publisher
        per_source = settings.integer("connections_per_source")
        shared = networks(settings.texts("trusted_proxies"))
        listeners = [Listener(door, sock, certificate, per_source=per_source, shared=shared)]
        if monitor is not None:
            listeners.append(operation.listener(operation_door, monitor))

        def ready() -> None:
            data = {"publisher": who.id, "label": who.label, "url": url, "grant_keys": opened}
            data["operation"] = None if monitor is None else operation.place_of(monitor)
            emit(data, [f"Publisher {who.name} ({who.label}) listens at {url}."])

        serve_forever(listeners, ready=ready)
    finally:
        service.close()


@publisher.command()
@store_option
@click.argument("file", type=_FILE)
@click.option("--url", help="Where this publisher's service can be reached.")
def export(store: Path | None, file: Path, url: str | None) -> None:
    """Write the publisher file: trust and catalogue, for hosts and for offline sites."""
    url = url or compose.publisher_settings({}).text("url") or None
    with _admin(store) as admin:
        found = admin.export(url)
        trust, catalogue = admin.trust().version, admin.catalogue().version
    changed = _write(file, _checked(found.encode(), url))
    data = {
        "changed": changed,
        "file": str(file),
        "publisher": found.publisher,
        "trust": trust,
        "catalogue": catalogue,
        "url": url,
    }
    emit(data, [_written(file, changed), f"Trust version {trust}, catalogue version {catalogue}."])


def _checked(data: bytes, url: str | None) -> bytes:
    """The publisher file, read back as its reader will: a wrong --url is told here."""
    from muster.wire.exchange import read_publisher_file

    _check_public(url)
    try:
        read_publisher_file(data)
    except MusterError:
        raise _no_url(url) from None
    return data


def _write(path: Path, data: bytes) -> bool:
    """Write a file that everybody may read; False when it holds just that already."""
    from muster.system.files import read_bounded, write_atomic

    try:
        if read_bounded(path, len(data)) == data:
            return False
    except MusterError:
        pass
    write_atomic(path, data, 0o644)
    return True


def _written(path: Path, changed: bool) -> str:
    return f"Written: {path}" if changed else f"{path} is up to date; nothing was changed."


# Products.


@publisher.group(cls=LazyGroup)
def product() -> None:
    """Products of the newest catalogue."""


def _product_data(one: Product) -> dict[str, Any]:
    spans = one.spans
    return {
        "id": one.id,
        "name": one.name,
        "edition": one.edition,
        "application": one.application,
        "group": one.group,
        "need": one.need,
        "channel": one.channel,
        "identity": list(one.identity),
        "features": list(one.features),
        "setup_key": one.setup_key,
        "spans": {
            "lease": spans.lease,
            "renew_after": spans.renew_after,
            "retry_after": spans.retry_after,
            "initial_grace": spans.initial_grace,
            "tolerance_grace": spans.tolerance_grace,
        },
    }


@product.command("list")
@store_option
def product_list(store: Path | None) -> None:
    """List the products."""
    with _admin(store) as admin:
        catalogue = admin.catalogue()
    data = {
        "catalogue": catalogue.version,
        "products": [_product_data(one) for one in catalogue.products],
    }
    lines = _table(
        ("PRODUCT", "NEED", "APPLICATION", "KEY GROUP", "SETUP KEY"),
        [
            (one.id, str(one.need), one.application, one.group, one.setup_key or "-")
            for one in catalogue.products
        ],
    )
    emit(data, lines)


@product.command("show")
@store_option
@click.argument("product_id", metavar="PRODUCT")
def product_show(store: Path | None, product_id: str) -> None:
    """Show one product."""
    with _admin(store) as admin:
        found = admin.product(product_id)
    spans = found.spans
    lines = [
        f"{found.name} ({found.id})",
        f"  Edition:          {found.edition or '-'}",
        f"  Counted in:       {found.application}, need {found.need}",
        f"  Key group:        {found.group}",
        f"  Channel:          {found.channel}",
        f"  Setup key:        {found.setup_key or '-'}",
        f"  Identity modes:   {', '.join(found.identity)}",
        f"  Features:         {', '.join(found.features) or '-'}",
        f"  Lease:            {_span(spans.lease)}, renewed after {_span(spans.renew_after)}",
        f"  Asks again after: {_span(spans.retry_after)}",
        f"  Grace:            {_span(spans.initial_grace)} at first,"
        f" {_span(spans.tolerance_grace)} out of tolerance",
    ]
    emit({"product": _product_data(found)}, lines)


@product.command("revoke")
@store_option
@click.argument("product_id", metavar="PRODUCT")
@passphrase_options
def product_revoke(store: Path | None, product_id: str, phrases: Phrases) -> None:
    """Revoke a product in a new catalogue: hosts refuse it, licences end within 30 days."""
    with _admin(store, phrases) as admin:
        found = admin.revoke_product(product_id)
    _emit_revoked(found, f"Product {product_id} is revoked")


@publisher.command()
@store_option
@click.argument("product_id", metavar="PRODUCT")
@click.option("--out", "file", type=_FILE, required=True, help="File to write.")
@click.option("--trust-version", type=click.IntRange(1), help="Trust to pin; the newest one.")
@click.option("--url", help="Where machines with a multiple activation key ask; none by default.")
def descriptor(
    store: Path | None, product_id: str, file: Path, trust_version: int | None, url: str | None
) -> None:
    """Write a product descriptor, to be built into the product's program."""
    with _admin(store) as admin:
        data = admin.descriptor(product_id, trust_version)
        pinned = trust_version or admin.trust().version
    if url:
        data = _with_url(data, url)
    changed = _write(file, data)
    emit(
        {"changed": changed, "file": str(file), "product": product_id, "trust": pinned},
        [_written(file, changed), f"Pins trust version {pinned}."],
    )


def _with_url(data: bytes, url: str) -> bytes:
    from muster.lease.descriptor import with_url

    _check_public(url)
    try:
        return with_url(data, url)
    except MusterError:
        raise _no_url(url) from None


def _check_public(url: str | None) -> None:
    """Refuse an address with a login: these files go to everybody."""
    if "@" in (url or ""):
        raise error("net/url", url=shown_url(url or ""), detail="it holds a login")


def _no_url(url: str | None) -> MusterError:
    detail = "it is not of the form http://name:port"
    return error("net/url", url=shown_url(url or ""), detail=detail)


# Product keys.


@publisher.group(cls=LazyGroup)
def key() -> None:
    """Product keys: issue, list, show, revoke."""


def _key_data(one: IssuedKey) -> dict[str, Any]:
    return {
        "id": one.key_id.text,
        "kind": one.key_id.kind.text,
        "group": one.group,
        "masked": one.masked,
        "product": one.product,
        "term_days": one.term * 30,
        "customer": one.customer,
        "issued_at": one.issued_at,
        "revoked_day": one.revoked,
        "hosts": one.hosts,
        "host_limit": one.host_limit,
        "activation_limit": one.activation_limit,
        "pool": _pool_data(one),
    }


def _pool_data(one: IssuedKey) -> dict[str, Any] | None:
    """The pool of a key that activates machines; None for other keys."""
    if not one.pool:
        return None
    return {
        "size": one.pool,
        "drawn": one.drawn,
        "left": one.left,
        "corrected": one.corrected,
        "correction_limit": one.correction_limit,
        "alerts": list(one.alerts),
    }


@key.command("issue")
@store_option
@click.option(
    "--kind",
    type=click.Choice(["host", "mak", "evaluation", "retail"]),
    required=True,
    help="host enrols hosts; mak, evaluation and retail activate machines from a pool.",
)
@click.option("--group", required=True, help="Key group: what the key may license.")
@click.option(
    "--pool",
    type=click.IntRange(1, 10_000_000),
    help="Machines that each key activates; for mak and evaluation. A retail key activates one.",
)
@click.option(
    "--alert-at",
    "alerts",
    type=click.IntRange(1, 100),
    multiple=True,
    metavar="PERCENT",
    help="Tell when this share of the pool is drawn; may be repeated. By default 80, 95 and 100;"
    " none for retail.",
)
@click.option("--count", type=click.IntRange(1, 1000), default=1, show_default=True)
@click.option(
    "--term",
    type=click.IntRange(0, 63),
    default=0,
    metavar="MONTHS",
    help="Licences end after this many times 30 days; 0 = they do not end. Evaluation: 3 or 6.",
)
@click.option("--customer", default="", help="For your own lists; it goes nowhere else.")
@click.option(
    "--out",
    "file",
    type=_FILE,
    help="New file for the keys, one a line, for you alone to read; they are not shown then.",
)
@passphrase_options
def key_issue(
    store: Path | None,
    kind: str,
    group: str,
    pool: int | None,
    alerts: tuple[int, ...],
    count: int,
    term: int,
    customer: str,
    file: Path | None,
    phrases: Phrases,
) -> None:
    """Issue product keys. They are shown in full this once."""
    from muster.core.keys import Kind
    from muster.system.files import write_atomic, write_new

    if kind == "host" and (pool or alerts):
        raise click.UsageError("--pool and --alert-at are for keys that activate machines.")

    if len(customer) > 200 or not customer.isprintable():
        raise click.UsageError("--customer takes up to 200 printable characters.")
    with _admin(store, phrases) as admin:
        if file is not None:
            write_new(file, b"")  # a file that cannot be made is told before keys are drawn
        try:
            if kind == "host":
                made = admin.issue_host_keys(group, count, term, customer)
            else:
                made = admin.issue_pool_keys(
                    Kind.of(kind),
                    group,
                    pool,
                    count=count,
                    term=term,
                    customer=customer,
                    alerts=alerts or None,
                )
        except BaseException:
            if file is not None:
                file.unlink()
            raise
        if file is not None:
            write_atomic(file, "".join(f"{one.key.text}\n" for one in made).encode("ascii"))
    shown = [one.key.text if file is None else one.issued.masked for one in made]
    data = {
        "changed": True,
        "file": None if file is None else str(file),
        "keys": [
            {**_key_data(one.issued), "key": text if file is None else None}
            for one, text in zip(made, shown, strict=True)
        ],
    }
    noun = "key" if count == 1 else "keys"
    lines = [
        *(f"{text}   {one.issued.key_id.text}" for one, text in zip(made, shown, strict=True)),
        f"Issued {count} {kind} {noun} of the key group {group}"
        + (f", {made[0].issued.pool} machines each" if made[0].issued.pool else "")
        + (f", for {term * 30} days each." if term else "."),
        "Keep them now: they are not shown again."
        if file is None
        else f"Written: {file}. Keep it: what it holds is not shown again.",
    ]
    emit(data, lines)


@key.command("list")
@store_option
@click.option(
    "--kind",
    type=click.Choice(["host", "mak", "setup", "evaluation", "retail"]),
    help="Only this kind.",
)
def key_list(store: Path | None, kind: str | None) -> None:
    """List issued product keys, masked."""
    from muster.core.keys import Kind

    with _admin(store) as admin:
        found = admin.keys(Kind.of(kind) if kind else None)
    lines = _table(
        ("KEY ID", "KIND", "KEY", "FOR", "USED", "TERM", "STATE", "CUSTOMER"),
        [
            (
                one.key_id.text,
                one.key_id.kind.text,
                one.masked,
                one.product or one.group,
                _used(one),
                f"{one.term * 30} d" if one.term else "-",
                f"revoked {_day(one.revoked)}" if one.revoked is not None else "good",
                one.customer or "-",
            )
            for one in found
        ],
    )
    emit({"keys": [_key_data(one) for one in found]}, lines)


def _used(one: IssuedKey) -> str:
    """Hosts or machines that a key has activated, of how many."""
    if one.pool:
        return f"{one.drawn}/{one.pool + one.corrected}"
    return f"{one.hosts}/{one.host_limit}" if one.product is None else "-"


@key.command("show")
@store_option
@click.argument("key_text", metavar="KEY")
def key_show(store: Path | None, key_text: str) -> None:
    """Show what is known of a product key, by its key id or by the key as typed."""
    from muster.core.keys import Kind

    with _admin(store) as admin:
        found = admin.find_key(key_text)
        hosts = admin.hosts(found.key_id.text) if found.key_id.kind is Kind.HOST else ()
        machines = admin.machines(found.key_id.text) if found.pool else ()
    lines = [
        f"{found.masked} ({found.key_id.text})",
        f"  Kind:     {found.key_id.kind.text}, "
        + (f"product {found.product}" if found.product else f"key group {found.group}"),
        f"  Issued:   {_when(found.issued_at)}"
        + (f" for {found.customer}" if found.customer else ""),
        f"  Term:     {f'{found.term * 30} days from activation' if found.term else 'no end'}",
        "  State:    "
        + (f"revoked on {_day(found.revoked)}" if found.revoked is not None else "good"),
    ]
    if found.key_id.kind is Kind.HOST:
        lines.append(f"  Hosts:    {found.hosts} of {found.host_limit}")
        lines += [f"    {line}" for line in _host_lines(hosts)]
    if found.pool:
        lines += _pool_lines(found)
        lines += [
            f"    {one.jti}  since {_day(one.day)}"
            + (f"  revoked {_day(one.revoked)}" if one.revoked is not None else "")
            for one in machines
        ]
    data = {
        **_key_data(found),
        "grants": [_host_data(one) for one in hosts],
        "activations": [_machine_data(one) for one in machines],
    }
    emit({"key": data}, lines)


def _pool_lines(one: IssuedKey) -> list[str]:
    given = f", {one.corrected} of them given back by staff" if one.corrected else ""
    return [
        f"  Pool:     {one.drawn} of {one.pool + one.corrected} drawn{given}; {one.left} left",
        f"            staff may give back {one.correction_limit - one.corrected} more",
    ]


def _machine_data(one: MachineGrant) -> dict[str, Any]:
    return {
        "jti": one.jti,
        "binding": one.binding,
        "first_day": one.day,
        "term_days": one.term * 30,
        "first_at": one.first_at,
        "last_at": one.last_at,
        "revoked_day": one.revoked,
    }


@key.command("correct")
@store_option
@click.argument("key_text", metavar="KEY")
@click.option("--add", "count", type=click.IntRange(1), required=True, help="Activations.")
@click.option("--reason", required=True, help="For the audit log.")
def key_correct(store: Path | None, key_text: str, count: int, reason: str) -> None:
    """Give activations back to a pool after a mistake; limited, and audited."""
    with _admin(store) as admin:
        found = admin.correct_pool(key_text, count, reason)
    lines = [f"{count} given back to the pool of {found.key_id.text}.", *_pool_lines(found)]
    emit({"changed": True, "key": _key_data(found)}, lines)


@key.command("extend")
@store_option
@click.argument("key_text", metavar="KEY")
@click.option("--pool", type=click.IntRange(1, 10_000_000), required=True, help="The new size.")
def key_extend(store: Path | None, key_text: str, pool: int) -> None:
    """Give a pool another size, as a changed agreement says."""
    with _admin(store) as admin:
        found, changed = admin.extend_pool(key_text, pool)
    said = "is now" if changed else "was already"
    lines = [f"The pool of {found.key_id.text} {said} {pool}.", *_pool_lines(found)]
    emit({"changed": changed, "key": _key_data(found)}, lines)


@key.command("revoke")
@store_option
@click.argument("key_text", metavar="KEY-ID")
@passphrase_options
def key_revoke(store: Path | None, key_text: str, phrases: Phrases) -> None:
    """Revoke a product key and all its grants, in a new catalogue."""
    with _admin(store, phrases) as admin:
        found = admin.revoke_key(key_text)
    _emit_revoked(found, f"Key {found.key} is revoked")


class TokenCommand(MusterCommand):
    """A command whose argument may be a licence id, which may begin with a dash."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take licence ids for arguments, never for options."""
        known = {name for one in self.params for name in (*one.opts, *one.secondary_opts)}
        ids = [one for one in args if one not in known and _LEADING_DASH.fullmatch(one)]
        if ids and "--" not in args:
            args = [*(one for one in args if one not in ids), "--", *ids]
        return super().parse_args(ctx, args)


@publisher.group(cls=LazyGroup)
def activation() -> None:
    """Activations of single machines."""


@activation.command("revoke", cls=TokenCommand)
@store_option
@click.argument("jti", metavar="LICENCE-ID")
@passphrase_options
def activation_revoke(store: Path | None, jti: str, phrases: Phrases) -> None:
    """Revoke the activation of one machine, in a new catalogue; it stays drawn."""
    with _admin(store, phrases) as admin:
        found = admin.revoke_activation(jti)
    _emit_revoked(found, f"Activation {jti} is revoked")


def _emit_revoked(found: Revoked, done: str) -> None:
    data = {
        "changed": found.changed,
        "catalogue": found.catalogue,
        "key": found.key,
        "hw": found.hw or None,
        "grants": list(found.grants),
    }
    if not found.changed:
        emit(data, [f"{done} already; nothing was changed."])
        return
    lines = [
        f"{done} in catalogue version {found.catalogue}.",
        *(f"  grant {one}" for one in found.grants),
        "A host stops when it holds this catalogue; export it for hosts that are offline.",
    ]
    emit(data, lines)


# Hosts.


@publisher.group(cls=LazyGroup)
def host() -> None:
    """Hosts of customers: list, release, revoke, activate by file."""


def _host_data(one: HostRow) -> dict[str, Any]:
    grant = one.grant
    return {
        "jti": grant.jti,
        "key": grant.key,
        "group": one.key.group,
        "customer": one.key.customer,
        "name": grant.name,
        "hw": grant.hw,
        "binding": grant.binding,
        "day": grant.day,
        "term_days": grant.term * 30,
        "first_at": grant.first_at,
        "last_at": grant.last_at,
        "revoked_day": grant.revoked,
        "activations": one.seat.activations,
        "released_at": one.seat.released_at,
    }


def _host_lines(hosts: Sequence[HostRow]) -> list[str]:
    return _table(
        ("GRANT", "KEY ID", "HARDWARE", "NAME", "CUSTOMER", "ACTIVATIONS", "FIRST", "STATE"),
        [
            (
                one.grant.jti,
                one.grant.key,
                one.grant.hw,
                json.dumps(one.grant.name, ensure_ascii=False) if one.grant.name else "-",
                one.key.customer or "-",
                f"{one.seat.activations}/{one.key.activation_limit}",
                _day(one.grant.day),
                _host_state(one),
            )
            for one in hosts
        ],
    )


def _host_state(one: HostRow) -> str:
    if one.grant.revoked is not None:
        word = "released" if one.seat.released_at is not None else "revoked"
        return f"{word} {_day(one.grant.revoked)}"
    if one.key.revoked is not None:
        return f"key revoked {_day(one.key.revoked)}"
    return "good"


@host.command("list")
@store_option
@click.option("--key", "key_id", help="Only hosts of this host key (key id).")
def host_list(store: Path | None, key_id: str | None) -> None:
    """List the hosts that were activated."""
    with _admin(store) as admin:
        found = admin.hosts(admin.find_key(key_id).key_id.text if key_id else None)
    emit({"hosts": [_host_data(one) for one in found]}, _host_lines(found))


@host.command("revoke", cls=TokenCommand)
@store_option
@click.argument("host_id", metavar="HOST")
@passphrase_options
def host_revoke(store: Path | None, host_id: str, phrases: Phrases) -> None:
    """Revoke a host (its grant or hardware id) in a new catalogue; its seat stays taken."""
    with _admin(store, phrases) as admin:
        found = admin.revoke_host(host_id)
    _emit_revoked(found, f"Host {host_id} is revoked")


@host.command("terms", cls=TokenCommand)
@store_option
@click.argument("host_id", metavar="HOST")
@click.option("--limit", type=click.IntRange(0, 10_000_000), required=True, help="Machines.")
@click.option(
    "--over",
    type=click.Choice(["refuse", "report"]),
    default="refuse",
    show_default=True,
    help="What the host does above the limit.",
)
@click.option("--agreement", required=True, help="Name or number of the contract.")
@click.option("--customer", default="", help="Shown on the host.")
@click.option(
    "--max-lease",
    "max_lease_days",
    type=click.IntRange(1, 24_855),
    metavar="DAYS",
    help="Days that a lease under the ceiling lasts at most: so long a machine that vanished"
    " keeps its seat. Without it, as long as the product's leases.",
)
@click.option("--out", "file", type=_FILE, help="Reply file with the terms, for a host offline.")
@passphrase_options
def host_terms(
    store: Path | None,
    host_id: str,
    limit: int,
    over: str,
    agreement: str,
    customer: str,
    max_lease_days: int | None,
    file: Path | None,
    phrases: Phrases,
) -> None:
    """Put a ceiling on a host: how many machines it may lease to.

    The host takes the terms with 'muster host terms fetch', or by file with 'muster host terms
    import'.
    """
    with _admin(store, phrases) as admin:
        made, reply = admin.issue_terms(
            host_id,
            limit=limit,
            over=over,
            agreement=agreement,
            customer=customer,
            max_lease=None if max_lease_days is None else max_lease_days * 86_400,
        )
    data: dict[str, Any] = {
        "grant": made.jti,
        "version": made.version,
        "limit": made.limit,
        "over": made.over,
        "agreement": made.agreement,
        "customer": made.customer,
        "max_lease": made.max_lease,
    }
    above = "refused" if made.over == "refuse" else "reported"
    lines = [
        f"Terms version {made.version} of the grant {made.jti}: {made.limit} machines,"
        f" more are {above}."
    ]
    if made.max_lease is not None:
        lines.append(f"Leases under it last {_span(made.max_lease)} at most.")
    if file is not None:
        data["file"] = str(file)
        data["written"] = _write(file, reply.encode())
        lines.append(_written(file, data["written"]))
    emit(data, lines)


@host.command("release", cls=TokenCommand)
@store_option
@click.argument("host_id", metavar="HOST")
@passphrase_options
def host_release(store: Path | None, host_id: str, phrases: Phrases) -> None:
    """Free the seat of a host that is gone, and revoke it in a new catalogue."""
    with _admin(store, phrases) as admin:
        found = admin.release_host(host_id)
    _emit_revoked(found, f"Host {found.hw} is released from key {found.key}")


@host.command("activate")
@store_option
@click.option("--request", type=_FILE, help="Request file of the host.")
@click.option("--reply", type=_FILE, help="Reply file to write for it.")
@click.option("--installation-id", help="The host's 15 groups of digits, in place of a file.")
@passphrase_options
def host_activate(
    store: Path | None,
    request: Path | None,
    reply: Path | None,
    installation_id: str | None,
    phrases: Phrases,
) -> None:
    """Activate a host that is offline: by file, or by its installation ID.

    The same host gets the same answer again, through whichever door, and draws nothing.
    """
    from muster.wire.exchange import ReplyFile
    from muster.wire.publisher import ConfirmRequest

    if (request is None) == (installation_id is None) or (request is None) != (reply is None):
        raise click.UsageError("Give --request FILE and --reply FILE, or --installation-id DIGITS.")
    service = compose.publisher_service(store, phrases.work)
    try:
        own = service.publisher.id
        door = "desk" if request is None else "file"
        if request is not None:
            asked = _request(request, own)
        else:
            assert installation_id is not None
            asked = ConfirmRequest(installation_id)
        found = service.activate_host(asked.installation_id, door, name=asked.name)
    finally:
        service.close()
    grant = found.grant
    data: dict[str, Any] = {
        "changed": found.drawn,
        "grant": grant.jti,
        "key": grant.key,
        "hw": grant.hw,
        "day": grant.day,
        "term_days": grant.term * 30,
        "confirmation_id": grant.confirmation,
    }
    lines = [
        f"Host {grant.hw} is activated with the key {grant.key} (grant {grant.jti})."
        if found.drawn
        else f"Host {grant.hw} has its grant {grant.jti} already; nothing was drawn."
    ]
    if reply is not None:
        data["file"] = str(reply)
        data["written"] = _write(reply, ReplyFile(own, found.answer).encode())
        lines.append(_written(reply, data["written"]))
    else:
        from muster.core.digits import format_rows

        lines += ["Confirmation ID:", format_rows(tuple(grant.confirmation.split("-")))]
    emit(data, lines)


def _request(path: Path, own: str) -> ConfirmRequest:
    from muster.system.textfile import read_text
    from muster.wire.exchange import read_request_file

    found = read_request_file(read_text(path, 64 * 1024))
    if found.publisher != own:
        raise error("publisher/other-request", found=found.publisher, own=own)
    return found.request


# Backup and restore.


def _resumed_lines(found: Resumed) -> list[str]:
    if found.waiting:
        return [
            f"New activations wait: the audit log of the backup ends at {found.head.text}.",
            "Compare that with the head kept elsewhere, then: muster publisher resume "
            "--audit-head SEQ:HASH, or --accept-loss.",
        ]
    if not found.changed:
        return ["Nothing waits; nothing was changed."]
    return [
        "Activations go on; what was drawn after the backup is lost, as you accepted."
        if found.lost
        else "Activations go on; nothing is lost."
    ]


def loss_options(command: Command) -> Command:
    """What says that draws may go on after a restore; gives `head` and `accept_loss`."""

    @click.option(
        "--audit-head",
        "head_text",
        metavar="SEQ:HASH",
        help="The audit head kept elsewhere: where it is the backup's, nothing is lost.",
    )
    @click.option(
        "--accept-loss",
        is_flag=True,
        help="What was drawn after the backup is lost, and may be drawn again; audited.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, head_text: str | None, **kwargs: Any) -> Any:
        from muster.publisher.chain import Head

        kwargs["head"] = None if head_text is None else Head.parse(head_text)
        return command(*args, **kwargs)

    return wrapped


@publisher.command()
@store_option
@click.argument("file", type=_FILE)
def backup(store: Path | None, file: Path) -> None:
    """Write the publisher's tables into a new file, while the service runs.

    The key files in the store's folder 'keys', and the reserve root, are copied by themselves.
    """
    from muster.publisher.backup import write_backup

    with contextlib.closing(compose.publisher_tables(store)) as tables:
        found = write_backup(tables.database, file, compose.clock().now())
    emit(
        {
            "changed": True,
            "file": str(file),
            "publisher": found.publisher,
            "rows": found.rows,
            "audit_head": found.head.text,
        },
        [
            f"Written: {file}, {found.rows} rows.",
            f"Audit head: {found.head.text}",
            "Keep the newest head apart from the backup ('muster publisher audit verify' prints "
            "it): after a restore it tells what is missing. Copy the folder 'keys' too.",
        ],
    )


@publisher.command()
@store_option
@click.argument("file", type=_FILE)
@loss_options
def restore(store: Path | None, file: Path, head: Head | None, accept_loss: bool) -> None:
    """Fill an empty database from a backup.

    New activations wait afterwards until the audit head kept elsewhere is given and is the
    backup's, or the loss of what came after the backup is accepted.
    """
    from muster.publisher import backup as backups

    with contextlib.closing(compose.publisher_tables(store, create=True)) as tables:
        found, done = backups.restore(
            tables,
            file,
            compose.clock(),
            compose.actor(),
            head=head,
            accept_loss=accept_loss,
        )
    emit(
        {
            "changed": True,
            "publisher": found.publisher,
            "rows": found.rows,
            "made_at": found.made_at,
            **_resumed_data(done),
        },
        [
            f"Restored {found.rows} rows of publisher {found.publisher}, "
            f"as of {_when(found.made_at)}.",
            *_resumed_lines(done),
        ],
    )


def _resumed_data(found: Resumed) -> dict[str, Any]:
    return {"waiting": found.waiting, "lost": found.lost, "audit_head": found.head.text}


@publisher.command()
@store_option
@loss_options
def resume(store: Path | None, head: Head | None, accept_loss: bool) -> None:
    """Let new activations go on after a restore."""
    from muster.publisher import backup as backups

    with contextlib.closing(compose.publisher_tables(store)) as tables:
        done = backups.resume(
            tables, compose.clock(), compose.actor(), head=head, accept_loss=accept_loss
        )
    emit({"changed": done.changed, **_resumed_data(done)}, _resumed_lines(done))


# The telephone desk.


@publisher.command()
@store_option
@click.argument("digits", nargs=-1, metavar="[INSTALLATION-ID]")
@click.option("--request", type=_FILE, help="Request file, or the content of its QR code.")
@click.option("--reply", type=_FILE, help="Reply file to write.")
@click.option("--qr", "qr_file", type=_FILE, help="Write the answer as QR code: .png or .svg.")
@click.option("--show-qr", is_flag=True, help="Draw the answer as QR code in the terminal.")
@passphrase_options
def confirm(
    store: Path | None,
    digits: tuple[str, ...],
    request: Path | None,
    reply: Path | None,
    qr_file: Path | None,
    show_qr: bool,
    phrases: Phrases,
) -> None:
    """Answer an installation ID, of a machine or a host, with its confirmation ID.

    By digits, by --request FILE, or, on a terminal without either, group by group as somebody
    reads them: a wrong group is told at once. The same ID gets the same answer again and draws
    nothing, whichever door it comes through.
    """
    from muster.cli import desk
    from muster.wire.exchange import ConfirmationFile, ReplyFile

    if digits and request is not None:
        raise click.UsageError("Give the digits or --request FILE, not both.")
    asked = not digits and request is None
    if asked and (wants_json() or not interactive()):
        raise click.UsageError("Give the installation ID, or --request FILE.")
    service = compose.publisher_service(store, phrases.work)
    try:
        own = service.publisher.id
        if asked:
            text, door = desk.take(service.check), "desk"
        elif request is not None:
            text, door = _request(request, own).installation_id, "file"
        else:
            text, door = " ".join(digits), "desk"
        answer = service.activate(text, door)
    finally:
        service.close()
    short = ConfirmationFile(own, answer.confirmation_id).encode()
    data: dict[str, Any] = {"publisher": own, "confirmation_id": answer.confirmation_id}
    lines: list[str] = []
    if reply is not None:
        data["file"] = str(reply)
        data["written"] = _write(reply, ReplyFile(own, answer).encode())
        lines.append(_written(reply, data["written"]))
    show_code(short, qr_file, data, lines, show=show_qr)
    if asked:
        for line in lines:
            click.echo(line)
        desk.give(answer.confirmation_id, short)
        return
    lines += ["Confirmation ID, as a text:", answer.confirmation_id, "", "To read out:"]
    lines += desk.lines(answer.confirmation_id)
    emit(data, lines)


# Catalogues.


@publisher.group(cls=LazyGroup)
def catalogue() -> None:
    """Catalogues: publish the next one, show, compare."""


def _change_data(changes: Sequence[Change]) -> list[dict[str, Any]]:
    return [
        {"what": one.what, "id": one.id, "how": one.how, "fields": list(one.fields)}
        for one in changes
    ]


def _change_lines(changes: Sequence[Change]) -> list[str]:
    return [
        f"  {one.how} {one.what} {one.id}" + (f": {', '.join(one.fields)}" if one.fields else "")
        for one in changes
    ]


@catalogue.command("publish")
@store_option
@click.argument("file", type=_FILE)
@passphrase_options
def catalogue_publish(store: Path | None, file: Path, phrases: Phrases) -> None:
    """Sign the next catalogue from a TOML file.

    Products and groups may be added; a group record, and the application, group and need of a
    product, never change.
    """
    draft = _draft(file)
    with _admin(store, phrases) as admin:
        found = admin.publish(draft.content)
    data = {
        "changed": found.changed,
        "catalogue": found.version,
        "changes": _change_data(found.changes),
    }
    lines = [
        f"Catalogue version {found.version} is published."
        if found.changed
        else f"Catalogue version {found.version} says just that; nothing was changed.",
        *_change_lines(found.changes),
    ]
    emit(data, lines)


@catalogue.command("diff")
@store_option
@click.argument("file", type=_FILE)
def catalogue_diff(store: Path | None, file: Path) -> None:
    """Tell what publishing a TOML file would change; signs nothing."""
    draft = _draft(file)
    with _admin(store) as admin:
        changes = admin.difference(draft.content)
        version = admin.catalogue().version
    lines = [
        f"Against catalogue version {version}:" if changes else "Nothing would change.",
        *_change_lines(changes),
    ]
    emit({"catalogue": version, "changes": _change_data(changes)}, lines)


def _group_data(one: KeyGroup) -> dict[str, Any]:
    return {
        "number": one.number,
        "id": one.id,
        "covers": list(one.covers),
        "max_lease": one.max_lease,
        "terms": one.terms,
    }


@catalogue.command("show")
@store_option
def catalogue_show(store: Path | None) -> None:
    """Show the newest catalogue."""
    with _admin(store) as admin:
        found = admin.catalogue()
    data = {
        "catalogue": found.version,
        "iat": found.iat,
        "signer": found.kid,
        "applications": [{"id": one.id, "name": one.name} for one in found.applications],
        "groups": [_group_data(one) for one in found.groups],
        "products": [_product_data(one) for one in found.products],
        "conversions": [
            {"source": one.source, "target": one.target, "rule": one.rule, "way": one.way}
            for one in found.conversions
        ],
        "revocations": [
            {"jti": one.jti, "key": one.key, "day": one.at} for one in found.revocations
        ],
    }
    lines = [
        f"Catalogue version {found.version}, signed {_when(found.iat)}",
        "",
        *_table(
            ("KEY GROUP", "NUMBER", "COVERS", "LONGEST LEASE", "TERMS"),
            [
                (one.id, str(one.number), ", ".join(one.covers), _span(one.max_lease), one.terms)
                for one in found.groups
            ],
        ),
        "",
        *_table(
            ("PRODUCT", "NEED", "APPLICATION", "KEY GROUP"),
            [(one.id, str(one.need), one.application, one.group) for one in found.products],
        ),
    ]
    if found.revocations:
        lines += [
            "",
            *_table(
                ("REVOKED", "SINCE"),
                [
                    (f"key {one.key}" if one.key else f"grant {one.jti}", _day(one.at))
                    for one in found.revocations
                ],
            ),
        ]
    emit(data, lines)


# Trust.


@publisher.group(cls=LazyGroup)
def trust() -> None:
    """Trust: show, rotate keys, recover with the reserve root."""


def _trust_data(one: Trust) -> dict[str, Any]:
    return {
        "version": one.version,
        "iat": one.iat,
        "roots": [root.kid for root in one.roots],
        "keys": [
            {
                "kid": entry.key.kid,
                "role": entry.role,
                "index": entry.index,
                "until_day": entry.until,
            }
            for entry in one.keys
        ],
    }


def _trust_lines(one: Trust) -> list[str]:
    return [
        f"Trust version {one.version}, signed {_when(one.iat)}",
        *_table(
            ("ROLE", "KEY", "STATE"),
            [
                ("working root", one.roots[0].kid, "in use"),
                ("reserve root", one.roots[1].kid, "locked away"),
                *(_key_line(entry) for entry in one.keys),
            ],
        ),
    ]


def _key_line(entry: TrustKey) -> tuple[str, str, str]:
    role = entry.role if entry.index is None else f"{entry.role} {entry.index}"
    state = "in use" if entry.until is None else f"retired, good until {_day(entry.until)}"
    return role, entry.key.kid, state


@trust.command("show")
@store_option
@click.option("--all", "every", is_flag=True, help="Every version, not only the newest.")
def trust_show(store: Path | None, every: bool) -> None:
    """Show the roots and working keys."""
    with _admin(store) as admin:
        line = admin.trusts() if every else (admin.trust(),)
        who = admin.publisher
    lines = [f"{who.name} (label {who.label}, id {who.id})"]
    for one in line:
        lines += ["", *_trust_lines(one)]
    emit(
        {
            "publisher": who.id,
            "label": who.label,
            "name": who.name,
            "trust": [_trust_data(one) for one in line],
        },
        lines,
    )


_ROLE = click.Choice(["grant", "catalogue"])


@trust.command("rotate")
@store_option
@click.option("--role", "roles", type=_ROLE, multiple=True, help="Key to renew; both by default.")
@click.option(
    "--keep-days",
    type=click.IntRange(0, 3660),
    default=0,
    help="Days that the old key may still sign, for hosts that do not follow at once (0).",
)
@click.option(
    "--withdraw",
    is_flag=True,
    help="Withdraw the old key (it was stolen): all that it signed refuses.",
)
@click.option(
    "--withdraw-retired", is_flag=True, help="Withdraw the keys that were retired before, too."
)
@click.option("--root", type=_FILE, help="File of the working root, where it is not in the store.")
@passphrase_options
@kdf_options
def trust_rotate(
    store: Path | None,
    roles: Sequence[str],
    keep_days: int,
    withdraw: bool,
    withdraw_retired: bool,
    root: Path | None,
    phrases: Phrases,
    kdf: KDF,
) -> None:
    """Sign the next trust version with the working root: new working keys."""
    if withdraw and keep_days:
        raise click.UsageError("--withdraw and --keep-days contradict each other.")
    with _admin(store, phrases, kdf) as admin:
        found = admin.rotate(
            sorted(set(roles)) or ["catalogue", "grant"],
            keep_days=keep_days,
            withdraw=withdraw,
            withdraw_retired=withdraw_retired,
            root=root,
        )
    _emit_rotated(found)


@trust.command("recover")
@store_option
@click.option(
    "--reserve-root", type=_FILE, required=True, help="File of the reserve root, brought back."
)
@click.option(
    "--version",
    type=click.IntRange(2),
    help="Version to sign: above whatever a thief may have published. The next one by default.",
)
@click.option("--role", "roles", type=_ROLE, multiple=True, help="Working key to renew as well.")
@click.option("--withdraw", is_flag=True, help="Withdraw the old keys of these roles.")
@click.option("--new-root", is_flag=True, help="Make a new working root.")
@click.option(
    "--new-reserve-root", type=_FILE, help="Make a new reserve root too; needs --new-root."
)
@passphrase_options
@kdf_options
def trust_recover(
    store: Path | None,
    reserve_root: Path,
    version: int | None,
    roles: Sequence[str],
    withdraw: bool,
    new_root: bool,
    new_reserve_root: Path | None,
    phrases: Phrases,
    kdf: KDF,
) -> None:
    """Sign a higher trust version with the reserve root.

    For the day on which the working root is lost or stolen. Whatever a thief signed with it above
    our newest version is left behind, and with --new-root his root is out.
    """
    if new_reserve_root is not None and not new_root:
        raise click.UsageError("--new-reserve-root needs --new-root.")
    if withdraw and not roles:
        raise click.UsageError("--withdraw needs the --role whose keys are withdrawn.")
    with _admin(store, phrases, kdf) as admin:
        found = admin.recover(
            reserve_root,
            version,
            roles=sorted(set(roles)),
            withdraw=withdraw,
            new_root=new_root,
            new_reserve=new_reserve_root,
        )
    _emit_rotated(found)


def _emit_rotated(found: Rotated) -> None:
    data = {
        "changed": True,
        "trust": _trust_data(found.trust),
        "catalogue": found.catalogue,
        "activate_again": found.again,
    }
    lines = [*_trust_lines(found.trust), f"Catalogue version {found.catalogue}."]
    if found.again:
        lines.append(
            f"{found.again} host grants were signed by a key that is withdrawn now. Their hosts"
            " activate again, which draws nothing."
        )
    lines.append("Hosts and machines follow by themselves; export it for sites that are offline.")
    emit(data, lines)


# Audit.


class _AuditGroup(LazyGroup):
    """A group that lists where no sub-command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@publisher.group(cls=_AuditGroup)
def audit() -> None:
    """Who changed and drew what, as a chain of hashes; lists it where no more is said."""


@audit.command("list")
@store_option
@click.option("--after", type=click.IntRange(0), default=0, help="Only rows above this number.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True)
def audit_list(store: Path | None, after: int, limit: int) -> None:
    """List who changed and drew what, oldest first."""
    with _admin(store) as admin:
        rows = admin.audit(after, limit)
    data = {
        "audit": [
            {
                "seq": one.seq,
                "at": one.at,
                "actor": one.actor,
                "event": one.event,
                "subject": one.subject,
                "detail": json.loads(one.detail),
            }
            for one in rows
        ]
    }
    lines = _table(
        ("SEQ", "WHEN", "ACTOR", "EVENT", "SUBJECT", "DETAIL"),
        [
            (str(one.seq), _when(one.at), one.actor, one.event, one.subject, one.detail)
            for one in rows
        ],
    )
    emit(data, lines)


@audit.command("verify")
@store_option
@click.option(
    "--head",
    "head_text",
    metavar="SEQ:HASH",
    help="A head that you kept elsewhere; the log must contain it.",
)
@click.option("--file", type=_FILE, help="Verify an export instead of the store; needs no store.")
def audit_verify(store: Path | None, head_text: str | None, file: Path | None) -> None:
    """Check that no row was changed, left out or put in; print the head.

    Keep the head where those who can write to the store cannot. Only with --head is a log that
    was cut at its end, or written anew from some row on, told from a whole one.
    """
    from muster.publisher.audit_file import check_audit_file
    from muster.publisher.chain import Head

    wanted = Head.parse(head_text) if head_text is not None else None
    if file is not None:
        head = check_audit_file(file, wanted)
    else:
        with _admin(store) as admin:
            head = admin.check_audit(wanted)
    data = {"rows": head.seq, "head": head.text, "contains": wanted.text if wanted else None}
    lines = [f"{head.seq} rows hold together.", f"Head: {head.text}"]
    if wanted is not None:
        lines.append(f"The log contains the given head, row {wanted.seq}.")
    emit(data, lines)


@audit.command("export")
@store_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
def audit_export(store: Path | None, file: Path) -> None:
    """Write the whole log as JSON lines to a new FILE, or to standard output with '-'."""
    from muster.publisher.audit_file import export_audit

    with _admin(store) as admin:
        if str(file) == "-":
            admin.export_audit(lambda line: click.echo(line, nl=False))
            return
        head = export_audit(admin.export_audit, file)
    data = {"changed": True, "file": str(file), "rows": head.seq, "head": head.text}
    emit(data, [f"Written: {file}, {head.seq} rows.", f"Head: {head.text}"])


# Words.


def _when(instant: int) -> str:
    from muster.core.text import instant_text

    return instant_text(instant)


def _day(day: int | None) -> str:
    from muster.core.products import day_start
    from muster.core.text import day_text

    return "-" if day is None else day_text(day_start(day))


def _span(seconds: int) -> str:
    from muster.core.text import exact_span_text

    return exact_span_text(seconds)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
