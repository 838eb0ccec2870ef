"""What a person or a program can wish of a client: one function each, under the store's lock."""

import logging

# Acts alone write to a log, and a program that configured none gets none.
logging.getLogger("muster.client").addHandler(logging.NullHandler())
