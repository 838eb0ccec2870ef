"""`python -m muster` is the command `muster`; the installed command starts here too.

Decides what Ctrl-C does while nothing of Muster runs yet, or no longer: the process ends by the
signal, as other programs do, and prints nothing.
"""

import signal
import sys


def main() -> None:
    """Run the command. While its modules are imported, and after its end, Ctrl-C ends the process
    without a traceback."""
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heard:  # otherwise whoever started this process said that Ctrl-C is not for it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from muster.cli.main import main as run

    try:
        if heard:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        if heard:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    main()
