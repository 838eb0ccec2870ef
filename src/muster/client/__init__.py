"""The machine's side of volume activation, and what applications ask.

    from muster.client import licence
    found = licence("/usr/share/contoso/desktop.descriptor.json")
    print(found.licensed, found.until, found.why)

Obeys docs/spec/05-verification.md to 07-discovery.md. Importing it loads no database driver, no
web framework, no DNS and no HTTP; those come in when somebody activates.
"""

from muster.client.facade import Licence, activate, licence

__all__ = ["Licence", "activate", "licence"]
