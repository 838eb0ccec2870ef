"""`python -m muster.agent OPTIONS`: the keeper alone, without the command that started it.

`muster client agent` becomes this program [what reads a command line would stay in memory for
years]; `OPTIONS` is a JSON object of `muster.agent.serve.Options`.
"""

import json
import sys

from muster.agent.serve import Options, serve_managed
from muster.core.errors import Kind, MusterError
from muster.system.files import translate


def main() -> None:
    """Run the agent; an error of the catalogue is told as commands tell theirs."""
    options = Options(**json.loads(sys.argv[1]))
    try:
        try:
            serve_managed(options)
        except OSError as fault:
            raise translate(fault, fault.filename or options.run) from None
    except MusterError as fault:
        if options.json:
            from muster.core.records import encode, error_record

            told = {"error": encode(error_record(fault))}
            sys.stdout.write(json.dumps(told, indent=2, sort_keys=True) + "\n")
        else:
            lines = (fault.code, f"  What: {fault.what}", f"  Why:  {fault.why}")
            sys.stderr.write("\n".join((*lines, f"  Fix:  {fault.fix}", "")))
        sys.exit({Kind.REFUSAL: 1, Kind.USAGE: 2, Kind.FAULT: 3}[fault.row.kind])


if __name__ == "__main__":
    main()
