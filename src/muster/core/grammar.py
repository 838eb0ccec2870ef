"""The grammars of what Muster reads and writes: each of them once, under one name.

Decides how ids, names, numbers and addresses are spelt. Refuses to know where a value came from
and which error it gets. Each pattern is matched as a whole (`fullmatch`) unless its text says
otherwise.

Patterns that only take a foreign text apart (a message of HTTP, a file of another program) stay
with the module that reads it; tests/core/test_grammar.py lists them with the reason.
Obeys docs/spec/, at the sections named here.
"""

from __future__ import annotations

import re

from muster.core.characters import BETWEEN, HIDDEN, SPACES
from muster.core.errors import Retry
from muster.core.patterns import pattern

# Bytes as canonical base64url: the bits beyond the last byte are zero (sections 1.1 and 2.2).

BASE64URL = pattern(r"[A-Za-z0-9_-]*")
"""The alphabet alone; whoever decodes judges length and last character."""
BASE64URL_16 = pattern(r"[A-Za-z0-9_-]{21}[AQgw]")
"""16 bytes: nonces and licence ids (`jti`)."""
NONCE_PREFIX = pattern(r"[A-Za-z0-9_-]{8}")
"""The first characters of a nonce, which later requests show (section 1.8.1)."""
NONCE_PREFIX_OR_EMPTY = pattern(rf"(?:{NONCE_PREFIX.pattern})?")
NONCE_LINE = pattern(rf"(?:{NONCE_PREFIX.pattern}){{0,128}}")
"""At most 128 of them, one after the other."""
BASE64URL_32 = pattern(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
"""32 bytes: thumbprints (`kid`), public keys, secrets, salts."""
BASE64URL_64 = pattern(r"[A-Za-z0-9_-]{85}[AQgw]")
"""64 bytes: the proof of a request, an Ed25519 signature (section 8.1)."""
COMPACT_JWS = pattern(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
"""Three parts with dots between them (section 2.2); what is in them is judged apart."""
SHA256_HEX = pattern(r"[0-9a-f]{64}")
"""A SHA-256 in lower case."""

# Ids (sections 1.1 and 2.5).

PUBLISHER_ID = pattern(r"[a-z2-7]{16}")
LABEL = pattern(r"[a-z0-9-]{1,20}")
"""Label of a publisher; also in its DNS name (section 7.1)."""
NAME = pattern(r"[a-z0-9.-]{1,64}")
"""Ids of products, key groups and applications; features and roles."""
AUDIENCE = pattern(rf"{PUBLISHER_ID.pattern}/{NAME.pattern}")
"""`aud`: a publisher and what it is for."""
UUID = pattern(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""A CMID, or a UUID among the facts; lower case."""
BINDING = pattern(r"[0-9a-f]{25}")
"""Of a machine or a host (sections 1.7.2 and 1.7.3)."""
HARDWARE_ID = pattern(r"[0-9a-f]{12}")
"""Of a host (section 1.7.4)."""
KEY_ID = pattern(r"[0-4]-(?:0|[1-9][0-9]{0,3})-(?:0|[1-9][0-9]{0,7})")
"""Kind, group and serial of a product key (section 1.5)."""
KEY_ID_OR_EMPTY = pattern(rf"(?:{KEY_ID.pattern})?")
KEY_ID_PARTS = pattern(r"(0|[1-9][0-9]{0,9})-(0|[1-9][0-9]{0,9})-(0|[1-9][0-9]{0,9})")
"""A key id as a person types it: wider, so that the error can say which part is out of range."""
IDENTITY_MODE = pattern(r"machine|device|node|explicit")
"""Section 1.3."""

# Facts (section 1.6).

FACT_NAME = pattern(r"[a-z0-9-]{1,32}")
COMMITMENT = pattern(r"[a-z][0-9a-f]{16}")
"""The letter of a fact and 16 digits (section 1.6.2)."""
FACT_MARK = pattern(r"[0-9a-f]{16}")
"""What a machine keeps of the fact behind a licence (section 1.7.5)."""
BARE_UUID = pattern(r"[0-9a-f]{32}")
"""A UUID without its hyphens, as some firmware writes it."""
CLOUD_INSTANCE = pattern(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")
"""An instance id as EC2 makes it."""
MAC_ADDRESS = pattern(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
NOT_PRINTABLE = pattern(r"[^\x20-\x7e]")
"""One character that no fact holds; searched for."""

# Names and texts for people (section 2.5.1).

HIDDEN_CHARACTER = pattern(f"[{HIDDEN}]")
"""What a terminal obeys, what turns the direction of writing, and what nobody sees; searched
for."""
DISPLAY_NAME = pattern(f"(?![{SPACES}])[^{HIDDEN}]{{1,200}}(?<![{SPACES}])")
"""Text for people: nothing that nobody sees or that turns the direction of writing, and no space at
either end."""
DISPLAY_NAME_OR_EMPTY = pattern(rf"(?:{DISPLAY_NAME.pattern})?")
CLIENT_TEXT = pattern(r"[ -~]{0,64}")
"""What a client says of its version and system: printable ASCII (section 8.1)."""
DIGIT_GROUPS = pattern(f"(?=[^0-9]*[0-9])[0-9A-Ia-i{BETWEEN}]{{1,400}}")
"""Installation and confirmation IDs as people paste them, with letters of rows (section 1.9.3);
whoever reads them judges whether they fit."""

# Errors, as problem documents and notices name them (sections 2.5 and 8.8).

NOTICE_CODE = pattern(r"[a-z0-9-]{1,32}/[a-z0-9-]{1,32}")
ERROR_CODE = pattern(r"[a-z-]{1,32}/[a-z0-9-]{1,64}")
"""The code of a problem document."""
RETRY = pattern("|".join(one.value for one in Retry))
FIELD_CODE = pattern(r"[0-9A-Fa-fx]{0,16}")
"""A number that administrators know, such as 0xC004F038, or nothing."""
PARAMETER_NAME = pattern(r"[a-z0-9_]{1,32}")
PROSE_CHARACTERS = 1024
PROSE = pattern(rf".{{0,{PROSE_CHARACTERS}}}", re.DOTALL)
"""What happened, why, and what to do, as a peer says it; it is cleaned before anybody sees it."""
HTTP_METHOD = pattern(r"GET|HEAD|POST|PUT|DELETE")

# Numbers in addresses, files and on the command line.

VERSION_NUMBER = pattern(r"0|[1-9][0-9]{0,14}")
"""A version of trust or catalogue, 0 for none."""
VERSION_IN_PATH = pattern(r"[1-9][0-9]{0,14}")
"""A version of trust in a path (section 8.2)."""
AUDIT_HEAD = pattern(rf"({VERSION_NUMBER.pattern}):({SHA256_HEX.pattern})")
"""Number and hash of the last row of an audit log (section 12.3)."""
INTEGER = pattern(r"-?[0-9]{1,15}")
"""The value of a setting."""
SPAN = pattern(r"([1-9][0-9]{0,9}|0)([smhd])")
"""A span as people write it into a catalogue file: `120m`, `7d`."""
FILE_KIND = pattern(r"[a-z-]{1,32}")
"""`file`, the kind of an exchanged file (section 8.6)."""
KEY_FILE_ROLE = pattern(r"[a-z][a-z0-9-]{0,31}")
"""Section 9.3."""

# Addresses. Brackets hold IPv6 addresses; whoever reads them judges the address and the port.

_IN_BRACKETS = r"\[([0-9A-Fa-f:.]{2,45})\]"
PORT = pattern(r"[0-9]{1,5}")
ZONE_ID = pattern(r"[A-Za-z0-9_.-]{1,15}")
"""Name or number of an interface behind the % of an address (RFC 4007, section 11)."""
ADDRESS_PORT = pattern(rf"(?:{_IN_BRACKETS}|([0-9.]{{7,15}})):([0-9]{{1,5}})")
"""Where a server listens."""
HOST_PORT = pattern(rf"(?:{_IN_BRACKETS}|([^:\[\]]{{1,254}}))(?::([0-9]{{1,5}}))?")
"""A name or an address, and maybe a port."""
FORWARDED_NODE = pattern(rf"(?:{_IN_BRACKETS}|([0-9.]{{7,15}}))(?::[0-9]{{1,5}})?")
"""An address as proxies name it in `Forwarded` (RFC 7239, section 6); with or without its port."""
_DNS_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
DNS_NAME = pattern(rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*")
"""A name of a host or a service, in lower case and without the last dot; at most 253 characters,
which whoever reads it counts."""
SITE_HOST = pattern(rf"(?=.{{1,253}}\Z)(?:{DNS_NAME.pattern}|[0-9a-f.]*:[0-9a-f:.]*)", re.DOTALL)
"""A host in a site file: a name or an address, without brackets (section 15.3)."""
SITE_SUFFIX = pattern(rf"(?=.{{1,253}}\Z){DNS_NAME.pattern}", re.DOTALL)
CERTIFICATE = pattern(r"[A-Za-z0-9_-]{2,5462}")
"""At most 4,096 bytes of DER in base64url; whoever decodes it judges them (section 15.3)."""
PRINCIPAL = pattern(r"[A-Za-z0-9_$][A-Za-z0-9_.$/-]{0,200}(?:@[A-Za-z0-9.-]{1,253})?")
"""A Kerberos principal, with or without its realm; none that a program takes for an option."""
INVENTORY_WORD = pattern(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,63}")
"""Name of a group or a tag of machines, or of a saved filter."""
ACCOUNT_OR_EMPTY = pattern(r"(?:[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,63}[$]?)?")
"""An account to log in as, such as `ops` or `CORP\\ops`; nothing for whoever asks."""
SERVICE_URL = pattern(r"https?://[!-~]{1,200}")
"""Where a service listens, as signed and exchanged things say it."""
SETTING_URL = pattern(r"https?://[!-?A-~]{1,2000}")
"""Without "@": an address with a login would be kept and shown in the clear."""
DATABASE_URL = pattern(r"postgres(?:ql)?://[!-~]{1,2000}")
URL_SCHEME = pattern(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://")
"""How an address begins (RFC 3986, section 3.1)."""

# Parts of HTTP messages that several readers build upon, as bytes (RFC 9110, section 5.6.2).

TOKEN_CHARACTER = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
"""One character of a token: of methods and of names of fields. No pattern yet."""
TEXT_CHARACTER = rb"[\t -~\x80-\xff]"
"""One character of a value. No pattern yet."""
